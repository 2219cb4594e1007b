"""Days: the window a run works on, the daily partitions of every asset, and which neighbours a table reads."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

import dagster as dg

ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """The days from `start` up to but not including `end`."""

    start: date
    end: date

    def __post_init__(self) -> None:
        """Raise ValueError when the window holds no day."""
        if self.start >= self.end:
            raise ValueError(f"a window needs at least one day, but {self.start} to {self.last} holds none")

    @classmethod
    def of_day(cls, day: date) -> Window:
        """Give the window that holds just `day`."""
        return cls(day, day + ONE_DAY)

    @classmethod
    def between(cls, first: date, last: date) -> Window:
        """Give the window from `first` to `last`, both included: how people and partition ranges say it."""
        return cls(first, last + ONE_DAY)

    @property
    def last(self) -> date:
        """The last day inside."""
        return self.end - ONE_DAY

    @property
    def days(self) -> list[date]:
        """Every day inside, oldest first."""
        return [self.start + timedelta(days=n) for n in range((self.end - self.start).days)]

    def widened(self, before: int, after: int) -> Window:
        """Give the window with `before` more days at its start and `after` more at its end."""
        return Window(self.start - timedelta(days=before), self.end + timedelta(days=after))

    def __contains__(self, day: date) -> bool:
        """Tell whether `day` lies inside."""
        return self.start <= day < self.end

    def __str__(self) -> str:
        """Say it as people do, both ends included."""
        return f"{self.start}" if self.start == self.last else f"{self.start} to {self.last}"


def contiguous(days: Iterable[date]) -> Iterator[Window]:
    """Give the fewest windows that hold exactly `days`, oldest first: each is one run."""
    ordered = sorted(set(days))
    first = previous = ordered[0] if ordered else None
    for day in ordered[1:]:
        if previous is not None and first is not None and day - previous > ONE_DAY:
            yield Window.between(first, previous)
            first = day
        previous = day
    if first is not None and previous is not None:
        yield Window.between(first, previous)


def is_closed(day: date, as_of: date, import_window_days: int) -> bool:
    """Tell whether the partner is no longer asked for `day` on `as_of`: it is open while as_of < day + window."""
    return as_of >= day + timedelta(days=import_window_days)


def daily_partitions(start: date, timezone: str, last_day: date | None = None) -> dg.DailyPartitionsDefinition:
    """Give one partition a day from `start` to today, today's unfinished day included.

    Args:
        start: the first day.
        timezone: the reporting zone, which decides when a day begins.
        last_day: when given, the partitions end there instead: a replay may run days that the clock has not reached.
    """
    # An offset of 1 takes in today; Dagster counts it from the clock, whatever end it is given.
    today = datetime.now(ZoneInfo(timezone)).date()
    beyond = (last_day - today).days if last_day else 0
    return dg.DailyPartitionsDefinition(start.isoformat(), timezone=timezone, end_offset=1 + beyond)


FOLLOWED: Final = "followed"
"""As many days as cohorts are followed for, which is a setting."""

CREDITED: Final = "credited"
"""As many days as the longest attribution window, which is a setting."""


@dataclass(frozen=True, slots=True)
class Reads:
    """Which days of a table the day `d` of another one reads: `d - before` to `d + after`, where they are loaded.

    `before` may be a length that the settings decide, `FOLLOWED` or `CREDITED`.
    """

    table: str
    before: int | Literal["followed", "credited"] = 0
    after: int = 0

    def days_before(self, reach: Mapping[str, int]) -> int:
        """Give `before` in days, where `reach` holds the lengths that the settings decide, as `Settings.reach` does."""
        return self.before if isinstance(self.before, int) else reach[self.before]

    def mapping(self, zones_differ: bool) -> dg.TimeWindowPartitionMapping:
        """Give the neighbours to Dagster, which marks those stale that read a backfilled day.

        A day reads the one before and the one after it where days of different zones meet; where there is but one zone
        these reads find nothing. Longer reaches are left to `status`: a backfill of the UI would run all their days.
        """
        return dg.TimeWindowPartitionMapping(
            start_offset=-1 if zones_differ and self.before == 1 else 0,
            end_offset=1 if zones_differ and self.after == 1 else 0,
            allow_nonexistent_upstream_partitions=True,
        )


# Dagster still calls backfill and freshness policies young; we know, and users need not hear it at every start.
warnings.filterwarnings("ignore", category=dg.BetaWarning)
warnings.filterwarnings("ignore", category=dg.PreviewWarning)

SINGLE_RUN = dg.BackfillPolicy.single_run()
"""A backfill of a range is one run over the range: the SQL sees one window."""


def window_of(context: dg.AssetExecutionContext) -> Window:
    """Give the days that this run was asked for."""
    keys = context.partition_key_range
    return Window.between(date.fromisoformat(keys.start), date.fromisoformat(keys.end))
