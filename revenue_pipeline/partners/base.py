"""What every connector is made of, and `import_day`, which runs one for one day and checks what it brings."""

from __future__ import annotations

import hashlib
import json
import logging
import re
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict

from revenue_pipeline.partners.archive import Archive
from revenue_pipeline.partners.http import HttpOptions, PartnerError, PartnerHttp, RateLimit, Throttle
from revenue_pipeline.partners.rows import (
    ConversionRow,
    CostRow,
    DeliveryRow,
    ExchangeRateRow,
    LineItemRow,
    RevenueRow,
    Row,
    canonical,
    normalised,
)

__all__ = [
    "Account",
    "Connector",
    "ConnectorOptions",
    "ConversionRow",
    "CostRow",
    "DeliveryRow",
    "ExchangeRateRow",
    "Granularity",
    "Import",
    "IncompleteError",
    "LineItemRow",
    "PartnerError",
    "RateLimit",
    "RevenueRow",
    "Row",
    "amount",
    "content_id",
    "count",
    "import_day",
    "restated_days",
    "text",
]

Granularity = Literal["aggregated", "user_level"]

_log = logging.getLogger(__name__)
_ATTEMPTS = 3  # at one day, when the report moves while it is read
T = TypeVar("T")


class ConnectorOptions(BaseModel):
    """What an account can be told beyond the settings that all connectors share: `options:` of a partner.

    A connector that has any declares them as a class attribute `Options`; their descriptions are its documentation. A
    validator that depends on more of the account, such as its granularity, finds it as its context.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)


@dataclass(frozen=True)
class Account:
    """One entry under `partners:` in the settings, everything resolved. Its repr shows no secret.

    name: the key there; it names the partner in tables and errors. base_url: empty for the connector's own.
    granularity: None where the connector gives no revenue. grain: which of app_id, platform, country, ad_format,
    ad_unit_id the rows carry.
    credentials: name -> secret. credential_variables: name -> the environment variable the secret comes from.
    options: what the connector's `Options` reads.
    """

    name: str
    granularity: Granularity | None
    grain: tuple[str, ...]
    timezone: str
    currency: str
    base_url: str
    credentials: Mapping[str, str] = field(repr=False)
    credential_variables: Mapping[str, str]
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Import:
    """One batch: all that `partner` reports for `report_date`.

    rows: of the kinds that the connector gives. import_id: their `content_id`. archive: the folder of the raw answers.
    warnings: what the partner, or the connector, says of the day beside its rows.
    """

    partner: str
    report_date: date
    rows: tuple[Row, ...]
    import_id: str
    archive: Path
    warnings: tuple[str, ...] = ()


class IncompleteError(Exception):
    """The pages of a report do not make a whole: rows are missing, or it moved while it was read. The text says how."""


class Connector(ABC):
    """How to ask one partner for one day. A subclass is one file of this room and is found by `connectors()`."""

    name: ClassVar[str]  # the module's name, and the value of `connector:` in the settings
    documentation: ClassVar[str]  # the vendor's page
    base_url: ClassVar[str]
    credentials: ClassVar[tuple[str, ...]]  # the names it needs
    gives: ClassVar[tuple[type[Row], ...]] = (RevenueRow,)  # the kinds of its rows
    granularities: ClassVar[tuple[Granularity, ...]] = ()  # of its revenue
    grain: ClassVar[tuple[str, ...]] = ()  # the columns that its revenue or cost rows can carry
    Options: ClassVar[type[ConnectorOptions]] = ConnectorOptions  # what `options:` may hold
    timezone: ClassVar[str] = "UTC"  # default of the account's
    currency: ClassVar[str] = "USD"  # default of the account's; empty for the reporting currency
    import_window_days: ClassVar[int] = 3  # to document what to set, and no default: the settings alone decide
    reach_back_days: ClassVar[int | None] = None  # how old a day may be; None: no known limit
    user_level_reach_back_days: ClassVar[int | None] = None  # of user-level revenue, where it differs
    concurrent_days: ClassVar[int] = 1  # how many days may be asked for at once
    rate_limit: ClassVar[RateLimit | None] = None  # what the vendor allows, over all of them
    tells_restated_days: ClassVar[bool] = False  # whether it has `restated_days`

    def __init__(self, account: Account) -> None:
        """Raises PartnerError when the account asks for what this partner cannot give, or lacks a credential.

        And pydantic's ValidationError for options that are none.
        """
        self.account = account
        self.options = self.Options.model_validate(account.options, context=account)
        self.throttle = Throttle(self.rate_limit)
        unknown = [column for column in account.grain if column not in self.grain]
        if unknown:
            choice = (
                f"Choose the grain of this partner from {', '.join(self.grain)}." if self.grain else "Remove its grain."
            )
            raise PartnerError(f"{account.name}: {self.name} cannot report {', '.join(unknown)}.", choice)
        self._check_granularity(account)
        for credential in self.credentials:
            if not account.credentials.get(credential, "").strip():
                variable = account.credential_variables.get(credential, f"of credential {credential}")
                raise PartnerError(
                    f"{account.name}: credential {credential} is empty.", f"Set the environment variable {variable}."
                )

    def _check_granularity(self, account: Account) -> None:
        choice = f"Set its granularity to {' or '.join(self.granularities)}."
        if RevenueRow not in self.gives:
            if account.granularity is not None:
                raise PartnerError(f"{account.name}: {self.name} reports no ad revenue.", "Remove its granularity.")
        elif account.granularity is None:
            raise PartnerError(f"{account.name}: granularity is missing.", choice)
        elif account.granularity not in self.granularities:
            raise PartnerError(f"{account.name}: {self.name} does not offer {account.granularity} revenue.", choice)

    @abstractmethod
    def fetch_day(self, day: date, http: PartnerHttp) -> Sequence[Row]:
        """Every row of that day, or PartnerError. An empty list means that the partner said there is nothing.

        The day is one of the partner's own, in the account's time zone.
        """

    def restated_days(self, since: date, until: date, http: PartnerHttp) -> set[date]:
        """The days of which something changed from `since` to `until`, both included, in the account's time zone.

        For partners that change days long after, and can say which: it saves reading all of them again.
        """
        raise NotImplementedError(f"{self.name} cannot say which days changed")

    @property
    def reach_back(self) -> int | None:
        """How old a day of this account may be, in days; None: no known limit."""
        own = self.user_level_reach_back_days if self.account.granularity == "user_level" else None
        return self.reach_back_days if own is None else own

    @property
    def address(self) -> str:
        """Where the partner answers: as the account says, else as the connector does."""
        return self.account.base_url or self.base_url

    def whole_report(self, day: date, read: Callable[[], T]) -> T:
        """What `read` gives, tried again from the start while it raises IncompleteError; PartnerError in the end."""
        trouble = ""
        for _ in range(_ATTEMPTS):
            try:
                return read()
            except IncompleteError as error:  # noqa: PERF203  a few turns, each of several calls
                trouble = str(error)
        raise PartnerError(
            f"{self.subject(day)}: the report could not be read as a whole in {_ATTEMPTS} attempts: {trouble}.",
            "Run the day again later, when the partner has finished computing it.",
        )

    def subject(self, day: date) -> str:
        """The partner and the day, as errors name them."""
        return f"{self.account.name} {day.isoformat()}"

    def shape_error(self, day: date, what: str) -> PartnerError:
        """What to raise for an answer that is not shaped as documented."""
        return PartnerError(
            f"{self.subject(day)}: the partner answered in a shape the connector does not know: {what}.",
            f"Compare with {self.documentation} and correct the connector {self.name}.",
        )

    def refuse_other_days(self, day: date, zone: str) -> None:
        """PartnerError when the partner's days are not those of the settings: nobody could tell whose they are.

        zone: the IANA name that the partner gives. Zones with other names but the same day are no other ones.
        """
        if _day_bounds(day, zone) != _day_bounds(day, self.account.timezone):
            raise PartnerError(
                f"{self.subject(day)}: the partner's days are those of {zone}, and not of {self.account.timezone}.",
                f"Set partners.{self.account.name}.timezone to {zone}.",
            )

    def beyond_reach_back(self, day: date) -> PartnerError:
        """What to raise for a day the partner no longer reports."""
        folders = " and ".join(f"<landing>/{kind.dataset}/date={day.isoformat()}/" for kind in self.gives)
        return PartnerError(
            f"{self.subject(day)}: the partner reports only the last {self.reach_back} days.",
            f"Export it at the partner and land it as files: {folders}.",
        )


def _day_bounds(day: date, zone: str) -> tuple[datetime, ...]:
    """The first and the last instant of a day there."""
    try:
        info = ZoneInfo(zone)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"{zone!r} is not a time zone") from None
    return tuple(datetime.combine(day, moment, info).astimezone(timezone.utc) for moment in (time.min, time.max))


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


def is_reachable(connector: Connector, day: date, as_of: date) -> bool:
    """Tell whether the partner still reports `day` on `as_of`."""
    return connector.reach_back is None or day >= as_of - timedelta(days=connector.reach_back)


def import_day(
    connector: Connector, day: date, as_of: date, archive: Archive, http_options: HttpOptions | None = None
) -> Import:
    """Ask the partner for one of its days and return the whole day as one batch, sorted, normalised and checked.

    Every raw answer is in the archive before it is parsed. Raises PartnerError for a day beyond the partner's
    reach-back at `as_of` and for whatever is wrong with the partner's answers, which then stay in a `failed-…` folder.
    """
    if not is_reachable(connector, day, as_of):
        raise connector.beyond_reach_back(day)
    zone = ZoneInfo(connector.account.timezone)

    def checked(row: Row) -> Row:
        try:
            return normalised(row, day, zone)
        except ValueError as error:
            raise ValueError(f"{error} in {row}") from error

    def ask(http: PartnerHttp) -> list[Row]:
        rows = connector.fetch_day(day, http)
        _refuse_other_kinds(connector, rows)
        return sorted((checked(row) for row in rows), key=canonical)

    def named(rows: list[Row]) -> str:
        return content_id(connector.account.name, day, rows)

    rows, folder, warnings = _asked(connector, day, archive, http_options, ask, named)
    return Import(connector.account.name, day, tuple(rows), folder.name, folder, warnings)


def restated_days(
    connector: Connector, since: date, until: date, archive: Archive, http_options: HttpOptions | None = None
) -> set[date] | None:
    """Ask which of its days a partner has changed from `since` to `until`, both included; None where it cannot say.

    The answers are in the archive, under `until`. Raises PartnerError as `import_day` does.
    """
    if not connector.tells_restated_days:
        return None

    def ask(http: PartnerHttp) -> set[date]:
        return connector.restated_days(since, until, http)

    def named(days: set[date]) -> str:
        return f"restated-{hashlib.sha256(str(sorted(days)).encode()).hexdigest()}"

    days, _, _ = _asked(connector, until, archive, http_options, ask, named)
    return days


def _asked(
    connector: Connector,
    day: date,
    archive: Archive,
    http_options: HttpOptions | None,
    ask: Callable[[PartnerHttp], T],
    named: Callable[[T], str],
) -> tuple[T, Path, tuple[str, ...]]:
    """What `ask` gives, the archive folder of the answers it came from, and the partner's warnings."""
    account = connector.account
    answers = archive.open(account.name, day)
    http = PartnerHttp(
        subject=connector.subject(day),
        base_url=connector.address,
        credentials=account.credentials,
        credential_variables=account.credential_variables,
        answers=answers,
        throttle=connector.throttle,
        options=http_options,
    )
    with closing(http):
        outcome = _carefully(connector, day, http, ask)
    if isinstance(outcome, PartnerError):
        kept = answers.fail()
        remedy = f"{outcome.remedy} The raw answers are in {kept}." if kept else outcome.remedy
        # A new error without a past: the old one may be chained to one that shows a secret.
        raise PartnerError(http.scrubber.text(outcome.cause), http.scrubber.text(remedy))
    return outcome, answers.finish(named(outcome)), tuple(http.scrubber.text(warning) for warning in http.warnings)


def content_id(partner: str, report_date: date, rows: Iterable[Row]) -> str:
    """SHA-256 (hex) of what a batch says; neither the order of its rows nor the trailing zeros of amounts matter."""
    lines = [json.dumps([partner, report_date.isoformat()]), *sorted(map(canonical, rows))]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _carefully(connector: Connector, day: date, http: PartnerHttp, ask: Callable[[PartnerHttp], T]) -> T | PartnerError:
    try:
        return ask(http)
    except PartnerError as error:
        return error
    except Exception as error:  # one corrupt answer must not surface as somebody's KeyError with a secret in its text
        trace = "".join(traceback.format_exception(error))
        _log.error("%s: %s", connector.subject(day), http.scrubber.text(trace))
        return PartnerError(
            f"{connector.subject(day)}: the partner's answer could not be read ({type(error).__name__}: {error}).",
            f"Compare it with {connector.documentation}; the log names the line of the connector.",
        )


def _refuse_other_kinds(connector: Connector, rows: Sequence[Row]) -> None:
    for row in rows:
        if type(row) not in connector.gives:
            raise TypeError(f"{connector.name} does not declare that it gives a {type(row).__name__}")
