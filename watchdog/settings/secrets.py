"""Secrets: never in the file, always from an environment variable or a file of their own, and never shown.

No message here holds a value, not even one that was put in the wrong place.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, SecretStr, model_validator

from watchdog.settings.fields import Form

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MAX_BYTES = 64 * 1024
_HOW = "write `{env: NAME}` for an environment variable or `{file: PATH}`"


def _variable(name: str) -> str:
    if not _VARIABLE.fullmatch(name):
        raise ValueError("`env` is the name of an environment variable (letters, digits and _), not the secret")
    return name


class SecretForm(Form):
    """A secret: the name of an environment variable, or the path of a file that holds nothing else."""

    env: Annotated[str, AfterValidator(_variable)] | None = None
    """The environment variable's name."""
    file: str | None = None
    """The file's path, relative to the config; a line end at its end is dropped."""

    @model_validator(mode="before")
    @classmethod
    def _nothing_plain(cls, written: Any) -> Any:
        if not isinstance(written, Mapping):
            raise ValueError(f"a secret is never written in this file: {_HOW}")  # noqa: TRY004
        return written

    @model_validator(mode="after")
    def _one_place(self) -> SecretForm:
        if (self.env is None) == (self.file is None):
            raise ValueError(f"a secret has exactly one of env, file: {_HOW}")
        return self


def fetch(form: SecretForm, environ: Mapping[str, str], folder: Path) -> SecretStr:
    """The secret's value. Raises ValueError that says where it was looked for, never what was found."""
    if form.env is not None:
        if form.env not in environ:
            raise ValueError(f"the environment variable {form.env} is not set")
        value, where = environ[form.env], f"the environment variable {form.env}"
    else:
        path = folder / (form.file or "")
        value, where = _content(path), f"the file {path}"
    if not value.strip():
        raise ValueError(f"{where} is empty")
    return SecretStr(value)


def header_safe(secret: SecretStr) -> None:
    """Raises ValueError when a token could not be sent in an HTTP header."""
    if not re.fullmatch(r"[\x21-\x7e]+", secret.get_secret_value()):
        raise ValueError("a token is printable ASCII without spaces; this one has other characters in it")


def webhook_secret(secret: SecretStr) -> None:
    """Raises ValueError unless it is a Standard Webhooks secret: base64 of 24 to 64 bytes, after `whsec_` or not."""
    try:
        size = len(base64.b64decode(secret.get_secret_value().removeprefix("whsec_"), validate=True))
    except (binascii.Error, ValueError):
        size = 0
    if not 24 <= size <= 64:
        raise ValueError(
            "not a Standard Webhooks secret: it is the base64 of 24 to 64 random bytes, `whsec_` before it or not; "
            "make one with `openssl rand -base64 32`"
        )


def sentry_dsn(secret: SecretStr) -> None:
    """Raises ValueError unless it looks like a DSN."""
    if not re.fullmatch(r"https?://[^/@\s]+@[^/@\s]+/(\S*/)?\d+", secret.get_secret_value()):
        raise ValueError("not a Sentry DSN: it looks like https://KEY@HOST/PROJECT")


def _content(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            raw = stream.read(_MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise ValueError(f"the file {path} can't be read: {getattr(error, 'strerror', None) or error}") from None
    if len(raw) > _MAX_BYTES:
        raise ValueError(f"the file {path} is over 64 KiB; that is no secret")
    try:
        return raw.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise ValueError(f"the file {path} is not UTF-8 text") from None
