"""The real `prometheus` program on 127.0.0.1, with its own data and config, scraping a page that the test writes."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import requests

from tests.waiting import wait_until, within

PROGRAM = shutil.which("prometheus")

_CONFIG = """\
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [rules.yml]
scrape_configs:
  - job_name: service
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""

_RULES = """\
groups:
  - name: test
    rules:
      - {alert: Hot, expr: temperature > 30, labels: {severity: page}}
      - {alert: Cold, expr: temperature < -30}
"""

_STARTS_WITHIN = 30  # seconds
_STOPS_WITHIN = 15


TEXT = "text/plain; version=0.0.4"


class Page:
    """A /metrics page; `text` is what it says now, in the format `kind`."""

    def __init__(self) -> None:
        self.text: str | bytes = "temperature 20\n"
        self.kind = TEXT
        page = self

        class Answer(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                text, kind = page.text, page.kind
                body = text.encode() if isinstance(text, str) else text
                self.send_response(200)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(within(5))


class PrometheusServer:
    """Started and killed as a test likes; the port and the data stay the same. `data` may be filled before it starts
    (backfill.py)."""

    def __init__(self, folder: Path, *options: str, config: str | None = None) -> None:
        """`config`: a prometheus.yml in place of the one that scrapes `page`; it may name rules.yml."""
        self.page = Page()
        self.data = folder / "data"
        self._options = options
        self._folder = folder
        (folder / "prometheus.yml").write_text(config or _CONFIG.format(port=self.page.port))
        (folder / "rules.yml").write_text(_RULES)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.port = listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns when it answers queries."""
        assert PROGRAM is not None
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    PROGRAM,
                    "--config.file=prometheus.yml",
                    "--storage.tsdb.path=data",
                    f"--web.listen-address=127.0.0.1:{self.port}",
                    "--log.level=warn",
                    *self._options,
                ],
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.until(self._is_ready, _STARTS_WITHIN)

    def kill(self) -> None:
        """At once, as the out-of-memory killer does."""
        self._end(signal.SIGKILL)

    def close(self) -> None:
        self._end(signal.SIGTERM)
        self.page.close()

    def until(self, condition: Callable[[], bool], seconds: float = 30) -> None:
        """Wait for the condition, but not for ever."""

        def there() -> bool:
            assert self._process is None or self._process.poll() is None, "prometheus ended"
            return condition()

        try:
            wait_until(there, "what a test waits for in prometheus", seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}; its log: {(self._folder / 'log').read_text()[-2000:]}") from error

    def _is_ready(self) -> bool:
        try:
            return requests.get(f"{self.url}/-/ready", timeout=within(2)).ok
        except requests.RequestException:
            return False

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(number)
        try:
            process.wait(within(_STOPS_WITHIN))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(within(_STOPS_WITHIN))
