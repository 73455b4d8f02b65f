"""The config without the daemon's secrets: what a person in another shell can still read of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from watchdog.errors import BadConfig
from watchdog.settings import Settings, load

HOOK = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
TEXT = """\
store: sqlite:///state.db
sources: {prometheus: {url: "http://127.0.0.1:9090", username: u, password: {file: password}}}
http: {listen: "127.0.0.1:9099", token: {env: WATCHDOG_TOKEN}}
sentry: {dsn: {env: SENTRY_DSN}}
receivers:
  - {name: signed, webhook: {url: "http://127.0.0.1:8000/", secret: {env: HOOK_SECRET}}}
  - {name: plain, webhook: {url: "http://127.0.0.1:8001/"}}
targets:
  - {name: shop, compose: {project: shop}, probes: [{name: a, tcp: "127.0.0.1:1"}]}
"""


def read(folder: Path, text: str = TEXT, **environ: str) -> Settings:
    (folder / "watchdog.yaml").write_text(text)
    return load(folder / "watchdog.yaml", environ, secrets=False)


def test_what_is_missing_is_left_out_and_listed_with_its_line(tmp_path: Path) -> None:
    settings = read(tmp_path)
    assert [line.replace(f"{tmp_path}/", "") for line in settings.missing_secrets] == [
        "watchdog.yaml:2: sources.prometheus.password: the file password can't be read: No such file or directory",
        "watchdog.yaml:3: http.token: the environment variable WATCHDOG_TOKEN is not set",
        "watchdog.yaml:6: receivers[0].webhook.secret: the environment variable HOOK_SECRET is not set",
        "watchdog.yaml:4: sentry.dsn: the environment variable SENTRY_DSN is not set",
    ]
    assert settings.sources.prometheus is not None
    assert settings.sources.prometheus.password is None
    assert settings.sentry is not None
    assert settings.sentry.dsn is None
    signed, plain = (receiver.webhook for receiver in settings.receivers)
    assert signed is not None
    assert plain is not None
    assert (signed.secret, signed.secret_missing) == (None, True)
    assert (plain.secret, plain.secret_missing) == (None, False)


def test_what_is_there_is_used(tmp_path: Path) -> None:
    settings = read(tmp_path, HOOK_SECRET=HOOK)
    signed = settings.receivers[0].webhook
    assert signed is not None
    assert signed.secret is not None
    assert not signed.secret_missing
    assert not any("HOOK_SECRET" in line for line in settings.missing_secrets)


def test_what_is_no_secret_is_as_good_as_missing_and_not_shown(tmp_path: Path) -> None:
    settings = read(tmp_path, HOOK_SECRET="hunter2hunter2")
    assert any("not a Standard Webhooks secret" in line for line in settings.missing_secrets)
    assert "hunter2" not in str(settings.missing_secrets)


def test_the_store_is_needed(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match="the environment variable STATE_URL is not set"):
        read(tmp_path, TEXT.replace("sqlite:///state.db", "{env: STATE_URL}"))


def test_other_mistakes_are_said_as_ever(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match="unknown key"):
        read(tmp_path, TEXT + "wrong: 1\n")
