"""A page with one native histogram, in protobuf: the only format in which Prometheus 2 takes them, and one that
prometheus_client does not write. The messages: https://github.com/prometheus/client_model (metrics.proto)."""

from __future__ import annotations

import struct
from collections.abc import Sequence

KIND = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
_HISTOGRAM = 4


def page(name: str, *, schema: int, zero: int, first: int, counts: Sequence[int]) -> bytes:
    """`counts` of the buckets number `first`, `first` + 1, …: number i is (b^(i - 1), b^i] with b = 2^(2^-schema).
    `zero`: how many were within 0.001 of zero."""
    histogram = (
        _number(1, zero + sum(counts))
        + _double(2, 1.5)
        + _number(5, _zigzag(schema))
        + _double(6, 0.001)
        + _number(7, zero)
        + _bytes(12, _number(1, _zigzag(first)) + _number(2, len(counts)))
    )
    before = 0
    for count in counts:
        histogram += _number(13, _zigzag(count - before))
        before = count
    family = _bytes(1, name.encode()) + _number(3, _HISTOGRAM) + _bytes(4, _bytes(7, histogram))
    return _varint(len(family)) + family


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def _zigzag(number: int) -> int:
    return number * 2 if number >= 0 else -number * 2 - 1


def _number(field: int, number: int) -> bytes:
    return _varint(field << 3) + _varint(number)


def _double(field: int, number: float) -> bytes:
    return _varint(field << 3 | 1) + struct.pack("<d", number)


def _bytes(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content
