"""What every connector is made of, and `import_day`, which runs one for one day and checks what it brings."""

from __future__ import annotations

import hashlib
import json
import logging
import re
import traceback
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal
from pathlib import Path
from typing import ClassVar, Literal

from revenue_pipeline.partners.archive import Archive
from revenue_pipeline.partners.http import HttpOptions, PartnerError, PartnerHttp, Throttle

__all__ = [
    "Account",
    "Connector",
    "Granularity",
    "Import",
    "PartnerError",
    "RevenueRow",
    "amount",
    "content_id",
    "count",
    "import_day",
    "text",
]

Granularity = Literal["aggregated", "user_level"]

_log = logging.getLogger(__name__)
_EXACT = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN)  # never rounds
_LARGEST_COUNT = 2**63 - 1
_LARGEST_EXPONENT = 28  # 29 digits before the point: what DECIMAL(38,9) holds


@dataclass(frozen=True, slots=True, kw_only=True)
class RevenueRow:
    """What a partner reports for one combination of its columns on one of its days. None where it does not say.

    `revenue` is exact, in `currency` (ISO 4217), as the partner wrote it: negative for a correction, never rounded.
    """

    report_date: date
    app_id: str | None = None
    platform: str | None = None
    country: str | None = None
    ad_format: str | None = None
    ad_unit_id: str | None = None
    user_id: str | None = None
    impressions: int | None = None
    clicks: int | None = None
    revenue: Decimal
    currency: str


@dataclass(frozen=True)
class Account:
    """One entry under `partners:` in the settings, everything resolved. Its repr shows no secret.

    name: the key there; it names the partner in tables and errors. base_url: empty for the connector's own.
    grain: which of app_id, platform, country, ad_format, ad_unit_id the rows carry.
    credentials: name -> secret. credential_variables: name -> the environment variable the secret comes from.
    """

    name: str
    granularity: Granularity
    grain: tuple[str, ...]
    timezone: str
    currency: str
    base_url: str
    credentials: Mapping[str, str] = field(repr=False)
    credential_variables: Mapping[str, str]


@dataclass(frozen=True)
class Import:
    """One batch: all that `partner` reports for `report_date`.

    import_id: the `content_id` of the rows. archive: the folder of the raw answers.
    """

    partner: str
    report_date: date
    rows: tuple[RevenueRow, ...]
    import_id: str
    archive: Path


class Connector(ABC):
    """How to ask one partner for one day. A subclass is one file of this room and is found by `connectors()`."""

    name: ClassVar[str]  # the module's name, and the value of `connector:` in the settings
    documentation: ClassVar[str]  # the vendor's page
    base_url: ClassVar[str]
    credentials: ClassVar[tuple[str, ...]]  # the names it needs
    granularities: ClassVar[tuple[Granularity, ...]]
    grain: ClassVar[tuple[str, ...]]  # the columns it can report
    timezone: ClassVar[str] = "UTC"  # default of the account's
    currency: ClassVar[str] = "USD"  # default of the account's
    import_window_days: ClassVar[int] = 3  # default of the account's
    reach_back_days: ClassVar[int | None] = None  # how old a day may be; None: no known limit
    concurrent_days: ClassVar[int] = 1  # how many days may be asked for at once
    calls_per_second: ClassVar[float | None] = None  # over all of them

    def __init__(self, account: Account) -> None:
        """Raises PartnerError when the account asks for what this partner cannot give, or lacks a credential."""
        self.account = account
        self.throttle = Throttle(self.calls_per_second)
        unknown = [column for column in account.grain if column not in self.grain]
        if unknown:
            raise PartnerError(
                f"{account.name}: {self.name} cannot report {', '.join(unknown)}.",
                f"Choose the grain of this partner from {', '.join(self.grain)}.",
            )
        if account.granularity not in self.granularities:
            raise PartnerError(
                f"{account.name}: {self.name} does not offer {account.granularity} revenue.",
                f"Set its granularity to {' or '.join(self.granularities)}.",
            )
        for credential in self.credentials:
            if not account.credentials.get(credential, "").strip():
                variable = account.credential_variables.get(credential, f"of credential {credential}")
                raise PartnerError(
                    f"{account.name}: credential {credential} is empty.", f"Set the environment variable {variable}."
                )

    @abstractmethod
    def fetch_day(self, day: date, http: PartnerHttp) -> list[RevenueRow]:
        """Every row of that day, or PartnerError. An empty list means that the partner said there is nothing."""

    def subject(self, day: date) -> str:
        """The partner and the day, as errors name them."""
        return f"{self.account.name} {day.isoformat()}"

    def shape_error(self, day: date, what: str) -> PartnerError:
        """What to raise for an answer that is not shaped as documented."""
        return PartnerError(
            f"{self.subject(day)}: the partner answered in a shape the connector does not know: {what}.",
            f"Compare with {self.documentation} and correct the connector {self.name}.",
        )

    def beyond_reach_back(self, day: date) -> PartnerError:
        """What to raise for a day the partner no longer reports."""
        return PartnerError(
            f"{self.subject(day)}: the partner reports only the last {self.reach_back_days} days.",
            f"Export it at the partner and land it as files: <landing>/partner_revenue/date={day.isoformat()}/.",
        )


# --- reading values --------------------------------------------------------------------------------------------------


def text(value: object) -> str | None:
    """A text or an id that a partner may write as a number. ValueError for anything else."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return str(value)
    raise ValueError(f"{value!r} is not text")


def amount(value: object) -> Decimal:
    """An exact amount of money, from text or a JSON number. ValueError for anything else, floats included."""
    written = str(value).strip() if isinstance(value, str | int | Decimal) else ""
    if not re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", written):
        raise ValueError(f"{value!r} is not an amount of money")
    return Decimal(written)


def count(value: object) -> int | None:
    """A whole number from text or a JSON number; None where there is none. ValueError for anything else."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    number = amount(value)
    if number.adjusted() > 18 or number != number.to_integral_value():
        raise ValueError(f"{value!r} is not a count")
    return int(number)


# --- importing -------------------------------------------------------------------------------------------------------


def import_day(
    connector: Connector, day: date, as_of: date, archive: Archive, http_options: HttpOptions | None = None
) -> Import:
    """Ask the partner for one of its days and return the whole day as one batch, sorted, normalised and checked.

    Text is trimmed (empty: None), `country` upper case, `platform` and `ad_format` lower case. Every raw answer is in
    the archive before it is parsed. Raises PartnerError for a day beyond the partner's reach-back at `as_of` and for
    whatever is wrong with the partner's answers, which then stay in a `failed-…` folder.
    """
    if connector.reach_back_days is not None and day < as_of - timedelta(days=connector.reach_back_days):
        raise connector.beyond_reach_back(day)
    account = connector.account
    answers = archive.open(account.name, day)
    http = PartnerHttp(
        subject=connector.subject(day),
        base_url=account.base_url or connector.base_url,
        credentials=account.credentials,
        credential_variables=account.credential_variables,
        answers=answers,
        throttle=connector.throttle,
        options=http_options,
    )
    with closing(http):
        outcome = _checked_rows(connector, day, http)
    if isinstance(outcome, PartnerError):
        kept = answers.fail()
        remedy = f"{outcome.remedy} The raw answers are in {kept}." if kept else outcome.remedy
        # A new error without a past: the old one may be chained to one that shows a secret.
        raise PartnerError(http.scrubber.text(outcome.cause), http.scrubber.text(remedy))
    batch_id = content_id(account.name, day, outcome)
    return Import(account.name, day, tuple(outcome), batch_id, answers.finish(batch_id))


def content_id(partner: str, report_date: date, rows: Iterable[RevenueRow]) -> str:
    """SHA-256 (hex) of what a batch says; neither the order of its rows nor the trailing zeros of amounts matter."""
    lines = [json.dumps([partner, report_date.isoformat()]), *sorted(map(_canonical, rows))]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _canonical(row: RevenueRow) -> str:
    revenue = str(_EXACT.normalize(row.revenue)) if row.revenue else "0"
    dimensions = [row.app_id, row.platform, row.country, row.ad_format, row.ad_unit_id, row.user_id]
    return json.dumps([row.report_date.isoformat(), *dimensions, row.impressions, row.clicks, revenue, row.currency])


def _checked_rows(connector: Connector, day: date, http: PartnerHttp) -> list[RevenueRow] | PartnerError:
    try:
        return sorted((_normalised(row, day) for row in connector.fetch_day(day, http)), key=_canonical)
    except PartnerError as error:
        return error
    except Exception as error:  # one corrupt answer must not surface as somebody's KeyError with a secret in its text
        trace = "".join(traceback.format_exception(error))
        _log.error("%s: %s", connector.subject(day), http.scrubber.text(trace))
        return PartnerError(
            f"{connector.subject(day)}: the partner's answer could not be read ({type(error).__name__}: {error}).",
            f"Compare it with {connector.documentation}; the log names the line of the connector.",
        )


def _normalised(row: RevenueRow, day: date) -> RevenueRow:
    """The row as it is stored; ValueError for one that cannot be true."""
    if row.report_date != day:
        raise ValueError(f"a row of {row.report_date} where {day} was asked for")
    if not (
        isinstance(row.revenue, Decimal) and row.revenue.is_finite() and row.revenue.adjusted() <= _LARGEST_EXPONENT
    ):
        raise ValueError(f"{row.revenue!r} is not an amount of money")
    for number in (row.impressions, row.clicks):
        if number is not None and not 0 <= number <= _LARGEST_COUNT:
            raise ValueError(f"{number!r} is not a count")
    currency = row.currency.strip().upper()
    if not re.fullmatch("[A-Z]{3}", currency):
        raise ValueError(f"{row.currency!r} is not a currency")
    return replace(
        row,
        app_id=_trimmed(row.app_id),
        platform=_trimmed(row.platform and row.platform.lower()),
        country=_trimmed(row.country and row.country.upper()),
        ad_format=_trimmed(row.ad_format and row.ad_format.lower()),
        ad_unit_id=_trimmed(row.ad_unit_id),
        user_id=_trimmed(row.user_id),
        currency=currency,
    )


def _trimmed(value: str | None) -> str | None:
    if value is not None:
        value.encode()  # refuses the half characters that a broken JSON escape leaves and that no file can hold
    return (value or "").strip() or None
