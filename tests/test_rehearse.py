"""`watchdog test-rules`: the form the issue gives, what differs in words, and what is wrong with a file."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from watchdog.errors import BadConfig
from watchdog.rehearse import CaseResult, rehearse

RULES_FOLDER = Path(__file__).parent.parent / "rules"
RULES = """\
vars: {limit: "1.0"}
rules:
  - name: latency-p99
    trigger: performance
    summary: slow
    prometheus: histogram_quantile(0.99, x{job="{{ job }}"})
    fail_when: value > {{ limit }}
    for: 45s
  - name: told
    trigger: errors
    summary: told
    prometheus: y
    fail_when: value > 1
    failure_limit: 1
    action: alert
  - name: tried
    trigger: errors
    summary: tried
    prometheus: y
    fail_when: value > 1
    consecutive_failures: 1
    mode: dry_run
  - name: held
    trigger: errors
    summary: held
    prometheus: y
    fail_when: values.exists(x, x > 1)
    consecutive_failures: 1
    action: hold
"""


def run(folder: Path, tests: str, head: str = "vars: {job: shop}") -> tuple[CaseResult, ...]:
    (folder / "rules").mkdir(exist_ok=True)
    (folder / "tests").mkdir(exist_ok=True)
    (folder / "rules" / "rules.yaml").write_text(RULES)
    file = folder / "tests" / "rules.yaml"
    file.write_text(f"rule_files: [../rules/rules.yaml]\ninterval: 15s\n{head}\ntests:\n" + dedent(tests))
    return rehearse([file])


def test_a_pack_is_tried_as_it_ships(tmp_path: Path):
    """No query is asked, so the names that only queries and summaries use (`job`) need no value."""
    file = tmp_path / "tests.yaml"
    file.write_text(
        f"rule_files: [{RULES_FOLDER}/latency.yaml]\n"
        + dedent(
            """\
            interval: 15s
            tests:
              - name: slow for a minute
                rule: latency-p99
                values: 0.2x4 1.8x8
                expect:
                  - {after: 60s, verdict: pass}
                  - {after: 2m, verdict: fail, decision: rollback}
            """
        )
    )
    (found,) = rehearse([file])
    assert found.ok, found.differences
    assert (found.name, found.rule, found.line) == ("slow for a minute", "latency-p99", 4)
    assert found.file.endswith("tests.yaml")


def test_a_name_that_a_condition_uses_is_needed(tmp_path: Path):
    texts = "summary: '{{ a }}', prometheus: '{{ b }}', fail_when: 'value > {{ c }}'"
    head = f"rules:\n  - {{name: own, trigger: bug, {texts}}}"
    with pytest.raises(BadConfig, match=r"fail_when: rule own: \{\{ c \}\} is not known") as raised:
        run(tmp_path, "- {name: t, rule: own, values: '1', expect: [{after: 0s, verdict: pass}]}\n", head)
    assert "{{ a }}" not in str(raised.value)
    assert "{{ b }}" not in str(raised.value)


def test_what_differed_is_said_with_its_reason(tmp_path: Path):
    (found,) = run(
        tmp_path,
        """\
        - name: slow
          rule: latency-p99
          values: 0.2x4 1.8x8
          expect:
            - {after: 59s, verdict: fail, decision: continue}
            - {after: 119s, verdict: fail, decision: rollback, reason: "2.2"}
        """,
    )
    assert not found.ok
    assert found.differences == (
        "after 59s: expected verdict fail, got pass (0.2: not (value > 1.0))",
        "after 1m59s: expected decision rollback, got continue (no rule has tripped; 8m1s of the bake time left)",
        "after 1m59s: expected a reason with '2.2', got '1.8: value > 1.0'",
    )


@pytest.mark.parametrize(
    ("rule", "values", "expect"),
    [
        ("latency-p99", "0.2x40", "{after: 10m, verdict: pass, decision: pass}"),
        ("latency-p99", "0.2x40 5x20", "{after: 14m, verdict: fail, decision: pass}"),  # the watch had passed
        ("latency-p99", "5x5 0.2x40", "{after: 10m, verdict: pass, decision: rollback}"),
        ("latency-p99", "_x41", "{after: 10m, verdict: inconclusive, decision: pass}"),
        ("latency-p99", "errorx41", "{after: 10m, verdict: error, decision: continue}"),
        ("latency-p99", "NaN", "{after: 0s, verdict: inconclusive, decision: continue}"),
        ("told", "5x40", "{after: 15s, verdict: fail, decision: alert}"),
        ("told", "5x1 0x40", "{after: 1m, verdict: pass, decision: alert}"),
        ("told", "5", "{after: 0s, verdict: fail, decision: continue}"),
        ("tried", "5", "{after: 0s, verdict: fail, decision: continue}"),
        ("held", '"[0 0.5 2]"', "{after: 0s, verdict: fail, decision: hold, reason: '[0, 0.5, 2]'}"),
    ],
)
def test_verdicts_and_decisions(tmp_path: Path, rule: str, values: str, expect: str):
    (found,) = run(tmp_path, f"- {{name: n, rule: {rule}, values: {values}, expect: [{expect}]}}\n")
    assert found.differences == ()


def test_vars_of_the_file_win_over_the_rule_files_defaults(tmp_path: Path):
    head = 'vars: {job: shop, limit: "2"}'
    case = "- {name: n, rule: latency-p99, values: 1.8, expect: [{after: 0s, verdict: pass}]}\n"
    assert run(tmp_path, case, head)[0].ok


def test_bake_time_may_be_given(tmp_path: Path):
    case = "- {name: n, rule: latency-p99, values: 0.2x4, expect: [{after: 60s, verdict: pass, decision: pass}]}\n"
    assert run(tmp_path, case, "vars: {job: shop}\nbake_time: 1m")[0].ok


def test_rules_may_be_written_in_the_file(tmp_path: Path):
    file = tmp_path / "own.yaml"
    file.write_text(
        dedent("""\
        vars: {limit: "3"}
        rules:
          - {name: own, trigger: bug, summary: s, crashes: exits, fail_when: "value >= {{ limit }}"}
        tests:
          - {name: two, rule: own, values: 2, expect: [{after: 0s, verdict: pass}]}
          - {name: three, rule: own, values: 2 3, expect: [{after: 5s, verdict: fail, decision: rollback}]}
        """)
    )
    assert [(r.name, r.ok) for r in rehearse([file])] == [("two", True), ("three", True)]


@pytest.mark.parametrize(
    ("case", "says"),
    [
        ("rule: latency-99, values: 1, expect: [{after: 0s, verdict: pass}]", "did you mean latency-p99?"),
        ("rule: told, values: 1 two, expect: [{after: 0s, verdict: pass}]", "tests[0].values: 'two' is not a value"),
        ("rule: told, values: [1 2], expect: [{after: 0s, verdict: pass}]", "write values that begin with [ in quotes"),
        ("rule: told, values: 1x4, expect: [{after: 75s, verdict: pass}]", "the values end 1m after the first"),
        ("rule: told, values: 1, expect: [{after: 5, verdict: pass}]", "expected a duration such as 30s"),
        ("rule: told, values: 1, expect: [{after: 5s, verdict: ok}]", "expected one of"),
        ("rule: told, values: 1, expect: []", "must not be empty"),
        ("rule: told, value: 1, expect: [{after: 0s, verdict: pass}]", "did you mean values?"),
    ],
)
def test_what_is_wrong_with_a_file_has_its_place(tmp_path: Path, case: str, says: str):
    with pytest.raises(BadConfig) as refused:
        run(tmp_path, f"- {{name: n, {case}}}\n")
    assert says in str(refused.value)
    assert "tests/rules.yaml:5: " in str(refused.value)


def test_what_is_wrong_with_the_rules_is_said_too(tmp_path: Path):
    case = "- {name: n, rule: told, values: 1, expect: [{after: 0s, verdict: pass}]}\n"
    with pytest.raises(BadConfig) as refused:
        run(tmp_path, case, "vars: {job: s, limit: much}")
    assert "undeclared reference to 'much'" in str(refused.value)
    with pytest.raises(BadConfig) as refused:
        rehearse([tmp_path / "none.yaml"])
    assert "can't be read" in str(refused.value)


def test_a_rule_of_two_files_is_refused(tmp_path: Path):
    case = "- {name: n, rule: told, values: 1, expect: [{after: 0s, verdict: pass}]}\n"
    own = "rules: [{name: told, trigger: bug, summary: s, crashes: exits}]"
    with pytest.raises(BadConfig) as refused:
        run(tmp_path, case, f"vars: {{job: s}}\n{own}")
    assert "a rule told is already there" in str(refused.value)
