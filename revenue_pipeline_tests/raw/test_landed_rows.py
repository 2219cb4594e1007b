"""One row of each dataset, in every format, as it is stored; and what is said of rows that cannot be used."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from revenue_pipeline.raw.datasets import (
    CONVERSIONS,
    COSTS,
    INVOICES,
    LINE_ITEM_DELIVERY,
    LINE_ITEMS,
    LINK_CLICKS,
    MANUAL_REVENUE,
    MESSAGE_SENDS,
    Dataset,
)
from revenue_pipeline.raw.files import LandingError
from revenue_pipeline.raw.landing import Rules
from revenue_pipeline_tests.raw.conftest import DAY, Lake, csv_of

TEXT = "2026-10-05"
LONG_AGO = date(2026, 3, 10)


@dataclass(frozen=True)
class Landed:
    """A row as people write it, the same row with the types of a Parquet file, and what of it is stored."""

    dataset: Dataset
    written: dict[str, str]
    typed: str
    stored: dict[str, Any]


ROWS = [
    Landed(
        MESSAGE_SENDS,
        {
            "message_id": " m1 ",
            "sent_at": "2026-10-05T23:30:00+02:00",
            "contact_id": "007",
            "creative_id": "flash",
            "offer_id": "",
            "campaign_id": "weekend",
            "sending_list": "vip",
            "segments": "2",
            "custom": '{"state": "CA"}',
        },
        "'m1' AS message_id, TIMESTAMPTZ '2026-10-05 21:30:00+00' AS sent_at, '007' AS contact_id, "
        "'flash' AS creative_id, NULL::VARCHAR AS offer_id, 'weekend' AS campaign_id, 'vip' AS sending_list, "
        "2::TINYINT AS segments, {'state': 'CA'} AS custom",
        {
            "send_date": DAY,
            "message_id": "m1",
            "sent_at": datetime(2026, 10, 5, 21, 30),  # noqa: DTZ001  as DuckDB gives it, in UTC
            "contact_id": "007",
            "creative_id": "flash",
            "offer_id": None,
            "campaign_id": "weekend",
            "sending_list": "vip",
            "segments": 2,
            "custom ->> '$.state'": "CA",
        },
    ),
    Landed(
        LINK_CLICKS,
        {"click_id": "0012", "message_id": "m1", "clicked_at": "2026-10-05 08:00:00"},
        "'0012' AS click_id, 'm1' AS message_id, TIMESTAMP '2026-10-05 08:00:00' AS clicked_at",
        {
            "click_date": DAY,
            "click_id": "0012",
            "message_id": "m1",
            "clicked_at": datetime(2026, 10, 5, 8),  # noqa: DTZ001
        },
    ),
    Landed(
        MANUAL_REVENUE,
        {"click_id": "0012", "amount": "24.99", "date": TEXT, "currency": "EUR"},
        "'0012' AS click_id, 24.99::DOUBLE AS amount, DATE '2026-10-05' AS date, 'EUR' AS currency",
        {
            "date": DAY,
            "click_id": "0012",
            "amount": Decimal("24.99"),
            "currency": "EUR",
            "reporting_amount": Decimal("49.98"),
        },
    ),
    Landed(
        CONVERSIONS,
        {
            "partner": "tune",
            "conversion_id": "9",
            "click_id": "0012",
            "offer_id": "summer",
            "payout": "10.5",
            "currency": "EUR",
            "converted_at": "2026-10-05T10:00:00Z",
            "status": "Approved",
            "updated_at": "2026-10-07T10:00:00Z",
        },
        "'tune' AS partner, 9 AS conversion_id, '0012' AS click_id, 'summer' AS offer_id, "
        "10.5::DECIMAL(9,2) AS payout, 'EUR' AS currency, TIMESTAMP '2026-10-05 10:00:00' AS converted_at, "
        "'APPROVED' AS status, TIMESTAMP '2026-10-07 10:00:00' AS updated_at",
        {
            "report_date": DAY,
            "event_date": DAY,
            "source": "files",
            "partner": "tune",
            "conversion_id": "9",
            "click_id": "0012",
            "offer_id": "summer",
            "payout": Decimal("10.5"),
            "currency": "EUR",
            "converted_at": datetime(2026, 10, 5, 10),  # noqa: DTZ001
            "status": "approved",
            "updated_at": datetime(2026, 10, 7, 10),  # noqa: DTZ001
            "reporting_payout": Decimal(21),
            "import_id": None,
            "imported_at": None,
        },
    ),
    Landed(
        COSTS,
        {
            "cost_date": TEXT,
            "channel": "meta",
            "campaign_id": "7",
            "app_id": "game",
            "platform": "iOS",
            "country": "de",
            "cost": "1.5",
            "currency": "EUR",
            "impressions": "10",
            "clicks": "2",
            "installs": "1",
        },
        "DATE '2026-10-05' AS cost_date, 'meta' AS channel, 7 AS campaign_id, 'game' AS app_id, 'iOS' AS platform, "
        "'de' AS country, 1.5::FLOAT AS cost, 'EUR' AS currency, 10 AS impressions, 2 AS clicks, 1 AS installs",
        {
            "cost_date": DAY,
            "source": "files",
            "partner": None,
            "channel": "meta",
            "campaign_id": "7",
            "app_id": "game",
            "platform": "ios",
            "country": "DE",
            "cost": Decimal("1.5"),
            "currency": "EUR",
            "reporting_cost": Decimal(3),
            "impressions": 10,
            "clicks": 2,
            "installs": 1,
        },
    ),
    Landed(
        LINE_ITEMS,
        {
            "line_item_id": "01",
            "proposal_id": "P",
            "proposal_status": "Sold",
            "rate_type": "cpm",
            "net_rate": "12.5",
            "gross_rate": "",
            "currency": "EUR",
            "contracted_volume": "8000000",
            "start_date": "2026-03-11",
            "end_date": "2026-12-31",
        },
        "'01' AS line_item_id, 'P' AS proposal_id, 'SOLD' AS proposal_status, 'CPM' AS rate_type, "
        "12.5::DECIMAL(10,4) AS net_rate, NULL::DOUBLE AS gross_rate, 'EUR' AS currency, "
        "8000000.0 AS contracted_volume, DATE '2026-03-11' AS start_date, DATE '2026-12-31' AS end_date",
        {
            "folder_date": DAY,
            "source": "files",
            "partner": None,
            "line_item_id": "01",
            "proposal_id": "P",
            "proposal_status": "sold",
            "rate_type": "CPM",
            "net_rate": Decimal("12.5"),
            "gross_rate": None,
            "currency": "EUR",
            "contracted_volume": 8000000,
            "start_date": date(2026, 3, 11),
            "end_date": date(2026, 12, 31),
            "exchange_rate": Decimal("1.25"),  # of the tenth of March, the latest by the eleventh
        },
    ),
    Landed(
        LINE_ITEM_DELIVERY,
        {
            "delivery_date": TEXT,
            "line_item_id": "01",
            "ad_unit_id": "top",
            "custom_criteria": "section=sport",
            "impressions": "100",
            "clicks": "",
        },
        "DATE '2026-10-05' AS delivery_date, '01' AS line_item_id, 'top' AS ad_unit_id, "
        "'section=sport' AS custom_criteria, 100::UBIGINT AS impressions, NULL::INTEGER AS clicks",
        {
            "delivery_date": DAY,
            "source": "files",
            "partner": None,
            "line_item_id": "01",
            "ad_unit_id": "top",
            "custom_criteria": "section=sport",
            "impressions": 100,
            "clicks": None,
        },
    ),
    Landed(
        INVOICES,
        {
            "invoice_id": "2026-77",
            "partner": "acme",
            "period_start": "2026-03-01",
            "period_end": "2026-03-17",
            "amount": "-3",
            "currency": "EUR",
        },
        "'2026-77' AS invoice_id, 'acme' AS partner, DATE '2026-03-01' AS period_start, "
        "DATE '2026-03-17' AS period_end, -3 AS amount, 'EUR' AS currency",
        {
            "folder_date": DAY,
            "invoice_id": "2026-77",
            "partner": "acme",
            "period_start": date(2026, 3, 1),
            "period_end": date(2026, 3, 17),
            "amount": Decimal(-3),
            "currency": "EUR",
            "reporting_amount": Decimal("-3.75"),  # the rate of the tenth of March is seven days old, and serves
        },
    ),
]


def dataset_name(value: object) -> str:
    return getattr(getattr(value, "dataset", value), "name", str(value))


def put_rates(lake: Lake) -> None:
    lake.put("fx_rates", "a.csv", f"rate_date,currency,rate\n{DAY},EUR,2\n")
    lake.put("fx_rates", "a.csv", f"rate_date,currency,rate\n{LONG_AGO},EUR,1.25\n", LONG_AGO)


def land_written(lake: Lake, dataset: Dataset, *rows: dict[str, str], rules: Rules | None = None) -> None:
    lake.put(dataset.name, "rows.csv", csv_of(*rows))
    lake.land(dataset, rules=rules or Rules())


@pytest.mark.parametrize("landed", ROWS, ids=dataset_name)
@pytest.mark.parametrize("kind", ["csv", "ndjson", "parquet"])
def test_a_row_is_stored_alike_from_every_format(lake: Lake, landed: Landed, kind: str) -> None:
    put_rates(lake)
    name = landed.dataset.name
    if kind == "csv":
        lake.put(name, "rows.csv", csv_of(landed.written))
    elif kind == "ndjson":
        lake.put(name, "rows.ndjson", json.dumps({key: value or None for key, value in landed.written.items()}))
    else:
        lake.put_parquet(name, "rows.parquet", f"SELECT {landed.typed}")

    assert lake.land(landed.dataset).rows == 1

    assert lake.reasons() == []
    assert lake.ask(f"SELECT {', '.join(landed.stored)} FROM raw.{name}") == [tuple(landed.stored.values())]


@pytest.mark.parametrize("landed", ROWS, ids=dataset_name)
def test_a_row_without_a_required_value_is_recorded_for_each_of_them(lake: Lake, landed: Landed) -> None:
    put_rates(lake)
    required = [each.name for each in landed.dataset.fields if each.required]
    assert required
    land_written(lake, landed.dataset, landed.written, *({**landed.written, name: " "} for name in required))

    assert lake.reasons() == ["missing_column"] * len(required)
    assert lake.ask(f"SELECT count(*) FROM raw.{landed.dataset.name}") == [(1,)]


# --- the day of a row ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dataset", "column"),
    [
        (MESSAGE_SENDS, "sent_at"),
        (LINK_CLICKS, "clicked_at"),
        (MANUAL_REVENUE, "date"),
        (CONVERSIONS, "converted_at"),
        (COSTS, "cost_date"),
        (LINE_ITEM_DELIVERY, "delivery_date"),
    ],
    ids=dataset_name,
)
def test_a_row_of_another_day_than_its_folder_is_recorded(lake: Lake, dataset: Dataset, column: str) -> None:
    put_rates(lake)
    (landed,) = (row for row in ROWS if row.dataset is dataset)
    land_written(lake, dataset, landed.written, *({**landed.written, column: f"2026-10-0{day}"} for day in (4, 6)))

    assert lake.reasons() == ["wrong_day", "wrong_day"]
    assert lake.ask(f"SELECT {dataset.day_column} FROM raw.{dataset.name}") == [(DAY,)]


@pytest.mark.parametrize(
    ("dataset", "column"),
    [(MESSAGE_SENDS, "sent_at"), (LINK_CLICKS, "clicked_at"), (CONVERSIONS, "converted_at")],
    ids=dataset_name,
)
def test_the_day_of_an_instant_is_the_reporting_zones(lake: Lake, dataset: Dataset, column: str) -> None:
    put_rates(lake)
    (landed,) = (row for row in ROWS if row.dataset is dataset)
    name = dataset.id[-1]
    rows = {"late on the fifth": "2026-10-06T06:59:59Z", "the sixth": "2026-10-06T07:00:00Z", "the fourth": TEXT}
    written = [{**landed.written, name: key, column: instant} for key, instant in rows.items()]
    land_written(lake, dataset, *written, rules=Rules(timezone="America/Los_Angeles"))

    assert lake.ask(f"SELECT {name}, {dataset.day_column} FROM raw.{dataset.name}") == [("late on the fifth", DAY)]
    assert lake.rejected(name) == {"the sixth": "wrong_day", "the fourth": "wrong_day"}


@pytest.mark.parametrize("dataset", [LINE_ITEMS, INVOICES], ids=dataset_name)
def test_what_is_delivered_on_a_day_may_be_about_any_other(lake: Lake, dataset: Dataset) -> None:
    (landed,) = (row for row in ROWS if row.dataset is dataset)
    written = {**landed.written, "currency": "USD"}
    assert TEXT not in written.values()
    land_written(lake, dataset, written)

    assert lake.column(f"SELECT folder_date FROM raw.{dataset.name}") == [DAY]


# --- repeats ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dataset", "column", "values", "kept"),
    [
        (MESSAGE_SENDS, "segments", ("9", "10", "2"), 10),  # by value, not by its text
        (LINK_CLICKS, "message_id", ("a", "b", "B"), "b"),
        (CONVERSIONS, "status", ("pending", "REJECTED", ""), "rejected"),
        (LINE_ITEMS, "net_rate", ("9", "10.0", "-11"), Decimal(10)),
        (INVOICES, "amount", ("-1", "-2", "-3"), Decimal(-1)),
    ],
    ids=dataset_name,
)
def test_of_rows_with_one_id_in_one_folder_the_greatest_is_kept(
    lake: Lake, dataset: Dataset, column: str, values: tuple[str, ...], kept: object
) -> None:
    put_rates(lake)
    (landed,) = (row for row in ROWS if row.dataset is dataset)
    for n, value in enumerate(values):
        lake.put(dataset.name, f"{n}.csv", csv_of({**landed.written, column: value}))

    lake.land(dataset)

    assert lake.column(f"SELECT {column} FROM raw.{dataset.name}") == [kept]
    assert lake.reasons() == []


@pytest.mark.parametrize("dataset", [MESSAGE_SENDS, LINK_CLICKS, CONVERSIONS, LINE_ITEMS, INVOICES], ids=dataset_name)
def test_rows_with_one_id_are_one_row_whatever_the_formats_of_their_files(lake: Lake, dataset: Dataset) -> None:
    put_rates(lake)
    (landed,) = (row for row in ROWS if row.dataset is dataset)
    required = {field.name: landed.written[field.name] for field in dataset.fields if field.required}
    lake.put(dataset.name, "0.csv", csv_of(landed.written))
    lake.put_parquet(dataset.name, "1.parquet", f"SELECT {landed.typed}")
    lake.put(dataset.name, "2.csv", csv_of(required))
    lake.put(dataset.name, "3.ndjson", json.dumps(landed.written))

    assert lake.land(dataset).rows == 1


def test_of_the_states_of_a_conversion_in_one_folder_the_latest_is_kept_and_all_are_counted(lake: Lake) -> None:
    put_rates(lake)
    (landed,) = (row for row in ROWS if row.dataset is CONVERSIONS)
    noon = {**landed.written, "converted_at": f"{DAY}T12:00:00Z"}
    states = [
        {"status": "reversed", "payout": "1", "updated_at": f"{DAY}T14:00:00Z"},
        {"status": "pending", "payout": "9", "updated_at": ""},
        {"status": "approved", "payout": "5", "updated_at": f"{DAY}T13:00:00Z"},
    ]
    land_written(lake, CONVERSIONS, *({**noon, **state} for state in states), {**noon, "conversion_id": "another"})

    found = lake.ask("SELECT conversion_id, status, payout, landed_rows FROM raw.conversions ORDER BY landed_rows")
    assert [row[0] for row in found] == ["another", landed.written["conversion_id"]]
    assert [row[3] for row in found] == [1, 3]
    assert found[1][1:3] == ("reversed", 1)


def test_one_conversion_id_of_two_partners_is_two_conversions(lake: Lake) -> None:
    put_rates(lake)
    (landed,) = (row for row in ROWS if row.dataset is CONVERSIONS)
    land_written(lake, CONVERSIONS, landed.written, {**landed.written, "partner": "everflow"})

    assert lake.column("SELECT partner FROM raw.conversions ORDER BY ALL") == ["everflow", "tune"]


@pytest.mark.parametrize("dataset", [MANUAL_REVENUE, COSTS, LINE_ITEM_DELIVERY], ids=dataset_name)
def test_rows_without_an_id_are_all_kept(lake: Lake, dataset: Dataset) -> None:
    put_rates(lake)
    (landed,) = (row for row in ROWS if row.dataset is dataset)
    land_written(lake, dataset, landed.written, landed.written)

    assert lake.ask(f"SELECT count(*) FROM raw.{dataset.name}") == [(2,)]


@pytest.mark.parametrize("dataset", [LINE_ITEMS, INVOICES], ids=dataset_name)
def test_one_id_delivered_on_two_days_is_two_states(lake: Lake, dataset: Dataset) -> None:
    put_rates(lake)
    (landed,) = (row for row in ROWS if row.dataset is dataset)
    for day in (DAY, DAY + timedelta(days=1)):
        lake.put(dataset.name, "rows.csv", csv_of(landed.written), day)

    assert lake.land(dataset, DAY, DAY + timedelta(days=1)).rows == 2


@pytest.mark.parametrize(
    ("landed", "kept"),
    [
        ('{"b": "x",  "a": 1}', '{"a":1,"b":"x"}'),
        ('{"a":1,"b":"x"}', '{"a":1,"b":"x"}'),
        ('{"state": {"b": 1, "a": [1, 2]}}', '{"state":{"b":1,"a":[1,2]}}'),
        ('{"b/~": null, "a \\"quoted\\"": true}', '{"a \\"quoted\\"":true,"b/~":null}'),
        ("[2, 1]", "[2,1]"),
        ("{}", "{}"),
        ("", None),
    ],
)
def test_custom_dimensions_that_say_the_same_are_one_text(lake: Lake, landed: str, kept: str | None) -> None:
    (row,) = (row for row in ROWS if row.dataset is MESSAGE_SENDS)
    lake.put("message_sends", "rows.csv", csv_of({**row.written, "custom": landed}))
    lake.put("message_sends", "rows.ndjson", json.dumps({**row.written, "message_id": "other", "custom": landed}))

    lake.land(MESSAGE_SENDS)

    assert lake.column("SELECT custom FROM raw.message_sends") == [kept, kept]


# --- values ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dataset", "column", "value", "reason"),
    [
        (LINE_ITEMS, "rate_type", "CPA", "unreadable"),
        (LINE_ITEMS, "proposal_status", "signed", "unreadable"),
        (LINE_ITEMS, "net_rate", "12,5", "unreadable"),
        (LINE_ITEMS, "gross_rate", "nan", "unreadable"),
        (LINE_ITEMS, "end_date", "31.12.2026", "unreadable"),
        (LINE_ITEMS, "currency", "EURO", "unknown_currency"),
        (LINE_ITEMS, "contracted_volume", "-1", "out_of_range"),
        (LINE_ITEMS, "contracted_volume", "1.5", "unreadable"),
        (MESSAGE_SENDS, "segments", str(2**63), "out_of_range"),
        (MESSAGE_SENDS, "custom", "{state: CA}", "unreadable"),
        (LINK_CLICKS, "clicked_at", "noon", "unreadable"),
        (MANUAL_REVENUE, "amount", "$24.99", "unreadable"),
        (MANUAL_REVENUE, "amount", "inf", "unreadable"),
        (MANUAL_REVENUE, "currency", "eur", "unknown_currency"),
        (CONVERSIONS, "updated_at", "yesterday", "unreadable"),
        (CONVERSIONS, "payout", f"{10**29}", "out_of_range"),
        (CONVERSIONS, "payout", f"{6 * 10**28}", "out_of_range"),  # fits as it is, not once converted
        (INVOICES, "period_start", "March", "unreadable"),
        (LINE_ITEM_DELIVERY, "impressions", "-1", "out_of_range"),
    ],
)
def test_a_value_that_cannot_be_used_has_its_reason(
    lake: Lake, dataset: Dataset, column: str, value: str, reason: str
) -> None:
    put_rates(lake)
    (landed,) = (row for row in ROWS if row.dataset is dataset)
    land_written(lake, dataset, {**landed.written, column: value})

    assert lake.reasons() == [reason]
    assert lake.ask(f"SELECT count(*) FROM raw.{dataset.name}") == [(0,)]


@pytest.mark.parametrize("rate_type", ["CPM", "Cpc", " cpd "])
@pytest.mark.parametrize("status", ["sold", "UNSOLD", "Retracted", ""])
def test_kinds_of_rates_and_states_of_proposals_are_read_whatever_their_case(
    lake: Lake, rate_type: str, status: str
) -> None:
    put_rates(lake)
    (landed,) = (row for row in ROWS if row.dataset is LINE_ITEMS)
    land_written(lake, LINE_ITEMS, {**landed.written, "rate_type": rate_type, "proposal_status": status})

    stored = [(rate_type.strip().upper(), status.lower() or None)]
    assert lake.ask("SELECT rate_type, proposal_status FROM raw.line_items") == stored


def test_a_contract_may_be_worth_as_much_as_a_total_can_hold_and_no_more(lake: Lake) -> None:
    put_rates(lake)  # one EUR of the tenth of March is 1.25
    (landed,) = (row for row in ROWS if row.dataset is LINE_ITEMS)
    contracts = {
        "the largest volume": {"net_rate": "10", "contracted_volume": str(2**63 - 1)},
        "nothing at all": {"net_rate": "0", "contracted_volume": "0"},
        "a large negative rate": {"net_rate": f"-{10**19}", "contracted_volume": "700000000"},
        "too much": {"net_rate": f"{10**19}", "contracted_volume": "1000000000"},
        "too much once converted": {"net_rate": f"{10**19}", "contracted_volume": "900000000"},
        "a gross rate too high": {"net_rate": "1", "gross_rate": f"{10**28}", "contracted_volume": "10"},
    }
    rows = [{**landed.written, "line_item_id": name, **values} for name, values in contracts.items()]
    land_written(lake, LINE_ITEMS, *rows)

    kept = lake.column("SELECT line_item_id FROM raw.line_items ORDER BY ALL")
    assert kept == ["a large negative rate", "nothing at all", "the largest volume"]
    assert set(lake.reasons()) == {"out_of_range"}


# --- exchange rates --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dataset", "day"),
    [
        (MANUAL_REVENUE, TEXT),
        (CONVERSIONS, TEXT),
        (COSTS, TEXT),
        (LINE_ITEMS, "2026-03-11"),
        (INVOICES, "2026-03-17"),
    ],
    ids=dataset_name,
)
def test_without_a_rate_the_day_fails_and_the_error_names_currency_and_day(
    lake: Lake, dataset: Dataset, day: str
) -> None:
    (landed,) = (row for row in ROWS if row.dataset is dataset)
    # The day after has a rate, and so has the eighth day before: neither serves.
    for other in (date.fromisoformat(day) + timedelta(days=1), date.fromisoformat(day) - timedelta(days=8)):
        lake.put("fx_rates", "a.csv", f"rate_date,currency,rate\n{other},EUR,2\n", other)
    lake.put(dataset.name, "rows.csv", csv_of(landed.written))

    with pytest.raises(LandingError, match=f"no exchange rate for EUR on {day}"):
        lake.land(dataset)

    assert lake.ask(f"SELECT count(*) FROM raw.{dataset.name}") == [(0,)]


def test_line_items_of_many_start_days_each_have_the_rate_of_their_own(lake: Lake) -> None:
    put_rates(lake)
    (landed,) = (row for row in ROWS if row.dataset is LINE_ITEMS)
    starts = {"2026-03-10": "EUR", "2026-03-17": "EUR", TEXT: "EUR", "1999-01-01": "USD"}
    rows = [
        {**landed.written, "line_item_id": start, "start_date": start, "currency": currency}
        for start, currency in starts.items()
    ]
    land_written(lake, LINE_ITEMS, *rows)

    assert lake.ask("SELECT line_item_id, exchange_rate FROM raw.line_items ORDER BY ALL") == [
        ("1999-01-01", Decimal(1)),
        ("2026-03-10", Decimal("1.25")),
        ("2026-03-17", Decimal("1.25")),
        (TEXT, Decimal(2)),
    ]


@pytest.mark.parametrize("start", ["0001-01-03", "0001-01-01"])
def test_a_contract_that_starts_when_the_calendar_does_has_no_rate(lake: Lake, start: str) -> None:
    (landed,) = (row for row in ROWS if row.dataset is LINE_ITEMS)

    with pytest.raises(LandingError, match=f"no exchange rate for EUR on {start}"):
        land_written(lake, LINE_ITEMS, {**landed.written, "start_date": start})


# --- tables that partners with an API fill too -----------------------------------------------------------------------


@pytest.mark.parametrize("dataset", [COSTS, CONVERSIONS, LINE_ITEMS, LINE_ITEM_DELIVERY], ids=dataset_name)
def test_landing_replaces_landed_rows_and_leaves_those_of_an_api(lake: Lake, dataset: Dataset) -> None:
    put_rates(lake)
    (landed,) = (row for row in ROWS if row.dataset is dataset)
    land_written(lake, dataset, landed.written)
    imported = "* REPLACE ('api' AS source, 'network' AS partner)"
    lake.ask(f"INSERT INTO raw.{dataset.name} SELECT {imported} FROM raw.{dataset.name}")

    lake.put(dataset.name, "rows.csv", ",".join(landed.written) + "\n")
    lake.land(dataset)

    assert lake.ask(f"SELECT source, partner FROM raw.{dataset.name}") == [("api", "network")]
    assert lake.column("SELECT table_name FROM pipeline.written_days") == [f"raw.{dataset.name}/files"]
