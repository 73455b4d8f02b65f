"""Which requests bring the raw samples of several selectors, and which selector each series belongs to: pure.

PromQL has no union of range selectors, but two forms of one request do for most rules:
- `{__name__=~"a|b",job="x"}` for different metrics with the same matchers: exactly the union;
- where one selector's matchers are all among another's (`total{job="x"}`, `events{job="x",code=~"5.."}`), the wider
  one is asked for, and the others are picked from its answer.
All others are asked one by one, and so is what is no plain selector, for Prometheus to say what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from watchdog.observe.selector import BadSelector, Matcher, Selector, parse_selector

_OF_HISTOGRAMS = ("_bucket", "_count")
"""Series of a classic histogram that a native one, whose name has none of these endings, can stand for."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One selector of a rule, and what of it the request does not already ask for."""

    key: str
    name: str | None
    """The metric's; None where the text is no plain selector: then all of the answer is meant."""
    rest: tuple[Matcher, ...] = ()

    def takes(self, labels: Mapping[str, str]) -> bool:
        """Whether this series of the request's answer is meant."""
        if self.name is None:
            return True
        return labels.get("__name__") == self.name and all(matcher.matches(labels) for matcher in self.rest)


@dataclass(frozen=True, slots=True)
class Request:
    """One selector to ask Prometheus for, and the selectors of the rule that it answers."""

    text: str
    wanted: tuple[Wanted, ...]


def requests_for(selectors: Mapping[str, str]) -> tuple[Request, ...]:
    """As few requests as the selectors allow. `selectors`: what the caller calls it → its text."""
    alone: list[Request] = []
    read: list[tuple[str, Selector]] = []
    for key, text in selectors.items():
        try:
            read.append((key, parse_selector(text)))
        except BadSelector:
            alone.append(Request(text.strip(), (Wanted(key, None),)))
    groups: list[tuple[frozenset[str], list[tuple[str, Selector]]]] = []
    for key, selector in sorted(read, key=lambda one: len(one[1].matchers)):
        texts = frozenset(map(str, selector.matchers))
        home = next((members for base, members in groups if base <= texts), None)
        if home is None:
            groups.append((texts, [(key, selector)]))
        else:
            home.append((key, selector))
    return (*(_request(base, members) for base, members in groups), *alone)


def _request(base: frozenset[str], members: list[tuple[str, Selector]]) -> Request:
    wanted = tuple(
        Wanted(key, selector.name, tuple(m for m in selector.matchers if str(m) not in base))
        for key, selector in members
    )
    names = sorted({name for _, selector in members for name in _names(selector.name)})
    matchers = list(map(str, members[0][1].matchers))
    if len(names) == 1:
        return Request(names[0] + (f"{{{','.join(matchers)}}}" if matchers else ""), wanted)
    return Request("{" + ",".join([f'__name__=~"{"|".join(names)}"', *matchers]) + "}", wanted)


def _names(name: str) -> tuple[str, ...]:
    for ending in _OF_HISTOGRAMS:
        if name.endswith(ending) and name != ending:
            return name, name.removesuffix(ending)
    return (name,)
