"""Every error of the API as `{"error": …, "hint": …}`, with the status that says who can do something about it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from watchdog.errors import BadConfig, Conflict, Refused, StoreDamaged, Unavailable, UnknownName, WatchdogError
from watchdog.model.base import Value

log = logging.getLogger(__name__)


class ErrorBody(Value):
    """What every answer but a 2xx holds (and 503 of /healthz and /readyz, which say their own)."""

    error: str
    """What is wrong."""
    hint: str
    """What to do about it."""


class ApiError(Exception):
    """Leaves a route as that status."""

    def __init__(self, status: int, error: str, hint: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(error)
        self.status, self.error, self.hint, self.headers = status, error, hint, headers


STATUSES: tuple[tuple[type[WatchdogError], int, str], ...] = (
    (UnknownName, 404, "GET /api/v1/status and /api/v1/incidents list the names that are known"),
    (Conflict, 409, "the state changed in between; look at it again, then decide again"),
    (Refused, 409, "nothing was changed; the error says what stands in the way"),
    (BadConfig, 422, "correct the value the error names"),
    (Unavailable, 503, "try again in some seconds; /readyz says what does not answer"),
    (StoreDamaged, 500, "see the daemon's log; the state file must be repaired by a person"),
)
"""The first that fits, from the particular to the general."""


def declared(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """For a route's `responses`: these statuses answer with an ErrorBody."""
    return {status: {"model": ErrorBody} for status in statuses}


def install(app: FastAPI, unexpected: Callable[[BaseException], None] | None) -> None:
    """Give the app its error answers. `unexpected` is told of what nobody foresaw."""
    app.add_exception_handler(ApiError, _api_error)
    app.add_exception_handler(WatchdogError, _watchdog_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _invalid)

    def _unexpected(request: Request, error: Exception) -> JSONResponse:
        log.error("unexpected error in %s %s", request.method, request.scope.get("path"), exc_info=error)
        if unexpected:
            unexpected(error)
        return _json(500, "unexpected error in the watchdog", "it is in the daemon's log; please report it")

    app.add_exception_handler(Exception, _unexpected)


def _json(status: int, error: str, hint: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"error": error, "hint": hint}, status_code=status, headers=headers)


def _api_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ApiError)
    return _json(error.status, error.error, error.hint, error.headers)


def _watchdog_error(_request: Request, error: Exception) -> JSONResponse:
    for kind, status, hint in STATUSES:
        if isinstance(error, kind):
            return _json(status, str(error), hint)
    return _json(500, str(error), "see the daemon's log")


def _http_error(_request: Request, error: Exception) -> JSONResponse:
    """Starlette's own: no such path, method not allowed, a body that can't be read."""
    assert isinstance(error, HTTPException)
    hint = {404: "GET /openapi.json lists all paths", 405: "GET /openapi.json lists each path's methods"}
    return _json(error.status_code, str(error.detail), hint.get(error.status_code, "see docs/api.md"), error.headers)


def _invalid(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    problems = "; ".join(
        f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}" for problem in error.errors()[:10]
    )
    return _json(422, problems, "see docs/api.md, or /openapi.json for the exact form")
