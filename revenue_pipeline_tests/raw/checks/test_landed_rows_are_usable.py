"""The warning that counts rejected rows by reason."""

from pathlib import Path

import pytest

from revenue_pipeline_tests.sql_fixture import DAY, NEXT_DAY, Row, SqlFixture


def rejected(reason: str, file: str = "a.csv", **columns: object) -> Row:
    return {"dataset": "events", "folder_date": DAY, "file": file, "reason": reason} | columns


@pytest.fixture
def sql(tmp_path: Path) -> SqlFixture:
    return SqlFixture(tmp_path)


def test_no_rejected_row_is_no_bad_row(sql: SqlFixture) -> None:
    sql.insert("raw.rejected_rows", rejected("unreadable", folder_date=NEXT_DAY))
    assert sql.bad_rows("raw", "landed_rows_are_usable") == []


def test_rejected_rows_are_counted_by_dataset_and_reason_with_a_file_to_look_at(sql: SqlFixture) -> None:
    sql.insert(
        "raw.rejected_rows",
        rejected("unreadable", "b.csv", field="revenue"),
        rejected("unreadable", "a.csv", field="revenue"),
        rejected("bad_estimate", field="revenue"),
        rejected("unreadable", "d.csv", field="event_time"),
        rejected("unreadable", "c.csv", dataset="costs"),
    )
    assert sql.bad_rows("raw", "landed_rows_are_usable") == [
        {
            "dataset": dataset,
            "folder_date": DAY,
            "reason": reason,
            "field": field,
            "rejected": count,
            "for_example_in": file,
        }
        for dataset, reason, field, count, file in [
            ("costs", "unreadable", None, 1, "c.csv"),
            ("events", "bad_estimate", "revenue", 1, "a.csv"),
            ("events", "unreadable", "event_time", 1, "d.csv"),
            ("events", "unreadable", "revenue", 2, "a.csv"),
        ]
    ]
