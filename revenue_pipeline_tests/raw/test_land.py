"""What landing a window does to the days of `raw`, and which rows it records as unusable."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from revenue_pipeline.raw.datasets import COSTS, EVENTS
from revenue_pipeline.raw.files import LandingError
from revenue_pipeline.raw.landing import Rules
from revenue_pipeline.warehouse import WarehouseError
from revenue_pipeline_tests.raw.conftest import COST_HEADER, DAY, EVENT_HEADER, TEN, Lake


def day(offset: int) -> date:
    return DAY + timedelta(days=offset)


def events(*rows: str, header: str = EVENT_HEADER) -> str:
    return "".join(f"{line}\n" for line in (header, *rows))


def costs(*rows: str) -> str:
    return "".join(f"{line}\n" for line in (COST_HEADER, *rows))


# --- folders ---------------------------------------------------------------------------------------------------------


def test_a_missing_folder_changes_nothing(lake: Lake) -> None:
    lake.put("costs", "a.csv", costs("2026-10-05,ads,1,USD"))
    lake.land(COSTS)
    lake.put(
        "costs", "a.csv", ""
    ).unlink()  # a folder without a file is as good as none: object stores have no empty ones

    landed = lake.land(COSTS, first=day(-1), last=day(1))

    assert (landed.rows, landed.days) == (0, [])
    assert lake.ask("SELECT cost_date, cost FROM raw.costs") == [(DAY, Decimal(1))]


def test_a_folder_whose_files_hold_no_rows_clears_its_day_only(lake: Lake) -> None:
    for offset in (0, 1, 2):
        lake.put("costs", "a.csv", costs(f"{day(offset)},ads,1,USD"), day(offset))
    lake.land(COSTS, DAY, day(2))
    lake.put("costs", "a.csv", costs(), day(1))

    landed = lake.land(COSTS, DAY, day(2))

    assert landed.days == [DAY, day(1), day(2)]
    assert lake.column("SELECT cost_date FROM raw.costs ORDER BY 1") == [DAY, day(2)]


def test_only_the_days_of_the_window_are_written(lake: Lake) -> None:
    for offset in (-1, 0, 1):
        lake.put("costs", "a.csv", costs(f"{day(offset)},ads,1,USD"), day(offset))

    lake.land(COSTS)

    assert lake.column("SELECT cost_date FROM raw.costs") == [DAY]


def test_landing_a_day_again_replaces_it_by_what_the_folder_holds_now(lake: Lake) -> None:
    lake.put("costs", "a.csv", costs("2026-10-05,ads,1,USD", "2026-10-05,mail,2,USD"))
    lake.land(COSTS)
    lake.put("costs", "a.csv", costs("2026-10-05,ads,3,USD"))
    lake.land(COSTS)

    assert lake.ask("SELECT channel, cost FROM raw.costs") == [("ads", Decimal(3))]


def test_equal_rows_without_an_id_are_two_rows(lake: Lake) -> None:
    lake.put("costs", "a.csv", costs("2026-10-05,ads,1,USD", "2026-10-05,ads,1,USD"))

    lake.land(COSTS)

    assert lake.ask("SELECT count(*), sum(cost) FROM raw.costs") == [(2, Decimal(2))]


def test_a_file_that_cannot_be_read_leaves_every_day_of_the_window_as_it_was(lake: Lake) -> None:
    lake.put("costs", "a.csv", costs("2026-10-05,ads,1,USD"))
    lake.land(COSTS)
    lake.put("costs", "a.csv", costs("2026-10-05,ads,2,USD", "bad,ads,2,USD"))
    lake.put("costs", "b.parquet", "junk", day(1))

    with pytest.raises(LandingError, match=r"date=2026-10-06/b\.parquet"):
        lake.land(COSTS, DAY, day(1))

    assert lake.ask("SELECT cost FROM raw.costs") == [(Decimal(1),)]
    assert lake.reasons() == []


# --- events and the days they arrive ---------------------------------------------------------------------------------


@pytest.mark.parametrize("late_arrival_days", [0, 2])
def test_an_event_is_read_from_the_folders_around_its_day(lake: Lake, late_arrival_days: int) -> None:
    rules = Rules(late_arrival_days=late_arrival_days)
    first, last = -1, 1 + late_arrival_days
    for offset in range(first - 1, last + 2):
        lake.put("events", "a.csv", events(f"received {offset:+},open,{TEN}"), day(offset))

    lake.land(EVENTS, day(first - 1), day(last + 1), rules=rules)

    assert sorted(lake.event_ids()) == sorted(f"received {offset:+}" for offset in range(first, last + 1))
    assert lake.ask("SELECT folder_date, reason FROM raw.rejected_rows ORDER BY 1") == [
        (day(first - 1), "outside_arrival_window"),
        (day(last + 1), "outside_arrival_window"),
    ]


def test_an_event_outside_the_arrival_window_is_recorded_once_by_its_folders_day(lake: Lake) -> None:
    lake.put("events", "a.csv", events(f"late,open,{TEN}"), day(4))

    assert [lake.land(EVENTS, day(offset)).rejected for offset in range(6)] == [0, 0, 0, 0, 1, 0]
    assert lake.land(EVENTS, DAY, day(5)).rejected == 0

    assert lake.ask("SELECT folder_date, file, reason, occurrence FROM raw.rejected_rows") == [
        (day(4), "a.csv", "outside_arrival_window", 1)
    ]


def test_the_day_of_an_event_is_the_reporting_zones(lake: Lake) -> None:
    lake.put("events", "a.csv", events("1,open,2026-10-05T02:00:00Z", "2,open,2026-10-05T12:00:00Z"))

    lake.land(EVENTS, day(-1), DAY, rules=Rules(timezone="America/Los_Angeles"))

    assert lake.ask("SELECT event_id, event_date FROM raw.events ORDER BY 1") == [("1", day(-1)), ("2", DAY)]


def test_the_order_in_which_days_are_landed_does_not_matter(lake: Lake) -> None:
    for offset in (0, 1, 2):
        rows = [f"{offset}{n},open,{day(n)}T10:00:00Z" for n in (-1, 0, 1, 2, 3)]
        lake.put("events", "a.csv", events(*rows, "same,open,2026-10-06T10:00:00Z", "bad,open,x"), day(offset))

    seen = set()
    for order in ((0, 1, 2), (2, 1, 0), (1, 0, 2)):
        lake.connection.execute("DELETE FROM raw.events")
        for offset in order:
            lake.land(EVENTS, day(offset))
        seen.add(tuple(lake.ask("SELECT event_date, event_id FROM raw.events ORDER BY ALL")))

    assert len(seen) == 1
    # Three folders with an event of each of three days, and one of all three; 02 came two days early.
    assert [event_id for _, event_id in next(iter(seen))] == ["00", "10", "20", "01", "11", "21", "same", "12", "22"]
    assert lake.reasons() == ["outside_arrival_window"] * 3 + ["unreadable"] * 3


def test_rows_of_a_folder_that_was_removed_stay(lake: Lake) -> None:
    lake.put("events", "a.csv", events(f"1,open,{TEN}"))
    lake.put("events", "a.csv", events(f"2,open,{TEN}"), day(1))
    lake.land()
    lake.put("events", "a.csv", "").unlink()
    lake.put("events", "a.csv", events(f"3,open,{TEN}"), day(1))

    lake.land()

    assert lake.event_ids() == ["1", "3"]


def test_a_folder_landed_again_replaces_what_came_from_it_on_every_day(lake: Lake) -> None:
    lake.put("events", "a.csv", events(f"1,open,{TEN}", f"2,open,{TEN}"), day(1))
    lake.land(EVENTS, DAY, day(1))
    lake.put("events", "a.csv", events(f"2,open,{TEN}"), day(1))

    lake.land()

    assert lake.event_ids() == ["2"]


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_an_event_of_another_day_needs_no_rate_for_this_one(lake: Lake, suffix: str) -> None:
    """A folder of today holds an event of yesterday in a currency that has no rate for yesterday."""
    if suffix == "csv":
        rows = ["1,p,2026-10-04T10:00:00Z,1,EUR", f"2,p,{TEN},1,USD"]
        lake.put("events", "a.csv", events(*rows, header=f"{EVENT_HEADER},revenue,currency"))
    else:
        when = "TIMESTAMP '2026-10-0{} 10:00' AS event_time"
        row = f"SELECT '{{}}' AS event_id, 'p' AS event_name, {when}, 1 AS revenue, '{{}}' AS currency"
        lake.put_parquet("events", "a.parquet", f"{row.format(1, 4, 'EUR')} UNION ALL {row.format(2, 5, 'USD')}")

    lake.land()

    assert lake.event_ids() == ["2"]


# --- repeats ---------------------------------------------------------------------------------------------------------

HEADER_WITH_TIES = f"{EVENT_HEADER},user_id,channel,revenue"


@pytest.mark.parametrize("turned", [False, True])
def test_of_one_id_on_one_day_the_earliest_stays_then_the_smallest_as_text_with_nulls_last(
    lake: Lake, turned: bool
) -> None:
    rows = [
        "early,open,2026-10-05T11:00:00Z,a,a,1",
        "early,open,2026-10-05T10:59:59.999999Z,z,z,9",
        f"text,open,{TEN},u,c,9",
        f"text,open,{TEN},u,c,10",  # the text 10.0… sorts before 9.0…
        f"null,open,{TEN},,c,1",
        f"null,open,{TEN},z,c,2",
        f"name,purchase,{TEN},a,a,1",
        f"name,open,{TEN},z,z,9",
    ]
    middle = len(rows) // 2
    folders = [rows[:middle], rows[middle:]] if not turned else [rows[:middle][::-1], rows[middle:][::-1]]
    lake.put("events", "a.csv", events(*folders[0], header=HEADER_WITH_TIES), day(int(turned)))
    lake.put("events", "b.csv", events(*folders[1], header=HEADER_WITH_TIES), day(1 - int(turned)))

    lake.land()

    kept = lake.ask("SELECT event_id, event_name, user_id, CAST(revenue AS INTEGER) FROM raw.events ORDER BY 1")
    assert kept == [
        ("early", "open", "z", 9),
        ("name", "open", "z", 9),
        ("null", "open", "z", 2),
        ("text", "open", "u", 10),
    ]


def test_one_id_on_two_days_is_two_events(lake: Lake) -> None:
    lake.put("events", "a.csv", events("1,open,2026-10-05T23:59:59Z", "1,open,2026-10-06T00:00:00Z"))

    lake.land(EVENTS, DAY, day(1))

    assert lake.ask("SELECT event_id, event_date FROM raw.events ORDER BY 2") == [("1", DAY), ("1", day(1))]


def test_which_of_two_equal_rows_stays_does_not_depend_on_their_files(lake: Lake) -> None:
    """The same event received on two days: `folder_date`, too, must follow from the inputs."""
    kept = set()
    for first, second in ((0, 1), (1, 0)):
        lake.connection.execute("DELETE FROM raw.events")
        for file in lake.landing.rglob("*.*"):
            file.unlink()
        lake.put("events", "a.csv", events(f"1,open,{TEN}"), day(first))
        typed = "'open' AS event_name, TIMESTAMP '2026-10-05 10:00:00' AS event_time"
        lake.put_parquet("events", "b.parquet", f"SELECT '1' AS event_id, {typed}", day(second))
        lake.land()
        kept.update(lake.column("SELECT folder_date FROM raw.events"))

    assert len(kept) == 1


# --- rejected rows ---------------------------------------------------------------------------------------------------


def test_a_rejected_row_is_recorded_once_and_never_goes(lake: Lake) -> None:
    bad = costs("bad,ads,1,USD", "bad,ads,1,USD", "bad,mail,1,USD")
    lake.put("costs", "a.csv", bad)
    assert lake.land(COSTS).rejected == 3
    assert lake.land(COSTS).rejected == 0

    lake.put("costs", "a.csv", bad + "bad,ads,1,USD\n")
    assert lake.land(COSTS).rejected == 1
    lake.put("costs", "a.csv", costs())
    assert lake.land(COSTS).rejected == 0

    assert lake.ask(
        "SELECT dataset, folder_date, file, reason, row->>'channel', occurrence FROM raw.rejected_rows ORDER BY ALL"
    ) == [
        ("costs", DAY, "a.csv", "unreadable", "ads", 1),
        ("costs", DAY, "a.csv", "unreadable", "ads", 2),
        ("costs", DAY, "a.csv", "unreadable", "ads", 3),
        ("costs", DAY, "a.csv", "unreadable", "mail", 1),
    ]


def test_lines_that_cannot_be_split_are_recorded_once_too(lake: Lake) -> None:
    lake.put("costs", "a.csv", costs("2026-10-05,ads", "2026-10-05,ads", "2026-10-05,ads,1,USD"))

    assert [lake.land(COSTS).rejected, lake.land(COSTS).rejected] == [2, 0]

    assert lake.ask("SELECT json_extract_string(row, '$'), occurrence FROM raw.rejected_rows ORDER BY 2") == [
        ("2026-10-05,ads", 1),
        ("2026-10-05,ads", 2),
    ]


def test_a_row_of_another_day_than_its_folder_is_recorded_and_not_moved(lake: Lake) -> None:
    lake.put("costs", "a.csv", costs("2026-10-06,ads,1,USD", "2026-10-05,mail,1,USD"))

    lake.land(COSTS, DAY, day(1))

    assert lake.column("SELECT channel FROM raw.costs") == ["mail"]
    assert lake.reasons() == ["wrong_day"]


# --- conversion ------------------------------------------------------------------------------------------------------


def test_amounts_are_kept_as_landed_and_beside_that_in_the_reporting_currency(lake: Lake) -> None:
    lake.put("fx_rates", "a.csv", "rate_date,currency,rate\n2026-10-05,EUR,1.25\n")
    rows = [f"1,p,{TEN},2,EUR", f"2,p,{TEN},2,USD", f"3,p,{TEN},2,", f"4,p,{TEN},,EUR", f"5,p,{TEN},-2,EUR"]
    lake.put("events", "a.csv", events(*rows, header=f"{EVENT_HEADER},revenue,currency"))

    lake.land()

    found: list[tuple[Any, ...]] = lake.ask(
        "SELECT revenue, currency, reporting_revenue FROM raw.events ORDER BY event_id"
    )
    assert found == [
        (Decimal(2), "EUR", Decimal("2.5")),
        (Decimal(2), "USD", Decimal(2)),
        (Decimal(2), None, Decimal(2)),
        (None, "EUR", None),
        (Decimal(-2), "EUR", Decimal("-2.5")),
    ]


def test_an_amount_that_is_too_large_after_conversion_is_out_of_range(lake: Lake) -> None:
    lake.put("fx_rates", "a.csv", "rate_date,currency,rate\n2026-10-05,EUR,2\n")
    rows = [f"1,p,{TEN},500000000,EUR", f"2,p,{TEN},499999999.5,EUR"]
    lake.put("events", "a.csv", events(*rows, header=f"{EVENT_HEADER},revenue,currency"))

    lake.land()

    assert lake.column("SELECT reporting_revenue FROM raw.events") == [Decimal(999999999)]
    assert lake.rejected("event_id") == {"1": "out_of_range"}


def test_without_a_rate_the_partition_fails_and_names_currency_and_day(lake: Lake) -> None:
    lake.put("events", "a.csv", events(f"1,open,{TEN}"))
    lake.land()
    lake.put("events", "a.csv", events(f"2,p,{TEN},1,JPY", header=f"{EVENT_HEADER},revenue,currency"))

    with pytest.raises((LandingError, WarehouseError), match="JPY on 2026-10-05"):
        lake.land()

    assert lake.event_ids() == ["1"]
