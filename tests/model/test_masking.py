"""What is masked, and what is left so that the evidence stays readable."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchdog.model.masking import looks_secret, mask, secrets_in


@pytest.mark.parametrize(
    "name",
    [
        "DB_PASSWORD",
        "PGPASSWORD",
        "API_KEY",
        "APIKEY",
        "AWS_SECRET_ACCESS_KEY",
        "SENTRY_DSN",
        "github-token",
        "SECRET_KEY_BASE",
        "GOOGLE_CREDENTIALS",
        "DB_PWD",
        "SMTP_PASS",
    ],
)
def test_names_of_secrets(name):
    assert looks_secret(name)


@pytest.mark.parametrize("name", ["PATH", "PWD", "KEYBOARD", "FEATURE_X", "PORT", "HOSTNAME", "LOG_LEVEL", "PASSENGER"])
def test_other_names(name):
    assert not looks_secret(name)


def test_values_are_taken_out_wherever_they_are():
    text = "connecting as admin with hunter22-long and again hunter22-long"
    assert mask(text, ["hunter22-long"]) == "connecting as admin with *** and again ***"


def test_the_longer_of_two_secrets_goes_first():
    assert mask("abcdefgh abcdef", ["abcdef", "abcdefgh"]) == "*** ***"


def test_a_short_value_is_masked_only_as_a_word():
    assert mask("cat concatenates; cat!", ["cat"]) == "*** concatenates; ***!"


def test_a_value_of_two_characters_is_left():
    assert mask("exit code 1", ["1"]) == "exit code 1"


def test_url_passwords():
    assert mask("postgres://shop:s3cr3t@db:5432/shop", []) == "postgres://shop:***@db:5432/shop"
    assert mask("redis://:p@ss@cache/0 down", []) == "redis://:***@cache/0 down"


def test_a_url_without_password_is_left():
    text = "GET http://127.0.0.1:8080/healthz 200, mail a@b"
    assert mask(text, []) == text


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("API_TOKEN=abc123 PORT=80", "API_TOKEN=*** PORT=80"),
        ('{"password": "x y", "user": "bob"}', '{"password": "***", "user": "bob"}'),
        ("Authorization: Bearer abc.def", "Authorization: ***"),
        ("secret_key='q'", "secret_key='***'"),
    ],
)
def test_assignments_of_secret_looking_names(text, masked):
    assert mask(text, []) == masked


def test_spellings_of_a_secret():
    assert mask('{"v": "a\\"b\\nccc"}', ['a"b\nccc']) == '{"v": "***"}'
    assert mask("?p=a%2Fb%2Bc", ["a/b+c"]) == "?p=***"


def test_a_key_of_many_lines_is_masked_line_by_line():
    key = "-----BEGIN KEY-----\nMIIEvQIBADANBgkq\n-----END KEY-----"
    assert mask("app | MIIEvQIBADANBgkq", [key]) == "app | ***"


def test_secrets_of_an_environment():
    environment = {"DB_PASSWORD": "hunter2", "DATABASE_URL": "postgres://u:p%40ss@db/x", "PORT": "8080", "TOKEN": ""}
    assert secrets_in(environment) == {"hunter2", "p%40ss", "p@ss"}


@given(st.text(min_size=6), st.text(), st.text())
def test_a_long_secret_never_survives(secret, before, after):
    stripped = secret.strip()
    if len(stripped) >= 6 and stripped not in "***" * 9:
        assert stripped not in mask(f"{before} {secret} {after}", [secret])
