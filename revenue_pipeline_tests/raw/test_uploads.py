"""What the people who land files by hand are told of rows that were refused."""

from __future__ import annotations

import gzip

import pytest

from revenue_pipeline.partitions import Window
from revenue_pipeline.raw.datasets import MANUAL_REVENUE
from revenue_pipeline.raw.files import LandingFolder
from revenue_pipeline.raw.uploads import refused_rows
from revenue_pipeline.run import run_graph
from revenue_pipeline_tests.conftest import MakeSettings, rows_of
from revenue_pipeline_tests.raw.conftest import DAY, UTC_RULES, Lake

HEADER = "click_id,amount,date,currency"
GOOD = "c1,24.99,2026-10-05,"


def answers(lake: Lake) -> list[str]:
    lake.land(MANUAL_REVENUE)
    folder = LandingFolder(str(lake.landing))
    refused = refused_rows(lake.connection, MANUAL_REVENUE, folder, Window.of_day(DAY), UTC_RULES)
    return [str(row).removeprefix("date=2026-10-05/") for row in refused]


def csv(*rows: str) -> str:
    return "".join(f"{row}\n" for row in (HEADER, *rows))


def test_each_refused_row_is_named_with_its_file_line_and_column_in_words(lake: Lake) -> None:
    lake.put("manual_revenue", "a.csv", csv(
        GOOD,
        "c2,$24.99,2026-10-05,",
        ",1,2026-10-05,",
        "c4,1,2026-10-06,",
        "",
        "c5,1,05.10.2026,",
        "c6,1,2026-10-05,usd",
        f"c7,1{'0' * 30},2026-10-05,",
    ))  # fmt: skip
    lake.put("manual_revenue", "b.csv", csv(GOOD, "c8,,2026-10-05,"))

    assert answers(lake) == [
        "a.csv line 3: amount '$24.99' cannot be read",
        "a.csv line 4: click_id is empty or not there",
        "a.csv line 5: date '2026-10-06' is another day than the folder's",
        "a.csv line 7: date '05.10.2026' cannot be read",
        "a.csv line 8: currency 'usd' is no currency code of ISO 4217, in capitals",
        f"a.csv line 9: amount '1{'0' * 30}' is more than the column can hold",
        "b.csv line 3: amount is empty or not there",
    ]
    assert lake.ask("SELECT field, count(*) FROM raw.rejected_rows GROUP BY ALL ORDER BY ALL") == [
        ("amount", 3),
        ("click_id", 1),
        ("currency", 1),
        ("date", 2),
    ]


def test_rows_alike_are_named_one_by_one(lake: Lake) -> None:
    lake.put("manual_revenue", "a.csv", csv("c1,x,2026-10-05,", GOOD, "c1,x,2026-10-05,"))

    assert answers(lake) == ["a.csv line 2: amount 'x' cannot be read", "a.csv line 4: amount 'x' cannot be read"]


def test_a_line_is_where_a_row_begins_though_a_value_may_hold_line_ends(lake: Lake) -> None:
    rows = ['"c\n1",1,2026-10-05,', "c2,x,2026-10-05,"]
    lake.put("manual_revenue", "a.csv", csv(*rows).replace("\n", "\r\n"))

    assert answers(lake) == ["a.csv line 4: amount 'x' cannot be read"]


@pytest.mark.parametrize("line", ["c1,1", "c1,1,2026-10-05,USD,more"])
def test_a_line_of_another_number_of_columns_is_named_too(lake: Lake, line: str) -> None:
    lake.put("manual_revenue", "a.csv", csv(GOOD, line))

    assert answers(lake) == ["a.csv line 3: no row of as many columns as the first line names"]


def test_headers_may_be_written_as_people_do_and_a_missing_column_is_told_for_every_row(lake: Lake) -> None:
    lake.put("manual_revenue", "a.csv", " Click_ID , Date\nc1,2026-10-05\n")

    assert answers(lake) == ["a.csv line 2: amount is empty or not there"]


def test_other_formats_are_answered_too(lake: Lake) -> None:
    lines = '{"click_id": "c1", "amount": 1, "date": "2026-10-05"}\n{"click_id": 2, "amount": "x"}\nno json\n'
    lake.put("manual_revenue", "a.ndjson", lines)
    lake.put("manual_revenue", "b.csv.gz", gzip.compress(csv("c1,x,2026-10-05,").encode()))
    lake.put_parquet("manual_revenue", "c.parquet", "SELECT 'c1' AS click_id, 'x' AS amount, '2026-10-05' AS date")

    assert answers(lake) == [
        "a.ndjson line 2: date is empty or not there",
        "a.ndjson line 3: no row of as many columns as the first line names",
        "b.csv.gz line 2: amount 'x' cannot be read",
        "c.parquet: amount 'x' cannot be read",
    ]


def test_a_mended_file_has_no_answer_while_the_record_of_what_was_refused_stays(lake: Lake) -> None:
    lake.put("manual_revenue", "a.csv", csv("c1,x,2026-10-05,"))
    assert answers(lake) != []
    lake.put("manual_revenue", "a.csv", csv(GOOD))

    assert answers(lake) == []
    assert lake.reasons() == ["unreadable"]


def test_a_run_warns_with_the_answer_and_lands_the_other_rows(make_settings: MakeSettings, lake: Lake) -> None:
    settings = make_settings(
        start_date=DAY, storage={"warehouse": lake.landing.parent / "w.duckdb", "landing": str(lake.landing)}
    )
    lake.put("manual_revenue", "sales.csv", csv(GOOD, *(f"c{n},x,2026-10-05," for n in range(5))))

    outcome = run_graph(settings, Window.of_day(DAY), DAY, 'key:"raw/manual_revenue"')

    assert outcome.failures == []
    (warning,) = outcome.warnings
    assert warning == (
        "raw/manual_revenue uploaded_rows_are_usable: date=2026-10-05/sales.csv line 3: amount 'x' cannot be read; "
        "date=2026-10-05/sales.csv line 4: amount 'x' cannot be read; "
        "date=2026-10-05/sales.csv line 5: amount 'x' cannot be read; and 2 more"
    )
    assert rows_of(settings, "SELECT click_id FROM raw.manual_revenue") == [("c1",)]
