"""The routes that act. Each needs `Authorization: Bearer TOKEN`; without a configured token none of them works."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Body, Depends, Request
from fastapi.security import HTTPBearer
from pydantic import SecretStr

from watchdog.errors import Refused, UnknownName
from watchdog.model.watch import WatchState
from watchdog.store.base import Store
from watchdog.web import errors
from watchdog.web.base import Actions, ApproveAnswer, ObjectionView, PauseAnswer, Preview, RollbackAnswer
from watchdog.web.errors import ApiError
from watchdog.web.orders import ApproveOrder, PauseOrder, ResumeOrder, RollbackOrder, duration_of
from watchdog.web.reading import IncidentId, TargetName


def action_routes(actions: Actions | None, token: SecretStr | None, store: Store) -> APIRouter:
    """POST /api/v1/… . Without actions or a token every one answers 403, and the schema does not list them."""
    on = actions is not None and token is not None and bool(token.get_secret_value())
    router = APIRouter(
        prefix="/api/v1",
        tags=["actions"],
        include_in_schema=on,
        dependencies=[Depends(HTTPBearer(auto_error=False)), Depends(_permit(actions, token))],
        responses=errors.declared(400, 401, 403, 404, 409, 413, 422, 503),
    )

    @router.post("/targets/{name}/rollback")
    def rollback(name: TargetName, order: Annotated[RollbackOrder, Body()]) -> RollbackAnswer:
        """Order a rollback: the same guard, evidence, verification and incident as an automatic one. With `dry_run`,
        only say what it would do."""
        if order.dry_run:
            return _previewed(name, _given(actions).preview(name, order.to, order.by))
        watch = _given(actions).rollback(name, order.to, order.by)
        return RollbackAnswer(
            target=name,
            dry_run=False,
            message=f"the rollback of {name} {watch.revision} is ordered; incident {watch.incident} shows how it goes",
            from_revision=watch.revision,
            to_revision=order.to,
            watch=watch.id,
            incident=watch.incident,
        )

    @router.post("/targets/{name}/pause")
    def pause(name: TargetName, order: Annotated[PauseOrder, Body()]) -> PauseAnswer:
        """No automatic rollbacks, until the time is over or someone resumes."""
        made = _given(actions).pause(name, duration_of(order.duration), order.reason, order.by)
        return PauseAnswer(target=name, paused=True, message=f"{name} is paused", until=made.until)

    @router.post("/targets/{name}/resume")
    def resume(name: TargetName, order: Annotated[ResumeOrder, Body()]) -> PauseAnswer:
        """End the pause."""
        ended = _given(actions).resume(name, order.by)
        return PauseAnswer(target=name, paused=False, message=f"{name} {'is resumed' if ended else 'was not paused'}")

    @router.post("/targets/{name}/approve")
    def approve(name: TargetName, order: Annotated[ApproveOrder, Body()]) -> ApproveAnswer:
        """Accept a revision as known good: the one named, else the held one, else the running one."""
        return _approved(name, _given(actions).approve(name, order.revision, order.by).id)

    @router.post("/incidents/{incident}/approve")
    def approve_incident(incident: IncidentId, order: Annotated[ResumeOrder, Body()]) -> ApproveAnswer:
        """Accept the revision that this incident holds."""
        found = store.incident(incident)
        if found is None:
            raise UnknownName(f"no incident is called {incident!r}")
        if found.state is not WatchState.held:
            raise Refused(f"{incident} is not held, it is {found.state.value}: there is nothing to approve")
        return _approved(found.target, _given(actions).approve(found.target, found.revision, order.by).id)

    return router


def _approved(target: str, revision: str) -> ApproveAnswer:
    return ApproveAnswer(target=target, revision=revision, message=f"{target} {revision} is known good")


def _previewed(name: str, preview: Preview) -> RollbackAnswer:
    what = f"would roll {name} back from {preview.from_revision} to {preview.to_revision}"
    if preview.to_revision is None:
        what = f"there is no revision to roll {name} back to"
    refused = ", ".join(objection.name.value for objection in preview.objections)
    draft = preview.draft
    return RollbackAnswer(
        target=name,
        dry_run=True,
        message=f"{what}; the guard says no: {refused}" if refused else what,
        from_revision=preview.from_revision,
        to_revision=preview.to_revision,
        changes=draft.changes if draft else (),
        commands=draft.commands if draft else (),
        warnings=draft.warnings if draft else (),
        objections=tuple(ObjectionView(name=o.name.value, reason=o.reason) for o in preview.objections),
    )


def _given(actions: Actions | None) -> Actions:
    assert actions is not None  # _permit has refused by now
    return actions


def _permit(actions: Actions | None, token: SecretStr | None) -> Callable[[Request], None]:
    """Asked before each action."""
    expected = token.get_secret_value().encode() if token else b""

    def permit(request: Request) -> None:
        if actions is None or not expected:
            hint = "set http.token in the config, from an environment variable or a file, and restart"
            raise ApiError(403, "actions are off: no token is configured", hint)
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        # Bytes: compare_digest refuses text that is not ASCII. Headers are decoded as Latin-1: this undoes it.
        right = hmac.compare_digest(given.strip().encode("latin-1"), expected)
        if scheme.lower() != "bearer" or not right:
            hint = "send `Authorization: Bearer TOKEN` with the token that http.token names"
            raise ApiError(401, "a valid token is needed", hint, {"WWW-Authenticate": "Bearer"})

    return permit
