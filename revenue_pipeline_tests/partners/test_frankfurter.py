from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from revenue_pipeline.partners.archive import Archive
from revenue_pipeline.partners.base import ExchangeRateRow, Import, PartnerError, import_day
from revenue_pipeline.partners.frankfurter import Frankfurter
from revenue_pipeline_tests.partners.conftest import QUICK, FakeServer, Reply, account

DAY, AS_OF = date(2026, 10, 5), date(2026, 10, 7)
RATES = b'{"amount":1.0,"base":"EUR","date":"2026-10-05","rates":{"GBP":0.8351,"JPY":163.27,"USD":1.0845}}'


def ask(
    server: FakeServer, folder: Path, *currencies: str, reporting: str = "USD", day: date = DAY, name: str = "ecb"
) -> Import:
    connector = Frankfurter(
        account(
            server.url,
            name=name,
            granularity=None,
            grain=(),
            currency=reporting,
            credentials={},
            credential_variables={},
            options={"currencies": currencies or ("EUR", "GBP", "JPY")},
        )
    )
    return import_day(connector, day, AS_OF, Archive(folder), QUICK)


def refused(server: FakeServer, folder: Path, **changes: Any) -> PartnerError:
    with pytest.raises(PartnerError) as caught:
        ask(server, folder, **changes)
    return caught.value


def rates(batch: Import) -> dict[str, Decimal]:
    assert all(isinstance(row, ExchangeRateRow) for row in batch.rows)
    return {row.currency: row.rate for row in batch.rows}  # type: ignore[attr-defined]


def test_a_rate_is_what_one_unit_is_worth_in_the_reporting_currency(server: FakeServer, tmp_path: Path) -> None:
    server.replies = [Reply(RATES)]
    assert rates(ask(server, tmp_path)) == {
        "EUR": Decimal("1.0845"),
        "GBP": Decimal("1.298646868638"),  # 1.0845 / 0.8351
        "JPY": Decimal("0.006642371532"),  # 1.0845 / 163.27
    }


def test_the_reporting_currency_may_be_the_euro(server: FakeServer, tmp_path: Path) -> None:
    server.replies = [Reply(RATES)]
    assert rates(ask(server, tmp_path, "USD", "EUR", reporting="EUR")) == {"USD": Decimal("0.922083909636")}
    assert server.requests[0].query == {"base": "EUR", "symbols": "USD"}


def test_what_is_asked_for(server: FakeServer, tmp_path: Path) -> None:
    server.replies = [Reply(RATES)]
    ask(server, tmp_path)
    assert server.requests[0].path == "/v1/2026-10-05"
    assert server.requests[0].query == {"base": "EUR", "symbols": "GBP,JPY,USD"}


def test_a_day_without_rates_gives_those_of_the_last_day_before_it(server: FakeServer, tmp_path: Path) -> None:
    server.replies = [Reply(RATES)]
    batch = ask(server, tmp_path, day=date(2026, 10, 6))
    assert batch.report_date == date(2026, 10, 6)
    assert {row.rate_date for row in batch.rows} == {DAY}  # type: ignore[attr-defined]


def test_a_currency_without_a_rate_is_named(server: FakeServer, tmp_path: Path) -> None:
    server.replies = [Reply(b'{"base":"EUR","date":"2026-10-05","rates":{"USD":1.0845}}')]
    error = refused(server, tmp_path)
    assert "no rate was published on 2026-10-05 for GBP, JPY" in error.cause
    assert "land its rates as files under fx_rates" in error.remedy


@pytest.mark.parametrize("status", [404, 422])
def test_what_it_does_not_have_is_an_error(server: FakeServer, tmp_path: Path, status: int) -> None:
    server.replies = [Reply({"message": "not found"}, status=status)]
    assert "there are no rates of GBP, JPY, USD" in refused(server, tmp_path).cause


@pytest.mark.parametrize(
    "body",
    [
        b'{"base":"USD","date":"2026-10-05","rates":{"GBP":1,"JPY":1,"USD":1}}',
        b'{"amount":10.0,"base":"EUR","date":"2026-10-05","rates":{"GBP":8,"JPY":1632.7,"USD":10.8}}',
        b'{"base":"EUR","date":"2026-10-06","rates":{"GBP":1,"JPY":1,"USD":1}}',
        b'{"base":"EUR","date":"2026-10-05","rates":{"GBP":1,"JPY":0,"USD":1}}',
        b'{"base":"EUR","date":"2026-10-05","rates":{"GBP":1,"JPY":null,"USD":1}}',
        b'{"base":"EUR","date":"yesterday","rates":{"GBP":1,"JPY":1,"USD":1}}',
        b'{"base":"EUR","date":"2026-10-05"}',
        b"[]",
        b"<html>",
    ],
)
def test_an_answer_of_another_shape_is_an_error(server: FakeServer, tmp_path: Path, body: bytes) -> None:
    server.replies = [Reply(body)]
    assert "ecb 2026-10-05: " in refused(server, tmp_path).cause


@pytest.mark.parametrize("currencies", [(), ("EUR", "EUR"), ("euro",)])
def test_the_option_must_name_currencies_once(currencies: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="currencies"):
        Frankfurter(
            account(
                "http://x",
                granularity=None,
                grain=(),
                credentials={},
                credential_variables={},
                options={"currencies": currencies},
            )
        )
