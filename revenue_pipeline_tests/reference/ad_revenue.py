"""The ledger, the allocation and the certificate: what partners' money and the SDK's estimates come to."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from fractions import Fraction

from revenue_pipeline_tests.reference.landing import GRAIN
from revenue_pipeline_tests.reference.rules import PartnerRules, Rules
from revenue_pipeline_tests.reference.values import ONE_DAY, Row, money, proportional, total, units

Key = tuple[str | None, ...]


def key_of(row: Row, partner: PartnerRules) -> Key:
    """ "`key` = the partner's grain columns, plus `user_id` for user-level partners; columns outside it are NULL." """
    grain = [row[column] if column in partner.grain else None for column in GRAIN]
    return *grain, row["user_id"] if partner.is_user_level else None


def impressions_by_key(events: Iterable[Row], rules: Rules) -> dict[tuple[date, str, Key], list[Row]]:
    """
    "A partner's impressions are matched on the partner's day, whatever the reporting zone is." "Where none is named,
    the partner is the text `unknown`." "The ledger of day `d` reads the `raw.events` days `d-1 … d+1` that are loaded."
    """
    found: dict[tuple[date, str, Key], list[Row]] = defaultdict(list)
    for event in (event for event in events if event["event_name"] == "ad_impression"):
        name, day = event["partner"] or "unknown", event["report_date"]
        if abs(event["event_date"] - day) <= ONE_DAY:
            estimate = event["reporting_revenue"]
            found[day, name, key_of(event, rules.partner(name))].append(
                {**event, "partner": name, "estimate": estimate}
            )
    return found


def reconciled_estimates(
    impressions: Mapping[tuple[date, str, Key], list[Row]],
    imported: Iterable[Row],
    rules: Rules,
    days: Iterable[date],
) -> list[Row]:
    """
    "The verification ledger, one row per (report_date, partner, key)." "NULL matches NULL in grain columns; a NULL
    `user_id` matches nothing (impressions and partner rows without one stay two rows)." "Several partner rows with one
    key are added up first."
    """
    partner_rows: dict[tuple[date, str, Key], list[Row]] = defaultdict(list)
    for row in imported:
        partner_rows[row["report_date"], row["partner"], key_of(row, rules.partner(row["partner"]))].append(row)
    ledger, days = [], set(days)
    for day, name, key in [*impressions, *(key for key in partner_rows if key not in impressions)]:
        sides = [(impressions.get((day, name, key), []), partner_rows.get((day, name, key), []))]
        if rules.partner(name).is_user_level and key[-1] is None:
            sides = [(sides[0][0], []), ([], sides[0][1])]
        for seen, reported in sides:
            if day in days and (seen or reported):
                ledger.append(_ledger_row((day, name, key), seen, reported, rules))
    return ledger


def _ledger_row(where: tuple[date, str, Key], seen: list[Row], reported: list[Row], rules: Rules) -> Row:
    """The five situations of the contract's table, in its order."""
    day, name, key = where
    partner = rules.partner(name)
    estimates = [row["estimate"] for row in seen if row["estimate"] is not None]
    imported = total(row["revenue"] for row in reported) if reported else None
    counted = [row["impressions"] for row in reported if row["impressions"] is not None]
    if reported and seen:
        status, settled = "verified", imported
    elif reported and not partner.is_user_level:
        status, settled = "unallocated", imported
    elif reported:
        status, settled = "dropped", money(0)
    elif not rules.is_closed(name, day):
        status, settled = "estimated", total(estimates)
    else:
        status, settled = "expired", money(0)
    return {
        "report_date": day,
        "partner": name,
        "granularity": partner.granularity,
        **dict(zip((*GRAIN, "user_id"), key, strict=True)),
        "sdk_impressions": len(seen),
        "estimated_impressions": len(estimates),
        "estimated_revenue": total(estimates),
        "largest_estimate": max(estimates, default=None),
        "partner_impressions": sum(counted) if counted else None,
        "imported_revenue": imported,
        "status": status,
        "settled_revenue": settled,
    }


def exact_shares(whole: Decimal, estimates: Sequence[Decimal | None]) -> list[Fraction]:
    """
    "The weight is the estimate, and an impression without one weighs the exact mean of those that have one. Otherwise
    equal weights." "With n impressions, k of them estimated, summing to E: one without an estimate gets T/n, the
    others T*k*e/(n*E)." In units of the ninth digit.
    """
    given = [Fraction(estimate) for estimate in estimates if estimate is not None]
    if not any(given):
        return [Fraction(units(whole), len(estimates)) for _ in estimates]
    mean = sum(given, Fraction(0)) / len(given)
    weights = [mean if estimate is None else Fraction(estimate) for estimate in estimates]
    return proportional(units(whole), weights)


def split(whole: Decimal, estimates: Sequence[Decimal | None]) -> list[Decimal]:
    """
    "The parts sum to the whole to the last of the 9 digits; each part is within one unit of the last digit of its exact
    share; which rows carry the leftover units depends on `(event_date, event_id)` alone. Negative totals split the same
    way." Here the first rows in that order carry one unit each; the caller gives the rows in that order.
    """
    shares = exact_shares(whole, estimates)
    parts = [int(share) for share in shares]  # int() goes towards zero, for negative shares too
    left = units(whole) - sum(parts)
    unit = 1 if left > 0 else -1
    return [money(part + (unit if n < abs(left) else 0)) for n, part in enumerate(parts)]


def allocated_revenue(
    ledger: Iterable[Row], impressions: Mapping[tuple[date, str, Key], list[Row]], rules: Rules
) -> list[Row]:
    """
    "`verified` keys: one row per matching impression, zero shares included. `estimated` keys: one row per impression
    that has an estimate, with it. `unallocated` keys: one row with `event_id`, `user_id`, `event_time` NULL and
    `event_date = report_date`. `expired` and `dropped` keys: no rows."
    """
    rows = []
    for entry in ledger:
        day, name, status = entry["report_date"], entry["partner"], entry["status"]
        if status == "unallocated":
            rows.append({**_allocated(entry, entry), "event_date": day, "allocation": status, "user_id": None})
        if status not in ("verified", "estimated"):
            continue
        seen = impressions[day, name, key_of(entry, rules.partner(name))]
        seen = sorted(seen, key=lambda event: (event["event_date"], event["event_id"]))
        estimates = [event["estimate"] for event in seen]
        if status == "estimated":
            how, amounts = "sdk_estimate", estimates
        else:
            how = "estimate_weighted" if entry["estimated_revenue"] > 0 else "impression_weighted"
            amounts = split(entry["settled_revenue"], estimates)
        rows += [
            {**_allocated(entry, event), "revenue": amount, "allocation": how}
            for event, amount in zip(seen, amounts, strict=True)
            if amount is not None
        ]
    return rows


def _allocated(entry: Row, source: Row) -> Row:
    of_the_row = ("event_date", "event_id", "event_time", "user_id", *GRAIN, "container_id", "creative_id")
    return {
        "report_date": entry["report_date"],
        "partner": entry["partner"],
        **{column: source.get(column) for column in of_the_row},
        "revenue": entry["settled_revenue"],
        "status": entry["status"],
    }


def revenue_conservation(ledger: Iterable[Row], imported: Iterable[Row], allocated: Iterable[Row]) -> list[Row]:
    """
    "The certificate, one row per (report_date, partner) with anything on it": `difference = imported - verified -
    unallocated - dropped`, `allocation_difference = allocated - verified - unallocated - estimated`.
    """
    sums: dict[tuple[date, str], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for row in imported:
        sums[row["report_date"], row["partner"]]["imported"] += units(row["revenue"])
    for row in allocated:
        sums[row["report_date"], row["partner"]]["allocated"] += units(row["revenue"])
    for row in ledger:
        column = {"dropped": "imported_revenue", "expired": "estimated_revenue"}.get(row["status"], "settled_revenue")
        sums[row["report_date"], row["partner"]][row["status"]] += units(row[column])
    names = ("imported", "verified", "unallocated", "dropped", "estimated", "expired", "allocated")
    return [
        {
            "report_date": day,
            "partner": name,
            **{f"{column}_revenue": money(of[column]) for column in names},
            "difference": money(of["imported"] - of["verified"] - of["unallocated"] - of["dropped"]),
            "allocation_difference": money(of["allocated"] - of["verified"] - of["unallocated"] - of["estimated"]),
        }
        for (day, name), of in sums.items()
    ]
