"""check, test-rules, schema, and what every command says about a config that is wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.shop import REPOSITORY, Shop, free_port
from tests.waiting import within


class TestCheck:
    def test_all_is_well(self, shop: Shop) -> None:
        done = shop.run("check")
        assert done.code == 0, done.out
        assert "all 5 are well" in done.out
        assert "what runs at the first sight will be" in done.out

    def test_for_machines(self, shop: Shop) -> None:
        found = shop.run("check", "--output", "json").json
        assert set(found) == {"ok", "checks"}
        assert found["ok"] is True
        assert all(set(one) == {"what", "ok", "missing", "notes"} for one in found["checks"])
        assert [one["what"] for one in found["checks"][2:]] == [
            "shop: command",
            "shop: rule crash-loop (crashes)",
            "shop: rule probe-api (command)",
        ]

    def test_missing_pieces_are_named_one_line_each(self, shop: Shop) -> None:
        nobody = f"http://127.0.0.1:{free_port()}"
        shop.write(extra=f"sources: {{prometheus: {{url: '{nobody}', timeout: 1s}}}}\n")
        slow = "{name: slow, trigger: performance, summary: s, prometheus: up, fail_when: value > 1, failure_limit: 1}"
        text = shop.config.read_text().replace("/program.py, status", "/gone.py, status")
        text = text.replace("    probes:", f"      - {slow}\n    probes:")
        shop.config.write_text(text)
        done = shop.run("check")
        assert done.code == 1
        assert "missing  shop: command" in done.out
        assert "missing  shop: rule slow (prometheus)" in done.out
        assert "2 of 6 are missing or wrong" in done.out
        found = shop.run("check", "-o", "json")
        assert found.code == 1
        assert not found.json["ok"]

    def test_a_probe_that_fails_now_is_said(self, shop: Shop) -> None:
        shop.service.set(sick=["v1"])
        done = shop.run("check")
        assert "probe-api" in done.out

    def test_nothing_known_good_says_what_to_do(self, shop: Shop) -> None:
        shop.write(first="none")
        assert "run `watchdog approve shop`, or set rollback.first_known_good: running" in shop.run("check").out

    def test_it_changes_nothing(self, shop: Shop) -> None:
        shop.run("check")
        assert shop.run("history", "shop", "-o", "json").json["revisions"] == []
        assert shop.service.acts == []


COMMANDS = [
    ["run"], ["check"], ["status"], ["history", "shop"], ["incidents"], ["explain", "last"], ["rollback", "shop"],
    ["approve", "shop"], ["pause", "shop", "--reason", "x"], ["resume", "shop"],
]  # fmt: skip


@pytest.mark.parametrize("words", COMMANDS, ids=lambda w: w[0])
class TestBadConfig:
    def test_an_unknown_key_is_named_with_its_line(self, shop: Shop, words: list[str]) -> None:
        shop.config.write_text(shop.config.read_text().replace("    watch:", "    wacht:"))
        line = (
            shop.config.read_text()
            .splitlines()
            .index(next(one for one in shop.config.read_text().splitlines() if "wacht" in one))
            + 1
        )
        done = shop.run(*words)
        assert (done.code, done.out) == (2, "")
        assert done.err.startswith(f"{shop.config}:{line}: targets[0].wacht: unknown key")

    def test_a_file_that_is_not_there(self, shop: Shop, words: list[str]) -> None:
        shop.config.unlink()
        done = shop.run(*words)
        assert done.code == 2
        assert str(shop.config) in done.err


class TestRules:
    GOOD = """\
rules:
  - {name: slow, trigger: performance, summary: s, prometheus: q, fail_when: value > 1, consecutive_failures: 2}
interval: 15s
tests:
  - name: two in a row
    rule: slow
    values: 0.2x2 1.8x4
    expect:
      - {after: 15s, verdict: pass}
      - {after: 1m, verdict: fail, decision: rollback}
"""

    def test_as_expected(self, shop: Shop) -> None:
        file = shop.folder / "slow_test.yaml"
        file.write_text(self.GOOD)
        done = shop.run("test-rules", str(file))
        assert done.code == 0, done.out + done.err
        assert "1 passed, 0 failed" in done.out

    def test_a_difference_is_exit_code_1(self, shop: Shop) -> None:
        file = shop.folder / "slow_test.yaml"
        file.write_text(self.GOOD.replace("verdict: fail, decision: rollback", "verdict: pass, decision: hold"))
        done = shop.run("test-rules", str(file))
        assert done.code == 1
        assert "FAIL  slow: two in a row" in done.out
        assert "0 passed, 1 failed" in done.out
        (test,) = shop.run("test-rules", str(file), "-o", "json").json["tests"]
        assert set(test) == {"file", "line", "name", "rule", "ok", "differences"}
        assert test["differences"]

    def test_a_file_that_is_wrong_is_exit_code_2(self, shop: Shop) -> None:
        file = shop.folder / "slow_test.yaml"
        file.write_text(self.GOOD.replace("values", "valeus"))
        done = shop.run("test-rules", str(file))
        assert done.code == 2
        assert "slow_test.yaml:5" in done.err or "slow_test.yaml:7" in done.err

    def test_all_that_ship(self, shop: Shop) -> None:
        files = sorted(str(path) for path in (REPOSITORY / "rules" / "tests").glob("*.yaml"))
        assert files
        done = shop.run("test-rules", *files)
        assert done.code == 0, done.out
        assert "0 failed" in done.out


def test_schema(shop: Shop) -> None:
    schema = json.loads(shop.run("schema").out)
    assert schema["$schema"].startswith("https://json-schema.org/")
    assert "targets" in schema["properties"]


def test_the_program_itself(tmp_path: Path) -> None:
    """As installed: one process, its exit code, its message."""
    done = subprocess.run(
        [sys.executable, "-m", "watchdog", "status", "-c", str(tmp_path / "none.yaml")],
        cwd=REPOSITORY, capture_output=True, text=True, timeout=within(60), check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "none.yaml" in done.err if hasattr(done, "err") else "none.yaml" in done.stderr
    assert "Traceback" not in done.stderr


def test_help_lists_every_command_and_the_exit_codes(shop: Shop) -> None:
    said = shop.run("--help").out
    for name in (*(words[0] for words in COMMANDS), "test-rules", "schema", "demo"):
        assert name in said
    assert "130 interrupted" in " ".join(said.split())
    assert shop.run("nonsense").code == 2
    assert shop.run("--version").out.startswith("deploy-watchdog ")
