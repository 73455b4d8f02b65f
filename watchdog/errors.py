"""Errors, named for what the caller can do about them.

Each message says what was being done, to what, and what to try. Nothing here is caught and dropped: the engine turns
`Unavailable` and `Refused` into a verdict or an objection that people see.
"""

from __future__ import annotations

from collections.abc import Iterator


class WatchdogError(Exception):
    """The root: everything this program raises on purpose."""


class BadConfig(WatchdogError):
    """A file a person wrote is wrong. The message has one line per problem: file, line, key, what was expected."""


class BadTemplate(BadConfig):
    """A query or argument uses a name that does not exist here, or is not valid Jinja."""


class BadCondition(BadConfig):
    """A `fail_when` or `pass_when` that is not valid, or can never give a yes or no."""


class Unavailable(WatchdogError):
    """Something outside did not answer (Prometheus, Docker, a probe's program). Trying again later may work."""


class Refused(WatchdogError):
    """Something outside answered, and the answer is no. Trying again gives the same answer; a person must act."""


class StoreUnavailable(Unavailable):
    """The state could not be read or written now: locked, disk full, connection lost."""


class StoreDamaged(WatchdogError):
    """The state is not what was written. Nothing is changed; the message says how to keep it and start afresh."""


class Conflict(WatchdogError):
    """Someone else wrote the same watch in between. Read it again, then decide again."""


class UnknownName(WatchdogError):
    """A target, revision, incident or receiver that is not known. The message lists those that are."""


def causes(error: BaseException) -> Iterator[BaseException]:
    """The exception and what it was made from. Libraries hide it in `args` and `reason` as well as in the chain."""
    queue, seen = [error], set[int]()
    while queue and len(seen) < 50:
        cause = queue.pop(0)
        if id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        hidden = [*cause.args, getattr(cause, "reason", None), cause.__cause__, cause.__context__]
        queue += [one for one in hidden if isinstance(one, BaseException)]
