"""What values look like for the eye and for a machine."""

from __future__ import annotations

import io
import json
from datetime import date, datetime, timezone
from decimal import Decimal
from typing import Any

import pytest
from rich.console import Console

from revenue_pipeline import printing
from revenue_pipeline.printing import MOST_ROWS, print_rows, shown, write_rows, written


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (None, "-"),
        (True, "yes"),
        (False, "no"),
        (Decimal("1234.565000000"), "1,234.57"),
        (Decimal("-0.005"), "-0.01"),
        (0.57702702, "0.5770"),
        (1234567, "1,234,567"),
        (date(2026, 11, 5), "2026-11-05"),
        (datetime(2026, 11, 5, 7, 38, 31, 982757, timezone.utc), "2026-11-05 07:38:31"),
        ("text", "text"),
    ],
)
def test_values_are_rounded_half_up_for_the_eye(value: Any, told: str) -> None:
    assert shown(value) == told


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (None, None),
        (True, "true"),
        (Decimal("0.000000001"), "0.000000001"),
        (Decimal("1E+3"), "1000"),
        (0.1, 0.1),
        (7, 7),
        (date(2026, 11, 5), "2026-11-05"),
    ],
)
def test_values_are_written_in_full_for_a_machine(value: Any, told: Any) -> None:
    assert written(value) == told


def test_rows_are_written_as_csv_or_json(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"day": date(2026, 11, 5), "revenue": Decimal("0.100000000"), "is_partial": True, "roas": None}]
    write_rows("csv", list(rows[0]), rows)
    assert capsys.readouterr().out.splitlines() == ["day,revenue,is_partial,roas", "2026-11-05,0.100000000,true,"]
    write_rows("json", list(rows[0]), rows)
    assert json.loads(capsys.readouterr().out) == [
        {"day": "2026-11-05", "revenue": "0.100000000", "is_partial": True, "roas": None}
    ]


def printed(width: int, rows: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, **how: Any) -> list[str]:
    output = io.StringIO()
    monkeypatch.setattr(printing, "screen", Console(file=output, width=width))
    monkeypatch.setattr(printing, "Console", lambda width: Console(file=output, width=width))
    print_rows("a title", list(rows[0]), rows, **how)
    return [line.rstrip() for line in output.getvalue().splitlines()]


CELLS = {
    "event_date": date(2026, 11, 5),
    "ad_unit_id": "a-placement-with-a-long-name",
    "adjusted_opens": 12,
    "revenue": Decimal("1.500000000"),
}


def test_a_table_that_fits_is_printed_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    assert printed(80, [CELLS], monkeypatch)[1:] == [
        " event_date   ad_unit_id                     adjusted_opens   revenue",
        "──────────────────────────────────────────────────────────────────────",
        " 2026-11-05   a-placement-with-a-long-name               12      1.50",
    ]


def test_on_a_narrow_screen_headings_break_and_names_give_way_to_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    assert printed(47, [CELLS], monkeypatch)[1:] == [
        "           ad_",
        "event_     unit_              adjusted_",
        "date       id                     opens revenue",
        "───────────────────────────────────────────────",
        "2026-11-05 a-placement-with-…        12    1.50",
    ]


def test_no_number_is_cut_however_narrow_the_screen_is(monkeypatch: pytest.MonkeyPatch) -> None:
    assert printed(20, [CELLS], monkeypatch)[-1] == "2026-11-05 a-place…        12    1.50"


def test_of_very_many_rows_the_last_days_are_printed_and_the_rest_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"number": number} for number in range(MOST_ROWS + 2)]
    assert [line.strip() for line in printed(80, rows, monkeypatch, by_day=True)[3:]] == [
        str(number) for number in range(2, MOST_ROWS + 2)
    ]
    assert [line.strip() for line in printed(80, rows, monkeypatch)[3:]] == [str(number) for number in range(MOST_ROWS)]
    assert capsys.readouterr().err.splitlines() == [
        "the last 500 of 502 rows; --format csv or json gives all",
        "the first 500 of 502 rows; --format csv or json gives all",
    ]
