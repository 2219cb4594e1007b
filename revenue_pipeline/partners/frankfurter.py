"""Frankfurter: the European Central Bank's reference rates, published on its working days around 16:00 CET.

Rates are asked for against the euro, as the bank publishes them, and crossed here to twelve digits: the API itself
rounds the rates it crosses to five, which leaves three of a yen. A day without rates, such as a Sunday, gives those of
the last day before it that has some.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from revenue_pipeline.partners.base import (
    Connector,
    ConnectorOptions,
    ExchangeRateRow,
    PartnerError,
    RateLimit,
    amount,
)
from revenue_pipeline.partners.http import PartnerHttp

_BASE = "EUR"  # of all that the bank publishes
_EXACT = Context(prec=60)
_DIGITS = Decimal("0.000000000001")


def _distinct(currencies: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(currencies)) < len(currencies):
        raise ValueError("a currency is named twice")
    return currencies


class FrankfurterOptions(ConnectorOptions):
    """Which rates are wanted."""

    currencies: Annotated[
        tuple[Annotated[str, Field(pattern="^[A-Z]{3}$")], ...], Field(min_length=1), AfterValidator(_distinct)
    ] = Field(description="The currencies to have rates for, into the reporting currency.")


class Frankfurter(Connector):
    """Needs no credential. `currency` is the reporting currency, and must not be set to another one."""

    name = "frankfurter"
    documentation = "https://frankfurter.dev/v1/"
    base_url = "https://api.frankfurter.dev"
    credentials = ()
    gives = (ExchangeRateRow,)
    currency = ""
    Options = FrankfurterOptions
    options: FrankfurterOptions
    concurrent_days = 3
    rate_limit = RateLimit(5, 1)  # it sets no limit; this is politeness towards a free service

    def fetch_day(self, day: date, http: PartnerHttp) -> Sequence[ExchangeRateRow]:
        """The rates of that day, or of the last one before it."""
        wanted = [currency for currency in self.options.currencies if currency != self.account.currency]
        symbols = sorted({*wanted, self.account.currency} - {_BASE})
        answer = http.get(
            f"v1/{day.isoformat()}", params={"base": _BASE, "symbols": ",".join(symbols)}, expect=(200, 404, 422)
        )
        if answer.status != 200:
            raise PartnerError(
                f"{self.subject(day)}: there are no rates of {', '.join(symbols)}: {answer.excerpt!r}.",
                "Choose the option currencies from those of https://api.frankfurter.dev/v1/currencies, and days since "
                "1999; land other rates as files under fx_rates.",
            )
        published, quotes = self._quotes(answer.json(), day, answer.excerpt)
        if missing := sorted(set(symbols) - quotes.keys()):
            raise PartnerError(
                f"{self.subject(day)}: no rate was published on {published} for {', '.join(missing)}.",
                "Take the currency from the option currencies, and land its rates as files under fx_rates.",
            )
        return [
            ExchangeRateRow(
                rate_date=published,
                currency=currency,
                rate=_EXACT.divide(quotes[self.account.currency], quotes[currency]).quantize(_DIGITS, ROUND_HALF_UP),
            )
            for currency in wanted
        ]

    def _quotes(self, reply: Any, day: date, excerpt: str) -> tuple[date, Mapping[str, Decimal]]:
        """The day of the rates, and how much of each currency one euro buys."""
        try:
            base, euros = reply["base"], amount(reply.get("amount", 1))
            published = date.fromisoformat(reply["date"])
            quotes = {str(currency): amount(quote) for currency, quote in reply["rates"].items()}
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise self.shape_error(day, f"{error!r} in {excerpt!r}") from None
        if base != _BASE or euros != 1 or published > day or min(quotes.values(), default=1) <= 0:
            raise self.shape_error(day, f"no rates of one euro on that day or before it in {excerpt!r}")
        return published, {_BASE: Decimal(1), **quotes}
