"""What the settings say, as people write them, and what an amount is worth in the reporting currency."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from revenue_pipeline_tests.reference.values import ONE_DAY, units

Rates = Mapping[tuple[str, date], Decimal]


@dataclass(frozen=True)
class PartnerRules:
    """How one partner's impressions are matched: of the settings, or of a partner that they do not name."""

    granularity: str
    grain: tuple[str, ...]
    zone: str
    currency: str
    window: int
    ids: Mapping[str, Mapping[str, str]]

    @property
    def is_user_level(self) -> bool:
        return self.granularity == "user_level"


class Rules:
    """What the settings say, as people write them, with the rates that landed and the day that a run believes it is."""

    def __init__(self, settings: Mapping[str, Any], rates: Rates, as_of: date) -> None:
        self._settings = settings
        self.rates = rates
        self.as_of = as_of
        reporting = settings.get("reporting", {})
        self.zone: str = reporting.get("timezone", "UTC")
        self.currency: str = reporting.get("currency", "USD")
        self.late_arrival_days: int = settings.get("events", {}).get("late_arrival_days", 2)
        self.partners = {name: self._partner(partner) for name, partner in settings.get("partners", {}).items()}
        cohorts = settings.get("cohorts", {})
        self.start_events: tuple[str, ...] = tuple(cohorts.get("start_events", ("install", "sign_up")))
        self.max_days: int = cohorts.get("max_days", 90)
        self.cost_per_segment = Fraction(str(settings.get("messages", {}).get("cost_per_segment", 0)))

    def _partner(self, partner: Mapping[str, Any]) -> PartnerRules:
        return PartnerRules(
            partner.get("granularity", "aggregated"),
            tuple(partner.get("grain", ())),
            partner.get("timezone") or self.zone,
            partner.get("currency") or self.currency,
            partner.get("import_window_days") or self._settings.get("import_window_days", 3),
            partner.get("ids", {}),
        )

    def partner(self, name: str) -> PartnerRules:
        """
        "Impressions that name an unconfigured partner, or none, are treated as those of an aggregated partner with an
        empty grain, the reporting zone and the default window."
        """
        return self.partners.get(name) or self._partner({})

    def day_of(self, instant: datetime) -> date:
        """ "Calendar day … in the reporting time zone." """
        return instant.astimezone(ZoneInfo(self.zone)).date()

    def is_closed(self, partner: str, day: date) -> bool:
        """ "Day `d` is open while `as_of < d + window`, closed from `d + window` on." """
        return self.as_of >= day + ONE_DAY * self.partner(partner).window

    def discount(self, container: str | None) -> Fraction:
        """ "`mpp_discount` is a setting per container (0 to 1, default 1)." """
        discount = self._settings.get("mpp_discount", {})
        own = discount.get("containers", {})
        return Fraction(str(own[container] if container in own else discount.get("default", 1)))

    def attribution_window(self, offer: str | None) -> timedelta:
        """ "Windows are settings per offer (24h, 7d, 30d; default 7d)." """
        attribution = self._settings.get("attribution", {})
        own = attribution.get("offers", {})
        text = own[offer] if offer in own else attribution.get("default_window", "7d")
        return timedelta(hours=int(text[:-1])) if text[-1] == "h" else timedelta(days=int(text[:-1]))


def rate_on(day: date, currency: str, rules: Rules) -> Decimal:
    """ "The latest rate on or before that day serves, if at most 7 days old; otherwise the partition fails." """
    if currency == rules.currency:
        return Decimal(1)
    days = [day - ONE_DAY * n for n in range(8)]
    return next(rules.rates[currency, day] for day in days if (currency, day) in rules.rates)


def converted(amount: Fraction | Decimal, currency: str | None, day: date, rules: Rules) -> int:
    """
    "Converted per row, rounded half away from zero to 9 digits, then summed." "A row without a currency is in the
    reporting currency."
    """
    if currency in (None, rules.currency):
        return units(amount)
    return units(Fraction(amount) * Fraction(rate_on(day, str(currency), rules)))
