"""The day a run believes it is: from the run, never from a clock inside SQL or an asset."""

from datetime import date, datetime, timezone
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg


class RunDay(dg.ConfigurableResource[Any]):
    """What a run is told of time. Schedules and the command line set it; the UI may leave it empty.

    Attributes:
        timezone: the reporting time zone.
        as_of_date: YYYY-MM-DD; empty means the day on which the run was created.
        only_open_days: whether partners are asked only for days whose import window is still open (a refresh),
            rather than for every day of the run (a backfill).
        only_reachable_days: whether days that a partner reports no longer are left out, rather than told as failures: a
            probe of closed days asks every partner for what it can still say.
    """

    timezone: str = "UTC"
    as_of_date: str = ""
    only_open_days: bool = False
    only_reachable_days: bool = False

    def as_of(self, context: dg.AssetExecutionContext) -> date:
        """Give the as-of date of the run that `context` belongs to."""
        if self.as_of_date:
            return date.fromisoformat(self.as_of_date)
        record = context.instance.get_run_record_by_id(context.run.run_id)
        # A run that no instance remembers, as in `dagster.materialize` without one, began just now.
        created = record.create_timestamp if record else datetime.now(timezone.utc)
        return created.astimezone(ZoneInfo(self.timezone)).date()
