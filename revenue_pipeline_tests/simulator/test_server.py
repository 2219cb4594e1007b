"""The simulator over real HTTP: it answers as AppLovin MAX does, and fails in every way it was told to."""

import csv
import io
import time
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

import revenue_pipeline.simulator
from revenue_pipeline.simulator import Simulator, World
from revenue_pipeline.simulator.applovin_max import PACKAGES
from revenue_pipeline.simulator.faults import FAULTS

FIRST, LAST = date(2026, 10, 1), date(2026, 10, 6)
DAY = date(2026, 10, 3)
GRAIN = "day,package_name,platform,country,ad_format,max_ad_unit_id,impressions,estimated_revenue"
KEY = "secret-report-key"


@pytest.fixture(scope="module")
def world() -> World:
    return World(first_day=FIRST, last_day=LAST, scale=0.05)


@pytest.fixture
def simulator(world: World) -> Iterator[Simulator]:
    with Simulator(world, today=LAST) as simulator:
        yield simulator


def get(simulator: Simulator, **parameters: Any) -> requests.Response:
    asked = {"api_key": KEY, "start": DAY, "end": DAY, "columns": GRAIN, "format": "json", **parameters}
    return requests.get(f"{simulator.url}/applovin/maxReport", params=asked, timeout=5)


def rows(simulator: Simulator, **parameters: Any) -> list[dict[str, str]]:
    report = get(simulator, **parameters).json()
    assert report["code"] == 200
    assert report["count"] == len(report["results"])
    results: list[dict[str, str]] = report["results"]
    return results


def revenue(results: list[dict[str, str]]) -> Decimal:
    return sum((Decimal(row["estimated_revenue"]) for row in results), Decimal(0))


# --- the report ------------------------------------------------------------------------------------------------------


def test_a_day_in_full_is_the_worlds_final_report(simulator: Simulator, world: World) -> None:
    results = rows(simulator)
    assert {type(value) for row in results for value in row.values()} == {str}
    ours = {package: app_id for app_id, package in PACKAGES.items()}
    assert sorted(
        (
            ours[r["package_name"]],
            r["platform"],
            r["country"].upper(),
            r["ad_format"].lower(),
            r["max_ad_unit_id"],
            r["impressions"],
            r["estimated_revenue"],
        )
        for r in results
    ) == sorted((*row[:5], str(row.impressions), f"{row.revenue:f}") for row in world.final_report("applovin_max", DAY))
    assert {row["ad_format"] for row in results} == {"BANNER", "INTER", "REWARD"}
    assert {"us", "de"} <= {row["country"] for row in results} <= {"us", "gb", "de", "fr", "jp", "br", "in", "mx"}
    assert {row["day"] for row in results} == {"2026-10-03"}


def test_rows_add_up_over_the_columns_asked_for(simulator: Simulator) -> None:
    full = rows(simulator, start=FIRST, end=DAY)
    by_format = rows(simulator, start=FIRST, end=DAY, columns="ad_format,estimated_revenue,impressions,ecpm")
    assert len(by_format) == 3
    for row in by_format:
        same = [each for each in full if each["ad_format"] == row["ad_format"]]
        assert Decimal(row["estimated_revenue"]) == revenue(same)
        assert int(row["impressions"]) == sum(int(each["impressions"]) for each in same)
        exact = Decimal(row["estimated_revenue"]) * 1000 / int(row["impressions"])
        assert abs(Decimal(row["ecpm"]) - exact) <= Decimal("0.0000005")
    assert [row["day"] for row in rows(simulator, start=FIRST, end=DAY, columns="day,impressions")] == [
        "2026-10-01",
        "2026-10-02",
        "2026-10-03",
    ]


def test_filters_sorting_and_pages(simulator: Simulator) -> None:
    everything = rows(simulator)
    assert rows(simulator, filter_country="US") == [row for row in everything if row["country"] == "us"]
    assert (
        rows(simulator, filter_application="Acme Game", columns="package_name,impressions")[0]["package_name"]
        == "com.acme.game"
    )
    dearest = rows(simulator, sort_estimated_revenue="DESC")
    assert dearest == sorted(everything, key=lambda row: -Decimal(row["estimated_revenue"]))
    by_two = rows(simulator, sort_ad_format="DESC", sort_impressions="ASC")
    assert [(row["ad_format"], int(row["impressions"])) for row in by_two] == sorted(
        ((row["ad_format"], int(row["impressions"])) for row in everything),
        key=lambda pair: (["REWARD", "INTER", "BANNER"].index(pair[0]), pair[1]),
    )
    pages = [rows(simulator, limit=10, offset=offset) for offset in range(0, len(everything) + 10, 10)]
    assert [row for page in pages for row in page] == everything
    assert rows(simulator, limit=10, offset=10_000) == []


def test_csv(simulator: Simulator) -> None:
    answer = get(simulator, format="csv")
    assert answer.headers["Content-Type"] == "text/csv"
    assert list(csv.DictReader(io.StringIO(answer.text))) == rows(simulator)


@pytest.mark.parametrize(
    ("parameters", "status", "text"),
    [
        ({"api_key": ""}, 401, "Missing api_key"),
        ({"columns": "day,colour"}, 400, "Unknown column: colour"),
        ({"columns": ""}, 400, "columns is required"),
        ({"filter_colour": "red"}, 400, "Unknown column: colour"),
        ({"start": "yesterday"}, 400, "start must be a day"),
        ({"end": date(2026, 10, 2)}, 400, "end must not be before start"),
        ({"limit": "ten"}, 400, "limit must be a whole number"),
        ({"start": LAST - timedelta(days=46)}, 400, "within the last 45 days"),
    ],
)
def test_requests_it_refuses(simulator: Simulator, parameters: dict[str, Any], status: int, text: str) -> None:
    answer = get(simulator, **parameters)
    assert answer.status_code == status
    assert text in answer.text


def test_days_without_data_are_an_empty_report(simulator: Simulator) -> None:
    oldest = LAST - timedelta(days=45)
    assert rows(simulator, start=oldest, end=oldest) == []
    assert rows(simulator, start="2026-10-07", end="9999-12-31") == []


def test_a_day_fills_up_as_today_moves_on(simulator: Simulator, world: World) -> None:
    totals = []
    for today in (DAY - timedelta(days=1), DAY, DAY + timedelta(days=1), DAY + timedelta(days=2), LAST):
        simulator.today = today
        totals.append(revenue(rows(simulator)))
    final = sum(row.revenue for row in world.final_report("applovin_max", DAY))
    assert totals[0] == 0
    assert totals[0] < totals[1] < totals[2] < totals[3] == totals[4] == final


def test_without_today_the_clock_decides(world: World) -> None:
    with Simulator(world) as simulator:
        assert get(simulator, start="2020-01-01", end="2020-01-01").status_code == 400


def test_other_addresses_say_where_the_partners_are(simulator: Simulator) -> None:
    assert f"applovin_max: {simulator.url}/applovin" in requests.get(simulator.url, timeout=5).text
    assert requests.get(f"{simulator.url}/applovin/other", timeout=5).status_code == 404


def test_the_log_holds_what_was_asked_without_the_key(simulator: Simulator) -> None:
    get(simulator, columns="day,impressions")
    assert simulator.requests == [
        "/applovin/maxReport?start=2026-10-03&end=2026-10-03&columns=day,impressions&format=json"
    ]


def test_the_demo_settings_fit_the_simulator() -> None:
    demo = yaml.safe_load((Path(revenue_pipeline.simulator.__file__).parent / "demo.yaml").read_text())
    assert "start_date" not in demo
    assert demo["partners"]["applovin_max"]["ids"]["app_id"] == {
        package: app_id for app_id, package in PACKAGES.items()
    }
    assert demo["partners"]["applovin_max"]["base_url"].endswith("/applovin")


# --- faults ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "value", "status", "text"),
    [
        ("rate_limited", None, 429, "Too many"),
        ("server_error", None, 500, "Internal"),
        ("unavailable", None, 503, "unavailable"),
        ("unauthorized", None, 401, KEY),
        ("unauthorized", 403, 403, KEY),
        ("not_json", None, 200, "<html>"),
        ("error_in_body", None, 200, '"code": 500'),
        ("error_in_body", 400, 200, '"code": 400'),
        ("window_refused", None, 400, "45 days"),
    ],
)
def test_refusals(simulator: Simulator, fault: str, value: float | None, status: int, text: str) -> None:
    simulator.faults.add(fault, times=1, value=value)
    answer = get(simulator)
    assert answer.status_code == status
    assert text in answer.text
    assert ("Retry-After" in answer.headers) == (fault == "rate_limited")
    assert rows(simulator)  # once was enough


def test_truncated(simulator: Simulator) -> None:
    simulator.faults.add("truncated", times=1)
    with pytest.raises(requests.exceptions.ChunkedEncodingError, match="IncompleteRead"):
        get(simulator)
    assert rows(simulator)


def test_slow(simulator: Simulator) -> None:
    simulator.faults.add("slow", times=1, value=0.3)
    start = time.monotonic()
    assert rows(simulator)
    assert time.monotonic() - start >= 0.3


def test_page_cap(simulator: Simulator) -> None:
    everything = rows(simulator)
    simulator.faults.add("page_cap", value=7)
    assert rows(simulator, limit=100) == rows(simulator) == everything[:7]
    assert rows(simulator, limit=3, offset=7) == everything[7:10]


def test_offset_ignored(simulator: Simulator) -> None:
    simulator.faults.add("offset_ignored")
    assert rows(simulator, limit=5, offset=5) == rows(simulator, limit=5)


def test_moving_report(simulator: Simulator) -> None:
    everything = rows(simulator)
    simulator.faults.add("moving_report")
    assert rows(simulator, limit=10) == everything[:10]
    assert rows(simulator, limit=10, offset=10) == everything[9:19]  # one row twice, and the last one is missed
    assert rows(simulator, limit=2) == everything[-2:]


def test_empty_and_vanished_and_restated(simulator: Simulator) -> None:
    everything = rows(simulator)
    simulator.faults.add("empty", times=1)
    assert rows(simulator) == []
    simulator.faults.add("vanished_rows", times=1)
    assert rows(simulator) == everything[1 + len(everything) // 4 :]
    simulator.faults.add("restated", times=1, value=50)
    assert abs(revenue(rows(simulator)) - revenue(everything) * Decimal("1.5")) < Decimal("0.0001")
    assert rows(simulator) == everything


def test_faults_of_one_partner_or_one_key(simulator: Simulator) -> None:
    simulator.faults.add("server_error", partner="another_partner")
    simulator.faults.add("unauthorized", key="revoked")
    assert get(simulator).status_code == 200
    assert get(simulator, api_key="revoked").status_code == 401


def test_refusals_take_turns_and_use_up_no_other_fault(simulator: Simulator) -> None:
    simulator.faults.add("rate_limited", times=2)
    simulator.faults.add("server_error", times=1)
    simulator.faults.add("empty", times=1)
    assert [get(simulator).status_code for _ in range(4)] == [429, 429, 500, 200]
    assert [fault["calls"] for fault in simulator.faults.listed()] == [2, 1, 1]
    assert rows(simulator)


def test_faults_from_the_start_and_over_http(world: World) -> None:
    with Simulator(world, today=LAST, faults=["unavailable"]) as simulator:
        address = f"{simulator.url}/_faults"
        assert get(simulator).status_code == 503
        assert requests.delete(address, timeout=5).json()["on"] == []
        assert get(simulator).status_code == 200
        requests.post(address, json={"name": "rate_limited", "partner": "applovin_max", "times": 1}, timeout=5)
        assert [get(simulator).status_code for _ in range(2)] == [429, 200]
        refused = requests.post(address, json={"name": "earthquake"}, timeout=5)
        assert (refused.status_code, "unknown fault 'earthquake'" in refused.text) == (400, True)
        assert requests.post(address, data="not json", timeout=5).status_code == 400
        assert requests.get(address, timeout=5).json()["known"] == FAULTS


def test_a_fault_from_the_start_may_have_a_value_and_be_of_one_partner(world: World) -> None:
    with Simulator(world, today=LAST, faults=["applovin_max/unauthorized=403", "tune/unavailable"]) as simulator:
        assert get(simulator).status_code == 403
        told = [(fault["name"], fault["partner"], fault["value"]) for fault in simulator.faults.listed()]
        assert told == [("unauthorized", "applovin_max", 403), ("unavailable", "tune", None)]


def test_an_unknown_fault_is_refused(world: World) -> None:
    with pytest.raises(ValueError, match="unknown fault 'earthquake'"):
        Simulator(world, faults=["earthquake"])
    with pytest.raises(ValueError, match="unknown partner 'applovin' of a fault; there are admob, "):
        Simulator(world, faults=["applovin/unavailable"])


def test_a_port_that_is_taken_is_named(world: World) -> None:
    with Simulator(world) as running:
        port = int(running.url.rpartition(":")[2])
        with pytest.raises(ValueError, match=f"port {port}: Address already in use: end what listens there"):
            Simulator(world, port=port)
