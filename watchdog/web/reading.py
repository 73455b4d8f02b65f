"""The routes that read: the same views as the command line's `--output json`, from the store."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from watchdog.clock import Clock
from watchdog.errors import UnknownName
from watchdog.model.base import Value
from watchdog.report.explain import Explanation
from watchdog.report.status import StatusView
from watchdog.report.views import HistoryView, IncidentsView, history_view, incidents_view
from watchdog.roster import Roster
from watchdog.store.base import Store
from watchdog.web import errors
from watchdog.web.lookup import explanation_of, status_of

TargetName = Annotated[str, Path(min_length=1, max_length=190, description="A target's name in the config.")]
IncidentId = Annotated[str, Path(min_length=1, max_length=100, description="An incident's id.")]
Limit = Annotated[int, Query(ge=1, le=500, description="How many at most, newest first.")]


class Health(Value):
    """Yes or no, and why."""

    ok: bool
    reason: str


def reading_routes(store: Store, roster: Roster, clock: Clock) -> APIRouter:
    """GET /api/v1/…"""
    router = APIRouter(prefix="/api/v1", tags=["reading"])

    @router.get("/status", response_model=StatusView, responses=errors.declared(400, 503))
    def status() -> Response:
        """What is true of each target now."""
        return _json(status_of(store, tuple(roster.values()), clock.now()))

    @router.get("/targets/{name}/history", response_model=HistoryView, responses=errors.declared(400, 404, 422, 503))
    def history(name: TargetName, limit: Limit = 50) -> Response:
        """The revisions of one target, newest first."""
        if name not in roster:
            raise UnknownName(f"no target is called {name!r}; there are: {roster.names()}")
        bookmark = store.bookmark(name)
        revisions, watches = store.revisions(name, limit), store.watches(name, limit)
        return _json(history_view(roster[name], revisions, watches, bookmark.revision if bookmark else None))

    @router.get("/incidents", response_model=IncidentsView, responses=errors.declared(400, 422, 503))
    def incidents(
        target: Annotated[str | None, Query(max_length=190, description="Only this target's.")] = None,
        limit: Limit = 50,
    ) -> Response:
        """All incidents, newest first."""
        return _json(incidents_view(store.incidents(target, limit)))

    @router.get("/incidents/{incident}", response_model=Explanation, responses=errors.declared(400, 404, 422, 503))
    def incident(incident: IncidentId) -> Response:
        """Everything about one incident: what `watchdog explain` shows."""
        return _json(explanation_of(store, roster, incident))

    return router


def _json(view: Value) -> Response:
    """Written by pydantic itself: fast, and NaN never reaches the wire."""
    return Response(view.model_dump_json(), media_type="application/json")
