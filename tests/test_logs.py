"""Logs: readable lines for people, strict JSON for machines."""

import io
import json
import logging
import warnings

import pytest

from watchdog.errors import BadConfig
from watchdog.logs import Readable, StrictJson, configure


@pytest.fixture(autouse=True)
def as_it_was():
    root, ours = logging.getLogger(), logging.getLogger("watchdog")
    levels = root.level, ours.level
    yield
    for handler in root.handlers[:]:
        if isinstance(handler.formatter, Readable | StrictJson):
            root.removeHandler(handler)
    root.setLevel(levels[0])
    ours.setLevel(levels[1])
    logging.captureWarnings(False)


def logged(form, level="info"):
    out = io.StringIO()
    configure(level, form, out)
    return out


def test_a_line_for_people_has_time_level_logger_message_and_fields():
    out = logged("text")
    logging.getLogger("watchdog.engine").info("%s arrived", "r8", extra={"target": "shop"})
    assert out.getvalue()[10] == "T"
    assert out.getvalue().endswith("Z info    watchdog.engine  r8 arrived  target=shop\n")


def test_a_message_of_several_lines_cannot_pretend_to_be_another_record():
    out = logged("text")
    logging.getLogger("watchdog").warning("first\n2026-11-23T14:00:00.000Z error   watchdog  forged")
    assert out.getvalue().splitlines()[1].startswith("    2026")


def test_json_is_strict_also_with_nan():
    out = logged("json")
    logging.getLogger("watchdog.engine").info("measured", extra={"value": float("nan"), "spread": [float("inf")]})
    record = json.loads(out.getvalue(), parse_constant=pytest.fail)
    assert next(iter(record)) == "at"
    assert (record["level"], record["logger"], record["message"]) == ("info", "watchdog.engine", "measured")
    assert (record["value"], record["spread"]) == ("NaN", ["Infinity"])
    assert record["at"].endswith("Z")


def test_an_exception_comes_with_its_traceback():
    for form in ("text", "json"):
        out = logged(form)
        try:
            int("boom")
        except ValueError:
            logging.getLogger("watchdog").exception("it broke")
        assert "ValueError: invalid literal" in out.getvalue()


def test_other_libraries_speak_from_warning_up_except_in_debug():
    out = logged("text")
    logging.getLogger("urllib3").info("GET /?token=hunter2")
    assert out.getvalue() == ""
    out = logged("text", "debug")
    logging.getLogger("urllib3").debug("connection made")
    assert "connection made" in out.getvalue()


def test_configuring_again_replaces_and_does_not_double():
    logged("text")
    out = logged("json")
    logging.getLogger("watchdog").info("once")
    assert len(out.getvalue().splitlines()) == 1


def test_warnings_are_logged():
    out = logged("text")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(False)
        logging.captureWarnings(True)
        warnings.warn("old option", DeprecationWarning, stacklevel=1)
    assert "old option" in out.getvalue()


def test_an_unknown_level_is_refused():
    with pytest.raises(BadConfig, match="'loud' is not one of debug, info, warning, error"):
        configure("loud")
