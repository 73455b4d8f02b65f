"""Fakes that users and our own tests share; each passes the contract suite of the real thing."""

from watchdog.testing.clock import EPOCH, FakeClock
from watchdog.testing.gauge import FakeGauge
from watchdog.testing.history import FakeHistory
from watchdog.testing.platform import FakeActor, FakePlatform, World

__all__ = ["EPOCH", "FakeActor", "FakeClock", "FakeGauge", "FakeHistory", "FakePlatform", "World"]
