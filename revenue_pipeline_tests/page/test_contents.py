from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from revenue_pipeline.page.contents import first_cohort_day, page_contents, shown_number
from revenue_pipeline.settings import Settings
from revenue_pipeline_tests.page.conftest import LAST


def test_the_cohort_report_is_there_in_every_form(settings: Settings) -> None:
    contents, charts = page_contents(settings, LAST)

    cohorts = contents["cohorts"]
    forms = {
        (each["granularity"], each["view_type"], each["start_event"], each["revenue_event"])
        for each in cohorts["reports"]
    }
    assert len(forms) == 3 * 2 * (2 + 1)  # install: all and purchase; sign_up, which brought nothing: all
    (report,) = [
        each
        for each in cohorts["reports"]
        if (each["granularity"], each["view_type"], each["start_event"], each["revenue_event"])
        == ("day", "cumulative", "install", "all")
    ]
    first = next(line for line in report["rows"] if line["cohort"] == "2026-11-05")
    assert [(cell["revenue"], cell["roas"], cell["is_partial"]) for cell in first["cells"]] == [
        ("1,234.50", "1.2345", False),
        ("1,234.75", "1.2348", True),
    ]
    assert first["cost"] == "1,000.00"
    assert report["rows"][0]["kind"] == "top"
    assert any("ROAS by day cohort" in title for title in charts)


def test_other_reports_follow_from_their_declarations(settings: Settings) -> None:
    contents, _ = page_contents(settings, LAST)

    rpm = next(each for each in contents["reports"] if each["name"] == "rpm")
    column = {each["name"]: index for index, each in enumerate(rpm["columns"])}
    assert {row[column["event_date"]] for row in rpm["rows"]} == {"2026-11-05", "2026-11-06"}
    assert "news" in {row[column["container_id"]] for row in rpm["rows"]}


@pytest.mark.parametrize(
    ("granularity", "first"),
    [("day", date(2026, 1, 14)), ("week", date(2025, 11, 24)), ("month", date(2025, 3, 1))],
)
def test_the_oldest_cohort_shown(granularity: str, first: date) -> None:
    assert first_cohort_day(granularity, date(2026, 2, 12)) == first


@pytest.mark.parametrize(
    ("value", "digits", "shown"),
    [
        (Decimal("1234.565"), 2, "1,234.57"),
        (Decimal("-0.005"), 2, "-0.01"),
        (0.577, 4, "0.5770"),
        (1200, 0, "1,200"),
        (None, 2, None),
    ],
)
def test_numbers_are_rounded_half_up_where_they_are_shown(
    value: Decimal | float | None, digits: int, shown: str | None
) -> None:
    assert shown_number(value, digits) == shown
