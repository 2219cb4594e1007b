"""What may be landed: every dataset of the landing folders, its columns, and how a value of each kind is read.

A new dataset is one declaration here. The reading itself, the same for all of them, is in `landing`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from revenue_pipeline.warehouse import Column, Table


class Kind(Enum):
    """How the text of a value is read, and the DuckDB type it is stored as."""

    TEXT = ("text", "VARCHAR")
    UPPER_TEXT = ("upper-case text", "VARCHAR")
    LOWER_TEXT = ("lower-case text", "VARCHAR")
    CURRENCY = ("ISO 4217 code", "VARCHAR")
    JSON = ("JSON", "VARCHAR")
    FLAG = ("true or false", "BOOLEAN")
    INSTANT = ("instant", "TIMESTAMP")
    DAY = ("day", "DATE")
    COUNT = ("count", "BIGINT")
    AMOUNT = ("money of one row", "DECIMAL(18,9)")
    TOTAL = ("money of many rows", "DECIMAL(38,9)")
    RATE = ("exchange rate", "DECIMAL(24,12)")

    @property
    def type(self) -> str:
        """The DuckDB type, as `DESCRIBE` says it."""
        return self.value[1]


@dataclass(frozen=True)
class Field:
    """One column of a landing file."""

    name: str
    kind: Kind
    meaning: str
    required: bool = False


@dataclass(frozen=True)
class Dataset:
    """One kind of landing folder, `<landing>/<name>/date=YYYY-MM-DD/`.

    `day` is the field whose day the folder bears; of rows with equal `id` values in one folder one is kept;
    `converted` names a money field that is also kept in the reporting currency, and the column that holds it.
    """

    name: str
    meaning: str
    fields: Sequence[Field]
    day: str
    id: Sequence[str] = ()
    converted: tuple[str, str] | None = None
    extra: Sequence[Column] = ()

    @property
    def fields_by_name(self) -> dict[str, Field]:
        """The fields by their names, in order."""
        return {each.name: each for each in self.fields}

    @property
    def day_column(self) -> str:
        """The column of the raw table that holds the partition's day."""
        return "event_date" if self.name == "events" else self.day

    @property
    def table(self) -> Table:
        """The raw table the rows are kept in."""
        columns = [Column(each.name, each.kind.type, each.meaning) for each in self.fields]
        if self.converted:
            money, name = self.converted
            kind = self.fields_by_name[money].kind.type
            columns.append(
                Column(name, kind, f"`{money}` in the reporting currency, at the rate of the row's own day.")
            )
        return Table(f"raw.{self.name}", self.day_column, [*self.extra, *columns], self.meaning)


EVENTS = Dataset(
    name="events",
    meaning=(
        "What users did, one row per event, as landed. On `ad_impression` rows `revenue` is the SDK's real-time "
        "estimate; on all others it is what the app booked."
    ),
    day="event_time",
    converted=("revenue", "reporting_revenue"),
    extra=(
        Column("event_date", "DATE", "Calendar day of `event_time` in the reporting time zone."),
        Column("report_date", "DATE", "Calendar day of `event_time` in the time zone of the event's partner."),
        Column("folder_date", "DATE", "Day of the landing folder it was received in."),
    ),
    fields=(
        Field("event_id", Kind.TEXT, "Names the event; repeats on one day are one event.", required=True),
        Field("event_name", Kind.TEXT, "What happened, such as ad_impression or purchase.", required=True),
        Field("event_time", Kind.INSTANT, "When it happened, in UTC.", required=True),
        Field("user_id", Kind.TEXT, "Who did it, when known."),
        Field("app_id", Kind.TEXT, "Our id of the app or site."),
        Field("platform", Kind.LOWER_TEXT, "Operating system or medium, in lower case."),
        Field("country", Kind.UPPER_TEXT, "ISO 3166-1 alpha-2 code, in upper case."),
        Field("channel", Kind.TEXT, "Acquisition channel."),
        Field("campaign_id", Kind.TEXT, "Acquisition campaign."),
        Field("partner", Kind.TEXT, "The partner whose ad it was."),
        Field("ad_format", Kind.LOWER_TEXT, "Format of the ad, in lower case."),
        Field("ad_unit_id", Kind.TEXT, "The placement."),
        Field("container_id", Kind.TEXT, "The property that holds the placement, such as a newsletter."),
        Field("creative_id", Kind.TEXT, "What was shown."),
        Field("is_automated", Kind.FLAG, "Whether a machine did it, such as an Apple Mail Privacy Protection load."),
        Field("revenue", Kind.AMOUNT, "Estimate or booked amount in `currency`; NULL when there is none."),
        Field("currency", Kind.CURRENCY, "ISO 4217 code; NULL means the reporting currency."),
        Field("properties", Kind.JSON, "Whatever else the sender added, as JSON."),
    ),
)

FX_RATES = Dataset(
    name="fx_rates",
    meaning="Exchange rates: how many units of the reporting currency one unit of a currency is worth on a day.",
    day="rate_date",
    id=("currency",),
    fields=(
        Field("rate_date", Kind.DAY, "The day of the rate.", required=True),
        Field("currency", Kind.CURRENCY, "ISO 4217 code.", required=True),
        Field("rate", Kind.RATE, "Reporting-currency units for one unit.", required=True),
    ),
)

COSTS = Dataset(
    name="costs",
    meaning="What acquiring users cost, as channels billed it.",
    day="cost_date",
    converted=("cost", "reporting_cost"),
    fields=(
        Field("cost_date", Kind.DAY, "The day the money was spent.", required=True),
        Field("channel", Kind.TEXT, "Acquisition channel.", required=True),
        Field("campaign_id", Kind.TEXT, "Acquisition campaign."),
        Field("app_id", Kind.TEXT, "Our id of the app or site."),
        Field("platform", Kind.LOWER_TEXT, "Operating system or medium, in lower case."),
        Field("country", Kind.UPPER_TEXT, "ISO 3166-1 alpha-2 code, in upper case."),
        Field("cost", Kind.TOTAL, "What was spent, in `currency`.", required=True),
        Field("currency", Kind.CURRENCY, "ISO 4217 code.", required=True),
        Field("impressions", Kind.COUNT, "Ads shown."),
        Field("clicks", Kind.COUNT, "Ads clicked."),
        Field("installs", Kind.COUNT, "Installs the channel counted."),
    ),
)

PARTNER_REVENUE_FILES = Dataset(
    name="partner_revenue",
    meaning="Totals of partners without an API, as landed.",
    day="report_date",
    converted=("revenue", "reporting_revenue"),
    fields=(
        Field("partner", Kind.TEXT, "The partner, as in the settings.", required=True),
        Field("report_date", Kind.DAY, "The day the partner books the revenue on.", required=True),
        Field("revenue", Kind.TOTAL, "What the partner reports, in `currency`.", required=True),
        Field("currency", Kind.CURRENCY, "ISO 4217 code; NULL means the partner's."),
        Field("app_id", Kind.TEXT, "The partner's id of the app."),
        Field("platform", Kind.LOWER_TEXT, "Operating system, in lower case."),
        Field("country", Kind.UPPER_TEXT, "ISO 3166-1 alpha-2 code, in upper case."),
        Field("ad_format", Kind.LOWER_TEXT, "Format of the ad, in lower case."),
        Field("ad_unit_id", Kind.TEXT, "The partner's id of the placement."),
        Field("user_id", Kind.TEXT, "The user the revenue came from, for user-level partners."),
        Field("impressions", Kind.COUNT, "Ads shown, as the partner counted them."),
        Field("clicks", Kind.COUNT, "Ads clicked, as the partner counted them."),
    ),
)

LANDED = (EVENTS, FX_RATES, COSTS)
"""The datasets that are an asset of their own; `partner_revenue` is read by the assets of its partners."""

REJECTED_ROWS = Table(
    "raw.rejected_rows",
    "folder_date",
    (
        Column("dataset", "VARCHAR", "The landing dataset the row was in."),
        Column("folder_date", "DATE", "Day of the landing folder it was in."),
        Column("file", "VARCHAR", "Name of the file in that folder."),
        Column("reason", "VARCHAR", "The first rule that the row breaks."),
        Column("row", "VARCHAR", "The row as it was landed, as JSON."),
        Column("occurrence", "BIGINT", "1 for the first of the rows alike in one file, 2 for the second, and so on."),
    ),
    "Landed rows that could not be used, each recorded once and kept for good.",
)
