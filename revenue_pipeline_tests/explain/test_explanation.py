from __future__ import annotations

import logging
import shutil
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from revenue_pipeline.definitions import open_warehouse
from revenue_pipeline.explain import explain_cell, explain_user_day
from revenue_pipeline.explain.explanation import ExplanationError, find_cell
from revenue_pipeline.settings import Settings
from revenue_pipeline_tests.explain.conftest import DAY, Explain, sums

LOG = logging.getLogger(__name__)
PLACEMENT = ("event_date", "level", "container_id", "ad_unit_id")
NEWS = {"event_date": DAY.isoformat(), "container_id": "news"}


def test_rpm_is_explained_from_the_cell_to_the_impressions_and_the_partner_rows(explain: Explain) -> None:
    found = explain("rpm", NEWS)

    source = "acme 2026-11-05"
    assert sums(found["revenue"].total) == {
        "2026-11-05 ad_impression": {
            f"{source}, verified": {"game": {"seen-2": Decimal("0.3"), "seen-1": Decimal("0.1")}}
        }
    }
    assert sums(found["settled revenue of its ledger keys"].total) == {
        source: {"game": {"in this number": Decimal("0.4"), "elsewhere": Decimal("0.4")}}
    }
    assert sums(found["what partners reported for those keys"].total) == {
        source: {"game": {"row 1": Decimal("0.5"), "row 2": Decimal("0.3")}}
    }
    assert sums(found["adjusted opens"].total) == {
        "opens": {"open-1": Decimal(1)},
        "automated opens, each counts 1 - 0.500000000": {"open-2": Decimal("0.5")},
    }
    assert all(each.is_exact for each in found.values())
    (impression,) = [part for part in _leaves(found["revenue"].total) if part.label == "seen-2"]
    assert impression.facts["landed_revenue"] == Decimal("0.03")


def test_ctr_is_explained_by_its_clicks(explain: Explain) -> None:
    assert sums(explain("ctr", NEWS)["clicks"].total) == {"top": {"click-1": Decimal(1)}}


def test_a_placement_uses_the_opens_of_its_container_where_it_has_none(explain: Explain) -> None:
    found = explain("rpm", {**NEWS, "ad_unit_id": "top"})

    assert found["adjusted opens"].total.value == Decimal("1.5")
    assert found["revenue"].total.value == Decimal("0.4")


def test_what_has_no_room_is_summed_up(explain: Explain) -> None:
    total = explain("rpm", NEWS, most=1)["revenue"].total

    (impression, rest) = total.parts[0].parts[0].parts[0].parts
    assert (impression.label, impression.value) == ("seen-2", Decimal("0.3"))
    assert (rest.label, rest.value, rest.rows) == ("1 more", Decimal("0.1"), 1)


def test_a_users_day_is_ad_money_and_what_the_app_booked(settings: Settings) -> None:
    revenue, settled, _ = explain_user_day(settings, "ann", DAY).components

    assert sums(revenue.total) == {
        "2026-11-05 purchase": {"booked by the app": {"no partner": {"buy-1": Decimal("4.99")}}},
        "2026-11-05 ad_impression": {
            "acme 2026-11-05, verified": {"game": {"seen-3": Decimal("0.4"), "seen-1": Decimal("0.1")}}
        },
    }
    assert settled.total.value == Decimal("0.8")


def test_a_cohorts_cells_are_explained_by_its_members_money_and_cost(explain: Explain) -> None:
    key = {"event_date": DAY.isoformat(), "start_event": "install", "revenue_event": "all"}
    roas, arppu = explain("roas", key), explain("arppu", key)

    assert sums(roas["cost"].total) == {"row 1": Decimal(2), "row 2": Decimal("1.5")}
    assert roas["cumulative revenue"].total.value == Decimal("5.79")  # 0.1 + 0.3 + 0.4 of ads and 4.99
    assert sums(explain("arpu", key)["members"].total) == dict.fromkeys(("ann", "bob", "cleo"), Decimal(1))
    assert sums(arppu["paying members"].total) == {DAY.isoformat(): {"ann": Decimal(1), "bob": Decimal(1)}}
    ltv = explain("ltv", {**key, "horizon": "7"})
    assert (
        sums(ltv["revenue"].total)
        == sums(roas["cumulative revenue"].total)
        == sums(explain("revenue", key)["cumulative revenue"].total)
    )
    assert all(each.is_exact for each in (*roas.values(), *arppu.values(), *ltv.values()))


def test_a_cell_that_is_older_than_its_parts_is_told(settings: Settings, tmp_path: Path) -> None:
    warehouse = shutil.copy(settings.storage.warehouse, tmp_path)
    settings = settings.model_copy(
        update={"storage": settings.storage.model_copy(update={"warehouse": Path(warehouse)})}
    )
    with open_warehouse(settings).writing(LOG, "a test") as connection:
        connection.execute("DELETE FROM core.allocated_revenue WHERE event_id = 'seen-1'")

    revenue = explain_cell(settings, "rpm", NEWS).components[0]

    assert not revenue.is_exact
    assert (revenue.reported, revenue.total.value) == (Decimal("0.4"), Decimal("0.3"))


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ({"event_date": "2026-11-06"}, "no row with event_date=2026-11-06"),
        ({"container": "news"}, "no key column container"),
        ({"event_date": "2026-11-05", "level": "placement"}, "several rows"),
    ],
)
def test_what_names_no_cell_is_said(settings: Settings, key: dict[str, Any], told: str) -> None:
    with (
        open_warehouse(settings).reading(LOG, "a test") as connection,
        pytest.raises(ExplanationError, match=told),
    ):
        find_cell(connection, "reports.rpm", PLACEMENT, key)


def _leaves(part: Any) -> list[Any]:
    return [leaf for each in part.parts for leaf in _leaves(each)] if part.parts else [part]
