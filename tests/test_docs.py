"""The docs name what exists: links, anchors, commands and their options, states, objections, events, metrics, files."""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path

import click
import pytest
import typer.main

from watchdog.cli.main import app
from watchdog.model.incident import EventKind
from watchdog.model.rollback import Objections
from watchdog.model.watch import WatchState
from watchdog.report.metrics import Metrics

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^( *)(```|~~~).*?^\1\2 *$", re.MULTILINE | re.DOTALL)
INDENTED = re.compile(r"(?:(?<=\n\n)|\A)(?:(?: {4}.*)?\n)+", re.MULTILINE)


def each_page():
    return pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))


def prose(text: str) -> str:
    """The page without its code blocks."""
    return INDENTED.sub("\n", FENCE.sub("\n", text))


def code(text: str) -> list[str]:
    """Each line of each code block, and each code span."""
    blocks = [match[0] for match in FENCE.finditer(text)] + INDENTED.findall(FENCE.sub("\n", text))
    spans = [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", prose(text))]
    return [*(line for block in blocks for line in block.splitlines()), *spans]


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub makes of the page's headings."""
    found: dict[str, int] = {}
    names = set()
    for heading in re.findall(r"^#{1,6} +(.+?) *#*$", prose(page.read_text()), re.MULTILINE):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
        count = found.get(slug, 0)
        found[slug] = count + 1
        names.add(f"{slug}-{count}" if count else slug)
    return names


@each_page()
def test_every_relative_link_leads_somewhere(page: Path):
    wrong = []
    for target in re.findall(r"\[[^\]]*\]\(([^)\s]+)\)", prose(page.read_text())):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        if not there.exists():
            wrong.append(f"{target}: no such file")
        elif anchor and anchor not in anchors(there):
            wrong.append(f"{target}: no such heading; there are {sorted(anchors(there))}")
    assert wrong == []


def commands() -> dict[str, click.Command]:
    group = typer.main.get_command(app)
    return dict(group.commands)


def asked_for(line: str) -> list[list[str]]:
    """The `watchdog COMMAND …` in one line of code, as words."""
    found = []
    for words in re.findall(r"(?:^\s*(?:\$ )?|[&|:]\s+|[/`])watchdog ([a-z][a-z-]* ?[^|;#>&`]*)", line):
        try:
            found.append(shlex.split(words.replace("…", " ")))
        except ValueError:
            found.append(words.split())
    return found


@each_page()
def test_every_command_exists_with_its_options(page: Path):
    known, wrong = commands(), []
    for line in code(page.read_text()):
        for words in asked_for(line):
            if words[0] not in known:
                wrong.append(f"{line.strip()}: there is no command {words[0]}")
                continue
            options = {o for p in known[words[0]].params for o in (*p.opts, *p.secondary_opts)} | {"--help"}
            named = [word.partition("=")[0] for word in words[1:] if re.match(r"--?[a-z]", word)]
            wrong += [f"{line.strip()}: {words[0]} has no {option}" for option in named if option not in options]
    assert wrong == []


def test_every_command_is_explained_somewhere():
    text = "\n".join(line for page in PAGES for line in code(page.read_text()))
    assert {name for name in commands() if f"watchdog {name}" not in text} == set()


def rows(text: str) -> set[str]:
    """What stands in the first cells of the page's tables."""
    cells = re.findall(r"^\| *([^|]+?) *\|", text, re.MULTILINE)
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


def test_every_objection_says_what_to_do():
    assert {o.value for o in Objections} - rows((ROOT / "docs/operations.md").read_text()) == set()


def test_every_state_says_what_to_do():
    page = (ROOT / "docs/operations.md").read_text()
    before_trouble = {WatchState.arriving, WatchState.watching, WatchState.passed}  # no incident yet, or none at all
    assert {s.value for s in WatchState if s not in before_trouble} - rows(page) == set()
    assert all(f"`{state}`" in page for state in before_trouble)


def test_every_event_and_objection_is_in_the_webhooks_page():
    page = (ROOT / "docs/events.md").read_text()
    headings = set(re.findall(r"^### (\S+)$", page, re.MULTILINE))
    assert headings == {kind.value for kind in EventKind} - {EventKind.note.value}
    assert {o.value for o in Objections if not re.search(rf"\b{o.value}\b", page)} == set()


def series() -> set[str]:
    """The names of all series, as a query spells them."""
    names = set()
    for name, kind in re.findall(r"^# TYPE (deploy_watchdog_\w+) (\w+)$", Metrics().text().decode(), re.MULTILINE):
        names |= {name} | ({f"{name}_{part}" for part in ("bucket", "count", "sum")} if kind == "histogram" else set())
    return names


@each_page()
def test_every_metric_named_exists(page: Path):
    assert set(re.findall(r"\bdeploy_watchdog_\w+", page.read_text())) - series() == set()


def test_every_metric_is_listed():
    listed = rows((ROOT / "docs/api.md").read_text())
    assert {name for name in series() if not re.search(r"_(bucket|count|sum)$", name)} - listed == set()


def test_the_architecture_names_files_that_exist():
    named = re.findall(r"`((?:[a-z_]+/)*[a-z_]+\.py)`", (ROOT / "docs/architecture.md").read_text())
    missing = {name for name in named if not (ROOT / "watchdog" / name).exists() and not (ROOT / name).exists()}
    assert missing == set()
    assert len(named) > 30


def test_the_lines_that_change_production_are_where_the_page_says():
    page = (ROOT / "docs/architecture.md").read_text()
    section = page.partition("## Where production is changed")[2].partition("\n## ")[0]
    for file, functions in re.findall(r"^\| `([\w/]+\.py)` \| ([^|]+) \|", section, re.MULTILINE):
        tree = ast.parse((ROOT / "watchdog" / file).read_text())
        there = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)}
        named = {part for name in re.findall(r"`([\w.]+)`", functions) for part in name.split(".")}
        assert named <= there, file


def test_nothing_else_changes_containers():
    """The calls by which the Docker engine changes something, outside the demo, are in the files the page names."""
    calls = re.compile(
        r"\.(create_container|remove_container|stop|kill|restart|start|rename|prune\w*)\(\s*(?:container|image)"
    )
    found = {
        str(path.relative_to(ROOT / "watchdog"))
        for path in (ROOT / "watchdog").rglob("*.py")
        if "demo" not in path.parts and calls.search(path.read_text())
    }
    assert found == {"act/compose/actor.py", "act/compose/images.py"}


@each_page()
def test_every_make_target_exists(page: Path):
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {
        m for line in code(page.read_text()) for m in re.findall(r"(?:^|[\s`])make (?:[A-Z]+=\S+ )?([a-z]+)", line)
    }
    assert named - targets == set()


def test_every_page_is_in_the_index():
    index = (ROOT / "docs/README.md").read_text()
    assert {page.name for page in (ROOT / "docs").glob("*.md") if f"({page.name})" not in index} == {"README.md"}


def test_the_changelog_has_this_version():
    version = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert version
    assert f"## [{version[1]}] - " in (ROOT / "CHANGELOG.md").read_text()
