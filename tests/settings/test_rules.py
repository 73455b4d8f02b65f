"""Rules as written become rules as run; what can be wrong with one is said with its file and line."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from watchdog.errors import BadConfig
from watchdog.model.rule import (
    Action,
    AlertMeasure,
    CommandMeasure,
    CrashesMeasure,
    HttpMeasure,
    Measure,
    Mode,
    PrometheusMeasure,
    Quantile,
    Ratio,
    ReleaseMeasure,
    Rule,
    ScrapeMeasure,
    TcpMeasure,
    Trigger,
)
from watchdog.settings.rules import read_rule_file, read_rules
from watchdog.settings.yaml import parse


def rules(text: str, variables: dict[str, str] | None = None, target: str | None = None) -> tuple[Rule, ...]:
    return read_rules(parse(text, "rules.yaml"), (), variables or {}, target)


def rule(fields: str, variables: dict[str, str] | None = None) -> Rule:
    return rules(f"- {{name: r, trigger: bug, summary: it broke, {fields}}}", variables)[0]


def complaints(text: str, variables: dict[str, str] | None = None, target: str | None = None) -> list[str]:
    with pytest.raises(BadConfig) as caught:
        rules(text, variables, target)
    return str(caught.value).splitlines()


def complaint(fields: str, variables: dict[str, str] | None = None) -> str:
    lines = complaints(f"- {{name: r, trigger: bug, summary: it broke, {fields}}}", variables, "shop")
    assert len(lines) == 1, lines
    return lines[0].removeprefix("rules.yaml:1: [0]").removeprefix(".").removeprefix(": ")


def test_a_rule_with_everything() -> None:
    text = """
- name: latency-p99
  trigger: performance
  summary: p99 of {{ release }} is over {{ limit }} s
  prometheus: histogram_quantile(0.99, x{job="{{ job }}"})
  fail_when: value > {{ limit }}
  pass_when: value <= {{ limit }}
  for: 45s
  interval: 500ms
  initial_delay: 1m30s
  consecutive_errors: 2
  action: hold
  mode: dry_run
"""
    assert rules(text, {"job": "api", "limit": "1.10"}) == (
        Rule(
            name="latency-p99",
            trigger=Trigger.performance,
            summary="p99 of {{ release }} is over 1.10 s",
            measure=PrometheusMeasure(query='histogram_quantile(0.99, x{job="{{ job }}"})'),
            fail_when="value > 1.10",
            pass_when="value <= 1.10",
            for_=timedelta(seconds=45),
            interval=timedelta(milliseconds=500),
            initial_delay=timedelta(seconds=90),
            consecutive_errors=2,
            action=Action.hold,
            mode=Mode.dry_run,
        ),
    )


@pytest.mark.parametrize(
    ("fields", "measure"),
    [
        ("alert: HighErrors", AlertMeasure(name="HighErrors")),
        ("alert: {name: A, labels: {level: 5}}", AlertMeasure(name="A", labels={"level": "5"})),
        ("http: 'http://x/'", HttpMeasure(url="http://x/")),
        (
            "http: {url: 'http://x/', method: HEAD, status: [200], contains: ok, headers: {Host: a}, timeout: 1s}",
            HttpMeasure(
                url="http://x/",
                method="HEAD",
                status=(200,),
                contains="ok",
                headers={"Host": "a"},
                timeout=timedelta(seconds=1),
            ),
        ),
        ("tcp: '127.0.0.1:5432'", TcpMeasure(address="127.0.0.1:5432")),
        ("tcp: {address: 'db:5432', timeout: 3s}", TcpMeasure(address="db:5432", timeout=timedelta(seconds=3))),
        ("command: [check, -n, 5]", CommandMeasure(argv=("check", "-n", "5"))),
        ("command: {argv: [check], timeout: 1s}", CommandMeasure(argv=("check",), timeout=timedelta(seconds=1))),
        ("crashes: oom_kills", CrashesMeasure(count="oom_kills")),
        ("crashes: {count: down}", CrashesMeasure(count="down")),
        ("release: never_ready", ReleaseMeasure(state="never_ready")),
    ],
)
def test_short_and_long_ways_of_measuring(fields: str, measure: Measure) -> None:
    assert rule(fields).measure == measure


def test_ways_of_scraping() -> None:
    ratio = rule("scrape: {url: 'http://x/metrics', ratio: {events: a, total: b}, over: 2m}, fail_when: value > 0.1")
    assert ratio.measure == ScrapeMeasure(
        url="http://x/metrics", ratio=Ratio(events="a", total="b"), over=timedelta(minutes=2)
    )
    quantile = rule("scrape: {url: 'http://x/metrics', quantile: {buckets: a_bucket, q: 0.9}}, fail_when: value > 1.0")
    assert quantile.measure == ScrapeMeasure(url="http://x/metrics", quantile=Quantile(buckets="a_bucket", q=0.9))


@pytest.mark.parametrize(
    ("fields", "condition"),
    [
        ("http: 'http://x/'", "value < 1"),
        ("tcp: 'x:1'", "value < 1"),
        ("command: [x]", "value < 1"),
        ("crashes: exits", "value >= 1"),
        ("release: failed", "value >= 1"),
        ("alert: A", "value >= 1"),
    ],
)
def test_conditions_that_go_without_saying(fields: str, condition: str) -> None:
    assert rule(fields).fail_when == condition
    assert rule(f"{fields}, pass_when: value > 5").fail_when is None


@pytest.mark.parametrize(
    ("fields", "how_often"),
    [
        ("prometheus: up, fail_when: value < 1", (timedelta(seconds=30), None, None)),
        ("alert: A", (timedelta(seconds=30), None, None)),
        ("http: 'http://x/'", (None, None, 3)),
        ("crashes: exits", (None, None, 1)),
        ("release: failed", (None, None, 1)),
        ("http: 'http://x/', for: 1m", (timedelta(minutes=1), None, None)),
        ("crashes: exits, failure_limit: 0", (None, 0, None)),
        ("alert: A, consecutive_failures: 7", (None, None, 7)),
    ],
)
def test_how_often_it_must_fail(fields: str, how_often: tuple[object, ...]) -> None:
    read = rule(fields)
    assert (read.for_, read.failure_limit, read.consecutive_failures) == how_often


@pytest.mark.parametrize(
    ("compare", "trigger", "summary"),
    [
        ("{kind: ratio, events: e, total: t}", Trigger.errors, "r: more often than with the version before"),
        ("{kind: latency, buckets: b}", Trigger.performance, "r: slower than with the version before"),
        ("{kind: level, query: q}", Trigger.performance, "r: not what it was with the version before"),
        ("{kind: growth, query: q}", Trigger.performance, "r: grows towards its limit"),
    ],
)
def test_a_compare_rule_says_itself_what_it_is_about(compare: str, trigger: Trigger, summary: str) -> None:
    (read,) = rules(f"- {{name: r, compare: {compare}}}")
    assert (read.trigger, read.summary) == (trigger, summary)
    own = rule(f"compare: {compare}")
    assert (own.trigger, own.summary) == (Trigger.bug, "it broke")


@pytest.mark.parametrize("fields", ["alert: A", "compare: {kind: [ratio], events: e, total: t}", "compare: 5"])
def test_all_others_say_it_in_the_file(fields: str) -> None:
    assert "rules.yaml:1: [0].trigger: this key is required" in complaints(f"- {{name: r, {fields}}}")


EVERY_KEY = (
    "action, alert, command, compare, consecutive_errors, consecutive_failures, crashes, fail_when, failure_limit, "
    "for, http, initial_delay, interval, mode, name, pass_when, prometheus, release, reversible, scrape, summary, tcp, "
    "trigger"
)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (
            "fail_when: value > 1",
            ("a rule has exactly one of prometheus, alert, scrape, http, tcp, command, crashes, release, "
            "compare; this one has none"),
        ),
        (
            "crashes: exits, tcp: 'x:1'",
            ("a rule has exactly one of prometheus, alert, scrape, http, tcp, command, crashes, release, "
            "compare; this one has tcp and crashes"),
        ),
        (
            "alert: A, for: 1m, failure_limit: 3",
            "a rule has at most one of for, failure_limit, consecutive_failures; this one has for and failure_limit",
        ),
        (
            "prometheus: up",
            "a prometheus rule needs fail_when or pass_when, such as `fail_when: value > 1.0`",
        ),
        (
            "command: {argv: [x], output: number}",
            "a command rule needs fail_when or pass_when, such as `fail_when: value > 1.0`",
        ),
        ("compare: 5", "compare: expected a mapping (key: value), not a number"),
        ("compare: {kind: ratio, events: e}", "compare: ratio compares events and total; this one has events"),
        (
            "compare: {kind: level, query: q, buckets: b}",
            "compare: level compares query; this one has buckets and query",
        ),
        ("compare: {kind: level, query: q, limit: l}", "compare: limit goes with growth"),
        (
            "compare: {kind: level, query: q}, for: 1m, fail_when: value > 1",
            "a compare rule decides by its evidence: take for and fail_when out",
        ),
        ("postgres: select 1, alert: A", f"postgres: unknown key; known keys: {EVERY_KEY}"),
        ("alert: A, four: 1m", f"four: unknown key; did you mean for? known keys: {EVERY_KEY}"),
        ("alert: A, for: 45", "for: expected a duration such as 30s, 10m or 1h30m, not 45 (without a unit)"),
        ("alert: A, for: 99999999999999d", "for: a duration is at most 366d"),
        ("alert: A, interval: 499ms", "interval: an interval is at least 500ms"),
        ("alert: A, action: hald", "action: expected one of rollback, hold, alert, not 'hald'; did you mean hold?"),
        ("alert: ''", "alert: must not be empty"),
        ("alert: A, failure_limit: -1", "failure_limit: must be at least 0"),
        ("alert: A, failure_limit: 1.5", "failure_limit: expected a whole number, not a number"),
        ("release: fail", "release: expected one of failed, never_ready, not 'fail'; did you mean failed?"),
        ("command: ls -l", "command: expected a list such as [curl, -f, http://…]: no shell is used"),
        ("command: []", "command: must not be empty"),
        ("tcp: db", "tcp: expected host:port, such as 127.0.0.1:5432"),
        ("http: 'ftp://x/'", "http: expected a URL that begins with http:// or https://"),
        (
            "http: 'http://u:p@x/'",
            "http: a URL is shown in logs and incidents: take the user name and password out of it",
        ),
        (
            "scrape: {url: 'http://x/'}, fail_when: value > 1",
            "scrape: a scrape needs exactly one of value, rate, ratio, quantile",
        ),
        (
            "http: {url: 'http://x/', timout: 1s}",
            ("http.timout: unknown key; did you mean timeout? "
            "known keys: contains, headers, method, status, timeout, url"),
        ),
        ("alert: '{{ who }}'", "alert: rule r: {{ who }} is not known; add `vars: {who: …}` to target shop"),
        ("alert: '{{ who'", ("alert: rule r: not a valid template: unexpected end of template, "
         "expected 'end of print statement'. in '{{ who'")),
        ("alert: '{{ job | nosuch }}'", ("alert: rule r: not a valid template: No filter named 'nosuch'. "
         "in '{{ job | nosuch }}'")),
        ("alert: A, fail_when: 'value > {{ limit }}'",
         "fail_when: rule r: {{ limit }} is not known; add `vars: {limit: …}` to target shop"),
        ("alert: A, fail_when: 'value > {{ release }}'",
         "fail_when: rule r: a condition can use vars only: {{ release }} is not known before there is a deploy"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_one_line(fields: str, said: str) -> None:
    assert complaint(fields, {"job": "api"}) == said


@pytest.mark.parametrize("condition", ["value >", "valu > 1", "value + 1"])
def test_a_condition_that_cannot_work_is_found_when_it_is_read(condition: str) -> None:
    assert complaint(f"alert: A, fail_when: '{condition}'").startswith("fail_when: rule r: ")


def test_problems_of_all_rules_are_said_at_once_each_with_its_line() -> None:
    text = """
- name: a
  trigger: healt
  summary: x
  alert: A
- name: b
  trigger: health
  summary: x
  alert: "{{ who }}"
- {name: c, trigger: health, summary: x, alert: C}
- {name: c, trigger: health, summary: x, alert: C}
"""
    assert complaints(text) == [
        (
            "rules.yaml:3: [0].trigger: expected one of crash, health, performance, errors, database, security, bug, "
            "not 'healt'; did you mean health?"
        ),
        (
            "rules.yaml:9: [1].alert: rule b: {{ who }} is not known; "
            "add `vars: {who: …}` to the file, or to the target that uses it"
        ),
        "rules.yaml:11: [3].name: a rule c is already there, on line 10",
    ]


def test_a_rule_file_has_defaults_that_the_targets_variables_win_over(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        "vars: {limit: 1.0, job: api}\n"
        "rules:\n"
        "- {name: r, trigger: bug, summary: s, prometheus: 'up{job=\"{{ job }}\"}', fail_when: 'value > {{ limit }}'}\n"
    )
    assert read_rule_file(path).vars == {"limit": "1.0", "job": "api"}
    file = read_rule_file(path, {"limit": "2.5"})
    assert file.vars == {"limit": "2.5", "job": "api"}
    assert file.rules[0].fail_when == "value > 2.5"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("vars: {release: x}\nrules: [1]", "f.yaml:1: vars.release: release is a built-in name; choose another"),
        ("vars: {a-b: x}\nrules: [1]", "f.yaml:1: vars.a-b: a variable's name is letters, digits and _ only"),
        (
            "vars: {a: '{{ release }}'}\nrules: [1]",
            "f.yaml:1: vars.a: a variable's value is plain text: templates are not filled in here",
        ),
        ("vars: {a: }\nrules: [1]", "f.yaml:1: vars.a: expected text, not nothing"),
        ("rules: []", "f.yaml:1: rules: must not be empty"),
        ("rules: [5]", "f.yaml:1: rules[0]: expected a mapping (key: value), not a number"),
        ("rule: []", "f.yaml:1: rules: this key is required"),
    ],
)
def test_what_can_be_wrong_with_a_rule_file(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "f.yaml"
    path.write_text(text)
    with pytest.raises(BadConfig) as caught:
        read_rule_file(path)
    assert str(caught.value).splitlines()[0].removeprefix(f"{tmp_path}/") == said


def test_a_rule_that_is_left_out_needs_no_variables(tmp_path: Path) -> None:
    file = tmp_path / "pack.yaml"
    file.write_text(
        "rules:\n"
        "  - {name: up, trigger: health, summary: up, prometheus: 'up{job=\"{{ job }}\"}', fail_when: value < 1}\n"
        "  - {name: ends, trigger: crash, summary: it ends, crashes: exits}\n"
    )
    read = read_rule_file(file, unwanted=["up"])
    assert [rule.name for rule in read.rules] == ["ends"]
    assert read.left_out == ("up",)
