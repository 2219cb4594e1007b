"""What a set of worlds has to hold between them, so that agreeing on them says something."""

from collections.abc import Iterator

from revenue_pipeline_tests import reference
from revenue_pipeline_tests.reference import landing
from revenue_pipeline_tests.reference.landing import DATASETS
from revenue_pipeline_tests.reference.messages import MANUAL
from revenue_pipeline_tests.reference.values import Row
from revenue_pipeline_tests.worlds import World
from revenue_pipeline_tests.worlds.landing_files import FORMATS

DAILY = tuple(name for name, dataset in DATASETS.items() if dataset.day)
WITH_CURRENCY = tuple(name for name, dataset in DATASETS.items() if "currency" in dataset.columns)
LANDING: frozenset[object] = frozenset(
    {
        *((dataset, reason) for dataset in DATASETS for reason in ("missing_column", "unreadable")),
        *((dataset, reason) for dataset in WITH_CURRENCY for reason in ("unknown_currency", "out_of_range")),
        *((dataset, "out_of_range") for dataset in ("message_sends", "line_item_delivery")),
        *((dataset, "wrong_day") for dataset in DAILY),
        *(("events", reason) for reason in ("bad_estimate", "outside_arrival_window")),
        ("partner_revenue", "unknown_partner"),
        *FORMATS,
    }
)
"""Each reason that can reject a row of each dataset, and every format."""

STATUSES = ("unknown_click", "unknown_message", "before_click", "outside_window", "attributed")
TABLES: frozenset[object] = frozenset(
    {
        *(("aggregated", status) for status in ("verified", "unallocated", "estimated", "expired")),
        *(("user_level", status) for status in ("verified", "dropped", "estimated", "expired")),
        *((how, less) for how in ("estimate_weighted", "impression_weighted", "unallocated") for less in (False, True)),
        ("sdk_estimate", False),
        *(("container", level, final) for level in ("container", "placement") for final in (False, True)),
        *(("placement", level, final) for level in ("container", "placement") for final in (False, True)),
        *((f"{ratio} of cohorts", is_there) for ratio in ("roas", "arpu", "arppu") for is_there in (False, True)),
        *(f"a cohort of {users}" for users in ("nobody", "one", "many")),
        *(f"cost: {cost}" for cost in ("none", "zero", "some", "less than zero")),
        *("a cell of today or later", "a cell of the past", "earned by several events", "a second payment"),
        *("a complete horizon", "an incomplete horizon", "revenue without a user", "a user in several cohorts"),
        *((is_manual, status) for is_manual in (False, True) for status in STATUSES),
        *(
            (False, "rejected"),
            (True, "duplicate"),
            "a pending conversion",
            "a conversion of a message without an offer",
        ),
        "a click of a message that nobody sent",
        *((column, is_there) for column in ("roas", "epc", "revenue_per_send") for is_there in (False, True)),
        *((rate_type, has_delivered) for rate_type in ("CPM", "CPC", "CPD") for has_delivered in (False, True)),
        *(("invoices", status) for status in ("final", "indicative")),
        *(("discrepancy", is_there) for is_there in (False, True)),
    }
)
"""The kinds of rows that the tables may hold."""


def of_landing(world: World) -> Iterator[object]:
    rules = reference.rules_of(world.landing, world.settings, world.as_of)
    for row in landing.rejected_rows(world.landing, rules, world.days):
        yield row["dataset"], row["reason"]
    yield from (file.name.partition(".")[2] for file in world.landing if file.rows)


def of_tables(world: World) -> Iterator[object]:
    tables = reference.tables(world.landing, world.settings, world.days, world.as_of)
    yield from ((row["granularity"], row["status"]) for row in tables["core.reconciled_estimates"])
    yield from ((row["allocation"], row["revenue"] < 0) for row in tables["core.allocated_revenue"])
    yield from ((row["level"], row["opens_level"], row["is_final"]) for row in tables["reports.rpm"])
    yield from _of_cohorts(tables)
    yield from _of_messages(tables)
    yield from _of_contracts(tables)


def _of_cohorts(tables: dict[str, list[Row]]) -> Iterator[object]:
    for name in ("roas", "arpu", "arppu"):
        yield from ((f"{name} of cohorts", row[name] is not None) for row in tables[f"reports.{name}"])
    for row in tables["core.cohort_daily"]:
        yield f"a cohort of {('nobody', 'one', 'many')[min(row['users'], 2)]}"
        cost = row["cost"]
        if row["users"]:
            yield f"cost: {'none' if cost is None else 'some' if cost > 0 else 'less than zero' if cost else 'zero'}"
        if row["active_users"] > row["new_payers"]:
            yield "a second payment"
    for row in tables["reports.ltv"]:
        yield "a complete horizon" if row["is_complete"] else "an incomplete horizon"
        yield "a cell of today or later" if row["is_partial"] else "a cell of the past"
    if any(row["user_id"] is None for row in tables["core.user_revenue_daily"]):
        yield "revenue without a user"
    users = [row["user_id"] for row in tables["core.cohort_members"]]
    if len(set(users)) < len(users):
        yield "a user in several cohorts"
    if len({row["revenue_event"] for row in tables["core.cohort_daily"]}) > 2:
        yield "earned by several events"


def _of_messages(tables: dict[str, list[Row]]) -> Iterator[object]:
    named_by_message = {row["message_id"]: row["offer_id"] for row in tables["raw.message_sends"]}
    for row in tables["core.attributed_conversions"]:
        yield row["partner"] == MANUAL, row["status"]
        if row["is_pending"]:
            yield "a pending conversion"
        if row["status"] == "attributed" and row["offer_id"] and named_by_message[row["message_id"]] is None:
            yield "a conversion of a message without an offer"
    for row in tables["reports.message_performance"]:
        yield from ((column, row[column] is not None) for column in ("roas", "epc", "revenue_per_send"))
        if row["message_id"] not in named_by_message:
            yield "a click of a message that nobody sent"


def _of_contracts(tables: dict[str, list[Row]]) -> Iterator[object]:
    rate_types = {row["line_item_id"]: row["rate_type"] for row in tables["raw.line_items"]}
    for row in tables["reports.contracted_revenue"]:
        yield rate_types[row["line_item_id"]], row["delivery_date"] is not None
    yield from (("invoices", row["status"]) for row in tables["reports.invoice_reconciliation"])
    yield from (("discrepancy", row["gap_ratio"] is not None) for row in tables["reports.estimate_discrepancy"])
