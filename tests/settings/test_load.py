"""The config: what it gives, and what it says when something is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from watchdog.errors import BadConfig
from watchdog.model.base import Duration, format_duration
from watchdog.model.incident import EventKind
from watchdog.model.rule import Action, CommandMeasure, HttpMeasure, Mode, Rule, TcpMeasure, Trigger
from watchdog.model.target import CommandSpec, ComposeSpec, RollbackPolicy, WatchPolicy
from watchdog.settings import Settings, load
from watchdog.settings.fields import Form, Span
from watchdog.settings.target_form import CommandTargetForm, ComposeForm, RollbackForm, WatchForm

Config = Callable[..., Settings]
Lines = Callable[..., list[str]]

# The issue's example, as it stands.
EXAMPLE = """\
store: sqlite:///state.db
sources:
  prometheus: {url: "http://127.0.0.1:9090", timeout: 5s}
http: {listen: "127.0.0.1:9099", token: {env: WATCHDOG_TOKEN}}
receivers:
  - {name: oncall, webhook: {url: "http://127.0.0.1:8000/hook", secret: {env: HOOK_SECRET}}}
targets:
  - name: shop
    environment: production
    compose: {project: shop, files: [docker-compose.prod.yml], directory: /srv/shop}
    vars: {job: shop-api}
    rules: [crash, health, latency, errors, memory, cpu]      # packs in rules/, or rules written here
    probes: [{name: api, http: "http://127.0.0.1:8080/healthz"}]
    watch: {bake_time: 10m, initial_delay: 15s, interval: 5s}
    rollback: {verify_for: 30s, timeout: 3m, cooldown: 30m, max_per_day: 3}
    receivers: [oncall]
"""

SHOP = "{name: shop, compose: {project: shop}, rules: [{name: r, trigger: crash, summary: s, crashes: exits}]}"


def target(*lines: str, rules: str = "[{name: r, trigger: crash, summary: s, crashes: exits}]") -> str:
    """A config of one target with these lines; they begin on line 5."""
    start = ["targets:", "  - name: shop", "    compose: {project: shop}", f"    rules: {rules}"]
    return "\n".join([*start, *(f"    {line}" for line in lines)]) + "\n"


def test_the_issues_example_works_as_it_stands(config: Config, tmp_path: Path) -> None:
    read = config(EXAMPLE)
    assert read.path == tmp_path / "watchdog.yaml"
    assert read.store == f"sqlite:///{tmp_path}/state.db"
    assert read.sources.prometheus is not None
    assert read.sources.prometheus.url == "http://127.0.0.1:9090"
    assert read.sources.prometheus.timeout == timedelta(seconds=5)
    assert read.http is not None
    assert (read.http.host, read.http.port) == ("127.0.0.1", 9099)
    assert read.http.token is not None
    assert read.http.token.get_secret_value() == "open-sesame"
    assert [receiver.name for receiver in read.receivers] == ["oncall"]
    shop = read.roster["shop"]
    assert shop.spec == ComposeSpec(project="shop", files=("docker-compose.prod.yml",), directory="/srv/shop")
    assert shop.watch == WatchPolicy(
        bake_time=timedelta(minutes=10), initial_delay=timedelta(seconds=15), interval=timedelta(seconds=5)
    )
    assert shop.rollback == RollbackPolicy()
    assert shop.vars["job"] == "shop-api"
    assert {rule.trigger for rule in shop.rules} >= {Trigger.crash, Trigger.health, Trigger.performance, Trigger.errors}
    assert shop.rules[-1].name == "probe-api"
    assert shop.receivers == ("oncall",)


def test_the_example_file_of_the_repository_works() -> None:
    path = Path(__file__).parents[2] / "watchdog.example.yaml"
    read = load(path, {"WATCHDOG_TOKEN": "x", "HOOK_SECRET": "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"})
    assert [guarded.name for guarded in read.targets] == ["shop"]


def test_what_is_not_written_has_its_default(config: Config, tmp_path: Path) -> None:
    read = config(f"targets: [{SHOP}]")
    assert read.store == f"sqlite:///{tmp_path}/state.db"
    assert read.retention == timedelta(days=30)
    assert (read.http, read.sentry, read.sources.prometheus, read.receivers) == (None, None, None, ())
    shop = read.targets[0]
    assert shop.environment == "production"
    assert shop.mode is Mode.enforce
    assert shop.spec == ComposeSpec(project="shop", directory=str(tmp_path))


def test_everything_that_may_be_added(config: Config) -> None:
    read = config(
        """
store: {env: DATABASE_URL}
retention: 7d
sources:
  prometheus:
    url: "https://prom.example/"
    username: me
    password: {env: PASSWORD}
    headers: {X-Scope-OrgID: 7}
    verify_tls: false
http: {listen: "[::1]:0"}
receivers:
  - {name: chat, webhook: {url: "https://chat.example/x", timeout: 3s}, events: [incident.failed, incident.held]}
  - {name: log, webhook: {url: "https://log.example/x"}}
sentry: {dsn: {env: DSN}, environment: test}
log: {level: debug, format: json}
targets:
  - name: api
    environment: staging
    mode: dry_run
    command:
      status: [/opt/status, --json]
      history: [/opt/history]
      rollback: [/opt/deploy, "{{ revision }}", "--job={{ job }}"]
      logs: [journalctl, -n, 100]
      directory: scripts
      poll: 2s
    vars: {job: api}
    probes:
      - {name: web, http: {url: "http://127.0.0.1/", status: [204]}, timeout: 1s, interval: 2s, action: alert}
      - {name: db, tcp: "127.0.0.1:5432", consecutive_failures: 5, initial_delay: 1s, mode: dry_run}
      - {name: self, command: [/opt/check, "{{ job }}"]}
""",
        DATABASE_URL="postgresql://me:hunter2@db/watchdog",
        PASSWORD="hunter2",
        DSN="https://abc@sentry.example/3",
    )
    assert read.store == "postgresql://me:hunter2@db/watchdog"
    assert read.secret_variables == {"DATABASE_URL", "PASSWORD", "DSN"}
    prometheus = read.sources.prometheus
    assert prometheus is not None
    assert (prometheus.url, prometheus.username, prometheus.headers) == (
        "https://prom.example", "me", {"X-Scope-OrgID": "7"},
    )  # fmt: skip
    assert not prometheus.verify_tls
    assert read.http is not None
    assert (read.http.host, read.http.port, read.http.token) == ("::1", 0, None)
    assert read.receivers[0].events == (EventKind.failed, EventKind.held)
    assert read.receivers[1].events == ()
    assert read.sentry is not None
    assert read.sentry.environment == "test"
    assert (read.log.level, read.log.format) == ("debug", "json")
    api = read.targets[0]
    assert api.mode is Mode.dry_run
    assert api.receivers == ("chat", "log")
    assert isinstance(api.spec, CommandSpec)
    assert api.spec.rollback == ("/opt/deploy", "{{ revision }}", "--job={{ job }}")
    assert api.spec.logs == ("journalctl", "-n", "100")
    assert api.spec.directory == str(read.path.parent / "scripts")
    web, db, own = api.rules
    assert web == Rule(
        name="probe-web", trigger=Trigger.health, summary="probe web fails", fail_when="value < 1",
        measure=HttpMeasure(url="http://127.0.0.1/", status=(204,), timeout=timedelta(seconds=1)),
        consecutive_failures=3, interval=timedelta(seconds=2), action=Action.alert, probe=True,
    )  # fmt: skip
    assert db.measure == TcpMeasure(address="127.0.0.1:5432")
    assert (db.consecutive_failures, db.initial_delay, db.mode) == (5, timedelta(seconds=1), Mode.dry_run)
    assert own.measure == CommandMeasure(argv=("/opt/check", "{{ job }}"))
    assert "hunter2" not in repr(read)
    assert "hunter2" not in str(read)


PACK = """\
vars: {limit: 1.0}
rules:
  - {name: slow, trigger: performance, summary: s, prometheus: 'x{job="{{ job }}"}', fail_when: "value > {{ limit }}"}
  - {name: dead, trigger: crash, summary: s, crashes: down}
"""
PROMETHEUS = 'sources: {prometheus: {url: "http://127.0.0.1:9090"}}\n'


def test_a_rule_file_of_ones_own_with_exceptions_and_changes(config: Config, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(PACK)
    text = PROMETHEUS + target(
        "vars: {job: api, limit: 2}",
        rules="[{pack: mine.yaml, except: [dead], override: {slow: {action: alert, failure_limit: 2}}}]",
    )
    shop = config(text).targets[0]
    assert [rule.name for rule in shop.rules] == ["slow"]
    assert shop.rules[0].fail_when == "value > 2"
    assert shop.rules[0].action is Action.alert
    assert (shop.rules[0].for_, shop.rules[0].failure_limit) == (None, 2)
    assert shop.vars == {"job": "api", "limit": "2"}


def test_a_summary_has_the_names_that_are_known_without_a_deploy(config: Config) -> None:
    rules = "[{name: r, trigger: bug, summary: '{{ release }} {{ revision }} {{ job }}', crashes: exits}]"
    assert config(target("vars: {job: api}", rules=rules)).targets[0].rules[0].summary == "shop {{ revision }} api"


def test_a_packs_default_is_a_variable_of_the_target(config: Config, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(PACK)
    assert config(PROMETHEUS + target("vars: {job: api}", rules="[./mine.yaml]")).targets[0].vars == {
        "job": "api",
        "limit": "1.0",
    }


def test_a_link_in_the_projects_directory_is_not_followed_yet(config: Config, tmp_path: Path) -> None:
    (tmp_path / "v1").mkdir()
    (tmp_path / "current").symlink_to(tmp_path / "v1")
    text = target().replace("{project: shop}", "{project: shop, directory: ./current/}")
    spec = config(text).targets[0].spec
    assert spec.directory == str(tmp_path / "current")


NO_SECRET = "a secret is never written in this file: write `{env: NAME}` for an environment variable or `{file: PATH}`"
NO_HOOK = (
    "not a Standard Webhooks secret: it is the base64 of 24 to 64 random bytes, `whsec_` before it or not; "
    "make one with `openssl rand -base64 32`"
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("http: {token: hunter2}", f"http.token: {NO_SECRET}"),
        ("http: {token: 12345}", f"http.token: {NO_SECRET}"),
        ("http: {token: {env: NOPE}}", "http.token: the environment variable NOPE is not set"),
        ("http: {token: {env: EMPTY}}", "http.token: the environment variable EMPTY is empty"),
        ("http: {token: {env: SPACED}}",
         "http.token: a token is printable ASCII without spaces; this one has other characters in it"),
        ("http: {token: {env: hunter-2}}",
         "http.token.env: `env` is the name of an environment variable (letters, digits and _), not the secret"),
        ("http: {token: {env: A, file: b}}",
         ("http.token: a secret has exactly one of env, file: "
         "write `{env: NAME}` for an environment variable or `{file: PATH}`")),
        ("http: {token: {file: nope}}", "http.token: the file nope can't be read: No such file or directory"),
        ("http: {token: {file: empty}}", "http.token: the file empty is empty"),
        ("http: {token: {value: x}}", "http.token.value: unknown key; known keys: env, file"),
        ("http: {listen: 9099}", "http.listen: expected text, not a number"),
        ("http: {listen: ':9099'}", "http.listen: expected HOST:PORT, such as 127.0.0.1:9099"),
        ("http: {listen: 'localhost:99999'}", "http.listen: expected HOST:PORT, such as 127.0.0.1:9099"),
        ("store: 'mysql://x/y'", "store: expected sqlite:///PATH or postgresql://USER@HOST/DATABASE"),
        ("store: 'sqlite:///:memory:'", "store: expected the path of a file, such as sqlite:///state.db"),
        ("store: 'sqlite:///'", "store: expected the path of a file, such as sqlite:///state.db"),
        ("store: 'postgresql://me:hunter2@db/x'",
         "store: the URL has a password in it: put the whole URL in a variable and write `{env: NAME}`"),
        ("store: {env: NOPE}", "store: the environment variable NOPE is not set"),
        ("store: {enw: NOPE}", "store.enw: unknown key; did you mean env? known keys: env, file"),
        ("sources: {prometheus: {url: 'http://me:hunter2@prom/'}}",
         ("sources.prometheus.url: take the user name and password out: "
         "write `username: …` and `password: {env: NAME}`")),
        ("sources: {prometheus: {url: prom}}",
         "sources.prometheus.url: expected a URL that begins with http:// or https://"),
        ("sources: {prometheus: {url: 'http://p/', username: me}}",
         "sources.prometheus: username and password go together: one of them is missing"),
        ("sources: {prometheus: {url: 'http://p/', username: me, password: {env: A}, token: {env: B}}}",
         "sources.prometheus: use token, or username and password, not both"),
        ("sources: {prometheus: {url: 'http://p/', headers: {Authorization: hunter2}}}",
         "sources.prometheus.headers: Authorization is a secret: use `token`, or `username` and `password`"),
        ("sources: {prometheus: {url: 'http://p/', timeout: 0s}}",
         "sources.prometheus.timeout: must be more than 0s"),
        ("receivers: [{name: a, webhook: {url: 'http://h/', secret: {env: SHORT}}}]",
         f"receivers[0].webhook.secret: {NO_HOOK}"),
        ("receivers: [{name: a, webhook: 'http://h/'}]",
         "receivers[0].webhook: expected a mapping (key: value), not text"),
        ("receivers: [{name: a}]", "receivers[0].webhook: this key is required"),
        ("receivers: [{name: a, webhook: {url: 'http://h/'}}, {name: a, webhook: {url: 'http://h/'}}]",
         "receivers[1].name: a receiver a is already there"),
        ("receivers: [{name: a, webhook: {url: 'http://h/'}, events: [note]}]",
         "receivers[0].events[0]: notes are for the timeline only: they are never sent"),
        ("sentry: {dsn: {env: SHORT}}", "sentry.dsn: not a Sentry DSN: it looks like https://KEY@HOST/PROJECT"),
        ("log: {level: warn}",
         "log.level: expected one of debug, info, warning, error, not 'warn'; did you mean warning?"),
        ("retention: 30", "retention: expected a duration such as 30s, 10m or 1h30m, not 30 (without a unit)"),
        ("target: []",
         ("target: unknown key; did you mean targets? "
         "known keys: http, log, receivers, retention, sentry, sources, store, targets")),
    ],
)  # fmt: skip
def test_what_can_be_wrong_beside_targets(problems: Lines, tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "empty").write_text("\n")
    whole = f"{text}\ntargets: [{SHOP}]"
    lines = problems(whole, SPACED="hunter2 hunter2")
    assert lines == [f"watchdog.yaml:1: {said}"]
    assert "hunter2" not in "".join(lines)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("receivers: [oncal]", "receivers[0]: there is no receiver 'oncal'; known receivers: none"),
        ("environmnt: x",
         ("environmnt: unknown key; did you mean environment? known keys: "
         "command, compose, environment, helm, mode, name, probes, receivers, rollback, rules, vars, watch")),
        ("mode: dry-run", "mode: expected one of enforce, dry_run, not 'dry-run'; did you mean dry_run?"),
        ("vars: {pods: x}", "vars.pods: pods is a built-in name; choose another"),
        ("watch: {bake_time: 10 minutes}",
         'watch.bake_time: expected a duration such as 30s, 10m or 1h30m, not "10 minutes"'),
        ("watch: {bake_time: 15s}",
         "watch: bake_time 15s must be longer than initial_delay 15s: nothing would be measured"),
        ("watch: {bake_time: 16s}",
         "watch: interval 5s does not fit between initial_delay 15s and bake_time 16s"),
        ("watch: {interval: 100ms}", "watch.interval: an interval is at least 500ms"),
        ("rollback: {max_per_day: -1}", "rollback.max_per_day: must be at least 0"),
        ("rollback: {keep_revisions: 0}", "rollback.keep_revisions: must be at least 1"),
        ("rollback: {first_known_good: runing}",
         "rollback.first_known_good: expected one of none, running, not 'runing'; did you mean running?"),
        ("command: {status: [a], history: [b], rollback: [c]}",
         ": a target has exactly one of compose, helm, command; this one has compose and command"),
        ("probes: [{name: a, http: 'http://x/', tcp: 'x:1'}]",
         "probes[0]: a probe has exactly one of http, tcp, command; this one has http and tcp"),
        ("probes: [{name: a}]", "probes[0]: a probe has exactly one of http, tcp, command; this one has none"),
        ("probes: [{name: a, http: {url: 'http://x/', timeout: 1s}, timeout: 2s}]",
         "probes[0]: timeout is written twice: once here and once in http"),
        ("probes: [{name: a, command: {argv: [x], output: number}}]",
         "probes[0]: a probe is about success; write a rule for a command with `output: number`"),
        ("probes: [{name: a, http: 'http://{{ host }}/'}]",
         "probes[0].http: {{ host }} is not known; add `vars: {host: …}` to target shop"),
        ("probes: [{name: a, tcp: 'x:1'}, {name: a, tcp: 'x:2'}]",
         ("probes[1]: a rule probe-a is already there, from line 5; "
         "leave one out with `{pack: NAME, except: [RULE]}`, or give it another name")),
        ("probes: [{name: a, tcp: 'x:1', interval: 10m, consecutive_failures: 3}]",
         "probes[0]: rule probe-a can never trip: it takes 20m15s to, and watch.bake_time is 10m"),
    ],
)  # fmt: skip
def test_what_can_be_wrong_with_a_target(problems: Lines, line: str, said: str) -> None:
    place = f"targets[0]{said}" if said.startswith(":") else f"targets[0].{said}"
    number = 2 if said.startswith(":") else 5
    assert problems(target(line)) == [f"watchdog.yaml:{number}: {place}"]


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ("[mine.yaml, {pack: mine.yaml, except: [slow]}]",
         ("watchdog.yaml:5: targets[0].rules[1]: a rule dead is already there, from line 5; "
         "leave one out with `{pack: NAME, except: [RULE]}`, or give it another name")),
        ("[{pack: mine.yaml, except: [slo]}]",
         ("watchdog.yaml:5: targets[0].rules[0].except[0]: mine.yaml has no rule 'slo'; did you mean slow? "
         "its rules: slow, dead")),
        ("[{pack: mine.yaml, override: {dad: {action: alert}}}]",
         ("watchdog.yaml:5: targets[0].rules[0].override.dad: mine.yaml has no rule 'dad'; did you mean dead? "
         "its rules: slow, dead")),
        ("[{pack: mine.yaml, override: {dead: {for: 1s, failure_limit: 2}}}]",
         ("watchdog.yaml:5: targets[0].rules[0].override.dead: "
         "a rule has at most one of for, failure_limit, consecutive_failures; this one has for and failure_limit")),
        ("[{pack: mine.yaml, override: {dead: {fail_when: x}}}]",
         ("watchdog.yaml:5: targets[0].rules[0].override.dead.fail_when: unknown key; "
         "known keys: action, consecutive_errors, consecutive_failures, failure_limit, for, initial_delay, interval, "
         "mode, reversible")),
        ("[{pack: mine.yaml, override: {slow: {for: 20m}}}]",
         ("watchdog.yaml:5: targets[0].rules[0]: "
         "rule slow can never trip: it takes 20m15s to, and watch.bake_time is 10m")),
        ("[other/none.yaml]", "other/none.yaml: can't be read: No such file or directory"),
        ("[needy.yaml]", ("needy.yaml:1: rules[0].prometheus: rule n: {{ what }} is not known; "
         "add `vars: {what: …}` to target shop")),
        ("[5]", "watchdog.yaml:5: targets[0].rules[0]: expected a mapping (key: value), not a number"),
        ("[]", ("watchdog.yaml:3: targets[0]: a target needs rules or probes: "
         "without any, every deploy would become known good")),
        ("[{name: r, trigger: bug, summary: s, prometheus: up, fail_when: 'value >'}]", None),
        ("[{name: r, trigger: bug, summary: s, crashes: exits, for: 1s, failure_limit: 2}]",
         ("watchdog.yaml:5: targets[0].rules[0]: "
         "a rule has at most one of for, failure_limit, consecutive_failures; this one has for and failure_limit")),
        ("[mine.yaml, clash.yaml]",
         "watchdog.yaml:5: targets[0].rules[1]: packs differ in the default of limit ('1.0' and '2'): set it in vars"),
    ],
)  # fmt: skip
def test_what_can_be_wrong_with_a_targets_rules(problems: Lines, tmp_path: Path, rules: str, said: str | None) -> None:
    (tmp_path / "mine.yaml").write_text(PACK)
    one = "rules: [{name: n, trigger: bug, summary: s, prometheus: '{{ what }}', fail_when: value > 1}]\n"
    (tmp_path / "needy.yaml").write_text(one)
    (tmp_path / "clash.yaml").write_text("vars: {limit: 2, what: x}\n" + one)
    lines = problems(PROMETHEUS + target("vars: {job: api}", rules=rules))
    if said is None:
        assert lines[0].startswith("watchdog.yaml:5: targets[0].rules[0].fail_when: rule r: ")
    else:
        assert lines == [said]


def test_a_pack_that_does_not_exist_names_those_that_do(problems: Lines) -> None:
    (line,) = problems(target(rules="[latncy]"))
    assert line.startswith(
        "watchdog.yaml:4: targets[0].rules[0]: there is no rule pack 'latncy'; did you mean latency?"
    )


def test_rules_that_ask_prometheus_need_one(problems: Lines) -> None:
    assert problems(target(rules="[{name: r, trigger: bug, summary: s, alert: A}]")) == [
        "watchdog.yaml:4: targets[0].rules[0]: rule r asks Prometheus: add `sources: {prometheus: {url: …}}`"
    ]


def test_two_targets_of_one_name_or_one_project(problems: Lines) -> None:
    assert problems(f"targets:\n- {SHOP}\n- {SHOP}\n") == [
        "watchdog.yaml:3: targets[1].name: a target shop is already there",
        "watchdog.yaml:3: targets[1].compose.project: the project shop is already guarded by target shop",
    ]


def test_a_command_targets_templates_are_checked(problems: Lines) -> None:
    text = "targets: [{name: a, command: {status: [s], history: [h], rollback: [r, '{{ revison }}']}, "
    text += "probes: [{name: p, tcp: 'x:1'}]}]"
    assert problems(text) == [
        (
            "watchdog.yaml:1: targets[0].command.rollback[1]: {{ revison }} is not known; "
            "add `vars: {revison: …}` to target a"
        )
    ]


def test_what_looks_like_a_template_in_other_programs_is_theirs(config: Config) -> None:
    text = "targets: [{name: a, command: {status: [docker, inspect, -f, '{{json .State}}'], history: [h], "
    spec = config(text + "rollback: [r, '{{ revision }}']}, probes: [{name: p, tcp: 'x:1'}]}]").targets[0].spec
    assert isinstance(spec, CommandSpec)
    assert spec.status[-1] == "{{json .State}}"


def test_all_problems_are_said_at_once_in_the_files_order(problems: Lines) -> None:
    text = EXAMPLE.replace("[oncall]", "[onkall]").replace("secret: {env: HOOK_SECRET}", "secret: {env: GONE}")
    text = text.replace("token: {env: WATCHDOG_TOKEN}", "token: {env: AWAY}")
    lines = [line for line in problems(text) if line.startswith("watchdog.yaml")]
    assert [line.split(":")[1] for line in lines] == ["4", "6", "16"]


def test_a_secret_may_be_in_a_file(config: Config, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("open-sesame\n")
    read = config(f"http: {{token: {{file: token}}}}\ntargets: [{SHOP}]")
    assert read.http is not None
    assert read.http.token is not None
    assert read.http.token.get_secret_value() == "open-sesame"


def test_no_targets_is_an_error(problems: Lines) -> None:
    assert problems("targets: []") == ["watchdog.yaml:1: targets: must not be empty"]
    assert problems("") == ["watchdog.yaml:1: expected a mapping (key: value), not nothing"]


@pytest.mark.parametrize(
    ("form", "policy"),
    [
        (WatchForm, WatchPolicy),
        (RollbackForm, RollbackPolicy),
        (ComposeForm, ComposeSpec),
        (CommandTargetForm, CommandSpec),
    ],
)
def test_the_files_defaults_are_the_models(form: type[Form], policy: type) -> None:
    fields = {name: info.default for name, info in policy.model_fields.items() if name != "kind"}
    assert {name: info.default for name, info in form.model_fields.items() if name != "directory"} == {
        name: default for name, default in fields.items() if name != "directory"
    }


class OneDuration(Form):
    wait: Span
    plain: Duration


@given(
    st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=366)).map(
        lambda d: timedelta(seconds=round(d.total_seconds()))
    )
)
def test_a_duration_as_people_say_it_is_the_same_duration_when_read(duration: timedelta) -> None:
    text = format_duration(duration)
    assert OneDuration.model_validate({"wait": text, "plain": text}) == OneDuration(wait=duration, plain=duration)


WORDS = st.sampled_from(
    [
        "store", "sources", "prometheus", "http", "listen", "token", "env", "file", "receivers", "name", "webhook",
        "url", "targets", "compose", "project", "vars", "rules", "pack", "override", "except", "probes", "tcp",
        "command", "watch", "bake_time", "rollback", "trigger", "summary", "crashes", "crash", "10m", "5", "{{ x }}",
        "", "http://x/", "sqlite:///x", "postgresql://[", "http://[x/", "\x00", "for", "fail_when", "<rule>",
    ]
)  # fmt: skip
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=5),
    max_leaves=25,
)


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(ANYTHING, st.sampled_from(["", "store", "http", "sources", "receivers", "sentry", "targets", "rules", "probes"]))
def test_whatever_is_written_is_read_or_refused_as_a_bad_config(tmp_path: Path, thing: object, where: str) -> None:
    shop = {"name": "shop", "compose": {"project": "shop"}, "probes": [{"name": "a", "tcp": "x:1"}]}
    whole: object = {"targets": [{**shop, where: thing} if where in {"rules", "probes"} else shop]}
    if where in {"store", "http", "sources", "receivers", "sentry", "targets"}:
        whole = {"targets": [shop], where: thing}
    path = tmp_path / "any.yaml"
    path.write_text(json.dumps(whole if where else thing))
    try:
        load(path, {})
    except BadConfig:
        return
