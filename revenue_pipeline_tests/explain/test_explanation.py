from __future__ import annotations

import logging
import shlex
import shutil
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from revenue_pipeline import reports
from revenue_pipeline.definitions import open_warehouse
from revenue_pipeline.explain import explain_cell, explain_user_day, read_key
from revenue_pipeline.explain.explanation import ExplanationError, find_cell
from revenue_pipeline.settings import Settings
from revenue_pipeline.sql_asset import SqlTable
from revenue_pipeline_tests.conftest import rows_of
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


def test_contracted_revenue_is_explained_by_its_contract_and_the_delivery_of_its_whole_life(explain: Explain) -> None:
    found = explain("contracted_revenue", {"line_item_id": "L", "ad_unit_id": "A"})  # what belongs to no key-value

    share = "600 of 1000 impressions"  # 8 EUR for a thousand, at 1.25: 10 USD in all
    assert sums(found["contracted net revenue"].total) == {"8.000000000 EUR CPM x 1000": {share: Decimal(6)}}
    assert sums(found["contracted gross revenue"].total) == {"9.600000000 EUR CPM x 1000": {share: Decimal("7.2")}}
    assert sums(found["contracted volume"].total) == {"a volume x 1000": {share: Decimal(600)}}
    assert sums(found["impressions"].total) == {"files": {"row 1": Decimal(500), "row 2": Decimal(100)}}
    assert sums(found["clicks"].total) == {"files": {"row 1": Decimal(5), "row 2": Decimal(0)}}
    assert sums(found["net revenue of the line item's whole life"].total) == {
        "in this number": {"2026-11-05, A, no key-value": Decimal(6)},
        "elsewhere": {"2026-11-05, A, section=sport,level=2": Decimal(4)},
    }


def test_a_contract_that_delivered_nothing_is_explained_by_its_rate_alone(explain: Explain) -> None:
    found = explain("contracted_revenue", {"line_item_id": "M"})

    whole = "the whole: nothing that counts was delivered"
    assert sums(found["contracted net revenue"].total) == {"0.500000000 EUR CPC x 100": {whole: Decimal("62.5")}}
    assert "contracted gross revenue" not in found  # the cell has none
    assert found["impressions"].total.value == 0


def test_an_invoiced_period_is_explained_by_what_was_reported_each_day_and_by_its_invoices(explain: Explain) -> None:
    found = explain("invoice_reconciliation", {"partner": "acme"})

    assert sums(found["reported revenue"].total) == {
        "2026-11-05": {
            "another game": {"row 1": Decimal(7)},
            "game": {"row 1": Decimal("0.5"), "row 2": Decimal("0.3")},
        }
    }
    assert sums(found["invoiced revenue"].total) == {"i-1": Decimal(5), "i-2": Decimal(3)}
    (in_euros, _) = _leaves(found["invoiced revenue"].total)
    assert (in_euros.facts["amount"], in_euros.facts["currency"]) == (Decimal(4), "EUR")


def test_a_period_without_an_invoice_has_no_invoiced_revenue_to_explain(explain: Explain) -> None:
    assert list(explain("invoice_reconciliation", {"partner": "other"})) == ["reported revenue"]


def test_a_discrepancy_is_explained_by_impressions_and_partner_rows_of_verified_keys_alone(explain: Explain) -> None:
    found = explain("estimate_discrepancy", {"partner": "other"})

    assert sums(found["estimated revenue"].total) == {"dan": {"sold-1": Decimal("0.2")}}
    assert sums(found["imported revenue"].total) == {"other 2026-11-05": {"dan": {"row 1": Decimal("0.6")}}}
    assert sums(found["impressions"].total) == {
        "with an estimate": {"dan": {"sold-1": Decimal(1)}},
        "without an estimate": {"dan": {"sold-2": Decimal(1)}},
    }


def test_a_restatement_is_explained_by_the_rows_that_moved(settings: Settings, explain: Explain) -> None:
    batches = rows_of(settings, "SELECT CAST(imported_at AS VARCHAR) FROM reports.restatements WHERE partner = 'other'")
    first, second = (explain("restatements", {"partner": "other", "imported_at": at}) for (at,) in sorted(batches))

    assert {each.label: each.value for each in first["revenue"].total.parts} == {
        "gil": Decimal("2.5"),
        "fay": Decimal("1.25"),
        "dan": Decimal("0.5"),
    }
    assert "change" not in first
    assert second["revenue"].total.value == Decimal("3.15")
    assert sums(second["change"].total) == {
        "fay": {"before, row 1": Decimal("-1.25")},
        "dan": {"now, row 1": Decimal("0.6"), "before, row 1": Decimal("-0.5")},
        "hal": {"now, row 1": Decimal("0.05")},
    }


@pytest.mark.parametrize("table", reports.TABLES, ids=lambda table: table.name)
def test_every_cell_of_every_report_is_explained_to_the_last_digit(settings: Settings, table: SqlTable) -> None:
    key = ", ".join(f"CAST({column} AS VARCHAR)" for column in table.unique_by)
    cells = rows_of(settings, f"SELECT {key} FROM {table.name}")

    assert cells
    for values in cells:
        named = zip(table.unique_by, values, strict=True)
        cell = explain_cell(
            settings, table.name.removeprefix("reports."), {column: value for column, value in named if value}
        )
        assert cell.components
        assert cell.is_exact, cell.title
        for component in cell.components:
            sums(component.total)


@pytest.mark.parametrize("table", reports.TABLES, ids=lambda table: table.name)
def test_a_run_shows_how_to_explain_the_largest_row_of_a_report(
    settings: Settings, commands: dict[str, str], table: SqlTable
) -> None:
    program, verb, _, report, _, key = shlex.split(commands[table.name.replace(".", "/")])
    cell = explain_cell(settings, report, read_key(report, key))

    assert (program, verb, f"reports.{report}") == ("revenue-pipeline", "explain", table.name)
    reported = {component.component.column: component.reported for component in cell.components}
    assert rows_of(settings, f"SELECT max(abs({table.explained_by})) FROM {table.name}") == [
        (abs(reported[table.explained_by] or Decimal(0)),)
    ]


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("", {}),
        ('custom={"a":"1, 2","b":3} , sending_list = x', {"custom": '{"a":"1, 2","b":3}', "sending_list": "x"}),
        ("event_date=2026-11-05,container=news", {"event_date": "2026-11-05,container=news"}),
    ],
)
def test_a_comma_parts_a_key_where_a_column_follows(text: str, key: dict[str, str]) -> None:
    assert read_key("performance", text) == key


@pytest.mark.parametrize(
    ("report", "text", "told"), [("rpm", "news", "'news' is not column=value"), ("rmp", "", "cannot be explained")]
)
def test_a_key_that_cannot_be_read_is_said(report: str, text: str, told: str) -> None:
    with pytest.raises(ExplanationError, match=told):
        read_key(report, text)


@pytest.mark.parametrize(
    ("report", "key", "later", "reported", "now"),
    [
        ("rpm", NEWS, "DELETE FROM core.allocated_revenue WHERE event_id = 'seen-1'", "0.4", "0.3"),
        ("contracted_revenue", {"line_item_id": "M"}, "UPDATE raw.line_items SET net_rate = 2", "62.5", "250"),
    ],
)
def test_a_cell_that_is_older_than_its_parts_is_told(
    settings: Settings, tmp_path: Path, report: str, key: dict[str, str], later: str, reported: str, now: str
) -> None:
    warehouse = shutil.copy(settings.storage.warehouse, tmp_path)
    settings = settings.model_copy(
        update={"storage": settings.storage.model_copy(update={"warehouse": Path(warehouse)})}
    )
    with open_warehouse(settings).writing(LOG, "a test") as connection:
        connection.execute(later)

    revenue = explain_cell(settings, report, key).components[0]

    assert not revenue.is_exact
    assert (revenue.reported, revenue.total.value) == (Decimal(reported), Decimal(now))


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
