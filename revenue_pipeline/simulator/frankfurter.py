"""Answers as Frankfurter's API v1 does: `GET /v1/{day}?base=EUR&symbols=USD`, rates as numbers.

The world knows one rate, dollars for a euro; days without one are answered with the last day before that has one, and
its date. Rates for another base than EUR are rounded to five digits, as the API does.
"""

import re
from collections.abc import Mapping
from datetime import date, timedelta

from revenue_pipeline.simulator.counterpart import Answer, Call, Counterpart


class Frankfurter:
    """The world's exchange rate."""

    name = "frankfurter"
    prefix = "/frankfurter"
    secrets: frozenset[str] = frozenset()

    def credential(self, query: Mapping[str, str], headers: Mapping[str, str]) -> str | None:
        """It asks for none."""
        return None

    def refuse_window(self) -> Answer:
        """Days before the euro."""
        return Answer.json({"message": "not found"}, 404)

    def failure_in_body(self, code: int) -> Answer:
        """A message where the rates should be."""
        return Answer.json({"message": "internal error"})

    def answer(self, call: Call) -> Answer:
        """The rates of the day, or of the last one before it."""
        found = re.fullmatch(r"/v1/(\d{4}-\d\d-\d\d)", call.path)
        if found is None:
            return Answer.json({"message": "not found"}, 404)
        day = min(date.fromisoformat(found[1]), call.today)
        while (rate := call.world.exchange_rate(day)) is None:
            day -= timedelta(days=1)
        base = call.query.get("base", "EUR")
        quotes = {"EUR": "1", "USD": f"{rate}"} if base == "EUR" else {"EUR": f"{1 / rate:.5f}", "USD": "1"}
        wanted = set(call.query.get("symbols", "EUR,USD").split(",")) - {base}
        rates = ",".join(f'"{code}":{quote}' for code, quote in quotes.items() if code in wanted)
        if "empty" in call.faults or not rates:
            return Answer.json({"message": "not found"}, 404)
        body = f'{{"amount":1.0,"base":"{base}","date":"{day}","rates":{{{rates}}}}}'
        return Answer(200, body.encode(), "application/json; charset=utf-8")


COUNTERPART: Counterpart = Frankfurter()
