"""Reads rules: a rule file's, or those written in the config or a test-rules file.

What can be wrong with a rule is found here, with its file and line: unknown keys, conditions that don't compile,
templates that name what doesn't exist. What is left are `Rule`s as the engine runs them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field, ValidationError

from watchdog.errors import BadCondition, BadConfig, BadTemplate
from watchdog.model.rule import Rule
from watchdog.settings.fields import Form, Vars
from watchdog.settings.measures import MEASURES
from watchdog.settings.rule_form import RuleForm
from watchdog.settings.yaml import Document, Loc, bad_config, read
from watchdog.template import BUILT_IN, names, names_in, render, render_all

_STAND_INS = {name: name for name in BUILT_IN}
"""For trying a template before there is a deploy."""


class RuleFileForm(Form):
    """A file of rules."""

    vars: Vars = {}
    """Defaults for the names its templates use; the target's own win."""
    rules: Annotated[list[object], Field(min_length=1)]
    """The rules."""


@dataclass(frozen=True)
class RuleFile:
    """A rule file as read: its variables (defaults, overridden by those that were given) and its rules."""

    vars: dict[str, str]
    rules: tuple[Rule, ...]
    left_out: tuple[str, ...] = ()
    """Rules of the file that were not wanted, so that nothing was asked of them: their variables may be missing."""


def read_rule_file(
    path: Path,
    vars: Mapping[str, str] | None = None,  # noqa: A002
    target: str | None = None,
    unwanted: Collection[str] = (),
    *,
    asked: bool = True,
) -> RuleFile:
    """Read a file of `rules:` and default `vars:`; `vars` wins over the defaults. `target` is for messages only.

    With `asked` false nobody will ask the rules' queries, so names that only they and summaries use may be missing.
    Raises BadConfig with one line per problem.
    """
    document = read(path)
    form = document.validate(RuleFileForm)
    known = {**form.vars, **(vars or {})}
    written = {rule.get("name") for rule in form.rules if isinstance(rule, Mapping)}
    left_out = tuple(name for name in unwanted if name in written)
    return RuleFile(known, read_rules(document, ("rules",), known, target, left_out, asked=asked), left_out)


def read_rules(
    document: Document,
    at: Loc,
    vars: Mapping[str, str],  # noqa: A002
    target: str | None = None,
    unwanted: Collection[str] = (),
    *,
    asked: bool = True,
) -> tuple[Rule, ...]:
    """The rules of the list at `at`. Raises BadConfig with one line per problem, of all rules."""
    rules: list[Rule] = []
    problems: list[str] = []
    seen: dict[str, int] = {}
    for index in document.locate(at)[1].parts:
        where = (*at, index)
        written = document.locate(where)[1].value
        if isinstance(written, Mapping) and written.get("name") in unwanted:
            continue
        try:
            rule = read_rule(document, where, vars, target, asked=asked)
        except BadConfig as error:
            problems.append(str(error))
            continue
        line = document.locate(where)[1].line
        if rule.name in seen:
            name = (*where, "name")
            problems.append(document.problem(name, f"a rule {rule.name} is already there, on line {seen[rule.name]}"))
        seen.setdefault(rule.name, line)
        rules.append(rule)
    if problems:
        raise BadConfig("\n".join(problems))
    return tuple(rules)


def read_rule(
    document: Document,
    at: Loc,
    vars: Mapping[str, str],  # noqa: A002
    target: str | None = None,
    *,
    asked: bool = True,
) -> Rule:
    """The rule written at `at`. Its conditions and summary are filled in; its measure stays a template, whose names
    are all known. Raises BadConfig with one line per problem."""
    try:
        form = RuleForm.model_validate(document.locate(at)[1].value)
    except ValidationError as error:
        raise bad_config(error, document, RuleForm, at) from None
    problems = [document.problem((*at, key), text) for key, text in _wrong(form, vars, target, asked=asked)]
    if problems:
        raise BadConfig("\n".join(problems))
    later = {name: "{{ " + name + " }}" for name in {*BUILT_IN, *names(form.summary)}}  # the engine fills these in
    return form.rule(
        summary=render(form.summary, {**later, **vars}),
        fail_when=form.fail_when and render(form.fail_when, vars),
        pass_when=form.pass_when and render(form.pass_when, vars),
    )


def unknown_names(
    text: str,
    variables: Mapping[str, str],
    target: str | None = None,
    known: Sequence[str] = BUILT_IN,
    *,
    needed: bool = True,
) -> list[str]:
    """What is wrong with a template that is filled in later: bad syntax and, if they are needed, unknown names."""
    try:
        unknown = sorted(names(text) - set(known) - set(variables))
        render("" if unknown else text, {name: name for name in known} | dict(variables))
    except BadTemplate as error:
        return [str(error)]
    return [_unknown(name, target) for name in unknown if needed]


def unknown_names_in(
    value: BaseModel, variables: Mapping[str, str], target: str | None = None, *, needed: bool = True
) -> list[str]:
    """As `unknown_names`, for every text in a value."""
    try:
        unknown = sorted(names_in(value) - set(BUILT_IN) - set(variables))
        if not unknown:
            render_all(value, _STAND_INS | dict(variables))
    except BadTemplate as error:
        return [str(error)]
    except ValidationError:
        return ["is empty or not valid once its templates are filled in"]
    return [_unknown(name, target) for name in unknown if needed]


def _wrong(
    form: RuleForm, variables: Mapping[str, str], target: str | None, *, asked: bool
) -> Iterator[tuple[str, str]]:
    """What is wrong with a rule's templates and conditions: (key, words)."""
    measure = next(key for key in MEASURES if getattr(form, key) is not None)
    for text in unknown_names_in(form.how.measure(), variables, target, needed=asked):
        yield measure, f"rule {form.name}: {text}"
    for text in unknown_names(form.summary, variables, target, needed=asked):
        yield "summary", f"rule {form.name}: {text}"
    for key in ("fail_when", "pass_when"):
        condition = getattr(form, key)
        for text in _wrong_condition(condition, variables, target) if condition is not None else ():
            yield key, f"rule {form.name}: {text}"


def _wrong_condition(condition: str, variables: Mapping[str, str], target: str | None) -> list[str]:
    unknown = unknown_names(condition, variables, target)
    if unknown:
        return unknown
    built_in = sorted(names(condition) - set(variables))
    if built_in:
        return [f"a condition can use vars only: {{{{ {built_in[0]} }}}} is not known before there is a deploy"]
    try:
        _compile(render(condition, variables))
    except (BadCondition, BadTemplate) as error:
        return [" ".join(str(error).split())]
    return []


def _compile(condition: str) -> None:
    # Imported when there is a condition: CEL is 8 MiB that `import watchdog.settings` alone shall not cost.
    from watchdog.judge.conditions import compile_condition  # noqa: PLC0415

    compile_condition(condition)


def _unknown(name: str, target: str | None) -> str:
    where = f"to target {target}" if target else "to the file, or to the target that uses it"
    return f"{{{{ {name} }}}} is not known; add `vars: {{{name}: …}}` {where}"
