from __future__ import annotations

import gzip
import json
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from revenue_pipeline.partners.archive import Archive
from revenue_pipeline.partners.base import Import, PartnerError, RevenueRow, import_day, is_reachable
from revenue_pipeline.partners.levelplay import LevelPlay
from revenue_pipeline_tests.partners.conftest import QUICK, FakeServer, Reply, Request, account

DAY = date(2026, 10, 5)
AS_OF = date(2026, 10, 6)
TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjE3fQ.first-one"
SECOND = "eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjE4fQ.second-one"
SECRETS = {"secret_key": "secret/key+0123456789", "refresh_token": "refresh-token-0123456789"}
GRAIN = ("app_id", "country")


def row(app: str, country: str, revenue: str, impressions: str = "7", **more: str) -> dict[str, str]:
    """One row, each value as JSON text: numbers stay as they are written."""
    quoted = {"date": '"2026-10-05"', "app": f'"{app}"', "country": f'"{country}"'}
    return {**quoted, "revenue": revenue, "impressions": impressions, "clicks": "1", "eCPM": "0.1", **more}


def as_json(rows: list[dict[str, str]]) -> str:
    objects = (", ".join(f'"{name}": {value}' for name, value in each.items()) for each in rows)
    return f"[{', '.join(f'{{{each}}}' for each in objects)}]"


ROWS = [
    row("1a2b", "US", "12.345678901234567"),
    row("1a2b", "DE", "6e-06"),
    row("3c4d", "US", "-0.25", "0"),
    row("3c4d", "FR", '"1.5"', '"8"'),
]


class FakeLevelPlay:
    """The token endpoint, and pages of rows in an envelope; whatever `report` says instead of them."""

    def __init__(self, rows: list[dict[str, str]], page_cap: int = 100, report: Callable[[Request], Any] | None = None):
        self.rows, self.page_cap, self.report = rows, page_cap, report
        self.tokens = [TOKEN, SECOND]
        self.accepted = [TOKEN, SECOND]

    def __call__(self, request: Request) -> Reply:
        if request.path == "/partners/publisher/auth":
            assert {request.headers["secretkey"], request.headers["refreshToken"]} == set(SECRETS.values())
            return Reply(json.dumps(self.tokens.pop(0)).encode())
        if request.headers.get("Authorization", "").removeprefix("Bearer ") not in self.accepted:
            return Reply({"error": f"bad token {request.headers['Authorization']}"}, status=401)
        if self.report:
            given = self.report(request)
            return given if isinstance(given, Reply) else Reply(given)
        size = min(int(request.query["resultsPerPage"]), self.page_cap)
        first = (int(request.query["page"]) - 1) * size
        body = as_json(self.rows[first : first + size])
        return Reply(f'{{"data": {body}, "totalResults": {len(self.rows)}}}'.encode())


def connector(server: FakeServer, grain: tuple[str, ...] = GRAIN, **changes: Any) -> LevelPlay:
    variables = {name: f"LP_{name}".upper() for name in SECRETS}
    fields: dict[str, Any] = {"name": "levelplay", "credentials": SECRETS, "credential_variables": variables}
    return LevelPlay(account(server.url, **{**fields, "grain": grain, **changes}))


def ask(server: FakeServer, folder: Path, fake: FakeLevelPlay | None = None, **changes: Any) -> Import:
    if fake:
        server.answer = fake
    return import_day(connector(server, **changes), DAY, AS_OF, Archive(folder), QUICK)


def refused(server: FakeServer, folder: Path, fake: FakeLevelPlay, **changes: Any) -> PartnerError:
    with pytest.raises(PartnerError) as caught:
        ask(server, folder, fake, **changes)
    assert caught.value.cause.startswith("levelplay 2026-10-05: ")
    for secret in (*SECRETS.values(), TOKEN, SECOND):
        assert secret not in str(caught.value)
    return caught.value


def told(batch: Import) -> set[tuple[Any, ...]]:
    rows = [each for each in batch.rows if isinstance(each, RevenueRow)]
    return {(each.app_id, each.country, each.revenue, each.impressions, each.currency) for each in rows}


# --- aggregated ------------------------------------------------------------------------------------------------------


def test_numbers_are_taken_digit_by_digit(server: FakeServer, tmp_path: Path) -> None:
    batch = ask(server, tmp_path, FakeLevelPlay(ROWS))
    assert told(batch) == {
        ("1a2b", "US", Decimal("12.345678901234567"), 7, "USD"),
        ("1a2b", "DE", Decimal("0.000006"), 7, "USD"),
        ("3c4d", "US", Decimal("-0.25"), 0, "USD"),
        ("3c4d", "FR", Decimal("1.5"), 8, "USD"),
    }


def test_what_is_asked_for(server: FakeServer, tmp_path: Path) -> None:
    grain = ("app_id", "platform", "country", "ad_format", "ad_unit_id")
    ask(server, tmp_path, FakeLevelPlay([]), grain=grain, options={"ad_unit": "instance"})
    auth, report = server.requests
    assert (auth.method, auth.path) == ("GET", "/partners/publisher/auth")
    assert report.path == "/levelPlay/reporting/v1"
    assert report.query == {
        "startDate": "2026-10-05",
        "endDate": "2026-10-05",
        "metrics": "revenue,impressions,clicks",
        "breakdowns": "date,app,platform,country,adFormat,instance",
        "page": "1",
        "resultsPerPage": "5000",
    }


@pytest.mark.parametrize("page_cap", [1, 2, 3, 4, 5])
def test_pages_are_read_until_all_rows_are_there(server: FakeServer, tmp_path: Path, page_cap: int) -> None:
    batch = ask(server, tmp_path, FakeLevelPlay(ROWS, page_cap))
    assert len(batch.rows) == 4
    assert len(server.requests) == 1 + math.ceil(4 / page_cap)


@pytest.mark.parametrize("ends_with", ["[]", "", "same"])
def test_a_list_that_says_not_how_long_it_is(server: FakeServer, tmp_path: Path, ends_with: str) -> None:
    def report(request: Request) -> Reply:
        if request.query["page"] == "1" or ends_with == "same":
            return Reply(as_json(ROWS).encode())
        return Reply(ends_with.encode(), status=200 if ends_with else 204)

    assert len(ask(server, tmp_path, FakeLevelPlay([], report=report)).rows) == 4
    assert len(server.requests) == 3


def test_a_list_that_fills_its_page_and_comes_again_is_an_error(server: FakeServer, tmp_path: Path) -> None:
    class Small(LevelPlay):
        page_size = 4

    server.answer = FakeLevelPlay([], report=lambda _: Reply(as_json(ROWS).encode()))
    with pytest.raises(PartnerError, match="could not be read as a whole"):
        small = Small(account(server.url, credentials=SECRETS, grain=GRAIN))
        import_day(small, DAY, AS_OF, Archive(tmp_path), QUICK)


def test_keys_that_hold_an_id_beside_a_name_are_taken(server: FakeServer, tmp_path: Path) -> None:
    named = row("Acme", "US", "1", appKey='"1a2b"', mediationAdUnitId='"u-1"', mediationAdUnit='"Main banner"')
    batch = ask(server, tmp_path, FakeLevelPlay([named]), grain=("app_id", "ad_unit_id"))
    assert [(each.app_id, each.ad_unit_id) for each in batch.rows if isinstance(each, RevenueRow)] == [("1a2b", "u-1")]


def test_no_content_is_an_empty_day(server: FakeServer, tmp_path: Path) -> None:
    assert ask(server, tmp_path, FakeLevelPlay([], report=lambda _: Reply(status=204))).rows == ()
    nothing = {"data": None, "totalResults": 0}
    assert ask(server, tmp_path, FakeLevelPlay([], report=lambda _: nothing)).rows == ()


@pytest.mark.parametrize(
    ("report", "what"),
    [
        ({"rows": [], "totalResults": 0}, "neither a list of rows nor one under `data`"),
        ({"data": {"rows": []}}, "neither a list of rows nor one under `data`"),
        ({"data": ["row"], "totalResults": 1}, "neither a list of rows nor one under `data`"),
        ({"error": "Internal error"}, "neither a list of rows nor one under `data`"),
        ({}, "neither a list of rows nor one under `data`"),
        ({"data": None}, "neither a list of rows nor one under `data`"),
        ({"data": None, "totalResults": 3}, "neither a list of rows nor one under `data`"),
        ({"totalResults": 0}, "neither a list of rows nor one under `data`"),
        ({"data": [], "totalResults": "many"}, "'many' is not an amount of money in `totalResults`"),
        ({"data": [], "totalResults": 3}, "0 rows came where `totalResults` speaks of 3"),
        ("<html>busy</html>", "not JSON"),
        (Reply({"error": "date is bad"}, status=400), "the partner refused the request (HTTP 400)"),
        (Reply("slow down", status=429), "the partner's rate limit is reached"),
    ],
)
def test_what_is_not_the_report_is_never_an_empty_day(
    server: FakeServer, tmp_path: Path, report: Any, what: str
) -> None:
    assert what in refused(server, tmp_path, FakeLevelPlay([], report=lambda _: report)).cause


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"date": '"2026-10-04"'}, "a row of day '2026-10-04'"),
        ({"date": ""}, "a row without `date`"),
        ({"revenue": ""}, "a row without `revenue`"),
        ({"revenue": "null"}, "None is not an amount of money"),
        ({"impressions": ""}, "a row without `impressions`"),
        ({"impressions": "1.5"}, "is not a count"),
        ({"country": ""}, "a row without `country`"),
        ({"app": "[1]"}, "[1] is not text"),
        ({"data": '[{"revenue": 1}]', "revenue": ""}, "a row without `revenue`"),
    ],
)
def test_a_row_that_is_not_as_asked_for(server: FakeServer, tmp_path: Path, changes: dict[str, str], what: str) -> None:
    changed = {name: value for name, value in {**row("1a2b", "US", "1"), **changes}.items() if value}
    assert what in refused(server, tmp_path, FakeLevelPlay([changed])).cause


def test_the_same_row_on_two_pages_is_an_error(server: FakeServer, tmp_path: Path) -> None:
    fake = FakeLevelPlay([ROWS[0], ROWS[0]], page_cap=1)
    error = refused(server, tmp_path, fake)
    assert "the same row came twice" in error.cause


def test_a_report_that_grows_while_it_is_read_is_read_again(server: FakeServer, tmp_path: Path) -> None:
    fake = FakeLevelPlay(ROWS[:3], page_cap=2)

    def growing(request: Request) -> Reply:
        if request.query.get("page") == "2":
            fake.rows = ROWS
        return fake(request)

    server.answer = growing
    assert len(ask(server, tmp_path).rows) == 4


# --- tokens ----------------------------------------------------------------------------------------------------------


def test_days_share_a_token_until_it_is_refused_and_it_is_shown_of_none_of_them(
    server: FakeServer, tmp_path: Path
) -> None:
    fake = FakeLevelPlay([])
    server.answer = fake
    shared = connector(server)
    for day, accepted in ((DAY, TOKEN), (DAY - timedelta(days=1), TOKEN), (DAY - timedelta(days=2), SECOND)):
        fake.accepted = [accepted]
        import_day(shared, day, AS_OF, Archive(tmp_path), QUICK)

    asked = [request.path.rpartition("/")[2] for request in server.requests]
    assert asked == ["auth", "v1", "v1", "v1", "auth", "v1"]  # the third day is refused once, and tells the token
    kept = [gzip.decompress(path.read_bytes()).decode() for path in tmp_path.rglob("*.gz")]
    assert sum("bad token Bearer ***" in content for content in kept) == 1
    assert TOKEN not in str(kept)


def test_days_at_once_are_asked_for_with_one_token_also_where_it_was_refused(
    server: FakeServer, tmp_path: Path
) -> None:
    latest: list[str] = []

    def answer(request: Request) -> Reply:
        if request.path == "/partners/publisher/auth":
            latest.append(f"token-{len(latest) + 1}")
            return Reply(json.dumps(latest[-1]).encode(), delay=0.2)  # until all days wait for it
        given = request.headers["Authorization"].removeprefix("Bearer ")
        return Reply({"data": [], "totalResults": 0}) if given == latest[-1] else Reply(status=401)

    server.answer = answer
    shared = connector(server)

    def fetch(day: date) -> Import:
        return import_day(shared, day, AS_OF, Archive(tmp_path), QUICK)

    days = [DAY - timedelta(days=age) for age in range(3)]
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(fetch, days))
        assert latest == ["token-1"]
        latest.append("token-of-somebody-else")
        list(pool.map(fetch, days))
    assert latest == ["token-1", "token-of-somebody-else", "token-3"]


def test_a_refused_token_is_replaced_once(server: FakeServer, tmp_path: Path) -> None:
    fake = FakeLevelPlay(ROWS)
    fake.accepted = [SECOND]
    assert len(ask(server, tmp_path, fake).rows) == 4
    assert [request.path for request in server.requests].count("/partners/publisher/auth") == 2
    for path in tmp_path.rglob("*.gz"):
        content = gzip.decompress(path.read_bytes()).decode()
        assert TOKEN not in content
        assert SECOND not in content


def test_a_second_refusal_names_the_credentials(server: FakeServer, tmp_path: Path) -> None:
    fake = FakeLevelPlay(ROWS)
    fake.accepted = []
    error = refused(server, tmp_path, fake)
    assert 'the partner refused the credentials (HTTP 401): \'{"error": "bad token Bearer ***"}\'' in error.cause
    assert error.remedy.startswith("Check the environment variable LP_SECRET_KEY and LP_REFRESH_TOKEN.")
    assert len(server.requests) == 4


@pytest.mark.parametrize("status", [400, 401])
def test_secrets_that_earn_no_token_are_named(server: FakeServer, tmp_path: Path, status: int) -> None:
    server.answer = lambda _: Reply({"error": "Missing credentials"}, status=status)
    with pytest.raises(PartnerError, match="the partner refused the credentials"):
        ask(server, tmp_path)


@pytest.mark.parametrize("body", [b"", b'""', b"{}", b'{"token": "x"}', b"<html>", b'"two words"', b"null x"])
def test_what_is_no_token_is_an_error(server: FakeServer, tmp_path: Path, body: bytes) -> None:
    server.answer = lambda _: Reply(body)
    with pytest.raises(PartnerError, match="something else than a token"):
        ask(server, tmp_path)


def test_a_token_without_quotes_is_one(server: FakeServer, tmp_path: Path) -> None:
    fake = FakeLevelPlay(ROWS)
    server.answer = lambda request: Reply(TOKEN.encode()) if request.path.endswith("auth") else fake(request)
    assert len(ask(server, tmp_path).rows) == 4


# --- user-level ------------------------------------------------------------------------------------------------------

APPS = [{"app_key": "1a2b", "platform": "ios"}, {"app_key": "3c4d", "platform": "android"}]
HEADINGS = "advertising_id,advertising_id_type,user_id,segment,placement,ad_network,ad_unit,AB_Testing,impressions"
USERS = f"""{HEADINGS},revenue
A-1,IDFA,ann,,Main,ironSource,Rewarded Video,A,3,0.012345678
A-1,IDFA,ann,,Main,ironSource,Rewarded Video,A,3,0.012345678
A-2,IDFA,,,Home,UnityAds,Banner,A,1,0
"""
MORE = USERS.partition("\n")[0] + "\nA-3,GAID,bob,,Main,AdMob,Interstitial,B,2,1e-05\n"
IMPRESSIONS = (
    "event_timestamp,advertising_id,user_id,ad_unit,country,revenue\n1,A-1,ann,Banner,us,0.5\n2,A-1,ann,Banner,us,0.5\n"
)
SIGNATURE = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"


def files(server: FakeServer, storage: FakeServer, **by_name: bytes) -> FakeLevelPlay:
    """Each app has all of these files, under addresses of its own."""
    storage.answer = lambda request: Reply(by_name[request.path.rpartition("/")[2]])

    def report(request: Request) -> Any:
        app = request.query["appKey"]
        urls = [f"{storage.url}/{app}/{name}?X-Amz-Signature={SIGNATURE}" for name in by_name]
        return {"urls": urls, "expiration": "2026-10-06 11:00:00"}

    return FakeLevelPlay([], report=report)


def ask_users(server: FakeServer, folder: Path, fake: FakeLevelPlay, grain: tuple[str, ...], **options: Any) -> Import:
    return ask(server, folder, fake, grain=grain, granularity="user_level", options={"apps": APPS[:1], **options})


def per_user(batch: Import) -> list[tuple[Any, ...]]:
    rows = [each for each in batch.rows if isinstance(each, RevenueRow)]
    return sorted(((each.user_id, each.ad_format, each.impressions, each.revenue) for each in rows), key=str)


def test_all_files_of_all_apps_are_read(server: FakeServer, other_server: FakeServer, tmp_path: Path) -> None:
    fake = files(server, other_server, one=gzip.compress(USERS.encode()), two=gzip.compress(MORE.encode()))
    grain = ("app_id", "platform", "ad_format")
    batch = ask_users(server, tmp_path, fake, grain, apps=APPS)
    of_one_app = [
        ("ann", "rewarded video", 3, Decimal("0.012345678")),
        ("ann", "rewarded video", 3, Decimal("0.012345678")),
        ("bob", "interstitial", 2, Decimal("0.00001")),
        (None, "banner", 1, Decimal(0)),
    ]
    assert per_user(batch) == sorted(2 * of_one_app, key=str)
    apps = {(each.app_id, each.platform) for each in batch.rows if isinstance(each, RevenueRow)}
    assert apps == {("1a2b", "ios"), ("3c4d", "android")}
    asked = [request for request in server.requests if request.path.startswith("/partners/user")]
    assert [(request.path, request.query) for request in asked] == [
        ("/partners/userAdRevenue/v3", {"appKey": app, "date": "2026-10-05", "reportType": "1"})
        for app in ("1a2b", "3c4d")
    ]
    for request in other_server.requests:
        assert "Authorization" not in request.headers
    kept = b"".join(gzip.decompress(path.read_bytes()) for path in batch.archive.glob("*.gz")).decode()
    assert USERS in kept
    assert SIGNATURE not in kept + (batch.archive / "requests.ndjson").read_text()


def test_impressions_may_be_read_instead(server: FakeServer, other_server: FakeServer, tmp_path: Path) -> None:
    fake = files(server, other_server, one=gzip.compress(IMPRESSIONS.encode()))
    batch = ask_users(server, tmp_path, fake, ("country", "ad_format"), files="impression")
    assert per_user(batch) == 2 * [("ann", "banner", 1, Decimal("0.5"))]
    assert server.requests[1].path == "/partners/adRevenueMeasurements/v4"
    assert server.requests[1].query == {"appKey": "1a2b", "date": "2026-10-05"}


def test_the_user_and_the_ad_unit_are_chosen(server: FakeServer, other_server: FakeServer, tmp_path: Path) -> None:
    fake = files(server, other_server, one=USERS.encode())  # not packed, which is as well
    batch = ask_users(server, tmp_path, fake, ("ad_unit_id",), user="advertising_id", ad_unit="placement")
    found = {(each.user_id, each.ad_unit_id) for each in batch.rows if isinstance(each, RevenueRow)}
    assert found == {("A-1", "Main"), ("A-2", "Home")}


@pytest.mark.parametrize("reply", [{"urls": []}, Reply(status=204)], ids=["no files", "204"])
def test_an_app_without_files_has_no_revenue(server: FakeServer, tmp_path: Path, reply: Any) -> None:
    assert ask_users(server, tmp_path, FakeLevelPlay([], report=lambda _: reply), ("app_id",)).rows == ()


PACKED = gzip.compress(USERS.encode())


@pytest.mark.parametrize(
    ("second", "what"),
    [
        (PACKED[:-4], "the answer broke off or is damaged"),
        (PACKED[:40], "the answer broke off or is damaged"),
        (gzip.compress(b""), "no headings, or one of them twice, in [] in file 2 of 2 of the app 1a2b"),
        (gzip.compress(USERS[:-20].encode()), "values under 10 headings"),
        (gzip.compress(USERS.replace("revenue", "income").encode()), "no column revenue among"),
        (gzip.compress(USERS.replace("impressions", "views").encode()), "no column impressions among"),
        (gzip.compress(USERS.replace("user_id", "player").encode()), "no column user_id among"),
        (gzip.compress(USERS.replace("0.012345678", "a lot").encode()), "'a lot' is not an amount of money"),
        (b"\xff\xfe", "something that is not text"),
    ],
)
def test_one_bad_file_of_several_fails_the_day(
    server: FakeServer, other_server: FakeServer, tmp_path: Path, second: bytes, what: str
) -> None:
    fake = files(server, other_server, one=PACKED, two=second)
    with pytest.raises(PartnerError) as caught:
        ask_users(server, tmp_path, fake, ("app_id",))
    assert what in caught.value.cause
    assert SIGNATURE not in str(caught.value)


def test_a_column_that_no_file_has_is_named(server: FakeServer, other_server: FakeServer, tmp_path: Path) -> None:
    fake = files(server, other_server, one=PACKED)
    with pytest.raises(PartnerError, match="no column country or country_code among advertising_id"):
        ask_users(server, tmp_path, fake, ("country",))
    with pytest.raises(PartnerError, match="no column mediation_ad_unit_id or mediation_ad_unit among"):
        ask_users(server, tmp_path, files(server, other_server, one=PACKED), ("ad_unit_id",))


@pytest.mark.parametrize(
    ("reply", "what"),
    [
        ({"url": "x"}, "no list of `urls`"),
        ([], "no list of `urls`"),
        ({"urls": "http://x"}, "no list of `urls`"),
        ({"urls": [None]}, "no list of `urls`"),
        ({"urls": ["http://127.0.0.1:1/a", "http://127.0.0.1:1/a"]}, "the same file twice among the `urls`"),
        ({"urls": ["report.csv.gz"]}, "as the address of a file"),
        (Reply({"error": "Data is not available"}, status=404), "the partner refused the request (HTTP 404)"),
    ],
)
def test_what_gives_no_addresses_is_never_an_app_without_revenue(
    server: FakeServer, tmp_path: Path, reply: Any, what: str
) -> None:
    with pytest.raises(PartnerError) as caught:
        ask_users(server, tmp_path, FakeLevelPlay([], report=lambda _: reply), ("app_id",))
    assert what in caught.value.cause


def test_users_of_1_january_are_there_until_the_14th_and_the_report_as_long_as_it_will(server: FakeServer) -> None:
    users = connector(server, granularity="user_level", options={"apps": APPS})
    assert is_reachable(users, date(2026, 1, 1), date(2026, 1, 14))
    assert not is_reachable(users, date(2026, 1, 1), date(2026, 1, 15))
    assert is_reachable(connector(server), date(2016, 1, 1), date(2026, 1, 15))


@pytest.mark.parametrize(
    ("grain", "options", "where", "what"),
    [
        (GRAIN, {}, ("apps",), "missing: user-level revenue is asked for app by app"),
        (GRAIN, {"apps": [APPS[0], APPS[0]]}, ("apps",), "named twice"),
        (("platform",), {"apps": [{"app_key": "1a2b"}]}, ("apps",), "give each app its platform"),
        (GRAIN, {"apps": [{"platform": "ios"}]}, ("apps", 0, "app_key"), "required"),
        (GRAIN, {"apps": APPS, "files": "hourly"}, ("files",), "'user' or 'impression'"),
        (GRAIN, {"apps": APPS, "ad_unit": "zone"}, ("ad_unit",), "'mediationAdUnit', 'placement' or 'instance'"),
    ],
)
def test_options_that_cannot_work_name_their_key(
    server: FakeServer, grain: tuple[str, ...], options: dict[str, Any], where: tuple[object, ...], what: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        connector(server, grain, granularity="user_level", options=options)
    (mistake,) = caught.value.errors()
    assert mistake["loc"] == where
    assert what in mistake["msg"]
