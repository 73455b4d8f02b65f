"""The only place that knows the order: observe, judge, act, report; between steps, the store has it all."""

from watchdog.engine.loop import Engine
from watchdog.engine.scene import Parts

__all__ = ["Engine", "Parts"]
