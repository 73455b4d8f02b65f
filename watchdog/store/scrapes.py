"""How a page's history is packed: what all scrapes of a page have in common is kept once, and each scrape's numbers
compressed. Pure, and the same for every store, so that all of them drop the same when there is too much.

Counters are mostly small whole numbers: as compressed doubles some 3 bytes each.
"""

from __future__ import annotations

import hashlib
import json
import sys
import zlib
from array import array
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from watchdog.model.series import Scrape

_FAST = 1  # of zlib's levels: higher ones save little here


class Packed(NamedTuple):
    """A scrape as it is stored. `layout` names what `common` holds: the selectors and the series' labels."""

    layout: str
    common: bytes
    values: bytes


def pack(scrape: Scrape) -> Packed:
    """The scrape in its stored form: values as little-endian doubles, in the order of the layout's series."""
    named = [dict(sorted(labels.items())) for labels in scrape.labels]
    common = json.dumps([list(scrape.selectors), named], separators=(",", ":")).encode()
    values = _little(scrape.values).tobytes()
    return Packed(hashlib.sha256(common).hexdigest()[:32], zlib.compress(common), zlib.compress(values, _FAST))


def unpack_common(common: bytes) -> tuple[tuple[str, ...], tuple[dict[str, str], ...]]:
    """(selectors, labels of each series). Raises zlib.error or ValueError for what was not packed here."""
    selectors, labels = json.loads(zlib.decompress(common))
    return tuple(selectors), tuple(labels)


def unpack_values(values: bytes) -> array[float]:
    """The numbers. Raises as `unpack_common`."""
    found = array("d")
    found.frombytes(zlib.decompress(values))
    return _little(found)


def kept_since(sizes: Iterable[tuple[datetime, int]], before: datetime, most: int) -> datetime:
    """From when on a page's history is kept: from `before` on, but only the newest rows that are together at most
    `most` bytes. `sizes`: (time, bytes) of each row, in any order."""
    total = 0
    for at, size in sorted(sizes, reverse=True):
        total += size
        if total > most:
            return max(before, at + timedelta(microseconds=1))
    return before


def _little(values: array[float]) -> array[float]:
    if sys.byteorder == "little":
        return values
    swapped = values[:]
    swapped.byteswap()
    return swapped
