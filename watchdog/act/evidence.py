"""Shapes evidence before it is stored: bounded in size, secrets masked, readable whatever a program printed. Pure.

Of a text that is too long the end is kept: the last lines before a crash say why.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from watchdog.model.deploy import EvidenceItem
from watchdog.model.masking import mask

PER_ITEM = 64 * 1024
"""Bytes of one item, as UTF-8."""

TOTAL = 512 * 1024
"""Bytes of all items of one incident."""

_COLOUR = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
# C0 and C1 controls but tab and line feed, DEL, lone surrogates, and the marks that turn the direction of text.
_INVISIBLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def bounded(items: Sequence[EvidenceItem], per_item: int = PER_ITEM, total: int = TOTAL) -> tuple[EvidenceItem, ...]:
    """The items with at most `per_item` bytes of text each and `total` in all (UTF-8, the words about cuts included).

    Small items are kept whole; what the total leaves is shared evenly by the large ones. A cut item begins with a line
    that says how much was left out; one that gets no room at all is left out. Mask first: a cut may halve a secret.
    """
    readable = [item.model_copy(update={"text": visible(item.text)}) for item in items]
    rooms = _rooms([min(_size(item.text), per_item) for item in readable], total)
    cut = [_end_of(item, room) for item, room in zip(readable, rooms, strict=True)]
    return tuple(item for item, source in zip(cut, readable, strict=True) if item.text or not source.text)


def masked(items: Iterable[EvidenceItem], secrets: Iterable[str]) -> tuple[EvidenceItem, ...]:
    """The items without secrets: the given values, and whatever looks like one (see model/masking.py)."""
    known = tuple(secrets)
    return tuple(item.model_copy(update={"text": mask(item.text, known)}) for item in items)


def visible(text: str) -> str:
    """The text without colours, with every other control character written out (`\\x00`) instead of obeyed.

    A log must not move the cursor of whoever reads it, nor reverse the direction of the lines around it.
    """
    text = _COLOUR.sub("", text.replace("\r\n", "\n"))
    return _INVISIBLE.sub(lambda match: _written(match[0]), text)


def _written(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"


def _size(text: str) -> int:
    return len(text.encode())


def _rooms(sizes: Sequence[int], total: int) -> list[int]:
    """Bytes for each: all it needs while there is enough, else an even share of what the smaller ones leave."""
    rooms = [0] * len(sizes)
    left = total
    by_size = sorted(range(len(sizes)), key=lambda i: sizes[i])
    for done, i in enumerate(by_size):
        rooms[i] = min(sizes[i], left // (len(sizes) - done))
        left -= rooms[i]
    return rooms


def _end_of(item: EvidenceItem, room: int) -> EvidenceItem:
    encoded = item.text.encode()
    if len(encoded) <= room:
        return item
    # The line's length depends on the number in it, which is never longer than this one.
    kept = room - _size(_left_out(len(encoded)))
    if kept <= 0:
        return item.model_copy(update={"text": "", "truncated": True})
    end = encoded[-kept:].decode("utf-8", errors="ignore")  # a character cut in two is dropped
    line_end = end.find("\n")
    if 0 <= line_end < len(end) // 2:  # begin with a whole line where that costs little
        end = end[line_end + 1 :]
    text = _left_out(len(encoded) - _size(end)) + end
    return item.model_copy(update={"text": text, "truncated": True})


def _left_out(count: int) -> str:
    return f"[the first {count} bytes were left out]\n"
