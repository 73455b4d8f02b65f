"""The daemon's HTTP: health, metrics, and a small JSON API for what the command line shows and does.

Reading needs no token, so it listens on loopback by default. Actions need the configured token; without one there are
none. Nothing here decides anything: it reads the store, and hands orders to `Actions`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI, Response
from pydantic import SecretStr

from watchdog import __version__
from watchdog.clock import Clock
from watchdog.report.metrics import CONTENT_TYPE
from watchdog.roster import Roster
from watchdog.store.base import Store
from watchdog.web import errors
from watchdog.web.actions import action_routes
from watchdog.web.base import Actions
from watchdog.web.gate import Gate, is_loopback
from watchdog.web.reading import Health, reading_routes


def create_app(
    *,
    store: Store,
    roster: Roster,
    metrics_text: Callable[[], bytes],
    alive: Callable[[], tuple[bool, str]],
    ready: Callable[[], tuple[bool, str]],
    actions: Actions | None,
    token: SecretStr | None,
    clock: Clock,
    host: str = "127.0.0.1",
    unexpected: Callable[[BaseException], None] | None = None,
) -> FastAPI:
    """The app. `alive` and `ready` say yes or no and why; `host` is the address it will listen on; `unexpected` is
    told of errors nobody foresaw."""
    app = FastAPI(
        title="Deploy Watchdog",
        version=__version__,
        description="What the watchdog sees, judged and did. Actions need `Authorization: Bearer TOKEN`.",
        docs_url=None,  # these pages load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
    )
    app.add_middleware(Gate, local=is_loopback(host))
    errors.install(app, unexpected)
    _health_routes(app, metrics_text, alive, ready)
    app.include_router(reading_routes(store, roster, clock))
    app.include_router(action_routes(actions, token, store))
    return app


def _health_routes(
    app: FastAPI,
    metrics_text: Callable[[], bytes],
    alive: Callable[[], tuple[bool, str]],
    ready: Callable[[], tuple[bool, str]],
) -> None:
    answers: dict[int | str, dict[str, Any]] = {400: {"model": errors.ErrorBody}, 503: {"model": Health}}

    @app.get("/healthz", responses=answers, tags=["health"])
    def healthz(response: Response) -> Health:
        """Whether the loop turns. Restart the watchdog when it does not."""
        return _health(alive(), response)

    @app.get("/readyz", responses=answers, tags=["health"])
    def readyz(response: Response) -> Health:
        """Whether it can do its work now: store and platforms answer."""
        return _health(ready(), response)

    @app.get(
        "/metrics",
        response_class=Response,
        responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}, **errors.declared(400)},
        tags=["health"],
    )
    def metrics() -> Response:
        """Prometheus' text format."""
        return Response(metrics_text(), media_type=CONTENT_TYPE)


def _health(answer: tuple[bool, str], response: Response) -> Health:
    ok, reason = answer
    response.status_code = 200 if ok else 503
    return Health(ok=ok, reason=reason)
