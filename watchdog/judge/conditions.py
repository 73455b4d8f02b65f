"""Conditions of rules: CEL over `value` (one number) or `values` (all of them), with a yes or no as the only answers.

The one module that knows cel-expr-python. It promises that a condition that compiles gives a yes or no for ordinary
numbers, that whatever else happens is a BadCondition with words, and that NaN and absent data never reach CEL.

Every number here is a double. CEL itself refuses `value * 100` (double times int) and reads `1/2` as 0; people mean
neither, so whole numbers are handed to CEL as `100.0`, and `size()` counts in doubles.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

from cel_expr_python import cel

from watchdog.errors import BadCondition

MAX_VALUES = 9_999
"""CEL's own budget ends a comprehension between 9,999 and 10,000 steps."""
MAX_LENGTH = 4_000
"""Characters of a condition."""

_TOKEN = re.compile(
    r"""(?P<text>[rR]?(?:\"\"\".*?\"\"\"|'''.*?'''|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'))
      | (?P<comment>//[^\n]*)
      | (?P<double>(?:\d+\.\d+|\.\d+)(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+)
      | (?P<whole>0[xX][0-9a-fA-F]+[uU]?|\d+[uU]?)(?![\w.])
      | (?P<name>[A-Za-z_]\w*)
      | (?P<space>\s+)
      | (?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_INDEXED = re.compile(r"(?:[)\]]|\b(?!in\b)\w+)\s*\[$")
"""What stands before an index, and not before a list: `values[`, `f(x)[`, and not `value in [`."""
_SIZE = "size_as_double"
_POSITION = re.compile(r"<input>:(\d+):(\d+): (.*)")
_SAMPLES = (0.5, 2.0, 0.0, 1e6, -1.0)
"""A condition that gives no yes or no for any of these is refused when it is read."""


@dataclass(frozen=True)
class Condition:
    """A condition that compiled. Safe to use from several threads."""

    text: str
    uses: Literal["value", "values"]
    _program: Any = field(repr=False, compare=False)

    def holds(self, given: float | Sequence[float]) -> bool:
        """The answer for one number (`uses` is value) or for all of them (`uses` is values, fewer than 10,000).

        Infinities are numbers. Raises BadCondition when there is no yes or no: NaN, too many values, an index past
        the end, CEL's own limits.
        """
        if self.uses == "value":
            if not isinstance(given, int | float):
                raise BadCondition(f"{_quoted(self.text)} asks about one value and was given a list")
            plain: float | list[float] = float(given)
            numbers: Sequence[float] = (float(given),)
        else:
            if isinstance(given, int | float):
                raise BadCondition(f"{_quoted(self.text)} asks about a list of values and was given one")
            if len(given) > MAX_VALUES:
                raise BadCondition(f"{_quoted(self.text)} was given {len(given)} values; the limit is {MAX_VALUES}")
            plain = numbers = [float(x) for x in given]
        if any(math.isnan(x) for x in numbers):
            raise BadCondition(f"{_quoted(self.text)} was given NaN, which compares false with everything")
        return self._answer(plain)

    def _answer(self, plain: float | list[float]) -> bool:
        try:
            result = self._program.eval(data={self.uses: plain})
        except (RuntimeError, ValueError, TypeError) as error:  # CEL's iteration budget; types it can't convert
            raise BadCondition(f"{_quoted(self.text)} has no answer: {_first_line(error)}") from error
        if result.type() != cel.Type.BOOL:  # an error is a value too, and a truthy one
            raise BadCondition(f"{_quoted(self.text)} has no answer: {_first_line(result.value())}")
        return bool(result.value())


@lru_cache(maxsize=1024)
def compile_condition(text: str) -> Condition:
    """Compile and try a condition such as `value > 0.05` or `values.size() > 2 && values.all(x, x > 1)`.

    Raises BadCondition with line:column inside the condition, what is wrong, and what to write instead.
    """
    if len(text) > MAX_LENGTH:
        raise BadCondition(f"a condition of {len(text)} characters; the limit is {MAX_LENGTH}")
    uses = _variable(text)
    source, starts = _as_doubles(text)
    try:
        program = _environment(uses).compile(source)
    except RuntimeError as error:
        raise BadCondition(_explain(text, str(error), source, starts)) from error
    if program.return_type() not in (cel.Type.BOOL, cel.Type.DYN):
        raise BadCondition(f"{_quoted(text)} gives a {program.return_type().name().lower()}, not yes or no{_HINT}")
    condition = Condition(text, uses, program)
    _try(condition)
    return condition


_HINT = "; write a comparison, such as value > 0.05 or values.all(x, x > 1)"
_FOREIGN = {"and": "&&", "or": "||", "not": "!", "True": "true", "False": "false"}


def _variable(text: str) -> Literal["value", "values"]:
    """Which of the two variables is used; exactly one must be."""
    found: set[str] = set()
    before = ""
    for token in _TOKEN.finditer(text):
        if token.lastgroup == "name" and before != ".":
            found.add(token.group())
        if token.lastgroup not in ("space", "comment"):
            before = token.group()
    if {"value", "values"} <= found:
        advice = "use one of them (in values.all(x, …) call the item x, not value)"
        raise BadCondition(f"{_quoted(text)} uses both value and values; {advice}")
    if "values" in found:
        return "values"
    if "value" in found:
        return "value"
    raise BadCondition(f"{_quoted(text)} uses neither value nor values, so it can't depend on what is measured{_HINT}")


def _as_doubles(text: str) -> tuple[str, list[tuple[int, int]]]:
    """The same condition with whole numbers as doubles and `size` counting in doubles.

    Returns it with pairs (offset in the new text, offset in the old one), one for each token. An index, as in
    `values[0]`, stays whole.
    """
    out: list[str] = []
    starts: list[tuple[int, int]] = []
    length = 0
    for token in _TOKEN.finditer(text):
        piece = token.group()
        if token.lastgroup == "whole" and not _is_index(text, token):
            piece = _double(piece)
        elif piece == "size" and text[token.end() :].lstrip()[:1] == "(":
            piece = _SIZE
        starts.append((length, token.start()))
        out.append(piece)
        length += len(piece)
    return "".join(out), starts


def _double(whole: str) -> str:
    try:
        return repr(float(int(whole.rstrip("uU"), 16 if whole[:2].lower() == "0x" else 10)))
    except OverflowError as error:
        raise BadCondition(f"{_quoted(whole)} is larger than any number here can be") from error


def _is_index(text: str, token: re.Match[str]) -> bool:
    before, after = text[: token.start()].rstrip(), text[token.end() :].lstrip()
    return bool(_INDEXED.search(before)) and after.startswith("]")


@lru_cache(maxsize=2)
def _environment(uses: str) -> Any:
    kind = cel.Type.DOUBLE if uses == "value" else cel.Type.List(cel.Type.DOUBLE)
    every_list = cel.Type.List(cel.Type.DYN)
    size = cel.FunctionDecl(
        _SIZE,
        [
            cel.Overload("size_of_list", cel.Type.DOUBLE, [every_list], impl=_size),
            cel.Overload("list_size", cel.Type.DOUBLE, [every_list], is_member=True, impl=_size),
        ],
    )
    return cel.NewEnv(variables={uses: kind}, functions=[size])


def _size(items: Sequence[object]) -> float:
    return float(len(items))


def _try(condition: Condition) -> None:
    """Raise BadCondition when no ordinary number gives an answer: an error that types alone don't show."""
    last: BadCondition | None = None
    for sample in _SAMPLES:
        try:
            condition.holds(sample if condition.uses == "value" else [sample] * 50)
        except BadCondition as error:
            last = error
        else:
            return
    assert last is not None
    raise last


def _explain(text: str, message: str, source: str, starts: list[tuple[int, int]]) -> str:
    """CEL's message in our words: positions in the text that the person wrote, and what to write instead."""
    found = _POSITION.search(message)
    if "recursion" in message:
        return f"{_quoted(text)} is nested too deeply: CEL allows 32 levels, and 32 operators in a row"
    if found is None:
        return f"{_quoted(text)}: {_first_line(message)}"
    line, column, what = int(found[1]), int(found[2]), found[3].split(" expecting {")[0]
    offset = sum(len(each) + 1 for each in source.split("\n")[: line - 1]) + column - 1
    at = len(text)
    for new, old in starts:
        if new <= offset < len(source):
            at = old
    row = text.count("\n", 0, at) + 1
    col = at - (text.rfind("\n", 0, at) + 1) + 1
    return f"{_quoted(text)} at {row}:{col}: {what.replace(_SIZE, 'size')}{_advice(text, what)}"


def _advice(text: str, what: str) -> str:
    words = {token.group() for token in _TOKEN.finditer(text) if token.lastgroup == "name"}
    for foreign, own in _FOREIGN.items():
        if foreign in words:
            return f"; CEL writes {own} for {foreign}"
    if "{{" in text:
        return "; it looks like a template that was not filled in"
    if re.search(r"[^=!<>]=[^=]", text):
        return "; CEL compares with =="
    if "undeclared reference" in what:
        return "; known are value (each series' number) or values (all of them)"
    if "no matching overload" in what:
        return "; value and every written number are doubles" + _HINT
    return _HINT if "Syntax error" in what else ""


def _first_line(error: object) -> str:
    """CEL's words without its status names: `UNKNOWN: Index error … [UNKNOWN]`."""
    return re.sub(r"^[A-Z_]+: |\s*\[[A-Z_]+\]$", "", str(error).strip().split("\n", 1)[0]).removesuffix(".")


def _quoted(text: str) -> str:
    return repr(text if len(text) <= 200 else text[:200] + "…")
