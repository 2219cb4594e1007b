"""RPM and CTR of placements and containers."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from revenue_pipeline_tests.reference.rules import Rules
from revenue_pipeline_tests.reference.values import Row, ratio, total


@dataclass(frozen=True)
class Opens:
    """Whose opens were used, how many there were and how many of them machines made."""

    level: str
    opens: int
    automated: int


def count(rows: Iterable[Row], name: str, is_automated: bool | None = None) -> int:
    return sum(row["event_name"] == name and is_automated in (None, bool(row["is_automated"])) for row in rows)


def opens_of(rows: Iterable[Row], level: str) -> Opens:
    rows = list(rows)
    return Opens(level, count(rows, "open"), count(rows, "open", is_automated=True))


def container_opens(rows: Iterable[Row]) -> Opens:
    """
    "Its opens are the opens recorded on the container itself, or the sum over its placements where there are none."
    """
    rows = list(rows)
    own = opens_of((row for row in rows if row["ad_unit_id"] is None), "container")
    return own if own.opens else opens_of((row for row in rows if row["ad_unit_id"] is not None), "placement")


def placement_opens(rows: Iterable[Row], of_container: Iterable[Row]) -> Opens:
    """ "A placement without opens of its own uses its container's." """
    own = opens_of(rows, "placement")
    if own.opens:
        return own
    containers = container_opens(of_container)
    return Opens("container", containers.opens, containers.automated)


def engagement(events: Iterable[Row], allocated: Iterable[Row], rules: Rules) -> list[Row]:
    """
    What `reports.rpm` and `reports.ctr` share: "(event_date, level, container_id, ad_unit_id), `level` = `placement` |
    `container` (`ad_unit_id` NULL)". "A container's ads, clicks and revenue are the sums over its placements. Rows
    without a container are kept under NULL; ads, clicks and money without an ad unit belong to the container row only."
    """
    names = ("ad_served", "ad_impression", "open", "ad_click")
    of_container: dict[tuple[date, str | None], tuple[list[Row], list[Row]]] = defaultdict(lambda: ([], []))
    of_placement: dict[tuple[date, str | None, str], tuple[list[Row], list[Row]]] = defaultdict(lambda: ([], []))
    told = [(0, row) for row in events if row["event_name"] in names]
    for kind, row in [*told, *((1, row) for row in allocated)]:
        of_container[row["event_date"], row["container_id"]][kind].append(row)
        if row["ad_unit_id"] is not None:
            of_placement[row["event_date"], row["container_id"], row["ad_unit_id"]][kind].append(row)
    rows = []
    for (day, container), (seen, paid) in of_container.items():
        key = {"event_date": day, "level": "container", "container_id": container, "ad_unit_id": None}
        rows.append(key | _metrics(container, container_opens(seen), seen, paid, rules))
    for (day, container, unit), (seen, paid) in of_placement.items():
        key = {"event_date": day, "level": "placement", "container_id": container, "ad_unit_id": unit}
        opens = placement_opens(seen, of_container[day, container][0])
        rows.append(key | _metrics(container, opens, seen, paid, rules))
    return rows


def _metrics(container: str | None, opens: Opens, seen: list[Row], paid: list[Row], rules: Rules) -> Row:
    """
    "`adjusted_opens = opens - automated_opens * mpp_discount`; `clicks` leaves automated ones out." "`is_final` is true
    when every (partner, report_date) of the row's money is closed, and when it has none."
    """
    return {
        "served_ads": count(seen, "ad_served"),
        "impressions": count(seen, "ad_impression"),
        "opens": opens.opens,
        "automated_opens": opens.automated,
        "adjusted_opens": opens.opens - opens.automated * rules.discount(container),
        "clicks": count(seen, "ad_click", is_automated=False),
        "automated_clicks": count(seen, "ad_click", is_automated=True),
        "revenue": total(row["revenue"] for row in paid),
        "estimated_revenue": total(row["revenue"] for row in paid if row["status"] == "estimated"),
        "is_final": all(rules.is_closed(row["partner"], row["report_date"]) for row in paid),
        "opens_level": opens.level,
    }


def rpm(cells: Iterable[Row]) -> list[Row]:
    """ "`rpm = revenue / adjusted_opens * 1000`", "`ecpm = revenue / impressions * 1000`." """
    return [
        {
            **cell,
            "rpm": ratio(cell["revenue"], cell["adjusted_opens"], 1000),
            "ecpm": ratio(cell["revenue"], cell["impressions"], 1000),
        }
        for cell in cells
    ]


def ctr(cells: Iterable[Row]) -> list[Row]:
    """ "`ctr = clicks / adjusted_opens`." """
    return [{**cell, "ctr": ratio(cell["clicks"], cell["adjusted_opens"])} for cell in cells]
