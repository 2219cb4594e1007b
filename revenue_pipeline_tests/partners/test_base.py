from __future__ import annotations

import gzip
import logging
import pickle
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, ValidationError, ValidationInfo, field_validator

from revenue_pipeline.partners.archive import Archive
from revenue_pipeline.partners.base import (
    Account,
    Connector,
    ConnectorOptions,
    ConversionRow,
    Granularity,
    Import,
    PartnerError,
    RateLimit,
    RevenueRow,
    amount,
    content_id,
    count,
    import_day,
    restated_days,
    text,
)
from revenue_pipeline.partners.http import PartnerHttp
from revenue_pipeline_tests.partners.conftest import QUICK, SECRET, FakeServer, Reply, Request, account

DAY = date(2026, 10, 5)
AS_OF = date(2026, 10, 6)


class Plain(Connector):
    """A partner that answers `{"rows": [{…}]}`, each row ready made."""

    name = "plain"
    documentation = "https://partner.example/docs"
    base_url = "http://127.0.0.1:1"
    credentials = ("api_key",)
    granularities: ClassVar[tuple[Granularity, ...]] = ("aggregated",)
    grain = ("app_id", "country")
    reach_back_days = 45

    def fetch_day(self, day: date, http: PartnerHttp) -> list[RevenueRow]:
        params = {"day": day.isoformat(), "api_key": self.account.credentials["api_key"]}
        return [self._row(row, day) for row in http.get("rows", params=params).json()["rows"]]

    def _row(self, row: dict[str, Any], day: date) -> RevenueRow:
        fields = {"report_date": day, "currency": "USD", **row, "revenue": Decimal(row["revenue"])}
        if "report_date" in row:
            fields["report_date"] = date.fromisoformat(row["report_date"])
        return RevenueRow(**fields)


def ask(server: FakeServer, folder: Path, day: date = DAY, as_of: date = AS_OF, **changes: object) -> Import:
    connector = Plain(account(server.url, name="acme", **changes))
    return import_day(connector, day, as_of, Archive(folder), QUICK)


def kept(folder: Path) -> dict[str, bytes]:
    """Folder name and file name -> content, of every answer in the archive."""
    return {
        f"{path.parent.name}/{path.name}": gzip.decompress(path.read_bytes()) for path in sorted(folder.rglob("*.gz"))
    }


# --- accounts --------------------------------------------------------------------------------------------------------


def test_an_account_does_not_show_its_secrets() -> None:
    assert SECRET not in repr(account("http://partner"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"grain": ("app_id", "ad_unit_id")},
            "applovin_max: plain cannot report ad_unit_id. Choose the grain of this partner from app_id, country.",
        ),
        (
            {"granularity": "user_level"},
            "applovin_max: plain does not offer user_level revenue. Set its granularity to aggregated.",
        ),
        ({"granularity": None}, "applovin_max: granularity is missing. Set its granularity to aggregated."),
        (
            {"credentials": {"api_key": " "}},
            "applovin_max: credential api_key is empty. Set the environment variable APPLOVIN_API_KEY.",
        ),
        (
            {"credentials": {}},
            "applovin_max: credential api_key is empty. Set the environment variable APPLOVIN_API_KEY.",
        ),
    ],
)
def test_an_account_the_connector_cannot_serve_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(PartnerError) as caught:
        Plain(account("http://partner", **changes))
    assert str(caught.value) == message


class Affiliates(Plain):
    """A network whose answer holds conversions, and one option."""

    class Options(ConnectorOptions):
        side: Literal["affiliate", "network"] = "affiliate"

    options: Options
    gives = (ConversionRow,)
    granularities = ()
    grain = ()
    timezone = "America/New_York"

    def fetch_day(self, day: date, http: PartnerHttp) -> list[ConversionRow]:
        rows = http.get("rows").json()["rows"]
        return [
            ConversionRow(
                conversion_id=row["id"],
                payout=amount(row["payout"]),
                currency=self.options.side[:3],
                converted_at=datetime.fromisoformat(row["at"]),
            )
            for row in rows
        ]


AFFILIATE: dict[str, object] = {"granularity": None, "grain": (), "timezone": "America/New_York"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"granularity": "aggregated"}, "applovin_max: plain reports no ad revenue. Remove its granularity."),
        ({"grain": ("app_id",)}, "applovin_max: plain cannot report app_id. Remove its grain."),
    ],
)
def test_a_connector_that_gives_no_revenue_has_neither_granularity_nor_grain(
    changes: dict[str, object], message: str
) -> None:
    with pytest.raises(PartnerError) as caught:
        Affiliates(account("http://partner", **{**AFFILIATE, **changes}))
    assert str(caught.value) == message


def test_options_are_read_from_text_and_checked() -> None:
    assert Affiliates(account("http://partner", **AFFILIATE)).options.side == "affiliate"
    options = {"options": {"side": "network"}}
    assert Affiliates(account("http://partner", **AFFILIATE, **options)).options.side == "network"
    for wrong in ({"side": "both"}, {"surprise": "1"}):
        with pytest.raises(ValidationError):
            Affiliates(account("http://partner", **AFFILIATE, options=wrong))


def test_options_may_depend_on_the_rest_of_the_account() -> None:
    class PerApp(Plain):
        class Options(ConnectorOptions):
            apps: tuple[str, ...] = Field((), validate_default=True)

            @field_validator("apps")
            @classmethod
            def _needed_per_user(cls, apps: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
                assert isinstance(info.context, Account)
                if info.context.granularity == "aggregated" and not apps:
                    raise ValueError("missing")
                return apps

    assert PerApp(account("http://partner", options={"apps": ["a"]}))
    with pytest.raises(ValidationError, match="apps"):
        PerApp(account("http://partner"))


def test_what_a_partner_says_of_a_day_is_handed_on_without_secrets(server: FakeServer, tmp_path: Path) -> None:
    class Warned(Plain):
        def fetch_day(self, day: date, http: PartnerHttp) -> list[RevenueRow]:
            http.warn(f"It is delayed, and knows {SECRET}.")
            return super().fetch_day(day, http)

    server.replies = [Reply({"rows": []})]
    batch = import_day(Warned(account(server.url)), DAY, AS_OF, Archive(tmp_path), QUICK)
    assert batch.warnings == ("It is delayed, and knows ***.",)


def test_conversions_belong_to_the_partners_day_and_are_kept_in_utc(server: FakeServer, tmp_path: Path) -> None:
    connector = Affiliates(account(server.url, **AFFILIATE))
    late = {"id": "c-1", "payout": "1.5", "at": "2026-10-05T23:30:00-04:00"}
    server.replies = [Reply({"rows": [late]})]
    (row,) = import_day(connector, DAY, AS_OF, Archive(tmp_path), QUICK).rows
    assert isinstance(row, ConversionRow)
    assert row.converted_at.isoformat() == "2026-10-06T03:30:00+00:00"
    assert row.currency == "AFF"
    for day in (DAY - timedelta(days=1), AS_OF):
        with pytest.raises(PartnerError, match=f"a row of 2026-10-05 where {day} was asked for"):
            import_day(connector, day, AS_OF, Archive(tmp_path), QUICK)


def test_a_row_of_a_kind_that_was_not_declared_is_refused(server: FakeServer, tmp_path: Path) -> None:
    class Undeclared(Affiliates):
        gives = (RevenueRow,)
        granularities = ("aggregated",)

    server.replies = [Reply({"rows": [{"id": "c-1", "payout": "1.5", "at": "2026-10-05T12:00:00-04:00"}]})]
    connector = Undeclared(account(server.url, grain=(), timezone="America/New_York"))
    with pytest.raises(PartnerError, match="does not declare that it gives a ConversionRow"):
        import_day(connector, DAY, AS_OF, Archive(tmp_path), QUICK)


def test_a_partner_that_cannot_say_what_changed_is_not_asked(server: FakeServer, tmp_path: Path) -> None:
    assert restated_days(Affiliates(account(server.url, **AFFILIATE)), DAY, AS_OF, Archive(tmp_path), QUICK) is None
    assert server.requests == []
    assert list(tmp_path.iterdir()) == []


def test_a_day_beyond_reach_names_the_folder_of_its_kind_of_rows() -> None:
    told = str(Affiliates(account("http://partner", **AFFILIATE)).beyond_reach_back(DAY))
    assert "<landing>/conversions/date=2026-10-05/" in told


def test_an_account_without_a_base_url_uses_that_of_the_connector(tmp_path: Path) -> None:
    connector = Plain(account(""))
    with pytest.raises(PartnerError, match=r"port=1"):
        import_day(connector, DAY, AS_OF, Archive(tmp_path), QUICK)


def test_a_partner_error_survives_pickling() -> None:
    error = pickle.loads(pickle.dumps(PartnerError("What happened.", "What to do.")))  # noqa: S301
    assert (error.cause, error.remedy, str(error)) == ("What happened.", "What to do.", "What happened. What to do.")


# --- importing -------------------------------------------------------------------------------------------------------


def test_a_day_becomes_one_batch_of_normalised_rows(server: FakeServer, tmp_path: Path) -> None:
    body = {
        "rows": [
            {"app_id": " game ", "country": "us", "impressions": 10, "clicks": 0, "revenue": "1.250000001"},
            {
                "app_id": "",
                "platform": " iOS",
                "country": "  ",
                "ad_format": "INTER",
                "revenue": "-0.5",
                "currency": "eur",
            },
        ]
    }
    server.replies = [Reply(body)]
    batch = ask(server, tmp_path)
    assert (batch.partner, batch.report_date) == ("acme", DAY)
    assert set(batch.rows) == {
        RevenueRow(
            report_date=DAY, app_id="game", country="US", impressions=10, clicks=0,
            revenue=Decimal("1.250000001"), currency="USD",
        ),
        RevenueRow(report_date=DAY, platform="ios", ad_format="inter", revenue=Decimal("-0.5"), currency="EUR"),
    }  # fmt: skip
    assert batch.archive == tmp_path / "acme" / "2026-10-05" / batch.import_id
    assert list(kept(tmp_path)) == [f"{batch.import_id}/0001.json.gz"]


def test_the_import_id_names_the_content(server: FakeServer, tmp_path: Path) -> None:
    one = {"app_id": "a", "revenue": "1.50"}
    two = {"app_id": "b", "revenue": "2"}
    server.replies = [
        Reply({"rows": rows}) for rows in ([one, two], [two, one], [{**one, "revenue": "1.5"}, two], [one])
    ]
    first, reordered, rewritten, other = [ask(server, tmp_path) for _ in range(4)]
    assert first.import_id == reordered.import_id == rewritten.import_id != other.import_id
    assert first.rows == reordered.rows
    assert len(kept(tmp_path)) == 2  # answers with the same content are kept once


def test_an_empty_answer_is_a_batch(server: FakeServer, tmp_path: Path) -> None:
    server.replies = [Reply({"rows": []})]
    assert ask(server, tmp_path).rows == ()
    assert ask(server, tmp_path).import_id != ask(server, tmp_path, day=AS_OF).import_id


def test_the_last_day_within_reach_is_asked_for(server: FakeServer, tmp_path: Path) -> None:
    server.replies = [Reply({"rows": []})]
    assert ask(server, tmp_path, day=date(2026, 8, 22)).rows == ()  # 45 days before AS_OF


def test_a_day_beyond_reach_is_an_error_and_nobody_is_asked(server: FakeServer, tmp_path: Path) -> None:
    with pytest.raises(PartnerError) as caught:
        ask(server, tmp_path, day=date(2026, 8, 21))
    assert str(caught.value) == (
        "acme 2026-08-21: the partner reports only the last 45 days. "
        "Export it at the partner and land it as files: <landing>/partner_revenue/date=2026-08-21/."
    )
    assert server.requests == []
    assert kept(tmp_path) == {}


def test_user_level_revenue_may_be_kept_for_less_long() -> None:
    class PerUser(Plain):
        granularities = ("aggregated", "user_level")
        user_level_reach_back_days = 14

    aggregated, per_user = (PerUser(account("", granularity=granularity)) for granularity in PerUser.granularities)
    assert (aggregated.reach_back, per_user.reach_back) == (45, 14)
    assert "only the last 14 days" in str(per_user.beyond_reach_back(DAY))


def test_days_are_asked_for_at_once_and_share_the_throttle(server: FakeServer, tmp_path: Path) -> None:
    class Limited(Plain):
        rate_limit = RateLimit(2, 0.05)

    def answer(request: Request) -> Reply:
        return Reply({"rows": [{"app_id": request.query["day"], "revenue": "1"}]})

    server.answer = answer
    connector = Limited(account(server.url))
    days = [date(2026, 10, day) for day in range(1, 7)]
    start = time.monotonic()
    with ThreadPoolExecutor(3) as pool:
        batches = list(pool.map(lambda day: import_day(connector, day, AS_OF, Archive(tmp_path), QUICK), days))
    assert [(batch.report_date, batch.rows[0].app_id) for batch in batches] == [(day, day.isoformat()) for day in days]
    assert time.monotonic() - start >= 2 * 0.05


# --- what goes wrong -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "what"),
    [
        ({"app_id": "a"}, "KeyError: 'revenue'"),
        ({"revenue": "much"}, "InvalidOperation"),
        ({"revenue": "NaN"}, "ValueError: Decimal('NaN') is not an amount of money"),
        ({"revenue": "Infinity"}, "is not an amount of money"),
        ({"revenue": "1E+29"}, "is not an amount of money"),
        ({"revenue": "1", "impressions": -1}, "ValueError: -1 is not a count in RevenueRow(report_date="),
        ({"revenue": "1", "clicks": 2**63}, "is not a count"),
        ({"revenue": "1", "report_date": "2026-10-04"}, "a row of 2026-10-04 where 2026-10-05 was asked for"),
        ({"revenue": "1", "currency": "US$"}, "ValueError: 'US$' is not a currency"),
        ({"revenue": "1", "app_id": 7}, "AttributeError"),
        ({"revenue": "1", "app_id": "\ud800"}, "surrogates not allowed"),
        ({"revenue": "1", "surprise": 1}, "TypeError"),
        (None, "TypeError"),
    ],
)
def test_a_corrupt_row_is_an_error_that_names_partner_and_day(
    server: FakeServer, tmp_path: Path, row: object, what: str
) -> None:
    server.replies = [Reply({"rows": [row]})]
    with pytest.raises(PartnerError) as caught:
        ask(server, tmp_path)
    assert caught.value.cause.startswith("acme 2026-10-05: the partner's answer could not be read (")
    assert what in caught.value.cause
    assert "https://partner.example/docs" in caught.value.remedy


def test_the_answers_of_a_failure_are_named_and_kept(server: FakeServer, tmp_path: Path) -> None:
    server.replies = [Reply({"rowz": 1})]
    with pytest.raises(PartnerError) as caught:
        ask(server, tmp_path)
    folder = next((tmp_path / "acme" / "2026-10-05").iterdir())
    assert folder.name.startswith("failed-")
    assert caught.value.remedy.endswith(f"The raw answers are in {folder}.")
    assert kept(tmp_path) == {f"{folder.name}/0001.json.gz": b'{"rowz": 1}'}


def test_a_failure_without_an_answer_names_no_folder(server: FakeServer, tmp_path: Path) -> None:
    server.replies = [Reply(b"{}", withheld=5)]
    with pytest.raises(PartnerError) as caught:
        ask(server, tmp_path)
    assert "raw answers" not in caught.value.remedy
    assert list((tmp_path / "acme" / "2026-10-05").iterdir()) == []


@pytest.mark.parametrize(
    "reply",
    [
        Reply({"rows": [{"revenue": SECRET}]}),
        Reply({"rows": [{SECRET: 1, "revenue": "1"}]}),
        Reply({"rows": [{"revenue": "1", "currency": SECRET}]}),
        Reply(f"bad key {SECRET}", status=403),
    ],
)
def test_no_failure_shows_a_secret(
    server: FakeServer, tmp_path: Path, caplog: pytest.LogCaptureFixture, reply: Reply
) -> None:
    caplog.set_level(logging.DEBUG)
    server.replies = [reply]
    with pytest.raises(PartnerError) as caught:
        ask(server, tmp_path)
    shown = str(caught.value) + caplog.text + str(kept(tmp_path))
    assert SECRET not in shown
    assert SECRET[:15] not in shown
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_the_log_names_the_line_that_could_not_read_the_answer(
    server: FakeServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server.replies = [Reply({"rows": [{}]})]
    with pytest.raises(PartnerError):
        ask(server, tmp_path)
    assert 'Decimal(row["revenue"])' in caplog.text
    assert "acme 2026-10-05" in caplog.text


# --- content ids -----------------------------------------------------------------------------------------------------

rows = st.builds(
    RevenueRow,
    report_date=st.just(DAY),
    app_id=st.none() | st.text(max_size=3),
    country=st.none() | st.sampled_from(["US", "DE"]),
    impressions=st.none() | st.integers(0, 3),
    revenue=st.decimals(allow_nan=False, allow_infinity=False, places=9, min_value=-10, max_value=10),
    currency=st.sampled_from(["USD", "EUR"]),
)


@given(st.lists(rows, max_size=5).flatmap(lambda batch: st.tuples(st.just(batch), st.permutations(batch))))
def test_the_order_of_rows_does_not_matter(batches: tuple[list[RevenueRow], list[RevenueRow]]) -> None:
    assert content_id("acme", DAY, batches[0]) == content_id("acme", DAY, batches[1])


@given(rows)
def test_every_field_matters(row: RevenueRow) -> None:
    changed = [
        replace(row, report_date=AS_OF),
        replace(row, app_id=f"{row.app_id}x"),
        replace(row, platform="ios"),
        replace(row, country="FR"),
        replace(row, ad_format="inter"),
        replace(row, ad_unit_id="unit"),
        replace(row, user_id="user"),
        replace(row, impressions=4),
        replace(row, clicks=4),
        replace(row, revenue=row.revenue + Decimal("0.000000001")),
        replace(row, currency="GBP"),
    ]
    ids = {content_id("acme", DAY, [each]) for each in (row, *changed)}
    ids |= {content_id("other", DAY, [row]), content_id("acme", AS_OF, [row]), content_id("acme", DAY, [row, row])}
    assert len(ids) == 15


def test_zeros_at_the_end_do_not_matter_and_digits_are_never_rounded() -> None:
    def named(revenue: str) -> str:
        return content_id("acme", DAY, [RevenueRow(report_date=DAY, revenue=Decimal(revenue), currency="USD")])

    assert named("100") == named("100.00") == named("1E+2")
    assert named("0") == named("-0.00")
    assert named("12345678901234567890123456789.123456789") != named("12345678901234567890123456789.123456788")


# --- reading values --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "money"),
    [
        ("0.000000001", "0.000000001"),
        (" 12.50 ", "12.50"),
        ("-3", "-3"),
        ("1.5e-7", "0.00000015"),
        (".5", "0.5"),
        (7, "7"),
        (Decimal("0.1"), "0.1"),
    ],
)
def test_amounts_are_exact(value: object, money: str) -> None:
    assert amount(value) == Decimal(money)


@pytest.mark.parametrize(
    "value", ["", None, "1,000.5", "1_000", "$1", "NaN", "Infinity", "٣", 0.1, True, [], "1 2", "-"]
)
def test_what_is_no_amount_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="is not an amount of money"):
        amount(value)


@pytest.mark.parametrize(
    ("value", "number"),
    [("12", 12), (12, 12), ("12.0", 12), (Decimal("1E+3"), 1000), ("", None), (" ", None), (None, None)],
)
def test_counts_are_whole(value: object, number: int | None) -> None:
    assert count(value) == number


@pytest.mark.parametrize("value", ["1.5", "many", True, 1.0, "1e19", [1]])
def test_what_is_no_count_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="is not a"):
        count(value)


def test_ids_may_come_as_numbers() -> None:
    assert [text("007"), text(7), text(Decimal("7.50")), text(None)] == ["007", "7", "7.50", None]
    for value in (True, 1.5, ["a"]):
        with pytest.raises(ValueError, match="is not text"):
            text(value)


def test_accounts_take_their_fields_in_the_documented_order() -> None:
    positional = Account("acme", "aggregated", (), "UTC", "USD", "http://partner", {}, {})
    assert (positional.name, positional.base_url) == ("acme", "http://partner")
