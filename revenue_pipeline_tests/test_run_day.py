from datetime import date, datetime, timezone
from zoneinfo import ZoneInfo

import dagster as dg
import pytest

from revenue_pipeline.run_day import RunDay


def as_of(run_day: RunDay) -> date:
    """Run an asset that asks for the day, on a real instance."""
    told: list[date] = []

    @dg.asset
    def asks(context: dg.AssetExecutionContext, run_day: RunDay) -> None:
        told.append(run_day.as_of(context))

    with dg.DagsterInstance.ephemeral() as instance:
        assert dg.materialize([asks], instance=instance, resources={"run_day": run_day}).success
    return told[0]


def test_the_run_config_says_the_day() -> None:
    assert as_of(RunDay(as_of_date="2026-10-05")) == date(2026, 10, 5)


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago"])
def test_without_one_it_is_the_day_the_run_was_created_in_the_reporting_zone(zone: str) -> None:
    before = datetime.now(timezone.utc)
    found = as_of(RunDay(timezone=zone))
    after = datetime.now(timezone.utc)

    assert before.astimezone(ZoneInfo(zone)).date() <= found <= after.astimezone(ZoneInfo(zone)).date()


def test_a_day_that_is_no_day_fails_the_run() -> None:
    with pytest.raises(ValueError, match="soon"):
        as_of(RunDay(as_of_date="soon"))


def test_partners_are_asked_for_every_day_unless_the_run_is_a_refresh() -> None:
    assert RunDay().only_open_days is False
