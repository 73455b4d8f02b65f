"""One incident as people read it: `watchdog explain INCIDENT`, and what the demo prints at its end.

The headline first, then what happened when, why (each rule with its query, threshold and numbers), what was done, the
proof, and the evidence. Pure: an Explanation in, rich renderables out.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.rule import Rule as Line
from rich.table import Table
from rich.text import Text

from watchdog.report.comparison import comparison_text
from watchdog.report.explain import EvidenceView, Explanation, MeasurementView, RuleStory
from watchdog.report.render import BAD, DIM, GOOD, STATE_STYLES, WAIT, objections_panel, span, state_text, when, words

FAILING_SHOWN = 6
EVIDENCE_LINES = 12
"""The end of each log is shown this far; `--output json` has all of it."""


def explanation(story: Explanation, *, all_measurements: bool = False) -> RenderableType:
    """The whole story. Measurements are collapsed to the first, the last and those that changed or failed, unless
    all are asked for."""
    parts: list[RenderableType] = [_headline(story)]
    if story.objection:
        parts.append(objections_panel([(story.objection, story.objection_reason)]))
    parts += [_title("What happened"), _timeline(story)]
    if story.rules:
        parts.append(_title("Why"))
        parts += [_rule(rule, all_measurements=all_measurements) for rule in story.rules]
    if story.plan:
        parts += [_title("What was done"), _plan(story)]
    if story.verification:
        parts += [_title("Proof"), _proof(story)]
    if story.evidence:
        parts.append(_title("Evidence"))
        parts += [_evidence(item) for item in story.evidence]
    return Group(*parts)


def _title(text: str) -> RenderableType:
    return Group(Text(), Line(words(text, style="bold"), align="left", style=DIM))


def _headline(story: Explanation) -> RenderableType:
    incident = story.incident
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style=DIM, no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row("target", words(f"{incident.target} ({incident.environment})"))
    came = f" after {story.watch.previous}" if story.watch.previous else ""
    summary = f": {story.from_revision.summary}" if story.from_revision and story.from_revision.summary else ""
    grid.add_row("deploy", words(f"{incident.revision}{came}{summary}"))
    grid.add_row("opened", words(f"{when(incident.opened_at)} UTC"))
    closed = f"{when(incident.closed_at)} UTC, after {span(incident.seconds)}" if incident.closed_at else "still open"
    grid.add_row("closed", words(closed))
    grid.add_row("decision", words(f"{story.decision or '-'}: {story.decision_reason}".rstrip(": ")))
    style = STATE_STYLES.get(incident.state, "")
    return Panel(
        Group(words(incident.headline, style="bold"), Text(), grid),
        title=words(f" {incident.id}: {incident.state.replace('_', ' ')} ", style=style),
        title_align="left",
        border_style=style,
    )


def _timeline(story: Explanation) -> RenderableType:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True, style=DIM)
    grid.add_column(no_wrap=True, justify="right")
    grid.add_column(overflow="fold")
    for line in story.timeline:
        style = _EVENT_STYLES.get(line.kind, "")
        grid.add_row(f"{line.at:%H:%M:%S}", f"+{span(line.seconds)}", words(line.message, style=style))
    return grid


_EVENT_STYLES = {
    "rule.tripped": BAD,
    "incident.failed": BAD,
    "incident.blocked": BAD,
    "incident.recovered": GOOD,
    "watch.passed": GOOD,
    "watch.blind": WAIT,
    "incident.held": WAIT,
    "note": DIM,
}


def _rule(rule: RuleStory, *, all_measurements: bool) -> RenderableType:
    head = words(rule.rule, style="bold")
    head.append(" tripped" if rule.tripped else " did not trip", style=BAD if rule.tripped else GOOD)
    counts = ", ".join(f"{count} {verdict}" for verdict, count in rule.verdicts.items())
    head.append(f"  {counts or 'never measured'}", style=DIM)
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style=DIM, no_wrap=True)
    grid.add_column(overflow="fold")
    if rule.summary:
        grid.add_row("", words(rule.summary))
    if rule.tripped:
        grid.add_row("because", words(rule.trip_reason))
    threshold = " and ".join(
        f"{word} when {condition}"
        for word, condition in (("fails", rule.fail_when), ("passes", rule.pass_when))
        if condition
    )
    if rule.comparison is not None:
        dry = " (dry run)" if rule.mode == "dry_run" else ""
        grid.add_row("rule", words(f"the version before, compared ({rule.comparison.signal}); then {rule.action}{dry}"))
    elif rule.trips:
        dry = " (dry run)" if rule.mode == "dry_run" else ""
        grid.add_row("rule", words(f"{threshold}; trips on {rule.trips}, then {rule.action}{dry}"))
    else:
        grid.add_row("rule", words("no longer in the config; its threshold stands in each reason", style=DIM))
    parts: list[RenderableType] = [Text(), head, grid]
    if rule.comparison is not None:
        parts.append(comparison_text(rule.comparison))
    made = rule.measurements if rule.tripped or all_measurements else rule.measurements[-1:]
    for query, asked in groupby(made, key=lambda m: m.query):
        parts += [words(f"  {query}", style="cyan"), _measurements(list(asked), all_measurements)]
    return Group(*parts)


def _measurements(made: Sequence[MeasurementView], show_all: bool) -> RenderableType:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_header=False, show_edge=False, padding=(0, 1))
    table.add_column(no_wrap=True, justify="right")
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    left_out = 0
    for position, measurement in enumerate(made):
        if not show_all and not _telling(made, position):
            left_out += 1
            continue
        if left_out:
            table.add_row("", words("…", style=DIM), words(f"{left_out} more like the one before", style=DIM))
            left_out = 0
        reason = words(measurement.reason)
        if measurement.phase == "verification":
            reason.append("  (verification)", style=DIM)
        table.add_row(words(f"+{span(measurement.seconds)}", style=DIM), state_text(measurement.verdict), reason)
    return table


def _telling(made: Sequence[MeasurementView], position: int) -> bool:
    """The first, the last, each change of verdict or phase, and the first few of a run of failures."""
    if position in (0, len(made) - 1):
        return True
    now, before = made[position], made[position - 1]
    following = made[position + 1]
    if (now.verdict, now.phase) != (before.verdict, before.phase) or now.phase != following.phase:
        return True
    run = 0
    while run < FAILING_SHOWN and position - run >= 0 and made[position - run].verdict == now.verdict:
        run += 1
    return now.verdict == "fail" and run < FAILING_SHOWN


def _plan(story: Explanation) -> RenderableType:
    plan = story.plan
    assert plan
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style=DIM, no_wrap=True)
    grid.add_column(overflow="fold")
    how = "automatically" if plan.automatic else f"ordered by {plan.by}"
    grid.add_row("plan", words(f"from {plan.from_revision} back to {plan.to_revision}, {how} ({plan.id})"))
    if story.to_revision and not story.to_revision.exact:
        grid.add_row("revision", words(f"{plan.to_revision} is not exact: {story.to_revision.note}", style=WAIT))
    if plan.changes:
        grid.add_row("changes", words(", ".join(plan.changes)))
    for service, expected in plan.expected.items():
        grid.add_row("expects", words(f"{service} = {expected}"))
    for command in plan.commands:
        grid.add_row("command", words(" ".join(command)))
    for warning in plan.warnings:
        grid.add_row("warning", words(warning, style=WAIT))
    done = story.rollback
    if done is None:
        grid.add_row("result", words("not begun", style=WAIT))
    elif done.ok is None:
        grid.add_row("result", words("its end was not seen", style=WAIT))
    else:
        word = "done" if done.ok else "FAILED"
        tries = f", {done.attempts} attempts" if done.attempts > 1 else ""
        said = f"{word} in {span(done.seconds)}{tries}: {done.reason}"
        grid.add_row("result", words(said, style=GOOD if done.ok else BAD))
        if done.output and not done.ok:
            grid.add_row("output", words(_tail(done.output, EVIDENCE_LINES)))
    return grid


def _proof(story: Explanation) -> RenderableType:
    proof = story.verification
    assert proof
    since = f"all passing since {when(proof.passing_since)} UTC" if proof.passing_since else "not all passed"
    style = GOOD if proof.passing_since else BAD
    return Group(words(since, style=style), *(words(f"  {line}") for line in proof.lines))


def _evidence(item: EvidenceView) -> RenderableType:
    lines = item.text.rstrip("\n").splitlines()
    hidden = len(lines) - EVIDENCE_LINES
    note = f"the last {EVIDENCE_LINES} of {len(lines)} lines" if hidden > 0 else ""
    if item.truncated:
        note += f"{', ' if note else ''}cut when it was stored"
    return Panel(
        words(_tail(item.text, EVIDENCE_LINES) or "(empty)", overflow="fold"),
        title=words(f" {item.kind}: {item.name} "),
        subtitle=words(f" {note} ") if note else None,
        title_align="left",
        subtitle_align="right",
        border_style=DIM,
    )


def _tail(text: str, lines: int) -> str:
    return "\n".join(text.rstrip("\n").splitlines()[-lines:])
