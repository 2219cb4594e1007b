"""What values look like for the eye and for a machine."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from revenue_pipeline.printing import shown, write_rows, written


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
