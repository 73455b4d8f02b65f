"""Raw counters and what happened in each scrape."""

import numpy as np

from watchdog.judge.compare.counts import Pod, RawSeries, counted, longest_gap


def series(*values, begin=0.0, interval=15.0):
    """None: no sample at this scrape."""
    pairs = [(begin + i * interval, v) for i, v in enumerate(values) if v is not None]
    return RawSeries(np.array([t for t, _ in pairs], float), np.array([v for _, v in pairs], float))


def ratio(errors, total, born=None):
    return Pod(tracks=(tuple(errors),), total=tuple(total), born=born)


def shown(pods, scrapes, origin=0.0):
    found = counted(pods, origin, 15.0, scrapes)
    return found.events[0].tolist(), found.total[0].tolist(), found.reach[0].tolist()


def test_increments_between_scrapes():
    pod = ratio([series(5, 6, 9)], [series(100, 200, 300)])
    assert shown([pod], 2) == ([1, 3], [100, 100], [1, 1])


def test_a_reset_starts_at_the_new_value():
    pod = ratio([series(50, 52, 1)], [series(1000, 1100, 40)])
    assert shown([pod], 2) == ([2, 1], [100, 40], [1, 1])


def test_the_first_error_makes_a_series_that_began_at_zero():
    pod = ratio([series(None, None, 3)], [series(100, 200, 300)])
    assert shown([pod], 2) == ([0, 3], [100, 100], [1, 1])


def test_a_missing_scrape_changes_nothing_and_the_next_covers_it():
    pod = ratio([series(0, 1, None, 5)], [series(0, 100, None, 300)])
    assert shown([pod], 3) == ([1, 0, 4], [100, 0, 200], [1, 0, 2])
    assert longest_gap(counted([pod], 0.0, 15.0, 3)) == 1


def test_a_new_pod_counts_from_its_birth():
    pod = ratio([series(2, 3, begin=15.0)], [series(50, 150, begin=15.0)], born=5.0)
    assert shown([pod], 2) == ([2, 1], [50, 100], [1, 1])


def test_pods_are_added_up():
    pods = [
        ratio([series(0, 1, 2)], [series(0, 10, 20)]),
        ratio([series(0, 5, 5, begin=3)], [series(0, 30, 60, begin=3)]),
    ]
    assert shown(pods, 2) == ([6, 1], [40, 40], [1, 1])


def test_latency_counts_what_is_not_in_the_bucket():
    pod = Pod(tracks=((series(0, 90, 170),), (series(0, 99, 198),)), total=(series(0, 100, 200),), below=True)
    assert counted([pod], 0.0, 15.0, 2).events.tolist() == [[10, 20], [1, 1]]


def test_there_are_never_more_events_than_requests():
    pod = ratio([series(0, 50)], [series(0, 10)])
    assert shown([pod], 1) == ([10], [10], [1])


def test_no_samples_at_all():
    assert shown([ratio([], [])], 2) == ([0, 0], [0, 0], [0, 0])
