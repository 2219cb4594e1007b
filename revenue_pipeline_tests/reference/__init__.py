"""The data contract once more, in plain Python: slow, exact, and sharing nothing with the product.

What belongs here: one function per table, each following the contract's sentences, over rows as they landed.
What does not: anything of `revenue_pipeline`. The two ways of computing a number must not know each other.

Rows are dicts. Landed values are text or None, whatever the format of their file was; amounts of money are `Decimal`
with 9 digits after the point, and every sum, product and split is done in integers or fractions of such units.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from revenue_pipeline_tests.reference import ad_revenue, cohorts, contracts, engagement, landing, messages
from revenue_pipeline_tests.reference.landing import LandedFile
from revenue_pipeline_tests.reference.rules import Rules
from revenue_pipeline_tests.reference.values import Row

MESSAGES = ("conversions", "manual_revenue", "link_clicks", "message_sends")
LANDED = (*MESSAGES, "line_items", "line_item_delivery", "invoices")


def rules_of(files: Sequence[LandedFile], settings: Mapping[str, Any], as_of: date) -> Rules:
    """The settings, with the rates that landed."""
    rules = Rules(settings, {}, as_of)
    return Rules(settings, landing.fx_rates(files, rules), as_of)


def tables(
    files: Sequence[LandedFile], settings: Mapping[str, Any], days: Iterable[date], as_of: date
) -> dict[str, list[Row]]:
    """Give every table as it is once each of `days` has been run again after everything it reads."""
    rules, days = rules_of(files, settings, as_of), sorted(set(days))
    events = landing.events(files, rules, days)
    imported = landing.partner_revenue(files, rules, days)
    impressions = ad_revenue.impressions_by_key(events, rules)
    ledger = ad_revenue.reconciled_estimates(impressions, imported, rules, days)
    allocated = ad_revenue.allocated_revenue(ledger, impressions, rules)
    engaged = engagement.engagement(events, allocated, rules)
    costs = landing.landed_rows(files, "costs", rules, days)
    user_revenue = cohorts.user_revenue_daily(events, allocated)
    members = cohorts.cohort_members(events, rules)
    daily = cohorts.cohort_daily(members, user_revenue, costs, rules, days)
    cells = cohorts.cells(daily, rules)
    landed = {name: landing.landed_rows(files, name, rules, days) for name in LANDED}
    conversions, manual, clicks, sends = (landed[name] for name in MESSAGES)
    attributed = messages.attributed_conversions(conversions, manual, clicks, sends, rules)
    active = messages.activity(sends, clicks, attributed)
    contracted = contracts.contracted_revenue(landed["line_items"], landed["line_item_delivery"], rules)
    return {
        "raw.events": events,
        "raw.rejected_rows": landing.rejected_rows(files, rules, days),
        "raw.partner_revenue": imported,
        "raw.costs": costs,
        **{f"raw.{name}": rows for name, rows in landed.items()},
        "core.reconciled_estimates": ledger,
        "core.allocated_revenue": allocated,
        "core.revenue_conservation": ad_revenue.revenue_conservation(ledger, imported, allocated),
        "reports.rpm": engagement.rpm(engaged),
        "reports.ctr": engagement.ctr(engaged),
        "core.user_revenue_daily": user_revenue,
        "core.cohort_members": members,
        "core.cohort_daily": daily,
        "reports.revenue": cohorts.revenue(cells),
        "reports.roas": cohorts.roas(cells),
        "reports.arpu": cohorts.arpu(cells),
        "reports.arppu": cohorts.arppu(cells),
        "reports.ltv": cohorts.ltv(cells),
        "core.attributed_conversions": attributed,
        **{name: messages.performance(active, ids, rules) for name, ids in messages.REPORTS.items()},
        "reports.contracted_revenue": contracted,
        "reports.invoice_reconciliation": contracts.invoice_reconciliation(imported, landed["invoices"]),
        "reports.estimate_discrepancy": contracts.estimate_discrepancy(ledger),
    }
