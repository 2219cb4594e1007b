"""What each contact was sent, did and brought in."""

from __future__ import annotations

from pathlib import Path

import pytest

from revenue_pipeline_tests.message_rows import ACTIVITY, activity
from revenue_pipeline_tests.sql_fixture import DAY, NEXT_DAY, SqlFixture, pick

REPORT = "reports.contact_value"


@pytest.fixture
def sql(tmp_path: Path) -> SqlFixture:
    return SqlFixture(tmp_path, messages={"cost_per_segment": "0.01"})


def test_a_contacts_days_add_up_to_its_lifetime(sql: SqlFixture) -> None:
    # Lifetime sends: 45, lifetime clicks: 12, lifetime revenue: $156, as the message tracking document shows it.
    sql.insert(
        ACTIVITY,
        activity("m1", DAY, sends=40, segments=40, clicks=2),
        activity("m2", DAY, sends=4, segments=4),
        activity("m1", NEXT_DAY, sends=1, segments=1, clicks=10, conversions=3, revenue="156"),
        activity("m3", NEXT_DAY, sends=1, segments=1, contact_id="bob"),
        activity("lost", NEXT_DAY, clicks=1, contact_id=None),
    )
    rows = sql.run(REPORT, last=NEXT_DAY)
    assert pick(rows, "event_date", "contact_id", "sends", "clicks", "revenue") == [
        (DAY, "ann", 44, 2, 0),
        (NEXT_DAY, "ann", 1, 10, 156),
        (NEXT_DAY, "bob", 1, 0, 0),
        (NEXT_DAY, None, 0, 1, 0),
    ]
    of_ann = [row for row in rows if row["contact_id"] == "ann"]
    assert [sum(row[column] for row in of_ann) for column in ("sends", "clicks", "revenue")] == [45, 12, 156]
