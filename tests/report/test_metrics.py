"""The watchdog's own /metrics, read back with Prometheus' parser."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from watchdog.model.incident import EventKind
from watchdog.model.measurement import Measurement, Verdict
from watchdog.model.watch import WatchState
from watchdog.report.metrics import Metrics

NOW = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)


def read(metrics):
    """name → {labels: value}"""
    found = {}
    for family in text_string_to_metric_families(metrics.text().decode()):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return found


def one(found, name, **labels):
    return found[f"deploy_watchdog_{name}"][tuple(sorted(labels.items()))]


def test_measurements_are_counted_by_verdict_and_failing_sources_by_kind(story):
    metrics, rule = Metrics(), story.target.rule("latency-p99")
    for verdict in (Verdict.passed, Verdict.error, Verdict.error):
        made = Measurement(watch="w", rule=rule.name, at=NOW, query="q", verdict=verdict, reason="")
        metrics.observe_measurement(made, "shop", rule)
    found = read(metrics)
    assert one(found, "verdicts_total", target="shop", rule="latency-p99", verdict="error") == 2
    assert one(found, "source_errors_total", source="prometheus") == 2
    assert one(found, "measurement_seconds_count", source="prometheus") == 3


def test_an_incident_leaves_its_outcome_and_its_times(story):
    metrics = Metrics()
    for event in story.sample_events:
        metrics.observe_event(event)
    found = read(metrics)
    assert one(found, "rollbacks_total", target="shop", outcome="started") == 1
    assert one(found, "rollbacks_total", target="shop", outcome="recovered") == 1
    assert one(found, "rollbacks_total", target="shop", outcome="failed") == 1
    assert one(found, "objections_total", target="shop", objection="cooldown") == 1
    assert one(found, "seconds_to_detect_sum", target="shop") == 61 * 2
    assert one(found, "seconds_to_recover_sum", target="shop") == 100, "a failed rollback is no recovery"
    assert one(found, "events_total", target="shop", type="watch.blind") == 1


def test_notes_are_not_counted(story):
    metrics = Metrics()
    metrics.observe_event(story.sample_events[0].model_copy(update={"kind": EventKind.note}))
    assert "deploy_watchdog_events_total" not in read(metrics)


def test_what_is_true_now(story):
    metrics = Metrics()
    metrics.observe_watches([story.watch_of(WatchState.watching), story.watch_of(WatchState.held)], targets=3)
    metrics.observe_watches([story.watch_of(WatchState.watching)], targets=3)
    metrics.observe_paused("shop", True)
    metrics.set_queue(4, 1)
    metrics.tick(timedelta(seconds=0.02), NOW)
    metrics.unexpected_error("engine")
    found = read(metrics)
    assert one(found, "watches", state="watching") == 1
    assert one(found, "watches", state="held") == 0
    assert one(found, "targets") == 3
    assert one(found, "paused", target="shop") == 1
    assert (one(found, "outbox_waiting"), one(found, "outbox_given_up")) == (4, 1)
    assert one(found, "last_tick_timestamp_seconds") == NOW.timestamp()
    assert one(found, "tick_seconds_count") == 1
    assert one(found, "unexpected_errors_total", where="engine") == 1


def test_two_of_them_do_not_meet_and_pythons_collector_noise_is_absent():
    text = Metrics().text().decode() + Metrics().text().decode()
    assert "process_resident_memory_bytes" in text
    assert "python_gc" not in text


def test_every_series_is_documented(story):
    metrics = Metrics()
    page = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
    for family in text_string_to_metric_families(metrics.text().decode()):
        if family.name.startswith("deploy_watchdog"):
            assert family.name in page, family.name
