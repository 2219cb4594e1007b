from __future__ import annotations

import gzip
import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from revenue_pipeline.partners.archive import Archive
from revenue_pipeline.partners.base import Import, PartnerError, RevenueRow, import_day
from revenue_pipeline.partners.meta_audience_network import MetaAudienceNetwork
from revenue_pipeline_tests.partners.conftest import QUICK, SECRET, FakeServer, Reply, Request, account

DAY = date(2026, 10, 5)
AS_OF = date(2026, 10, 6)
GRAIN = ("app_id", "country")
MIDNIGHT = "2026-10-05T07:00:00+0000"  # in California, in summer


def result(
    metric: str, value: str | None, app: str = "801", country: str = "US", time: str = MIDNIGHT
) -> dict[str, Any]:
    breakdowns = [{"key": "app", "value": app}, {"key": "country", "value": country}]
    told = {} if value is None else {"value": value}
    return {"time": time, "metric": f"fb_ad_network_{metric}", "breakdowns": breakdowns, **told}


RESULTS = [
    result("revenue", "1.234567"),
    result("imp", "1200"),
    result("click", "3"),
    result("imp", "35", country="AU"),
    result("revenue", "0.000001", country="AU"),
    result("revenue", "0", "802"),
    result("click", "0", "802"),
]


def report(*results: Any, **more: Any) -> dict[str, Any]:
    paging = more.pop("paging", None)
    data = [{"query_id": "53aa", "results": list(results), "omitted_results": [], **more}]
    return {"data": data, **({"paging": paging} if paging else {})}


class Patient(MetaAudienceNetwork):
    polls = 4
    poll_seconds = 0.001
    page_size = 50


def ask(server: FakeServer, folder: Path, connector: type[MetaAudienceNetwork] = Patient, **options: str) -> Import:
    set_up = account(
        server.url, name="fan", grain=GRAIN, timezone="America/Los_Angeles", credentials={"access_token": SECRET},
        credential_variables={"access_token": "FAN_TOKEN"}, options={"entity_id": "700", **options},
    )  # fmt: skip
    return import_day(connector(set_up), DAY, AS_OF, Archive(folder), QUICK)


def refused(server: FakeServer, folder: Path, **changes: Any) -> PartnerError:
    with pytest.raises(PartnerError) as caught:
        ask(server, folder, **changes)
    assert caught.value.cause.startswith("fan 2026-10-05: ")
    assert SECRET not in str(caught.value)
    return caught.value


def told(batch: Import) -> set[tuple[Any, ...]]:
    rows = [each for each in batch.rows if isinstance(each, RevenueRow)]
    return {(each.app_id, each.country, each.revenue, each.impressions, each.clicks) for each in rows}


EXPECTED = {
    ("801", "US", Decimal("1.234567"), 1200, 3),
    ("801", "AU", Decimal("0.000001"), 35, None),
    ("802", "US", Decimal(0), None, 0),
}


def test_the_metrics_of_a_key_are_one_row(server: FakeServer, tmp_path: Path) -> None:
    server.replies = [Reply(report(*RESULTS))]
    assert told(ask(server, tmp_path)) == EXPECTED
    (asked,) = server.requests
    assert (asked.method, asked.path) == ("GET", "/v25.0/700/adnetworkanalytics")
    assert asked.query == {
        "access_token": SECRET,
        "since": "2026-10-05",
        "until": "2026-10-05",
        "aggregation_period": "day",
        "metrics": '["fb_ad_network_revenue", "fb_ad_network_imp", "fb_ad_network_click"]',
        "breakdowns": '["app", "country"]',
        "limit": "50",
    }


def test_no_results_are_an_empty_day(server: FakeServer, tmp_path: Path) -> None:
    server.replies = [Reply(report())]
    assert ask(server, tmp_path).rows == ()


def test_pages_are_followed_by_cursor_and_their_addresses_not_used(server: FakeServer, tmp_path: Path) -> None:
    following = f"https://graph.facebook.com/v25.0/700/adnetworkanalytics?access_token={SECRET}&limit=50&after=Q1"
    paging = {"cursors": {"before": "Q0", "after": "Q1"}, "next": following}
    server.replies = [
        Reply(report(*RESULTS[:3], paging=paging)),
        Reply(report(*RESULTS[3:], paging={"cursors": {"before": "Q1", "after": "Q2"}})),
    ]
    batch = ask(server, tmp_path)
    assert told(batch) == EXPECTED
    assert [request.query.get("after") for request in server.requests] == [None, "Q1"]
    for path in batch.archive.glob("*.gz"):
        assert SECRET.encode() not in gzip.decompress(path.read_bytes())


@pytest.mark.parametrize(
    ("following", "what"),
    [
        ("https://graph.facebook.com/v25.0/700/adnetworkanalytics?limit=50", "a next page without a cursor `after`"),
        ("https://graph.facebook.com/v25.0/700/adnetworkanalytics?after=Q1", "the partner sent the same page twice"),
    ],
)
def test_pages_that_lead_nowhere(server: FakeServer, tmp_path: Path, following: str, what: str) -> None:
    server.replies = [Reply(report(*RESULTS, paging={"next": following}))]
    assert what in refused(server, tmp_path).cause


def test_pages_that_go_round_in_a_circle_are_an_error(server: FakeServer, tmp_path: Path) -> None:
    def answer(request: Request) -> Reply:
        following = "Q2" if request.query.get("after") == "Q1" else "Q1"
        return Reply(report(*RESULTS, paging={"next": f"https://graph.facebook.com/x?after={following}"}))

    server.answer = answer
    assert "the partner sent the same page twice" in refused(server, tmp_path).cause


def test_a_report_that_may_have_been_cut_is_an_error(server: FakeServer, tmp_path: Path) -> None:
    class Small(Patient):
        page_size = 3

    server.replies = [Reply(report(*RESULTS))]
    error = refused(server, tmp_path, connector=Small)
    assert "as long as a report may be, 3 results of fb_ad_network_revenue" in error.cause
    assert "options.mode to async" in error.remedy


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (report(*RESULTS, omitted_results=[result("revenue", None)]), "Meta leaves out 1 values"),
        (report(omitted_results=[result("imp", None)]), "Meta leaves out 1 values"),
        (report(result("imp", "7")), "no fb_ad_network_revenue for ('801', 'US')"),
        (report(*RESULTS, RESULTS[0]), "fb_ad_network_revenue twice"),
        (report(result("cpm", "7")), "the result"),
        (report(result("revenue", None)), "the result"),
        (report(result("revenue", "1,5")), "'1,5' is not an amount of money"),
        (report(result("revenue", "1"), result("imp", "1.5")), "'1.5' is not a count"),
        (report(result("revenue", "1", time="2026-10-05T00:00:00+0000")), "a result of another day"),
        (report(result("revenue", "1", time="2026-10-06T07:00:00+0000")), "a result of another day"),
        (report(result("revenue", "1", time="2026-10-05")), "does not match format"),
        (report({**RESULTS[0], "breakdowns": [{"key": "app", "value": "801"}]}), "KeyError: 'country'"),
        (report({**RESULTS[0], "breakdowns": "app"}), "the result"),
        (report("revenue"), "no list of `results`"),
        ({"data": [{"query_id": "1"}]}, "no list of `results`"),
        ({"data": []}, "not one report in `data`"),
        ({"data": [{"results": []}, {"results": []}]}, "not one report in `data`"),
        ({}, "not one report in `data`"),
        ([], "not one report in `data`"),
        ("<html>", "not JSON"),
        (
            {"error": {"code": 190, "message": f"bad {SECRET}"}},
            "the partner refused the credentials (HTTP 200 with code",
        ),
        ({"error": {"code": 613}}, "the partner's rate limit is reached (HTTP 200 with code 429)"),
        ({"error": {"code": 100}}, "the partner refused the request (HTTP 200 with code 400)"),
    ],
)
def test_what_is_not_a_whole_report_is_never_an_empty_day(
    server: FakeServer, tmp_path: Path, body: Any, what: str
) -> None:
    server.replies = [Reply(body)]
    assert what in refused(server, tmp_path).cause


# --- queries ---------------------------------------------------------------------------------------------------------

LINK = f"https://graph.facebook.com/v25.0/700/adnetworkanalytics_results?query_ids=['53aa']&access_token={SECRET}"
QUERY = Reply({"query_id": "53aa", "async_result_link": LINK})


def state(status: str, **more: Any) -> Reply:
    return Reply({"data": [{"query_id": "53aa", "status": status, **more}]})


def test_a_query_is_asked_after_until_it_is_complete(server: FakeServer, tmp_path: Path) -> None:
    server.replies = [QUERY, state("requested"), state("running"), state("complete", results=RESULTS)]
    batch = ask(server, tmp_path, mode="async")
    assert told(batch) == EXPECTED
    assert [(request.method, request.path) for request in server.requests] == [
        ("POST", "/v25.0/700/adnetworkanalytics"),
        *3 * [("GET", "/v25.0/700/adnetworkanalytics_results")],
    ]
    assert json.loads(server.requests[1].query["query_ids"]) == ["53aa"]
    for path in batch.archive.glob("*.gz"):
        assert SECRET.encode() not in gzip.decompress(path.read_bytes())


@pytest.mark.parametrize(
    ("replies", "what"),
    [
        ([QUERY, state("running")], "the query was still running when it had been asked after 4 times"),
        ([QUERY, state("failed")], "the query failed at the partner"),
        ([QUERY, Reply({"data": []})], "not one report in `data`"),
        ([QUERY, state("complete")], "no list of `results`"),
        ([QUERY, state("complete", results=[], omitted_results=[result("revenue", None)])], "Meta leaves out 1 values"),
        ([Reply({"async_result_link": LINK})], "no `query_id`"),
        ([QUERY, Reply({"error": {"code": 190}})], "the partner refused the credentials"),
    ],
)
def test_a_query_that_comes_to_nothing(server: FakeServer, tmp_path: Path, replies: list[Reply], what: str) -> None:
    server.replies = replies
    assert what in refused(server, tmp_path, mode="async").cause


@pytest.mark.parametrize(
    "options", [{}, {"entity_id": "acme"}, {"entity_id": "7", "mode": "later"}, {"entity_id": "7", "api_version": "25"}]
)
def test_options_that_cannot_work_are_refused(options: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        MetaAudienceNetwork(account("", credentials={"access_token": SECRET}, options=options))
