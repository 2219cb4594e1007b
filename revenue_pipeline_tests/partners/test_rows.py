from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from revenue_pipeline.partners.rows import ConversionRow, RevenueRow, canonical, normalised

DAY = date(2026, 10, 5)
UTC = ZoneInfo("UTC")
NOON = datetime(2026, 10, 5, 12, tzinfo=timezone.utc)


def conversion(**changes: object) -> ConversionRow:
    fields: dict[str, object] = {"conversion_id": "c", "payout": Decimal(1), "currency": "USD", "converted_at": NOON}
    return ConversionRow(**{**fields, **changes})  # type: ignore[arg-type]


def test_text_is_trimmed_and_cased_as_the_kind_says_and_empty_text_is_none() -> None:
    row = conversion(conversion_id=" c-1 ", click_id="  ", offer_id="Offer ", status=" APPROVED ", currency=" eur ")
    assert normalised(row, DAY, UTC) == conversion(
        conversion_id="c-1", click_id=None, offer_id="Offer", status="approved", currency="EUR"
    )
    columns = {"platform": "IOS", "country": "us", "ad_format": "Inter", "currency": "usd"}
    stored = normalised(RevenueRow(report_date=DAY, revenue=Decimal(1), **columns), DAY, UTC)
    assert (stored.platform, stored.country, stored.ad_format, stored.currency) == ("ios", "US", "inter", "USD")


def test_instants_become_utc() -> None:
    row = conversion(converted_at=datetime.fromisoformat("2026-10-05T10:00:00-04:00"), updated_at=NOON)
    stored = normalised(row, DAY, UTC)
    assert (stored.converted_at, stored.updated_at) == (NOON + timedelta(hours=2), NOON)
    assert stored.converted_at.tzinfo is timezone.utc


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"conversion_id": " "}, "a row without conversion_id"),
        ({"conversion_id": None}, "a row without conversion_id"),
        ({"payout": None}, "a row without payout"),
        ({"payout": Decimal("NaN")}, "is not an amount of money"),
        ({"payout": 1.5}, "1.5 is not an amount of money"),
        ({"payout": Decimal("1e29")}, "is not an amount of money"),
        ({"payout": Decimal("1e-1001")}, "has more than 1000 decimals"),
        ({"currency": "US"}, "'US' is not a currency"),
        ({"converted_at": datetime(2026, 10, 5)}, "is not an instant"),  # noqa: DTZ001
        ({"converted_at": "2026-10-05T10:00:00Z"}, "is not an instant"),
        ({"updated_at": DAY}, "is not an instant"),
        ({"converted_at": NOON + timedelta(hours=12)}, "a row of 2026-10-06 where 2026-10-05 was asked for"),
    ],
)
def test_a_row_that_cannot_be_true_is_refused(changes: dict[str, object], what: str) -> None:
    with pytest.raises(ValueError, match=what):
        normalised(conversion(**changes), DAY, UTC)


def test_the_day_is_the_partners_own() -> None:
    row = conversion(converted_at=datetime.fromisoformat("2026-10-06T03:59:59+00:00"))
    assert normalised(row, DAY, ZoneInfo("America/New_York")) == row


def test_rows_that_say_the_same_have_one_canonical_text() -> None:
    assert canonical(conversion(payout=Decimal("1.50"))) == canonical(conversion(payout=Decimal("1.5")))
    assert canonical(conversion()) != canonical(conversion(status="approved"))
    assert canonical(conversion()) != canonical(conversion(converted_at=NOON + timedelta(microseconds=1)))
