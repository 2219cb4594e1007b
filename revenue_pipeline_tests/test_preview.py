from __future__ import annotations

from decimal import Decimal

import duckdb

from revenue_pipeline.preview import PREVIEW_ROWS, as_markdown, first_rows


def shown(query: str) -> list[str]:
    """Give the lines of the preview of a query's rows."""
    return as_markdown(*first_rows(duckdb.connect().execute(query))).splitlines()


def test_amounts_are_shown_in_all_their_digits() -> None:
    # None of these survives a float, and none may be written with an exponent.
    amounts = ["12345678901234567890123456789.123456789", "0.000000000", "-0.000000001", "1e3"]
    values = ", ".join(f"('{amount}')" for amount in amounts)
    lines = shown(f"SELECT CAST(amount AS DECIMAL(38, 9)) AS revenue FROM (VALUES {values}) AS t (amount)")
    assert [line.strip("| ") for line in lines[2:]] == [
        "12345678901234567890123456789.123456789",
        "0.000000000",
        "-0.000000001",
        "1000.000000000",
    ]


def test_texts_that_look_like_numbers_stay_what_they_are() -> None:
    lines = shown("SELECT '007' AS id, '1e5' AS code, CAST(9007199254740993 AS BIGINT) AS impressions")
    assert [cell.strip() for cell in lines[2].strip("|").split("|")] == ["007", "1e5", "9007199254740993"]


def test_what_is_not_known_is_named_and_numbers_stand_right() -> None:
    assert shown("SELECT NULL AS user_id, TRUE AS is_final, 5 AS opens UNION ALL SELECT 'u1', FALSE, NULL") == [
        "| user_id   | is_final   |   opens |",
        "|:----------|:-----------|--------:|",
        "| NULL      | true       |       5 |",
        "| u1        | false      |    NULL |",
    ]


def test_a_text_cannot_break_the_table() -> None:
    lines = shown("SELECT 'a|b' || chr(10) || 'c' AS properties")
    assert lines[2:] == [r"| a\|b c       |"]


def test_a_table_without_rows_shows_its_columns() -> None:
    assert shown("SELECT 1 AS clicks WHERE FALSE")[0].strip("| ") == "clicks"


def test_a_preview_is_short() -> None:
    assert len(shown("SELECT * FROM range(1000)")) == 2 + PREVIEW_ROWS


def test_a_ratio_is_shown_as_it_is() -> None:
    assert as_markdown(["rpm"], [[0.1], [Decimal("0.10")]]).splitlines()[2:] == ["|   0.1 |", "|  0.10 |"]
