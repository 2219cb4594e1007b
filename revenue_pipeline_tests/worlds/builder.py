"""What every part of a world builds with: choices of its seed, days, rates, instants, and rows that a rule rejects."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from revenue_pipeline_tests.reference.landing import LandedFile, Texts, fx_rates
from revenue_pipeline_tests.reference.rules import Rules, rate_on
from revenue_pipeline_tests.reference.values import ONE_DAY, to_instant

ZONES = ("UTC", "America/Los_Angeles", "Asia/Shanghai", "Asia/Kolkata")
RATES = {"USD": "1.0874", "EUR": "0.9187", "JPY": "0.006712345", "GBP": "1.3", "INR": "0.011999999"}
SPOILED: Mapping[str, tuple[Mapping[str, str | None], ...]] = {
    "events": (
        *({"event_id": None}, {"event_id": "  "}, {"event_name": None}, {"event_time": ""}),
        *({"event_time": "yesterday"}, {"event_time": "2026-13-45T00:00:00Z"}, {"revenue": "12,5"}),
        *({"is_automated": "maybe"}, {"properties": '{"broken":'}, {"event_name": "purchase", "revenue": "NaN"}),
        *({"event_name": "ad_impression", "revenue": bad} for bad in ("-0.01", "NaN", "inf", "-Infinity", "-1e-9")),
        *({"currency": "ZZZ"}, {"currency": "US"}, {"revenue": "1000000000", "currency": None}),
        *({"event_name": "purchase", "revenue": "-1000000000", "currency": None}, {"revenue": "1" + "0" * 40}),
        {"revenue": "999999999.9999999999", "currency": None},
    ),
    "partner_revenue": (
        *({"partner": None}, {"revenue": " "}, {"report_date": None}, {"report_date": "2026-02-30"}),
        *({"revenue": "n/a"}, {"revenue": "nan"}, {"impressions": "many"}, {"clicks": "-1"}, {"currency": "ZZZ"}),
        *({"impressions": str(2**63)}, {"revenue": "1" + "0" * 29}, {"partner": "nobody"}),
        *({"partner": "nobody", "report_date": "2020-01-01"}, {"report_date": "2020-01-01"}),
    ),
    "costs": (
        *({"channel": None}, {"cost_date": "soon"}, {"cost_date": "2020-01-01"}, {"cost": ""}, {"cost": "1,000"}),
        *({"cost": "nan"}, {"cost": "1" + "0" * 29}, {"currency": None}, {"currency": "EURO"}, {"installs": "-1"}),
        *({"clicks": str(2**63)}, {"impressions": "1.5"}),
    ),
    "message_sends": (
        *({"message_id": None}, {"sent_at": "noon"}, {"sent_at": ""}, {"contact_id": " "}, {"segments": None}),
        *({"segments": "-1"}, {"segments": "2.5"}, {"segments": str(2**63)}, {"custom": "{state:"}),
        {"sent_at": "2020-01-01T00:00:00Z"},
    ),
    "link_clicks": (
        *({"click_id": None}, {"message_id": ""}, {"clicked_at": "24:61"}, {"clicked_at": None}),
        {"clicked_at": "2020-01-01 00:00:00"},
    ),
    "manual_revenue": (
        *({"click_id": None}, {"amount": None}, {"amount": "ten"}, {"amount": "inf"}, {"date": "1.2.2026"}),
        *({"date": "2020-01-01"}, {"currency": "Dollar"}, {"amount": "-1" + "0" * 29}),
    ),
    "conversions": (
        *({"partner": None}, {"conversion_id": " "}, {"payout": ""}, {"payout": "nan"}, {"payout": "1" + "0" * 29}),
        *({"currency": None}, {"currency": "XX"}, {"converted_at": "later"}, {"updated_at": "later"}),
        {"converted_at": "2020-01-01T00:00:00Z"},
    ),
    "line_items": (
        *({"line_item_id": None}, {"rate_type": None}, {"rate_type": "CPA"}, {"net_rate": "free"}, {"net_rate": None}),
        *({"gross_rate": "-inf"}, {"currency": "ZZZ"}, {"contracted_volume": "-5"}, {"contracted_volume": "1e-3"}),
        *({"start_date": None}, {"start_date": "2026-02-29"}, {"end_date": "never"}, {"proposal_status": "lost"}),
        {"net_rate": "1" + "0" * 29},
    ),
    "line_item_delivery": (
        *({"delivery_date": None}, {"line_item_id": ""}, {"ad_unit_id": None}, {"impressions": None}),
        *({"impressions": "some"}, {"impressions": "-1"}, {"clicks": str(2**64)}, {"delivery_date": "2020-01-01"}),
    ),
    "invoices": (
        *({"invoice_id": None}, {"partner": " "}, {"period_start": None}, {"period_end": "2026-04-31"}),
        *({"amount": "1.000,00"}, {"amount": "nan"}, {"currency": "euro"}, {"currency": None}, {"amount": "9" * 31}),
    ),
    "fx_rates": (
        *({"rate": "0"}, {"rate": "-1.5"}, {"rate": "par"}, {"rate": None}, {"currency": None}, {"currency": "ZZZ"}),
        *({"rate_date": "2020-01-01"}, {"rate_date": "soon"}, {"rate": "inf"}),
    ),
}
"""For each dataset what makes a row unusable: columns to put into a good one."""


def days_between(first: date, last: date) -> list[date]:
    return [first + ONE_DAY * n for n in range((last - first).days + 1)]


class Builder:
    """A world in the making: its settings, and the rows of each dataset with the folders they land in."""

    def __init__(self, seed: int, first: date, last: date) -> None:
        self._seed = seed
        self.first, self.last = first, last
        self.days_around = days_between(first - ONE_DAY, last + ONE_DAY)
        self.rng = self.choices("settings")
        self.rows: dict[str, list[tuple[date, Texts]]] = defaultdict(list)
        self.settings: dict[str, Any] = {
            "reporting": {"timezone": self.rng.choice(ZONES), "currency": self.rng.choice(("USD", "USD", "EUR"))},
            "start_date": first,
            "import_window_days": self.rng.choice((1, 3, 3, 5)),
        }
        self._add_rates()

    def choices(self, part: str) -> Random:
        """The choices of one part of the world: they do not depend on those of any other."""
        return Random(f"{self._seed} {part}")  # noqa: S311, the same world every time is the point

    def begin(self, part: str, **settings: Any) -> None:
        """Start a part: its choices, and what it sets."""
        self.rng = self.choices(part)
        self.settings |= settings

    @property
    def rules(self) -> Rules:
        return Rules(self.settings, self._rates, self.first)

    def is_so(self, percent: int) -> bool:
        return self.rng.randrange(100) < percent

    def add(self, dataset: str, folder: date, row: Texts) -> None:
        self.rows[dataset].append((folder, row))

    def spoil_some(self, dataset: str, since: int = 0) -> None:
        """
        Add copies of the rows added since that some rule rejects, now and then for two reasons at once or in the folder
        of the next day.
        """
        rows = self.rows[dataset][since:]
        rows = [each for each in rows if self.first <= each[0] <= self.last] or rows
        for spoiling in SPOILED[dataset] if rows else ():
            folder, row = self.rng.choice(rows)
            another = self.rng.choice(SPOILED[dataset]) if self.is_so(25) else {}
            self.add(dataset, folder + ONE_DAY * self.is_so(10), {**row, **spoiling, **another})

    # Money

    def _add_rates(self) -> None:
        for day in days_between(self.first - ONE_DAY * 9, self.last + ONE_DAY):
            for currency, rate in RATES.items():
                if self.is_so(30):
                    drift = Decimal(self.rng.randint(-500, 500)) / 10**5
                    drifted = f"{Decimal(rate) * (1 + drift):.9f}"
                    self.add("fx_rates", day, {"rate_date": day.isoformat(), "currency": currency, "rate": drifted})
        self.spoil_some("fx_rates")
        landed = [LandedFile("fx_rates", folder, "rates", [row]) for folder, row in self.rows["fx_rates"]]
        self._rates = fx_rates(landed, Rules(self.settings, {}, self.first))

    def currency(self, day: date, *, needed: bool = False) -> str | None:
        """A currency that can be converted on that day; None, for the reporting currency, unless it is needed."""
        own = self.settings["reporting"]["currency"]
        chosen = self.rng.choice((None, None, own, "EUR", "JPY", "GBP", "INR"))
        if chosen and self.has_rate(chosen, day):
            return chosen
        return own if needed else None

    def has_rate(self, currency: str, day: date) -> bool:
        try:
            return bool(rate_on(day, currency, self.rules))
        except StopIteration:
            return False

    # Time

    def day_of(self, instant: datetime) -> date:
        return instant.astimezone(ZoneInfo(self.settings["reporting"]["timezone"])).date()

    def instant(self) -> datetime:
        """On the minute around some zone's midnight, as often as not."""
        return self.instant_of(self.rng.choice(self.days_around), self.rng.choice(ZONES))

    def instant_of(self, day: date, zone: str) -> datetime:
        midnight = datetime.combine(day, time(), ZoneInfo(zone)).astimezone(timezone.utc)
        near = timedelta(seconds=self.rng.choice((-3600, -1, 0, 0, 1, 1800)))
        any_time = timedelta(seconds=self.rng.randrange(86400), microseconds=500)
        return midnight + (near if self.is_so(50) else any_time)

    def read(self, text: str) -> datetime:
        return to_instant(text.strip())

    def written(self, instant: datetime) -> str:
        zone = timezone(timedelta(minutes=self.rng.choice((0, 330, -420))))
        naive = instant.replace(tzinfo=None)
        return self.rng.choice(
            (
                instant.isoformat().replace("+00:00", "Z"),
                naive.isoformat(),
                naive.isoformat(sep=" "),
                instant.astimezone(zone).isoformat(),
                f" {instant.isoformat()}",
            )
        )
