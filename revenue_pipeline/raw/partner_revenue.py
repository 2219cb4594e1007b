"""Where ad revenue goes, and the partners without an API, whose totals are landed as files."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import duckdb

from revenue_pipeline.partitions import Window
from revenue_pipeline.partners.base import RevenueRow
from revenue_pipeline.raw.accounts import landing_rules
from revenue_pipeline.raw.datasets import PARTNER_REVENUE_FILES
from revenue_pipeline.raw.destination import Booking, Destination, Value
from revenue_pipeline.raw.exchange_rates import load_exchange_rates
from revenue_pipeline.raw.files import LandingError, LandingFolder
from revenue_pipeline.raw.landing import read_landed
from revenue_pipeline.settings import Settings
from revenue_pipeline.warehouse import Column, Table, quoted

_COLUMNS = (
    Column("report_date", "DATE", "Day the partner books the revenue on, in the partner's time zone."),
    Column("partner", "VARCHAR", "The partner, as in the settings."),
    Column("app_id", "VARCHAR", "Our app id; the partner's own where the settings map none."),
    Column("platform", "VARCHAR", "Operating system, in lower case."),
    Column("country", "VARCHAR", "Country code, in upper case."),
    Column("ad_format", "VARCHAR", "Format of the ad, in lower case."),
    Column("ad_unit_id", "VARCHAR", "Our placement id; the partner's own where the settings map none."),
    Column("user_id", "VARCHAR", "Our user id, for user-level partners."),
    Column("impressions", "BIGINT", "Ads shown, as the partner counts; NULL if it does not say."),
    Column("clicks", "BIGINT", "Ads clicked, as the partner counts; NULL if it does not say."),
    Column("revenue", "DECIMAL(38,9)", "What the partner reports, in the reporting currency."),
    Column("original_revenue", "DECIMAL(38,9)", "What the partner reports, in `original_currency`."),
    Column("original_currency", "VARCHAR", "ISO 4217 code."),
    Column("import_id", "VARCHAR", "Names the batch by its content: equal content, equal id."),
    Column("imported_at", "TIMESTAMP", "When the batch was imported, in UTC."),
)
PARTNER_REVENUE = Table(
    "raw.partner_revenue", "report_date", _COLUMNS, "What partners report, as last imported: one batch a partner day."
)
PARTNER_REVENUE_HISTORY = Table(
    "raw.partner_revenue_history",
    "report_date",
    _COLUMNS,
    "Every batch of partner revenue whose content differed from the one before it.",
)


def _line(row: RevenueRow, booking: Booking) -> Mapping[str, Value]:
    return {
        "report_date": row.report_date,
        "app_id": row.app_id,
        "platform": row.platform,
        "country": row.country,
        "ad_format": row.ad_format,
        "ad_unit_id": row.ad_unit_id,
        "user_id": row.user_id,
        "impressions": row.impressions,
        "clicks": row.clicks,
        "revenue": booking.rates.converted(row.revenue, row.currency, row.report_date),
        "original_revenue": row.revenue,
        "original_currency": row.currency,
    }


REVENUE = Destination(RevenueRow, PARTNER_REVENUE, _line, money="revenue", history=PARTNER_REVENUE_HISTORY)


def landed_rows(settings: Settings, partner: str, day: date) -> list[RevenueRow] | None:
    """Read what was landed of a partner without an API for a day; None where no folder was.

    Raises:
        LandingError: a file cannot be read; names it.
    """
    landing, rules = LandingFolder(settings.storage.landing), landing_rules(settings)
    files = landing.files(PARTNER_REVENUE_FILES.name, [day]).get(day)
    if files is None:
        return None
    with duckdb.connect(":memory:") as connection:
        connection.execute("SET TimeZone = 'UTC'")
        landing.register(connection)
        load_exchange_rates(connection, landing, Window.of_day(day), rules)
        usable = read_landed(connection, PARTNER_REVENUE_FILES, files, rules).usable
        columns = [column for column in PARTNER_REVENUE_FILES.fields_by_name if column != "partner"]
        try:
            rows = connection.execute(
                f"SELECT {', '.join(columns)} FROM ({usable}) WHERE partner = {quoted(partner)}"
            ).fetchall()
        except duckdb.Error as error:
            raise LandingError(f"{partner} {day}: {str(error).splitlines()[0]}") from error
    default = rules.partner_currencies[partner]
    landed = (dict(zip(columns, row, strict=True)) for row in rows)
    return [RevenueRow(**{**row, "currency": row["currency"] or default}) for row in landed]
