from __future__ import annotations

from revenue_pipeline import core, reports
from revenue_pipeline.catalog import CERTIFICATE, all_tables, published_tables

RAW = {
    "raw.events",
    "raw.fx_rates",
    "raw.costs",
    "raw.partner_revenue",
    "raw.partner_revenue_history",
    "raw.partner_imports",
    "raw.rejected_rows",
}


def test_every_table_is_there_once_and_raw_comes_before_core_before_reports() -> None:
    names = [table.name for table in all_tables()]

    assert len(names) == len(set(names))
    assert set(names) >= RAW
    rooms = [name.partition(".")[0] for name in names]
    assert rooms == sorted(rooms, key=["raw", "core", "reports"].index)
    assert {table.name for table in (*core.TABLES, *reports.TABLES)} <= set(names)


def test_a_table_comes_after_all_that_it_reads() -> None:
    place = {table.name: n for n, table in enumerate(all_tables())}

    assert [
        (table.name, read.table)
        for table in (*core.TABLES, *reports.TABLES)
        for read in table.reads
        if place[read.table] >= place[table.name]
    ] == []


def test_people_get_the_reports_what_macros_read_and_what_tells_how_far_to_trust_them_and_nothing_raw() -> None:
    names = {table.name for table in published_tables()}

    assert {table.name for table in reports.TABLES} <= names
    assert names - {table.name for table in reports.TABLES} == {
        CERTIFICATE,
        "core.cohort_daily",
        "core.cohort_members",
        "core.user_revenue_daily",
        "core.message_clicks",
        "core.attributed_conversions",
        "core.repeated_conversions",
        "raw.partner_imports",
        "raw.rejected_rows",
        "pipeline.written_days",
    }


def test_every_table_and_column_has_a_meaning_and_a_day() -> None:
    for table in all_tables():
        columns = {column.name: column for column in table.columns}
        assert table.meaning, table.name
        assert columns[table.day_column].type == "DATE", table.name
        assert [name for name, column in columns.items() if not column.meaning] == [], table.name
