"""A macro is its file: what it asks, its arguments in order, and its meaning."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from revenue_pipeline import reports
from revenue_pipeline.sql import SqlFileError
from revenue_pipeline.sql_macro import SqlMacro
from revenue_pipeline_tests.sql_fixture import SqlFixture

REVENUE = next(macro for macro in reports.MACROS if macro.name == "reports.revenue_report")


def test_a_macro_is_made_of_its_file() -> None:
    macro = REVENUE.macro
    assert macro.name == "reports.revenue_report"
    assert macro.arguments == (
        *("start_date", "end_date", "granularity", "view_type", "start_event", "revenue_event", "as_of"),
    )
    assert "$" not in macro.select
    assert macro.meaning.startswith("The revenue report")


def test_other_arguments_than_the_file_names_are_refused() -> None:
    with pytest.raises(SqlFileError, match="differ in as_of, today"):
        _ = SqlMacro(REVENUE.name, [*REVENUE.arguments[:-1], "today"]).macro


def test_the_database_tells_what_a_macro_means_and_takes(tmp_path: Path) -> None:
    (found,) = SqlFixture(tmp_path).ask(
        "SELECT comment, parameters FROM duckdb_functions() "
        "WHERE schema_name = 'reports' AND function_name = 'revenue_report'"
    )
    assert found["comment"] == REVENUE.sql.description
    assert found["parameters"] == list(REVENUE.arguments)


def test_a_macro_whose_tables_are_missing_is_an_error() -> None:
    with duckdb.connect() as connection, pytest.raises(duckdb.Error):
        REVENUE.macro.create(connection)
