"""Writes a world down as landing files, in the shape and the mixture of formats that real ones come in.

`<landing>/<dataset>/date=YYYY-MM-DD/<dataset>.<format>`. Amounts are exact decimal text (a DECIMAL in Parquet).
"""

import csv
import filecmp
import gzip
import io
import json
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb

from revenue_pipeline.simulator.behaviour import Event
from revenue_pipeline.simulator.invoices import Invoice, invoices
from revenue_pipeline.simulator.line_items import Delivery, LineItem, delivery, line_items
from revenue_pipeline.simulator.messages import Click, ManualRevenue, Send
from revenue_pipeline.simulator.world import LATEST_ARRIVAL_DAYS, ONE_DAY, PARTNERS, Cost, World

FORMATS = ("parquet", "ndjson.gz", "csv.zst", "csv", "csv.gz")
FILE_PARTNERS = ("acme",)
CHANNELS_WITH_AN_API = ("meta",)  # the demo's settings import their costs
DAYS_OF_RATES_BEFORE = 7
PARTNER_REVENUE_COLUMNS = ("partner", "report_date", "revenue", "currency", "app_id", "user_id", "impressions")
TYPES = {  # in Parquet; every other column is text
    "event_time": "TIMESTAMP",
    "is_automated": "BOOLEAN",
    "revenue": "DECIMAL(18, 9)",
    "cost": "DECIMAL(18, 9)",
    "rate": "DECIMAL(18, 9)",
    "cost_date": "DATE",
    "report_date": "DATE",
    "rate_date": "DATE",
    "impressions": "BIGINT",
    "clicks": "BIGINT",
    "installs": "BIGINT",
    "sent_at": "TIMESTAMP",
    "clicked_at": "TIMESTAMP",
    "segments": "BIGINT",
    "net_rate": "DECIMAL(18, 9)",
    "gross_rate": "DECIMAL(18, 9)",
    "contracted_volume": "BIGINT",
    "start_date": "DATE",
    "end_date": "DATE",
    "delivery_date": "DATE",
    "period_start": "DATE",
    "period_end": "DATE",
    "amount": "DECIMAL(18, 9)",
}
NOT_PLAIN = {
    "event_time",
    "is_automated",
    "revenue",
    "cost",
    "rate",
    "net_rate",
    "gross_rate",
    "properties",
    "sent_at",
    "clicked_at",
    "custom",
}  # Python's text is not what we want

Row = Sequence[Any]


def land(world: World, landing: Path, today: date, on_day: Callable[[date], None] | None = None) -> None:
    """Write everything that has arrived by the end of `today`, and call `on_day` after each of the world's days.

    Land again with a later day to have what arrived since; a file that would be the same is left untouched.
    """
    last = min(today, world.last_day + ONE_DAY * LATEST_ARRIVAL_DAYS)
    with duckdb.connect(config={"threads": 1}) as connection:
        for day in _days(world.first_day - ONE_DAY * DAYS_OF_RATES_BEFORE, last):
            write = partial(_write, connection, landing, day)
            rate, events = world.exchange_rate(day), world.received(day)
            write("fx_rates", columns=("rate_date", "currency", "rate"), rows=[(day, "EUR", rate)] if rate else [])
            write("events", columns=Event._fields, rows=[*events, *_unusable(events, day)])
            spent = [cost for cost in world.costs(day) if cost.channel not in CHANNELS_WITH_AN_API]
            write("costs", columns=Cost._fields, rows=spent)
            booked = line_items(world) if day == world.first_day else []
            write("line_items", columns=LineItem._fields, rows=booked)
            write("line_item_delivery", columns=Delivery._fields, rows=delivery(world, day))
            write("invoices", columns=Invoice._fields, rows=invoices(world, day))
            write("message_sends", columns=Send._fields, rows=world.messages.sends(day))
            write("link_clicks", columns=Click._fields, rows=world.messages.clicks(day))
            uploaded = world.messages.manual_revenue(day)
            write("manual_revenue", columns=ManualRevenue._fields, rows=uploaded, file_format="csv")
            write("partner_revenue", columns=PARTNER_REVENUE_COLUMNS, rows=_partner_revenue(world, day, today))
            if on_day and day >= world.first_day:
                on_day(day)


def _days(first: date, last: date) -> Iterator[date]:
    return (first + timedelta(days=n) for n in range((last - first).days + 1))


def _unusable(events: Sequence[Event], day: date) -> list[Row]:
    """A row that has to be rejected, four days a week: copies, so that nothing of the world is lost with them."""
    impression = next((event for event in events if event.event_name == "ad_impression" and event.revenue), None)
    if impression is None:
        return []
    fields = impression._asdict() | {"event_id": f"{impression.event_id}-unusable"}
    spoiled: dict[int, dict[str, Any]] = {
        0: {"revenue": Decimal(-1)},
        2: {"currency": "USX"},
        4: {"event_id": None},
        6: {"event_time": impression.event_time - timedelta(days=9)},
    }
    change = spoiled.get(day.weekday())
    return [tuple((fields | change).values())] if change else []


def _partner_revenue(world: World, day: date, today: date) -> list[Row]:
    return [
        (name, day, row.revenue, PARTNERS[name].currency, row.app_id, row.user_id, row.impressions)
        for name in FILE_PARTNERS
        for row in world.reported(name, day, (today - day).days)
    ]


def _write(
    connection: duckdb.DuckDBPyConnection,
    landing: Path,
    day: date,
    dataset: str,
    *,
    columns: Sequence[str],
    rows: Sequence[Row],
    file_format: str = "",
) -> None:
    """One file for the day, unless there is nothing to say; the format differs from day to day."""
    if not rows:
        return
    file_format = file_format or FORMATS[(day.toordinal() + len(dataset)) % len(FORMATS)]
    folder = landing / dataset / f"date={day}"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{dataset}.{file_format}"
    aside = path.with_name(f".{path.name}")  # readers skip hidden files, and a rename is all or nothing
    if file_format in {"parquet", "csv.zst"}:
        _copy(connection, columns, rows, aside)
    else:
        data = (_ndjson if "ndjson" in file_format else _csv)(columns, rows)
        aside.write_bytes(gzip.compress(data, 5, mtime=0) if file_format.endswith("gz") else data)
    if path.exists() and filecmp.cmp(aside, path, shallow=False):
        aside.unlink()
    else:
        aside.replace(path)


def _text(value: Any) -> str:
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return json.dumps(value) if isinstance(value, (bool, dict)) else str(value)


def _ndjson(columns: Sequence[str], rows: Sequence[Row]) -> bytes:
    encode = json.JSONEncoder(default=_text).encode
    return "".join(f"{encode(dict(zip(columns, row, strict=True)))}\n" for row in rows).encode()


def _csv(columns: Sequence[str], rows: Sequence[Row]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    special = [n for n, column in enumerate(columns) if column in NOT_PLAIN]
    for row in rows:
        values = list(row)
        for n in special:
            values[n] = None if row[n] is None else _text(row[n])
        writer.writerow(values)
    return text.getvalue().encode()


def _copy(connection: duckdb.DuckDBPyConnection, columns: Sequence[str], rows: Sequence[Row], path: Path) -> None:
    """Formats that only DuckDB can write: by way of a CSV file, read with the types that Parquet is to have."""
    parquet = path.suffix == ".parquet"
    options = "FORMAT parquet" if parquet else "FORMAT csv, COMPRESSION zstd"
    types = {column: TYPES.get(column, "VARCHAR") if parquet else "VARCHAR" for column in columns}
    with TemporaryDirectory() as folder:
        stage = Path(folder) / "stage.csv"
        stage.write_bytes(_csv(columns, rows))
        read = f"read_csv({_literal(stage)}, header = true, auto_detect = false, columns = {types})"
        connection.execute(f"COPY (SELECT * FROM {read}) TO {_literal(path)} ({options})")


def _literal(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
