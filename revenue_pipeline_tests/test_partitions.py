from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from revenue_pipeline.partitions import CREDITED, FOLLOWED, Reads, Window, contiguous, daily_partitions, is_closed

DAY = date(2026, 10, 5)


def day(offset: int) -> date:
    return DAY + timedelta(days=offset)


def test_a_window_holds_the_days_from_its_start_up_to_its_end() -> None:
    window = Window(DAY, day(3))

    assert window.days == [DAY, day(1), day(2)]
    assert window.last == day(2)
    assert [day(n) in window for n in (-1, 0, 2, 3)] == [False, True, True, False]
    assert window == Window.between(DAY, day(2))
    assert str(window) == "2026-10-05 to 2026-10-07"
    assert str(Window.of_day(DAY)) == "2026-10-05"


def test_a_window_grows_on_both_sides() -> None:
    assert Window.of_day(DAY).widened(1, 3) == Window.between(day(-1), day(3))


@pytest.mark.parametrize("end", [DAY, day(-1)])
def test_a_window_without_a_day_is_refused(end: date) -> None:
    with pytest.raises(ValueError, match="at least one day"):
        Window(DAY, end)


def test_days_are_gathered_into_the_fewest_windows() -> None:
    days = [day(5), DAY, day(1), day(1), day(3), day(6)]

    assert list(contiguous(days)) == [
        Window.between(DAY, day(1)),
        Window.of_day(day(3)),
        Window.between(day(5), day(6)),
    ]
    assert list(contiguous([])) == []


@given(st.sets(st.integers(0, 30)))
def test_gathered_windows_hold_exactly_the_days_and_never_touch(offsets: set[int]) -> None:
    windows = list(contiguous(day(offset) for offset in offsets))

    assert [each for window in windows for each in window.days] == [day(offset) for offset in sorted(offsets)]
    assert all(before.end < after.start for before, after in pairwise(windows))


def test_with_a_window_of_three_a_day_is_asked_for_on_itself_and_the_two_days_after() -> None:
    assert [is_closed(DAY, as_of=day(age), import_window_days=3) for age in (-1, 0, 1, 2, 3, 4)] == [
        *[False] * 4,
        *[True] * 2,
    ]
    assert is_closed(DAY, as_of=day(1), import_window_days=1)


def test_the_partitions_run_from_the_first_day_to_todays_unfinished_one() -> None:
    now = datetime(2026, 10, 7, 23, 30, tzinfo=timezone.utc)

    partitions = daily_partitions(DAY, "UTC")

    assert list(partitions.get_partition_keys(current_time=now)) == ["2026-10-05", "2026-10-06", "2026-10-07"]


def test_today_is_the_reporting_zones() -> None:
    now = datetime(2026, 10, 7, 23, 30, tzinfo=timezone.utc)  # the 8th in Tokyo already

    assert daily_partitions(DAY, "Asia/Tokyo").get_partition_keys(current_time=now)[-1] == "2026-10-08"
    assert daily_partitions(DAY, "America/Los_Angeles").get_partition_keys(current_time=now)[-1] == "2026-10-07"


@pytest.mark.parametrize("last", [date(2026, 10, 8), date(2126, 10, 8)])
def test_a_replay_may_end_on_any_day_whatever_the_clock_says(last: date) -> None:
    partitions = daily_partitions(last - timedelta(days=2), "America/Los_Angeles", last_day=last)

    assert list(partitions.get_partition_keys()) == [str(last - timedelta(days=age)) for age in (2, 1, 0)]


@pytest.mark.parametrize(
    ("reads", "zones_differ", "offsets"),
    [
        (Reads("raw.events", before=1, after=1), True, (-1, 1)),
        (Reads("raw.events", before=1, after=1), False, (0, 0)),
        (Reads("raw.message_sends", before=31), True, (0, 0)),
        (Reads("core.cohort_members", before=FOLLOWED), True, (0, 0)),
    ],
)
def test_dagster_is_told_of_neighbours_where_days_of_different_zones_meet(
    reads: Reads, zones_differ: bool, offsets: tuple[int, int]
) -> None:
    mapping = reads.mapping(zones_differ)
    assert (mapping.start_offset, mapping.end_offset) == offsets


@pytest.mark.parametrize(("before", "days"), [(FOLLOWED, 90), (CREDITED, 30), (1, 1)])
def test_some_reads_reach_back_as_many_days_as_the_settings_say(before: Any, days: int) -> None:
    assert Reads("core.cohort_members", before=before).days_before({"followed": 90, "credited": 30}) == days
