"""What was contracted and how it was delivered, what was invoiced, and how far reported numbers can be trusted."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

from revenue_pipeline_tests.reference.cohorts import first_day_of, last_day_of_period
from revenue_pipeline_tests.reference.landing import LandedFile, newest, partner_revenue
from revenue_pipeline_tests.reference.rules import Rules, rate_on
from revenue_pipeline_tests.reference.values import UNITS, Row, proportional, ratio, total, units

DELIVERY = ("line_item_id", "delivery_date", "ad_unit_id", "custom_criteria")
SPLIT = ("contracted_net_revenue", "contracted_gross_revenue", "contracted_volume")


def contracted(line_item: Row, rules: Rules) -> dict[str, int | None]:
    """
    "Contracted revenue of a line item = rate x contracted volume (CPM: per thousand; gross NULL if no gross rate),
    whatever the proposal's status." "Rate x volume is computed in the original currency, then converted and rounded
    once", at the rate of `start_date`. In units of the ninth digit.
    """
    each = Fraction(rate_on(line_item["start_date"], line_item["currency"], rules))
    volume = Fraction(line_item["contracted_volume"])
    per = volume / 1000 if line_item["rate_type"] == "CPM" else volume
    gross = line_item["gross_rate"]
    return {
        "contracted_net_revenue": units(Fraction(line_item["net_rate"]) * per * each),
        "contracted_gross_revenue": None if gross is None else units(Fraction(gross) * per * each),
        "contracted_volume": line_item["contracted_volume"] * UNITS,
    }


def contracted_revenue(line_items: Iterable[Row], delivery: Iterable[Row], rules: Rules) -> list[Row]:
    """
    "(line_item_id, delivery_date, ad_unit_id, custom_criteria) … split exactly by actual delivery (impressions; clicks
    for CPC) of its whole life so far. A line item that delivered no counted unit keeps its revenue on one row with NULL
    dimensions." What is split is the exact share here, in units of the ninth digit, and `whole` is what it is split of.
    """
    delivered: dict[str, dict[tuple[Any, ...], list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in delivery:
        delivered[row["line_item_id"]][tuple(row[column] for column in DELIVERY)].append(row)
    rows = []
    for line_item_id, line_item in newest("line_items", line_items).items():
        whole = contracted(line_item, rules)
        parts = [
            {
                **dict(zip(DELIVERY, key, strict=True)),
                **{column: sum(row[column] or 0 for row in those) for column in ("impressions", "clicks")},
            }
            for key, those in delivered[line_item_id].items()
        ]
        counted = [part["clicks" if line_item["rate_type"] == "CPC" else "impressions"] for part in parts]
        if not any(counted):
            nowhere = dict.fromkeys(DELIVERY) | {"line_item_id": line_item_id, "impressions": 0, "clicks": 0}
            parts, counted = [*parts, nowhere], [*counted, 1]
        for column, amount in whole.items():
            shares = [None] * len(parts) if amount is None else proportional(amount, counted)
            for part, share in zip(parts, shares, strict=True):
                part[column] = share
        rows += [{**part, "whole": whole} for part in parts]
    return rows


def contracted_report(rows: Iterable[Row], dimension: str) -> list[Row]:
    """
    "`dimension` (`date`, `week`, `month`, `day_of_week`, `ad_unit`, `custom_criteria`) rolls up: `row_kind`
    (`total`|`sub`), `dimension_value`, the exact columns and their `displayed_…` twins (half up; money to cents, volume
    to units), the total from the exact ones." From `rows` as they are split.
    """
    groups: dict[str | None, list[Row]] = defaultdict(list)
    every = list(rows)
    for row in every:
        groups[dimension_value(row, dimension)].append(row)
    subs = [{"row_kind": "sub", "dimension_value": value, **rolled_up(those)} for value, those in groups.items()]
    return [{"row_kind": "total", "dimension_value": None, **rolled_up(every)}, *subs]


WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def dimension_value(row: Row, dimension: str) -> str | None:
    if dimension in ("ad_unit", "custom_criteria"):
        named: str | None = row["ad_unit_id" if dimension == "ad_unit" else dimension]
        return named
    day: date | None = row["delivery_date"]
    if day is None:
        return None
    if dimension == "day_of_week":
        return WEEKDAYS[day.weekday()]
    return str(first_day_of(day, {"date": "day"}.get(dimension, dimension)))


def rolled_up(rows: Sequence[Row]) -> Row:
    sums: Row = {column: sum(row[column] for row in rows) for column in ("impressions", "clicks")}
    for column in SPLIT:
        present = [row[column] for row in rows if row[column] is not None]
        sums[column] = total(present) if present else None
        digits = 0 if column == "contracted_volume" else 2
        sums[f"displayed_{column}"] = None if not present else half_up(sums[column], digits)
    return sums


def half_up(amount: Decimal, digits: int) -> Decimal:
    """ "Rounds half values up": away from zero, as money is rounded everywhere."""
    return Decimal(units(Fraction(amount) / 10 ** (9 - digits))).scaleb(-digits)


# Trust ----------------------------------------------------------------------------------------------------------------


def invoice_reconciliation(imported: Iterable[Row], invoices: Iterable[Row]) -> list[Row]:
    """
    "(partner, period_start, period_end): `reported_revenue` (imported), `invoiced_revenue, difference = invoiced -
    reported, difference_ratio` (over reported), `status` `final` with an invoice (several of one period are added),
    else `indicative` for each calendar month that no invoice overlaps."
    """
    reported: dict[str, list[tuple[date, Decimal]]] = defaultdict(list)
    for row in imported:
        reported[row["partner"]].append((row["report_date"], row["revenue"]))
    invoiced: dict[tuple[str, date, date], list[Decimal]] = defaultdict(list)
    for invoice in newest("invoices", invoices).values():
        period = invoice["partner"], invoice["period_start"], invoice["period_end"]
        invoiced[period].append(invoice["reporting_amount"])
    rows = [_reconciled(*period, reported, total(amounts)) for period, amounts in invoiced.items()]
    for partner, days in reported.items():
        for start in sorted({first_day_of(day, "month") for day, _ in days}):
            end = last_day_of_period(0, start, "month")
            if not any(name == partner and first <= end and last >= start for name, first, last in invoiced):
                rows.append(_reconciled(partner, start, end, reported, None))
    return rows


def _reconciled(
    partner: str,
    start: date,
    end: date,
    reported: Mapping[str, Sequence[tuple[date, Decimal]]],
    invoiced: Decimal | None,
) -> Row:
    amounts = total(amount for day, amount in reported.get(partner, ()) if start <= day <= end)
    difference = None if invoiced is None else invoiced - amounts
    return {
        "partner": partner,
        "period_start": start,
        "period_end": end,
        "reported_revenue": amounts,
        "invoiced_revenue": invoiced,
        "difference": difference,
        "difference_ratio": ratio(difference, amounts),
        "status": "indicative" if invoiced is None else "final",
    }


def estimate_discrepancy(ledger: Iterable[Row]) -> list[Row]:
    """
    "(report_date, partner, app_id): over verified keys `estimated_revenue, imported_revenue, gap = imported -
    estimated, gap_ratio` (over estimated), `coverage` (share of impressions with an estimate)."
    """
    groups: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in ledger:
        if row["status"] == "verified":
            groups[row["report_date"], row["partner"], row["app_id"]].append(row)
    rows = []
    for key, those in groups.items():
        estimated, imported = (total(row[f"{which}_revenue"] for row in those) for which in ("estimated", "imported"))
        seen = sum(row["sdk_impressions"] for row in those)
        rows.append(
            {
                **dict(zip(("report_date", "partner", "app_id"), key, strict=True)),
                "estimated_revenue": estimated,
                "imported_revenue": imported,
                "gap": imported - estimated,
                "gap_ratio": ratio(imported - estimated, estimated),
                "coverage": ratio(sum(row["estimated_impressions"] for row in those), seen),
            }
        )
    return rows


def batches(landing: Sequence[LandedFile], rules: Rules, days: Iterable[date]) -> list[tuple[str, date, list[Row]]]:
    """
    "Each import of (partner, report_date) is one batch": of every partner, for every day whose folder is there, those
    without rows included.
    """
    rows = partner_revenue(landing, rules, days)
    folders = {file.folder for file in landing if file.dataset == "partner_revenue"}
    return [
        (partner, day, [row for row in rows if (row["partner"], row["report_date"]) == (partner, day)])
        for partner in rules.partners
        for day in days
        if day in folders
    ]


def restatements(batches: Sequence[tuple[str, date, Sequence[Row]]]) -> list[Row]:
    """
    "(partner, report_date, imported_at): `revenue` as known after each differing batch, `change` from the previous
    (NULL first)." `batches` are (partner, report_date, rows) in the order of their import; `number` stands for
    `imported_at`.
    """
    known: dict[tuple[str, date], list[Row]] = defaultdict(list)
    contents: dict[tuple[str, date], list[str]] = {}
    for partner, day, rows in batches:
        found = sorted(repr(sorted(row.items())) for row in rows)
        if contents.get((partner, day)) == found:
            continue
        contents[partner, day] = found
        before, revenue = known[partner, day], total(row["revenue"] for row in rows)
        change = revenue - before[-1]["revenue"] if before else None
        before.append(
            {"partner": partner, "report_date": day, "number": len(before), "revenue": revenue, "change": change}
        )
    return [row for rows in known.values() for row in rows]
