from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from revenue_pipeline.sql import SqlFile, SqlFileError
from revenue_pipeline.warehouse import Column

GOOD = """-- Sales by day.
-- Grain: one row per day.
WITH sales AS (
    SELECT orders.day, orders.amount * prices.price AS value
    FROM raw.orders AS orders JOIN raw.prices AS prices ON prices.day = orders.day
    WHERE orders.day >= $start_date
)
SELECT
    CAST(day AS DATE) AS day, /* The day. */
    CAST(sum(value) AS DECIMAL(38, 9)) AS value /* What was sold. */
FROM sales
GROUP BY day
"""


@pytest.fixture
def sql(tmp_path: Path) -> Callable[[str], SqlFile]:
    def write(text: str) -> SqlFile:
        path = tmp_path / "sales.sql"
        path.write_text(text, encoding="utf-8")
        return SqlFile(path)

    return write


def test_a_file_says_what_it_means_reads_and_gives(sql: Callable[[str], SqlFile]) -> None:
    file = sql(GOOD)
    assert file.description == "Sales by day.\nGrain: one row per day."
    assert file.tables == {"raw.orders", "raw.prices"}
    assert file.columns == (
        Column("day", "DATE", "The day."),
        Column("value", "DECIMAL(38,9)", "What was sold."),
    )


def test_only_parameters_that_it_names_are_passed(sql: Callable[[str], SqlFile]) -> None:
    assert sql(GOOD).parameters({"start_date": 1, "end_date": 2}) == {"start_date": 1}


def test_parameters_become_the_arguments_of_a_macro(sql: Callable[[str], SqlFile]) -> None:
    body = sql(GOOD).with_arguments(["start_date"])
    assert "WHERE orders.day >= start_date" in body
    assert "$" not in body


@pytest.mark.parametrize(
    ("text", "arguments", "told"),
    [
        (GOOD, ["start_date", "end_date"], "differ in end_date"),
        (GOOD, [], "differ in start_date"),
        (GOOD.replace("$start_date", "$value"), ["value"], "write table.value: value alone is the macro's argument"),
    ],
)
def test_a_file_that_would_mean_something_else_as_a_macro_is_refused(
    sql: Callable[[str], SqlFile], text: str, arguments: list[str], told: str
) -> None:
    with pytest.raises(SqlFileError, match=told):
        sql(text).with_arguments(arguments)


def test_each_column_knows_where_it_comes_from(sql: Callable[[str], SqlFile]) -> None:
    schema = {"raw": {"orders": {"day": "DATE", "amount": "BIGINT"}, "prices": {"day": "DATE", "price": "BIGINT"}}}
    assert sql(GOOD).column_sources(schema) == {
        "day": [("raw.orders", "day")],
        "value": [("raw.orders", "amount"), ("raw.prices", "price")],
    }


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("SELECT CAST(1 AS INT) AS a /* One. */", "begin it with a comment"),
        ("-- Two statements.\nSELECT 1; SELECT 2", "one SELECT and nothing else"),
        ("-- A statement that writes.\nDELETE FROM raw.orders", "one SELECT and nothing else"),
        ("-- No cast.\nSELECT a AS b /* It. */ FROM raw.orders", "its meaning"),
        ("-- No comment.\nSELECT CAST(a AS DATE) AS b FROM raw.orders", "its meaning"),
    ],
)
def test_a_file_that_does_not_describe_itself_is_refused(sql: Callable[[str], SqlFile], text: str, told: str) -> None:
    file = sql(text)
    with pytest.raises(SqlFileError, match=told):
        _ = (file.description, file.columns)
