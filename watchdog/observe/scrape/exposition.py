"""Reads /metrics pages, in Prometheus' text format and in OpenMetrics: pure, and only the series asked for.

The page is first cut down to the lines of the wanted metrics, and only these are parsed (by prometheus_client): a
page of many megabytes costs a search, not a parse. Names stay as they are on the page: a counter keeps its `_total`
if it has one, and gets none if it has not.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from watchdog.model.measurement import Sample
from watchdog.observe.fetch import Answer

MOST_SERIES = 10_000
"""Series of one metric on one page; more can't be judged one by one, and would fill memory."""

ACCEPT = "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"

_SUFFIX = re.compile(r"_(?:total|created|count|sum|bucket|gcount|gsum|info)$")
_LOOKS_LIKE_SAMPLE = re.compile(
    rb"^[ \t]*(?:[a-zA-Z_:][a-zA-Z0-9_:]*)?[ \t]*(?:\{[^\n]*\})?[ \t]*[-+]?(?:[0-9.]|nan|inf|\{)", re.IGNORECASE
)
_FIRST_LINE = re.compile(rb"^(?![ \t]*(?:#|\r?$))[^\n]+", re.MULTILINE)


class BadPage(ValueError):
    """Not a page of metrics, or not a whole one; the message says what it is instead."""


def read_page(answer: Answer, names: Collection[str]) -> list[tuple[str, Sample]]:
    """(metric name, sample) of every series with one of these names, as on the page. Raises BadPage."""
    _refuse_what_is_no_page(answer)
    openmetrics = answer.content_type == "application/openmetrics-text"
    if openmetrics and not answer.body.rstrip().endswith(b"# EOF"):
        raise BadPage("the page is not whole: an OpenMetrics page ends with `# EOF`, this one does not")
    if not openmetrics and not answer.framed and not answer.body.endswith(b"\n"):
        raise BadPage("the page is not whole: its last line has no end")
    lines = [found[0] for found in _wanted(frozenset(names), openmetrics=openmetrics).finditer(answer.body)]
    if len(lines) > 4 * MOST_SERIES:
        raise BadPage(f"the page has more than {MOST_SERIES} series of {_listed(names)}")
    found = _parse(b"\n".join(lines).decode("utf-8", "replace"), names, openmetrics=openmetrics)
    if len(found) > MOST_SERIES * len(names):
        raise BadPage(f"the page has more than {MOST_SERIES} series of {_listed(names)}")
    return found


def _refuse_what_is_no_page(answer: Answer) -> None:
    if answer.status != 200:
        raise BadPage(f"the page answered HTTP {answer.status} instead of 200")
    if answer.cut:
        raise BadPage(f"the page is larger than {len(answer.body) / 2**20:g} MiB, which is the most that is read")
    if answer.content_type in ("text/html", "application/xhtml+xml") or answer.body.lstrip()[:1] == b"<":
        raise BadPage("this is an HTML page, not metrics: is the path right (usually /metrics)?")
    if answer.content_type.startswith("application/vnd.google.protobuf"):
        raise BadPage("the page is in the protobuf format though text was asked for")
    if answer.content_type.endswith("json"):
        raise BadPage("this is JSON, not a page of metrics: is the path right (usually /metrics)?")
    if not answer.body.strip():
        raise BadPage("the page is empty")
    first = _FIRST_LINE.search(answer.body)
    if first and not _LOOKS_LIKE_SAMPLE.match(first[0]):
        raise BadPage(f"this is not a page of metrics: it has the line {first[0][:80].decode('utf-8', 'replace')!r}")


def _wanted(names: frozenset[str], *, openmetrics: bool) -> re.Pattern[bytes]:
    """Lines of these metrics. OpenMetrics needs the `# TYPE` and the other samples of the family to be valid; in the
    older format the `# TYPE` is left out, since prometheus_client would add `_total` to counters that have none."""
    if not openmetrics:
        any_name = "|".join(sorted(map(re.escape, names)))
        return re.compile(rf"^[ \t]*(?:(?:{any_name})(?=[ \t{{])|\{{)[^\n\r]*".encode(), re.MULTILINE)
    families = sorted({re.escape(form) for name in names for form in (name, _SUFFIX.sub("", name))})
    family = "|".join(families)
    suffix = _SUFFIX.pattern.removesuffix("$")
    return re.compile(
        rf"^(?:# TYPE (?:{family}) [^\n]*|(?:{family})(?:{suffix})?(?=[ {{])[^\n]*|\{{[^\n]*)".encode(), re.MULTILINE
    )


def _parse(text: str, names: Collection[str], *, openmetrics: bool) -> list[tuple[str, Sample]]:
    if openmetrics:
        from prometheus_client.openmetrics.parser import (  # noqa: PLC0415 - only who scrapes pays for it
            text_string_to_metric_families as families_of,
        )

        text = f"{text}\n# EOF\n" if text else "# EOF\n"
    else:
        from prometheus_client.parser import text_string_to_metric_families as families_of  # noqa: PLC0415
    try:
        return [
            (sample.name, Sample(value=sample.value, labels=dict(sample.labels)))
            for family in families_of(text)  # type: ignore[no-untyped-call]
            for sample in family.samples
            if sample.name in names
        ]
    except (ValueError, IndexError, KeyError, TypeError, AttributeError) as error:
        # prometheus_client raises all of these for damaged lines, half-way through.
        raise BadPage(f"a line of {_listed(names)} is damaged: {str(error)[:200] or type(error).__name__}") from error


def _listed(names: Collection[str]) -> str:
    return ", ".join(sorted(names))
