"""What one measurement means."""

from __future__ import annotations

from enum import StrEnum


class Verdict(StrEnum):
    """`inconclusive` (no data) and `error` (the source failed) never count as failures."""

    passed = "pass"
    failed = "fail"
    inconclusive = "inconclusive"
    error = "error"
