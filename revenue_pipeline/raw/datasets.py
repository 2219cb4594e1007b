"""What may be landed: every dataset of the landing folders, its columns, and how a value of each kind is read.

A new dataset is one declaration here. The reading itself, the same for all of them, is in `landing`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from revenue_pipeline.warehouse import Column, Table


class Kind(Enum):
    """How the text of a value is read, and the DuckDB type it is stored as."""

    TEXT = ("text", "VARCHAR")
    UPPER_TEXT = ("upper-case text", "VARCHAR")
    LOWER_TEXT = ("lower-case text", "VARCHAR")
    CURRENCY = ("ISO 4217 code", "VARCHAR")
    JSON = ("JSON", "VARCHAR")
    DIMENSIONS = ("JSON to group by", "VARCHAR")
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

    @property
    def is_json(self) -> bool:
        """Whether an object or a list is a value too."""
        return self in (Kind.JSON, Kind.DIMENSIONS)


@dataclass(frozen=True)
class Field:
    """One column of a landing file. Where there are `choices`, any other value is unreadable."""

    name: str
    kind: Kind
    meaning: str
    required: bool = False
    choices: Sequence[str] = ()


@dataclass(frozen=True)
class Dataset:
    """One kind of landing folder, `<landing>/<name>/date=YYYY-MM-DD/`.

    Attributes:
        name: of the folder, and of the raw table.
        meaning: what a row says.
        fields: the columns of the files.
        day_column: the column of the raw table that holds the partition's day.
        day: the field that tells the day, in the reporting zone; None where a folder bears the day of delivery alone.
        id: of rows with equal values here, in one folder one is kept, the greatest by content.
        newest: what comes before the content in that, as SQL: when a row's state is of.
        converted: a money field, and the column that also has it in the reporting currency.
        priced_on: the column whose day the exchange rate is taken of, where it is not `day_column`.
        rate_column: the column that keeps the exchange rate itself, for what is converted after more arithmetic.
        extra: columns of the raw table that no file has, before the others.
        trailing: the same, after the others.
        given: what such a column holds for landed rows, as SQL; one without is worked out by the reader.
        is_uploaded: whether people land it by hand: they are told of each row that is refused, and where it is.
        multiplied: pairs of a money field and a count whose product must fit a total too, in either currency.
    """

    name: str
    meaning: str
    fields: Sequence[Field]
    day_column: str
    day: str | None = None
    id: Sequence[str] = ()
    newest: str = ""
    converted: tuple[str, str] | None = None
    priced_on: str | None = None
    rate_column: str | None = None
    extra: Sequence[Column] = ()
    trailing: Sequence[Column] = ()
    given: Mapping[str, str] = field(default_factory=dict)
    multiplied: Sequence[tuple[str, str]] = ()
    is_uploaded: bool = False

    @property
    def fields_by_name(self) -> dict[str, Field]:
        """The fields by their names, in order."""
        return {each.name: each for each in self.fields}

    @property
    def needs_rates(self) -> bool:
        """Whether its rows have money that needs an exchange rate."""
        return self.converted is not None or self.rate_column is not None

    @property
    def rate_day(self) -> str:
        """The column whose day's exchange rate serves a row."""
        return self.priced_on or self.day_column

    @property
    def slice(self) -> Mapping[str, str] | None:
        """The rows of a day that landing replaces: its own, where partners with an API fill the table too, or all."""
        return {SOURCE.name: FILES_SOURCE} if SOURCE in self.extra else None

    @property
    def table(self) -> Table:
        """The raw table the rows are kept in."""
        columns = [Column(each.name, each.kind.type, each.meaning) for each in self.fields]
        if self.converted:
            money, name = self.converted
            kind = self.fields_by_name[money].kind.type
            whose = f"at the rate of `{self.priced_on}`" if self.priced_on else "at the rate of the row's own day"
            columns.append(Column(name, kind, f"`{money}` in the reporting currency, {whose}."))
        if self.rate_column:
            told = f"Reporting-currency units for one unit of `currency` on `{self.rate_day}`; 1 for that currency."
            columns.append(Column(self.rate_column, Kind.RATE.type, told))
        return Table(f"raw.{self.name}", self.day_column, [*self.extra, *columns, *self.trailing], self.meaning)


FILES_SOURCE = "files"
"""What `source` says of landed rows, in tables that partners with an API fill too."""

SOURCE = Column("source", "VARCHAR", "`files` for landed rows, `api` for those that a partner's API gave.")
PARTNER = Column("partner", "VARCHAR", "The partner whose API gave the row, as in the settings; NULL for landed rows.")
LANDED_ORIGIN = {"source": f"'{FILES_SOURCE}'", "partner": "NULL"}
LANDED_ROWS = Column("landed_rows", "BIGINT", "How many rows of its folder or batch had its id; one of them is kept.")
FOLDER_DATE = Column("folder_date", "DATE", "Day of the landing folder, or of the import, that delivered the row.")

EVENTS = Dataset(
    name="events",
    meaning=(
        "What users did, one row per event, as landed. On `ad_impression` rows `revenue` is the SDK's real-time "
        "estimate; on all others it is what the app booked."
    ),
    day_column="event_date",
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
    day_column="rate_date",
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
    day_column="cost_date",
    day="cost_date",
    converted=("cost", "reporting_cost"),
    extra=(SOURCE, PARTNER),
    given=LANDED_ORIGIN,
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
    day_column="report_date",
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

MESSAGE_SENDS = Dataset(
    name="message_sends",
    meaning="Messages that were sent to contacts, one row per message.",
    day_column="send_date",
    day="sent_at",
    id=("message_id",),
    extra=(Column("send_date", "DATE", "Calendar day of `sent_at` in the reporting time zone."),),
    fields=(
        Field("message_id", Kind.TEXT, "Names the message.", required=True),
        Field("sent_at", Kind.INSTANT, "When it was sent, in UTC.", required=True),
        Field("contact_id", Kind.TEXT, "Who it was sent to.", required=True),
        Field("creative_id", Kind.TEXT, "What was sent."),
        Field("offer_id", Kind.TEXT, "The offer it links to."),
        Field("campaign_id", Kind.TEXT, "The campaign it belongs to."),
        Field("sending_list", Kind.TEXT, "The list of contacts it was sent to."),
        Field("segments", Kind.COUNT, "Billed parts.", required=True),
        Field("custom", Kind.DIMENSIONS, "Custom dimensions, as JSON with its names in order."),
    ),
)

LINK_CLICKS = Dataset(
    name="link_clicks",
    meaning="Clicks on the links of messages, one row per click.",
    day_column="click_date",
    day="clicked_at",
    id=("click_id",),
    extra=(Column("click_date", "DATE", "Calendar day of `clicked_at` in the reporting time zone."),),
    fields=(
        Field("click_id", Kind.TEXT, "Names the click; affiliate networks hand it back.", required=True),
        Field("message_id", Kind.TEXT, "The message whose link was clicked.", required=True),
        Field("clicked_at", Kind.INSTANT, "When, in UTC.", required=True),
    ),
)

MANUAL_REVENUE = Dataset(
    name="manual_revenue",
    meaning="Revenue that people upload for platforms without an integration: a row for each conversion of a click.",
    day_column="date",
    day="date",
    converted=("amount", "reporting_amount"),
    is_uploaded=True,
    fields=(
        Field("click_id", Kind.TEXT, "The click that earned it.", required=True),
        Field("amount", Kind.TOTAL, "What it earned, in `currency`.", required=True),
        Field("date", Kind.DAY, "The day of the conversion.", required=True),
        Field("currency", Kind.CURRENCY, "ISO 4217 code; NULL means the reporting currency."),
    ),
)

CONVERSIONS = Dataset(
    name="conversions",
    meaning="What affiliate networks report as converted: one row a conversion, as last imported or landed.",
    day_column="report_date",
    day="converted_at",
    id=("partner", "conversion_id"),
    newest="coalesce(updated_at, converted_at)",
    converted=("payout", "reporting_payout"),
    extra=(
        Column(
            "report_date", "DATE", "Day of `converted_at` in the partner's time zone; for files in the reporting one."
        ),
        Column("event_date", "DATE", "Day of `converted_at` in the reporting time zone."),
        SOURCE,
    ),
    trailing=(
        Column("import_id", "VARCHAR", "Names the batch by its content: equal content, equal id; NULL for files."),
        Column("imported_at", "TIMESTAMP", "When the batch was imported, in UTC; NULL for files."),
        LANDED_ROWS,
    ),
    given={
        LANDED_ROWS.name: "1",
        "event_date": "report_date",
        "source": LANDED_ORIGIN["source"],
        "import_id": "NULL",
        "imported_at": "NULL",
    },
    fields=(
        Field("partner", Kind.TEXT, "The affiliate network.", required=True),
        Field(
            "conversion_id", Kind.TEXT, "Names the conversion within its partner, whatever its state.", required=True
        ),
        Field("click_id", Kind.TEXT, "Our click that led to it, as it was handed to the partner."),
        Field("offer_id", Kind.TEXT, "The partner's offer."),
        Field("payout", Kind.TOTAL, "What we earn by it, in `currency`, whatever its state.", required=True),
        Field("currency", Kind.CURRENCY, "ISO 4217 code.", required=True),
        Field("converted_at", Kind.INSTANT, "When it happened, in UTC.", required=True),
        Field("status", Kind.LOWER_TEXT, "The partner's word for its state, in lower case."),
        Field(
            "updated_at",
            Kind.INSTANT,
            "When its state last changed, in UTC; NULL where the partner does not say.",
        ),
    ),
)

LINE_ITEMS = Dataset(
    name="line_items",
    meaning="Proposal line items, what was contracted, in the state that each day delivered; the newest state counts.",
    day_column="folder_date",
    id=("line_item_id",),
    priced_on="start_date",
    rate_column="exchange_rate",
    extra=(FOLDER_DATE, SOURCE, PARTNER),
    given=LANDED_ORIGIN,
    multiplied=(("net_rate", "contracted_volume"), ("gross_rate", "contracted_volume")),
    fields=(
        Field("line_item_id", Kind.TEXT, "Names the line item.", required=True),
        Field("proposal_id", Kind.TEXT, "The proposal it belongs to."),
        Field(
            "proposal_status",
            Kind.LOWER_TEXT,
            "State of the proposal: sold, unsold or retracted.",
            choices=("sold", "unsold", "retracted"),
        ),
        Field(
            "rate_type",
            Kind.UPPER_TEXT,
            "What the rate is for: CPM a thousand impressions, CPC a click, CPD a day.",
            required=True,
            choices=("CPM", "CPC", "CPD"),
        ),
        Field("net_rate", Kind.TOTAL, "The rate without commission, in `currency`.", required=True),
        Field("gross_rate", Kind.TOTAL, "The rate with commission, in `currency`."),
        Field("currency", Kind.CURRENCY, "ISO 4217 code.", required=True),
        Field("contracted_volume", Kind.COUNT, "Impressions, clicks or days, by `rate_type`.", required=True),
        Field("start_date", Kind.DAY, "First day of delivery.", required=True),
        Field("end_date", Kind.DAY, "Last day of delivery."),
    ),
)

LINE_ITEM_DELIVERY = Dataset(
    name="line_item_delivery",
    meaning="What line items delivered, by day, ad unit and key-value; the rows are disjoint.",
    day_column="delivery_date",
    day="delivery_date",
    extra=(SOURCE, PARTNER),
    given=LANDED_ORIGIN,
    fields=(
        Field("delivery_date", Kind.DAY, "The day of the delivery.", required=True),
        Field("line_item_id", Kind.TEXT, "The line item.", required=True),
        Field("ad_unit_id", Kind.TEXT, "The placement.", required=True),
        Field("custom_criteria", Kind.TEXT, "A key-value such as section=sport; NULL for what belongs to none."),
        Field("impressions", Kind.COUNT, "Ads shown.", required=True),
        Field("clicks", Kind.COUNT, "Ads clicked."),
    ),
)

INVOICES = Dataset(
    name="invoices",
    meaning="Invoices and credit notes of partners, in the state that each day delivered; the newest state counts.",
    day_column="folder_date",
    id=("invoice_id",),
    converted=("amount", "reporting_amount"),
    priced_on="period_end",
    extra=(FOLDER_DATE,),
    fields=(
        Field("invoice_id", Kind.TEXT, "Names the invoice.", required=True),
        Field("partner", Kind.TEXT, "The partner, as in the settings.", required=True),
        Field("period_start", Kind.DAY, "First day of the period.", required=True),
        Field("period_end", Kind.DAY, "Last day of the period, included.", required=True),
        Field("amount", Kind.TOTAL, "What is invoiced, in `currency`.", required=True),
        Field("currency", Kind.CURRENCY, "ISO 4217 code.", required=True),
    ),
)

LANDED = (
    EVENTS,
    FX_RATES,
    COSTS,
    MESSAGE_SENDS,
    LINK_CLICKS,
    MANUAL_REVENUE,
    CONVERSIONS,
    LINE_ITEMS,
    LINE_ITEM_DELIVERY,
    INVOICES,
)
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
        Column("field", "VARCHAR", "The column that breaks it; NULL for a line that is no row at all."),
        Column("occurrence", "BIGINT", "1 for the first of the rows alike in one file, 2 for the second, and so on."),
    ),
    "Landed rows that could not be used, each recorded once and kept for good.",
)
