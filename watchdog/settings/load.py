"""Reads the config: the file, its secrets, its rule packs. What comes out is complete; what is wrong is said at once.

Reaches nothing outside: no network, no Docker. `watchdog check` does that with what comes out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import SecretStr

from watchdog.settings.form import ConfigForm, HttpServerForm, PrometheusSourceForm, ReceiverForm, split_listen
from watchdog.settings.model import (
    HttpSettings,
    LogSettings,
    PrometheusSettings,
    ReceiverSettings,
    SentrySettings,
    Settings,
    Sources,
    WebhookSettings,
)
from watchdog.settings.problems import Problems
from watchdog.settings.resolve import TargetReader
from watchdog.settings.secrets import SecretForm, fetch, header_safe, sentry_dsn, webhook_secret
from watchdog.settings.yaml import Loc, read

_UNKNOWN = SecretStr("")
"""Stands for a secret that was not found, until the problems are raised."""


def load(path: Path, environ: Mapping[str, str], *, secrets: bool = True) -> Settings:
    """Read the config at `path`; secrets come from `environ` (os.environ) or from files.

    `secrets=False`, for people who look or act without the daemon's environment: a secret that can't be had is left
    out and listed in `missing_secrets`. The store's URL is always needed.
    Raises BadConfig with one line per problem: file, line, key, what was expected.
    """
    document = read(path)
    form = document.validate(ConfigForm)
    reader = _Reader(Problems(document), environ, path.absolute().parent, all_needed=secrets)
    targets = TargetReader(reader.problems, reader.folder, form).targets()
    prometheus = form.sources.prometheus
    settings = Settings(
        path=path.absolute(),
        store=reader.store(form.store),
        retention=form.retention,
        sources=Sources(prometheus=reader.prometheus(prometheus) if prometheus else None),
        http=reader.http(form.http) if form.http else None,
        receivers=reader.receivers(form.receivers),
        sentry=SentrySettings(
            dsn=reader.secret(form.sentry.dsn, ("sentry", "dsn"), sentry_dsn), environment=form.sentry.environment
        )
        if form.sentry
        else None,
        log=LogSettings(level=form.log.level, format=form.log.format),
        targets=targets,
        secret_variables=frozenset(reader.variables),
        missing_secrets=tuple(reader.missing),
    )
    reader.problems.raise_if_any()
    return settings


class _Reader:
    """Turns the parts of the file that are no targets into settings, and notes what is wrong with them."""

    def __init__(self, problems: Problems, environ: Mapping[str, str], folder: Path, *, all_needed: bool) -> None:
        self.problems = problems
        self.folder = folder
        self.missing: list[str] = []
        self.variables: set[str] = set()
        self._environ = environ
        self._all_needed = all_needed

    def needed(self, form: SecretForm, loc: Loc, *checks: Callable[[SecretStr], None]) -> SecretStr:
        """The secret's value, checked; what is wrong is noted, without the value."""
        try:
            return self._fetch(form, checks)
        except ValueError as error:
            self.problems.add(loc, error)
            return _UNKNOWN

    def secret(self, form: SecretForm | None, loc: Loc, *checks: Callable[[SecretStr], None]) -> SecretStr | None:
        """As `needed`, for secrets that may be absent, or that this process can do without."""
        if form is None:
            return None
        if self._all_needed:
            return self.needed(form, loc, *checks)
        try:
            return self._fetch(form, checks)
        except ValueError as error:
            self.missing.append(self.problems.document.problem(loc, str(error)))
            return None

    def _fetch(self, form: SecretForm, checks: Iterable[Callable[[SecretStr], None]]) -> SecretStr:
        self.variables |= {form.env} if form.env is not None else set()
        secret = fetch(form, self._environ, self.folder)
        for check in checks:
            check(secret)
        return secret

    def store(self, written: str | SecretForm) -> str:
        """The store's URL; paths of SQLite files become absolute."""
        if isinstance(written, SecretForm):
            url = self.needed(written, ("store",)).get_secret_value()
            if not url:
                return url
        else:
            url = written
            if url.startswith("postgresql") and _password_in(url):
                self.problems.add(
                    ("store",), "the URL has a password in it: put the whole URL in a variable and write `{env: NAME}`"
                )
        if url.startswith("sqlite:///"):
            return self._sqlite(url.removeprefix("sqlite:///"))
        if not re.match(r"postgresql(\+psycopg)?://.", url):
            self.problems.add(("store",), "expected sqlite:///PATH or postgresql://USER@HOST/DATABASE")
        return url

    def _sqlite(self, path: str) -> str:
        if not path or path.endswith("/") or path.startswith(":memory:") or "?" in path or "\0" in path:
            self.problems.add(("store",), "expected the path of a file, such as sqlite:///state.db")
        return f"sqlite:///{self.folder / path}"

    def prometheus(self, form: PrometheusSourceForm) -> PrometheusSettings:
        """Where Prometheus is, with its credentials."""
        at = ("sources", "prometheus")
        return PrometheusSettings(
            url=form.url.rstrip("/"),
            timeout=form.timeout,
            token=self.secret(form.token, (*at, "token"), header_safe),
            username=form.username,
            password=self.secret(form.password, (*at, "password")),
            headers=form.headers,
            verify_tls=form.verify_tls,
        )

    def http(self, form: HttpServerForm) -> HttpSettings:
        """Where the daemon listens."""
        host, port = split_listen(form.listen)
        return HttpSettings(host=host, port=port, token=self.secret(form.token, ("http", "token"), header_safe))

    def receivers(self, forms: tuple[ReceiverForm, ...]) -> tuple[ReceiverSettings, ...]:
        """Who is told."""
        known: set[str] = set()
        found = []
        for index, form in enumerate(forms):
            at = ("receivers", index)
            if form.name in known:
                self.problems.add((*at, "name"), f"a receiver {form.name} is already there")
            known.add(form.name)
            secret = self.secret(form.webhook.secret, (*at, "webhook", "secret"), webhook_secret)
            webhook = WebhookSettings(
                url=form.webhook.url,
                secret=secret,
                secret_missing=secret is None and form.webhook.secret is not None,
                timeout=form.webhook.timeout,
            )
            found.append(ReceiverSettings(name=form.name, webhook=webhook, events=form.events))
        return tuple(found)


def _password_in(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.password is not None or "password=" in parts.query.lower()
    except ValueError:
        return False
