"""Evidence is bounded, readable and without secrets, whatever a program printed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from watchdog.act.evidence import bounded, masked, visible
from watchdog.model.deploy import EvidenceItem


def log(text: str, name: str = "api") -> EvidenceItem:
    return EvidenceItem(kind="logs", name=name, text=text)


def test_what_fits_is_left_as_it_is():
    items = (log("all well\n"), log("", "web"))
    assert bounded(items, 100, 1000) == items


def test_the_end_is_kept_from_the_start_of_a_line():
    (item,) = bounded([log("".join(f"line {i}\n" for i in range(100)))], 100, 1000)
    assert item.truncated
    first, *rest = item.text.splitlines()
    assert first == "[the first 734 bytes were left out]"
    assert rest == [f"line {i}" for i in range(93, 100)]


def test_one_long_line_is_cut_in_its_middle():
    (item,) = bounded([log("x" * 1000 + "the reason")], 100, 1000)
    assert item.text.endswith("xxthe reason")


def test_a_large_item_does_not_push_out_a_small_one():
    small, large = bounded([log("exit code 137", "state"), log("x" * 10_000)], 8000, 300)
    assert small.text == "exit code 137"
    assert 250 < len(large.text) <= 287


def test_no_room_at_all_leaves_the_item_out():
    assert [item.name for item in bounded([log("y" * 500, "b"), log("x" * 500, "a"), log("ok", "c")], 1000, 20)] == [
        "c"
    ]


def test_control_characters_are_seen_not_obeyed():
    assert visible("\x1b[31mred\x1b[0m\tok\r\n\x1b]0;title\x07 a\rb\x00 \x9b2J \u202etxt") == (
        "red\tok\n\\x1b]0;title\\x07 a\\x0db\\x00 \\x9b2J \\u202etxt"
    )


def test_secrets_are_masked():
    (item,) = masked([log("DB_PASSWORD=abc said hunter2-hunter2 at postgres://u:pw12345@db/")], ["hunter2-hunter2"])
    assert item.text == "DB_PASSWORD=*** said *** at postgres://u:***@db/"


@given(st.lists(st.text(max_size=300).map(log), max_size=6), st.integers(0, 400), st.integers(0, 800))
def test_never_more_than_allowed_and_always_utf8(items, per_item, total):
    kept = bounded(items, per_item, total)
    sizes = [len(item.text.encode()) for item in kept]
    assert sum(sizes) <= total
    assert all(size <= per_item for size in sizes)
    assert all(item.truncated or item.text == visible(item.text) for item in kept)
