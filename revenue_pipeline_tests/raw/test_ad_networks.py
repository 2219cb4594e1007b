"""The ad networks end to end, over HTTP to the simulator: what is booked is what the world says, to the last digit, and
whatever goes wrong leaves the booked day as it was and shows no secret.
"""

from __future__ import annotations

import gzip
import logging
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import SecretStr

from revenue_pipeline.partners.admob import AdMob
from revenue_pipeline.partners.http import HttpOptions
from revenue_pipeline.partners.meta_audience_network import MetaAudienceNetwork
from revenue_pipeline.raw.imports import Batch, FailedDay, book, fetch_batches
from revenue_pipeline.settings import DEMO_FILE, Settings
from revenue_pipeline.simulator import Simulator, World, admob, levelplay, meta_audience_network, unity_ads
from revenue_pipeline.simulator.applovin_max import PACKAGES
from revenue_pipeline_tests.raw.conftest import DAY, LOG, Lake

AS_OF = DAY + timedelta(days=2)
ALL = ("app_id", "platform", "country", "ad_format", "ad_unit_id")


@dataclass(frozen=True)
class Network:
    """An account at a simulated network, whose rows get our ids.

    `reports`: what the paths of its reports begin with, where access tokens come from another. `formats`: ours -> its.
    """

    connector: str
    prefix: str
    credentials: tuple[str, ...]
    grain: tuple[str, ...] = ALL
    granularity: str = "aggregated"
    options: Mapping[str, Any] = field(default_factory=dict)
    ids: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    currency: str = "USD"
    reports: str = ""
    formats: Mapping[str, str] = field(default_factory=dict)

    def secret(self, credential: str) -> str:
        return f"planted/{self.connector}+{credential}=0123456789"

    def settings(self, url: str, lake: Lake, folder: Path) -> Settings:
        partner = {
            "connector": self.connector,
            "granularity": self.granularity,
            "grain": list(self.grain),
            "base_url": f"{url}{self.prefix}",
            "credentials": {name: {"env": name.upper()} for name in self.credentials},
            "options": {name: _at(value, url) for name, value in self.options.items()},
            "ids": self.ids,
        }
        storage = {"landing": str(lake.landing), "archive": folder / "archive"}
        document = {"start_date": "2026-10-01", "storage": storage, "partners": {"net": partner}}
        secrets = {name.upper(): SecretStr(self.secret(name)) for name in self.credentials}
        return Settings.model_validate(document).model_copy(update={"secrets": secrets})

    def expected(self, world: World, day: date, age: int = 2) -> dict[tuple[str | None, ...], tuple[int, Decimal]]:
        """What the world says, by the account's key and with our ids."""
        by_user = self.granularity == "user_level"
        totals: dict[tuple[str | None, ...], tuple[int, Decimal]] = defaultdict(lambda: (0, Decimal(0)))
        for row in world.reported(self.connector, day, age, by_user):
            theirs = row._replace(ad_format=self.formats.get(row.ad_format or "", row.ad_format))
            key = tuple(getattr(theirs, column) for column in self.grain)
            user_id = None if row.user_id is None or row.user_id.startswith("device-") else row.user_id
            impressions, revenue = totals[(*key, user_id)]
            totals[(*key, user_id)] = (impressions + row.impressions, revenue + row.revenue)
        return totals


def _at(value: Any, url: str) -> Any:
    return value.replace("SIMULATOR", url) if isinstance(value, str) else value


MAX_IDS = {"app_id": {package: app_id for app_id, package in PACKAGES.items()}}
MAX_APPS = [
    {"platform": "ios", "application": "com.acme.game"},
    {"platform": "ios", "application": "com.acme.puzzle"},
    {"platform": "android", "store_id": "com.acme.puzzle"},
]
MAX = Network("applovin_max", "/applovin", ("api_key",), ids=MAX_IDS)
MAX_USERS = Network(
    "applovin_max",
    "/applovin",
    ("api_key",),
    grain=("app_id", "platform", "ad_unit_id"),
    granularity="user_level",
    options={"apps": MAX_APPS},
    ids=MAX_IDS,
)
MAX_IMPRESSIONS = Network(
    "applovin_max", "/applovin", ("api_key",), granularity="user_level", options={"apps": MAX_APPS}, ids=MAX_IDS
)
ADMOB_OPTIONS = {"publisher_id": admob.PUBLISHER, "token_url": "SIMULATOR/admob/token"}
ADMOB = Network(
    "admob",
    "/admob",
    ("client_id", "client_secret", "refresh_token"),
    options=ADMOB_OPTIONS,
    ids={
        "app_id": {theirs: app_id for (app_id, _), theirs in admob.APPS.items()},
        "ad_unit_id": {theirs: ours for ours, theirs in admob.UNITS.items()},
    },
    currency="EUR",
    reports="/v1/",
    formats=admob.FORMATS,
)
ADMOB_MEDIATION = replace(ADMOB, options={**ADMOB_OPTIONS, "report": "mediation"}, grain=("app_id", "platform"))
LEVELPLAY = Network(
    "levelplay",
    "/levelplay",
    ("secret_key", "refresh_token"),
    ids={"app_id": {key: app_id for (app_id, _), key in levelplay.APP_KEYS.items()}},
    reports="/levelPlay/",
    formats=levelplay.FORMATS,
)
LEVELPLAY_APPS = [{"app_key": key, "platform": platform} for (_, platform), key in levelplay.APP_KEYS.items()]
LEVELPLAY_USERS = replace(
    LEVELPLAY,
    granularity="user_level",
    grain=("app_id", "platform", "ad_format", "ad_unit_id"),
    options={"apps": LEVELPLAY_APPS, "ad_unit": "placement"},
    reports="/partners/userAdRevenue",
)
LEVELPLAY_IMPRESSIONS = replace(
    LEVELPLAY_USERS,
    grain=ALL,
    options={"apps": LEVELPLAY_APPS, "files": "impression"},
    reports="/partners/adRevenueMeasurements",
)
BY_UNIT = ("app_id", "platform", "country", "ad_unit_id")
UNITY = Network(
    "unity_ads",
    "/unity_ads",
    ("api_key",),
    grain=BY_UNIT,
    options={"organization_id": unity_ads.ORGANIZATION},
    ids={"app_id": {game: app_id for (app_id, _), game in unity_ads.GAMES.items()}},
    reports="/files/",
)
UNITY_JSON = replace(UNITY, options={"organization_id": unity_ads.ORGANIZATION, "format": "json"})
META = Network(
    "meta_audience_network",
    "/meta_audience_network",
    ("access_token",),
    grain=BY_UNIT,
    options={"entity_id": meta_audience_network.PROPERTY},
    ids={"app_id": {theirs: app_id for (app_id, _), theirs in meta_audience_network.APPS.items()}},
)
META_ASYNC = replace(META, options={"entity_id": meta_audience_network.PROPERTY, "mode": "async"})
NETWORKS = {
    "MAX": MAX,
    "MAX users": MAX_USERS,
    "MAX impressions": MAX_IMPRESSIONS,
    "AdMob": ADMOB,
    "AdMob mediation": ADMOB_MEDIATION,
    "LevelPlay": LEVELPLAY,
    "LevelPlay users": LEVELPLAY_USERS,
    "LevelPlay impressions": LEVELPLAY_IMPRESSIONS,
    "Unity Ads": UNITY,
    "Unity Ads JSON": UNITY_JSON,
    "Meta": META,
    "Meta async": META_ASYNC,
}
every_network = pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)


@pytest.fixture(scope="module")
def world() -> World:
    return World(first_day=DAY - timedelta(days=2), last_day=DAY + timedelta(days=1), scale=0.03)


@pytest.fixture
def simulator(world: World) -> Iterator[Simulator]:
    with Simulator(world, today=AS_OF) as simulator:
        yield simulator


class Books:
    """Imports days of a network and tells what is booked."""

    def __init__(self, lake: Lake, simulator: Simulator, folder: Path, log: pytest.LogCaptureFixture) -> None:
        self.lake, self.simulator, self.folder, self._log = lake, simulator, folder, log

    def imported(self, network: Network, day: date = DAY, as_of: date = AS_OF) -> Batch | FailedDay:
        settings = network.settings(self.simulator.url, self.lake, self.folder)
        with self._log.at_level(logging.DEBUG):
            (outcome,) = fetch_batches(settings, "net", [day], as_of, LOG)
        book(self.lake.connection, "net", [outcome], as_of)
        return outcome

    def booked(self, network: Network, day: date = DAY) -> dict[tuple[str | None, ...], tuple[int, Decimal]]:
        keys = ", ".join((*network.grain, "user_id"))
        rows = self.lake.ask(
            f"SELECT {keys}, sum(impressions), sum(original_revenue), any_value(original_currency) "
            f"FROM raw.partner_revenue WHERE report_date = DATE '{day}' GROUP BY {keys}"
        )
        assert {row[-1] for row in rows} <= {network.currency}
        return {row[:-3]: (row[-3], row[-2]) for row in rows}

    def everything_shown(self) -> str:
        """Whatever a person may come to see: the log, the archive and the warehouse."""
        tables = ("partner_revenue", "partner_revenue_history", "partner_imports")
        shown = self._log.text + str([self.lake.ask(f"FROM raw.{table}") for table in tables])
        for path in self.folder.joinpath("archive").rglob("*"):
            if path.is_file():
                content = path.read_bytes()
                shown += (gzip.decompress(content) if path.suffix == ".gz" else content).decode("utf-8", "replace")
        return shown


@pytest.fixture
def books(
    lake: Lake,
    simulator: Simulator,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> Books:
    monkeypatch.setattr(HttpOptions.__init__, "__defaults__", (3, 0.001, 0.05, 5.0, 20.0, 60.0, 60.0))  # less patience
    monkeypatch.setattr(MetaAudienceNetwork, "polls", 3)
    monkeypatch.setattr(MetaAudienceNetwork, "poll_seconds", 0.001)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    lake.put("fx_rates", "a.csv", f"rate_date,currency,rate\n{DAY},EUR,1.08\n")
    return Books(lake, simulator, tmp_path, caplog)


@every_network
def test_what_is_booked_is_what_the_world_says(books: Books, world: World, network: Network) -> None:
    outcome = books.imported(network)
    assert isinstance(outcome, Batch), outcome
    assert books.booked(network) == network.expected(world, DAY)
    assert sum(revenue for _, revenue in books.booked(network).values()) > 0


@every_network
def test_asking_again_gives_the_same_batch(books: Books, network: Network) -> None:
    first, second = books.imported(network), books.imported(network)
    assert isinstance(first, Batch)
    assert isinstance(second, Batch)
    assert first.import_id == second.import_id
    assert books.lake.column("SELECT is_changed FROM raw.partner_imports ORDER BY imported_at") == [True, False]


@every_network
@pytest.mark.parametrize(
    ("fault", "what"),
    [
        ({"name": "unauthorized"}, "the partner refused the credentials"),
        ({"name": "rate_limited", "value": 0}, "the partner's rate limit is reached"),
        ({"name": "server_error"}, "the partner's side failed"),
        ({"name": "error_in_body"}, ""),
        ({"name": "not_json"}, ""),
        ({"name": "not_found"}, "the partner refused the request"),
        ({"name": "truncated"}, "the answer broke off"),
    ],
    ids=lambda value: value["name"] if isinstance(value, dict) else "",
)
def test_a_day_that_cannot_be_had_keeps_what_was_there_and_shows_no_secret(
    books: Books, network: Network, fault: dict[str, Any], what: str
) -> None:
    books.imported(network)
    before = books.booked(network)
    books.simulator.faults.add(**{"path": network.reports, **fault})
    outcome = books.imported(network)
    assert isinstance(outcome, FailedDay)
    assert outcome.error.startswith("net 2026-10-05: ")
    assert what in outcome.error
    assert books.booked(network) == before
    for credential in network.credentials:
        assert network.secret(credential) not in outcome.error + books.everything_shown()


@every_network
def test_a_partner_that_only_makes_it_hard_is_imported_all_the_same(
    books: Books, world: World, network: Network
) -> None:
    books.simulator.faults.add("rate_limited", times=1, value=0)
    books.simulator.faults.add("unavailable", times=1, path=network.reports)
    assert isinstance(books.imported(network), Batch)
    assert books.booked(network) == network.expected(world, DAY)


@every_network
def test_a_restatement_replaces_the_day(books: Books, network: Network) -> None:
    books.imported(network)
    before = sum(revenue for _, revenue in books.booked(network).values())
    books.simulator.faults.add("restated", value=50)
    books.imported(network)
    after = sum(revenue for _, revenue in books.booked(network).values())
    assert abs(after - before * Decimal("1.5")) < Decimal("0.01")
    books.simulator.faults.add("empty")
    books.imported(network)
    assert books.booked(network) == {}


ODD: list[tuple[Network, dict[str, Any], str]] = [
    (MAX, {"name": "window_refused"}, "only the last 45 days"),
    (MAX, {"name": "no_content"}, "the partner refused the request (HTTP 204)"),
    (MAX_USERS, {"name": "window_refused"}, "only the last 45 days"),
    (MAX_USERS, {"name": "no_content"}, "the partner refused the request (HTTP 204)"),
    (MAX_USERS, {"name": "not_found", "path": "/files/"}, "the partner refused the request (HTTP 404)"),
    (MAX_USERS, {"name": "unauthorized", "path": "/files/", "value": 403}, "a file was refused (HTTP 403)"),
    (MAX_USERS, {"name": "not_json", "path": "/files/"}, "no column ad_unit_id"),
    (MAX_USERS, {"name": "truncated", "path": "/files/"}, "the answer broke off"),
    (MAX_USERS, {"name": "cut_file"}, "values under 7 headings"),
    (MAX_IMPRESSIONS, {"name": "cut_file"}, "values under 15 headings"),
    (MAX, {"name": "error_in_body"}, "the partner's side failed (HTTP 200 with code 500)"),
    (MAX_USERS, {"name": "error_in_body"}, "the partner's side failed (HTTP 200 with code 500)"),
    (ADMOB, {"name": "error_in_body"}, "the partner's side failed (HTTP 200 with code 500)"),
    (LEVELPLAY, {"name": "error_in_body"}, "neither a list of rows nor one under `data`"),
    (LEVELPLAY, {"name": "unknown_envelope"}, "neither a list of rows nor one under `data`"),
    (LEVELPLAY, {"name": "token_expired"}, "the partner refused the credentials (HTTP 401)"),
    (LEVELPLAY, {"name": "unauthorized", "path": levelplay.AUTH}, "the partner refused the credentials"),
    (LEVELPLAY, {"name": "error_in_body", "path": levelplay.AUTH}, "something else than a token"),
    (LEVELPLAY, {"name": "not_json", "path": levelplay.AUTH}, "something else than a token"),
    (LEVELPLAY_USERS, {"name": "error_in_body"}, "no list of `urls`"),
    (LEVELPLAY_USERS, {"name": "token_expired"}, "the partner refused the credentials (HTTP 401)"),
    (LEVELPLAY_USERS, {"name": "window_refused"}, "Data is available for the last 14 days only"),
    (LEVELPLAY_USERS, {"name": "cut_file", "path": "/files/"}, "the answer broke off or is damaged"),
    (LEVELPLAY_USERS, {"name": "truncated", "path": "/files/"}, "the answer broke off"),
    (LEVELPLAY_USERS, {"name": "not_json", "path": "/files/"}, "no column"),
    (LEVELPLAY_USERS, {"name": "unauthorized", "path": "/files/", "value": 403}, "(HTTP 403)"),
    (UNITY, {"name": "unauthorized", "path": "/stats/"}, "the partner refused the credentials (HTTP 401)"),
    (UNITY, {"name": "window_refused", "path": "/stats/"}, "the partner refused the request (HTTP 400)"),
    (UNITY, {"name": "error_in_body", "path": "/stats/"}, "the partner refused the request (HTTP 200 with code 400)"),
    (UNITY, {"name": "error_in_body"}, "the partner refused the request (HTTP 200 with code 400)"),
    (UNITY, {"name": "no_content"}, "the partner refused the request (HTTP 204)"),
    (UNITY, {"name": "cut_file"}, "values under 8 headings"),
    (UNITY_JSON, {"name": "error_in_body"}, "the partner refused the request (HTTP 200 with code 400)"),
    (META, {"name": "window_refused"}, "the partner refused the request (HTTP 400)"),
    (META, {"name": "error_in_body", "value": 190}, "the partner refused the credentials (HTTP 200 with code 401)"),
    (META, {"name": "error_in_body", "value": 4}, "the partner's rate limit is reached (HTTP 200 with code 429)"),
    (META, {"name": "error_in_body", "value": 100}, "the partner refused the request (HTTP 200 with code 400)"),
    (META, {"name": "no_content"}, "the partner refused the request (HTTP 204)"),
    *((network, {"name": "redirected"}, "localhost") for network in (MAX, ADMOB, LEVELPLAY, UNITY, META)),
    *((network, {"name": "empty_body"}, "not JSON") for network in (MAX, ADMOB, LEVELPLAY, UNITY_JSON, META)),
    (UNITY, {"name": "empty_body"}, "no headings"),
    (MAX_USERS, {"name": "empty_body", "path": "/files/"}, "no headings"),
    (META, {"name": "omitted_results"}, "Meta leaves out 1 values"),
    (META_ASYNC, {"name": "omitted_results"}, "Meta leaves out 1 values"),
    (META_ASYNC, {"name": "report_failed"}, "the query failed at the partner"),
    (META_ASYNC, {"name": "report_pending"}, "the query was still running when it had been asked after 3 times"),
    (ADMOB, {"name": "window_refused"}, "The date range is not supported."),
    (ADMOB, {"name": "no_content"}, "not JSON"),
    (ADMOB, {"name": "no_footer"}, "could not be read as a whole in 3 attempts: the stream ended without a footer"),
    (ADMOB, {"name": "unauthorized", "path": "/token"}, "HTTP 401"),
    (ADMOB, {"name": "server_error", "path": "/token"}, "the partner's side failed"),
    (ADMOB, {"name": "not_json", "path": "/token"}, "not JSON"),
]


@pytest.mark.parametrize(
    ("network", "fault", "what"), ODD, ids=[f"{case[0].granularity} {case[1]['name']}" for case in ODD]
)
def test_what_only_some_do_fails_the_day(books: Books, network: Network, fault: dict[str, Any], what: str) -> None:
    test_a_day_that_cannot_be_had_keeps_what_was_there_and_shows_no_secret(books, network, fault, what)


DEMO = {"applovin_max": MAX, "admob": ADMOB, "levelplay": LEVELPLAY_USERS, "unity_ads": UNITY}
DEMO |= {"meta_audience_network": META}


@pytest.mark.parametrize("partner", DEMO)
def test_the_demo_imports_what_the_world_says(books: Books, world: World, partner: str) -> None:
    demo = yaml.load(DEMO_FILE.read_text(encoding="utf-8"), yaml.BaseLoader)["partners"][partner]  # noqa: S506  text
    for name, value in demo.get("options", {}).items():
        if isinstance(value, str):
            demo["options"][name] = value.replace("http://127.0.0.1:8089", "SIMULATOR")
    network = replace(
        DEMO[partner],
        granularity=demo["granularity"],
        grain=tuple(demo["grain"]),
        prefix=demo["base_url"].removeprefix("http://127.0.0.1:8089"),
        options=demo.get("options", {}),
        ids=demo["ids"],
    )
    assert set(demo["credentials"]) == set(network.credentials)
    assert isinstance(books.imported(network), Batch)
    assert books.booked(network) == network.expected(world, DAY)


# --- AppLovin MAX ----------------------------------------------------------------------------------------------------


def test_files_of_users_come_the_day_after_and_fill_up(books: Books, world: World) -> None:
    for age in (0, 1, 2):
        books.simulator.today = DAY + timedelta(days=age)
        assert isinstance(books.imported(MAX_USERS), Batch)
        assert books.booked(MAX_USERS) == (MAX_USERS.expected(world, DAY, age) if age else {})


def test_files_of_users_agree_with_the_report_but_for_what_no_sdk_told(books: Books, world: World) -> None:
    books.imported(MAX)
    reported = sum(revenue for _, revenue in books.booked(MAX).values())
    books.imported(MAX_IMPRESSIONS)
    of_users = sum(revenue for _, revenue in books.booked(MAX_IMPRESSIONS).values())
    assert reported - of_users == sum(row.revenue for row in world.unseen("applovin_max", DAY)) > 0


@pytest.mark.parametrize("network", [MAX_USERS, MAX_IMPRESSIONS])
def test_headings_may_drift(books: Books, world: World, network: Network) -> None:
    books.simulator.faults.add("headings_drift")
    assert isinstance(books.imported(network), Batch)
    assert books.booked(network) == network.expected(world, DAY)


def test_what_max_has_no_app_for_is_nothing_and_a_warning(books: Books) -> None:
    books.simulator.faults.add("no_such_app")
    outcome = books.imported(MAX_USERS)
    assert isinstance(outcome, Batch)
    assert (outcome.rows, len(outcome.warnings)) == (0, 3)


def test_the_basic_file_is_taken_with_a_warning(books: Books, world: World) -> None:
    books.simulator.faults.add("only_basic_file")
    outcome = books.imported(MAX_IMPRESSIONS)
    assert isinstance(outcome, Batch)
    assert len(outcome.warnings) == 3
    assert books.booked(MAX_IMPRESSIONS) == MAX_IMPRESSIONS.expected(world, DAY)


def test_a_negative_amount_of_today_is_kept(books: Books, world: World) -> None:
    books.imported(MAX_IMPRESSIONS)
    before = sum(revenue for _, revenue in books.booked(MAX_IMPRESSIONS).values())
    books.simulator.faults.add("unknown_revenue")
    books.imported(MAX_IMPRESSIONS)
    after = sum(revenue for _, revenue in books.booked(MAX_IMPRESSIONS).values())
    assert before - Decimal("3.1") < after < before - 3


@pytest.mark.parametrize("network", [MAX_USERS, MAX_IMPRESSIONS])
def test_rows_that_are_alike_are_as_many_impressions(books: Books, world: World, network: Network) -> None:
    books.simulator.faults.add("repeated_rows")
    assert isinstance(books.imported(network), Batch)
    expected = network.expected(world, DAY).items()
    assert books.booked(network) == {key: (2 * shown, 2 * paid) for key, (shown, paid) in expected}


def test_no_signature_of_a_file_is_shown(books: Books) -> None:
    books.imported(MAX_USERS)
    shown = books.everything_shown()
    assert "X-Amz-Signature=***" in shown
    assert shown.count("X-Amz-Signature=") == shown.count("X-Amz-Signature=***")


# --- AdMob -----------------------------------------------------------------------------------------------------------


def test_whole_numbers_may_be_numbers(books: Books, world: World) -> None:
    books.simulator.faults.add("numbers")
    assert isinstance(books.imported(ADMOB), Batch)
    assert books.booked(ADMOB) == ADMOB.expected(world, DAY)


def test_metrics_without_a_value_are_told(books: Books, world: World) -> None:
    books.simulator.faults.add("missing_metrics")
    outcome = books.imported(ADMOB)
    assert isinstance(outcome, Batch)
    expected = ADMOB.expected(world, DAY).items()
    assert books.booked(ADMOB) == {key: (shown, paid if shown % 2 else 0) for key, (shown, paid) in expected}
    assert books.lake.ask("SELECT count(clicks) FROM raw.partner_revenue") == [(0,)]
    (warning,) = outcome.warnings
    assert "rows came without ESTIMATED_EARNINGS, which count as 0" in warning


def test_a_warning_of_the_footer_is_handed_on(books: Books, world: World) -> None:
    books.simulator.faults.add("delayed_data")
    outcome = books.imported(ADMOB)
    assert isinstance(outcome, Batch)
    assert outcome.warnings == ("AdMob says DATA_DELAYED: Some ad sources have not reported yet.",)
    assert "net 2026-10-05: AdMob says DATA_DELAYED" in books.everything_shown()


@pytest.mark.parametrize(("row_limit", "calls"), [(20, 5), (8, 18)])
def test_a_report_that_is_too_long_is_got_in_parts(
    books: Books, world: World, monkeypatch: pytest.MonkeyPatch, row_limit: int, calls: int
) -> None:
    monkeypatch.setattr(AdMob, "row_limit", row_limit)
    books.simulator.faults.add("delayed_data")
    outcome = books.imported(ADMOB)
    assert isinstance(outcome, Batch), outcome
    assert books.booked(ADMOB) == ADMOB.expected(world, DAY)
    assert len(outcome.warnings) == 1
    reports = [request for request in books.simulator.requests if "Report:generate" in request]
    assert len(reports) == calls


def test_a_report_whose_parts_are_too_long_as_well_is_an_error(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    books.imported(ADMOB)
    before = books.booked(ADMOB)
    monkeypatch.setattr(AdMob, "row_limit", 2)
    outcome = books.imported(ADMOB)
    assert isinstance(outcome, FailedDay)
    assert "longer than AdMob gives, 2 rows, even for APP 'of any kind'" in outcome.error
    assert books.booked(ADMOB) == before


def test_the_day_is_the_pacific_one(books: Books, world: World) -> None:
    day = DAY + timedelta(days=1)
    books.lake.put("fx_rates", "a.csv", f"rate_date,currency,rate\n{day},EUR,1.08\n", day)
    books.imported(ADMOB, day, day + timedelta(days=2))
    assert books.booked(ADMOB, day) == ADMOB.expected(world, day, age=1)


def test_tokens_are_shown_nowhere(books: Books) -> None:
    books.imported(ADMOB)
    shown = books.everything_shown()
    assert "ya29" not in shown
    assert "kept out of the archive: it holds a token" in shown


# --- LevelPlay -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("network", [LEVELPLAY, LEVELPLAY_USERS, LEVELPLAY_IMPRESSIONS])
def test_a_token_that_expired_is_replaced_once(books: Books, world: World, network: Network) -> None:
    books.simulator.faults.add("token_expired", times=1, path=network.reports)
    assert isinstance(books.imported(network), Batch)
    assert books.booked(network) == network.expected(world, DAY)
    assert sum(levelplay.AUTH in request for request in books.simulator.requests) == 2


@pytest.mark.parametrize("fault", [{"name": "page_cap", "value": 7}, {"name": "top_level_list"}], ids=str)
def test_pages_and_shapes_that_may_be(books: Books, world: World, fault: dict[str, Any]) -> None:
    books.simulator.faults.add(**fault)
    assert isinstance(books.imported(LEVELPLAY), Batch)
    assert books.booked(LEVELPLAY) == LEVELPLAY.expected(world, DAY)


@pytest.mark.parametrize("fault", ["offset_ignored", "moving_report"])
def test_pages_that_do_not_fit_together_keep_what_was_there(books: Books, fault: str) -> None:
    books.imported(LEVELPLAY)
    before = books.booked(LEVELPLAY)
    books.simulator.faults.add("page_cap", value=7)
    books.simulator.faults.add(fault)
    outcome = books.imported(LEVELPLAY)
    assert isinstance(outcome, FailedDay)
    assert "could not be read as a whole in 3 attempts" in outcome.error
    assert books.booked(LEVELPLAY) == before


@pytest.mark.parametrize("network", [LEVELPLAY, LEVELPLAY_USERS])
def test_204_is_an_empty_day(books: Books, network: Network) -> None:
    books.imported(network)
    books.simulator.faults.add("no_content", path=network.reports)
    outcome = books.imported(network)
    assert isinstance(outcome, Batch)
    assert books.booked(network) == {}


def test_files_are_written_again_and_vanish(books: Books, world: World) -> None:
    for age in (0, 1, 2, 13):
        books.simulator.today = DAY + timedelta(days=age)
        outcome = books.imported(LEVELPLAY_USERS, as_of=books.simulator.today)
        assert isinstance(outcome, Batch), outcome
        assert books.booked(LEVELPLAY_USERS) == (LEVELPLAY_USERS.expected(world, DAY, age) if age else {})
    before = books.booked(LEVELPLAY_USERS)
    asked = len(books.simulator.requests)
    outcome = books.imported(LEVELPLAY_USERS, as_of=DAY + timedelta(days=14))
    assert isinstance(outcome, FailedDay)
    assert "only the last 13 days" in outcome.error
    assert books.booked(LEVELPLAY_USERS) == before
    assert len(books.simulator.requests) == asked


def test_reports_files_and_impressions_agree(books: Books) -> None:
    totals = set()
    for network in (LEVELPLAY, LEVELPLAY_USERS, LEVELPLAY_IMPRESSIONS):
        books.imported(network)
        booked = books.booked(network).values()
        totals.add((sum(shown for shown, _ in booked), sum(paid for _, paid in booked)))
    assert len(totals) == 1


def test_no_token_of_levelplay_is_shown(books: Books) -> None:
    books.imported(LEVELPLAY_USERS)
    shown = books.everything_shown()
    assert "eyJhbGci" not in shown
    assert shown.count("X-Amz-Signature=") == shown.count("X-Amz-Signature=***") > 0


# --- Unity Ads -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("network", [UNITY, UNITY_JSON])
def test_statistics_lie_on_another_host_which_gets_no_key(books: Books, network: Network) -> None:
    assert isinstance(books.imported(network), Batch)  # the storage refuses a call with a key
    assert [request.partition("?")[0].split("/")[2] for request in books.simulator.requests] == ["stats", "files"]
    shown = books.everything_shown()
    assert shown.count("X-Amz-Signature=") == shown.count("X-Amz-Signature=***") > 0


# --- Meta Audience Network -------------------------------------------------------------------------------------------


def test_pages_of_meta_are_followed_by_their_cursors(books: Books, world: World) -> None:
    books.simulator.faults.add("page_cap", value=3)
    assert isinstance(books.imported(META), Batch)
    assert books.booked(META) == META.expected(world, DAY)
    assert len(books.simulator.requests) > 2


def test_a_page_that_is_full_and_says_nothing_of_more_is_an_error(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MetaAudienceNetwork, "page_size", 3)
    books.simulator.faults.add("no_next_page")
    outcome = books.imported(META)
    assert isinstance(outcome, FailedDay)
    assert "as long as a report may be, 3 results of fb_ad_network_revenue" in outcome.error
    assert "Set this partner's options.mode to async" in outcome.error


def test_a_query_that_is_ready_later_is_waited_for(books: Books, world: World) -> None:
    books.simulator.faults.add("report_pending", times=2, path="/v25.0/700000000000001/adnetworkanalytics_results")
    assert isinstance(books.imported(META_ASYNC), Batch)
    assert books.booked(META_ASYNC) == META_ASYNC.expected(world, DAY)


def test_the_day_of_meta_is_the_pacific_one(books: Books, world: World) -> None:
    begin = datetime(2026, 10, 5, 7, tzinfo=timezone.utc)  # midnight there, in summer time
    paid = [
        each.paid_nanos
        for day in (DAY, DAY + timedelta(days=1))
        for each in world.impressions(day)
        if each.event.partner == "meta_audience_network" and begin <= each.event.event_time < begin + timedelta(days=1)
    ]
    books.imported(META)
    assert sum(revenue for _, revenue in books.booked(META).values()) == Decimal(sum(n or 0 for n in paid)).scaleb(-9)
