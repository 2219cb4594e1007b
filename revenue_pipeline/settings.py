"""The settings file and the environment, read here and nowhere else, as one frozen and validated object.

What belongs here: the shape of the YAML file, its defaults, and one clear line for every mistake in it.
What does not: anything that acts on a setting.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, available_timezones

import pycountry
import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_core import PydanticCustomError

SETTINGS_VARIABLE = "REVENUE_PIPELINE_CONFIG"
DEFAULT_FILE = Path("revenue_pipeline.yaml")
DEMO_FILE = Path(__file__).parent / "simulator" / "demo.yaml"
# The bundled simulator takes any key, so that the demo needs nothing in the environment.
DEMO_ENVIRONMENT = dict.fromkeys(
    (
        "APPLOVIN_API_KEY",
        "ADMOB_CLIENT_ID",
        "ADMOB_CLIENT_SECRET",
        "ADMOB_REFRESH_TOKEN",
        "LEVELPLAY_SECRET_KEY",
        "LEVELPLAY_REFRESH_TOKEN",
        "UNITY_API_KEY",
        "META_ACCESS_TOKEN",
        "TUNE_API_KEY",
        "EVERFLOW_API_KEY",
        "IMPACT_ACCOUNT_SID",
        "IMPACT_AUTH_TOKEN",
        "META_ACCESS_TOKEN",
    ),
    "demo-key-for-the-bundled-simulator",
)
DEMO_DAYS = 14
FILES = "files"
"""The connector of partners without an API: their totals are landed as files."""

CURRENCY_CODES = frozenset(currency.alpha_3 for currency in pycountry.currencies)
"""The alphabetic codes of ISO 4217."""


TAKEN_NAMES = {"unknown": "impressions that name no partner", "manual": "uploaded rows of manual revenue"}
"""What partners may not be called, for tables use the name themselves."""


class SettingsError(Exception):
    """A mistake in the settings; the text is one line that names the key."""


def _known_timezone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError(f"{name!r} is not a time zone of the IANA database, such as Europe/Berlin")
    return name


def _known_currency(code: str) -> str:
    if code not in CURRENCY_CODES:
        raise ValueError(f"{code!r} is not an ISO 4217 code, such as USD")
    return code


def _duration(text: object) -> object:
    match = re.fullmatch(r"(\d{1,5})([hd])", text.strip()) if isinstance(text, str) else None
    if match is None:
        raise ValueError(f"{text!r} is not a length of time, such as 24h or 7d")
    return timedelta(hours=int(match[1])) if match[2] == "h" else timedelta(days=int(match[1]))


def _decimal_text(value: object) -> object:
    # PyYAML has already read 0.01 as a float: its shortest text is what the person wrote.
    return str(value) if isinstance(value, float) else value


def _free_name(partner: str) -> str:
    if meaning := TAKEN_NAMES.get(partner):
        raise ValueError(f"the name {partner!r} is taken: it stands for {meaning}")
    return partner


TimezoneName = Annotated[str, AfterValidator(_known_timezone)]
CurrencyCode = Annotated[str, AfterValidator(_known_currency)]
Duration = Annotated[timedelta, BeforeValidator(_duration)]
Ratio = Annotated[Decimal, BeforeValidator(_decimal_text), Field(ge=0, le=1)]
Money = Annotated[Decimal, BeforeValidator(_decimal_text), Field(ge=0, lt=10**9, decimal_places=9)]
Days = Annotated[int, Field(ge=1, le=400)]
PartnerName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$"), AfterValidator(_free_name)]
GrainColumn = Literal["app_id", "platform", "country", "ad_format", "ad_unit_id"]
MappedColumn = Literal["app_id", "ad_unit_id", "user_id"]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Reporting(_Section):
    """The zone whose calendar days events are counted on, and the currency of every amount in core and reports."""

    timezone: TimezoneName = "UTC"
    currency: CurrencyCode = "USD"


class Storage(_Section):
    """Where things lie; relative paths are relative to the settings file."""

    warehouse: Path = Path("data/warehouse.duckdb")
    landing: str = "data/landing"
    archive: Path = Path("data/archive")
    memory_limit: Annotated[str, Field(pattern=r"^\d+(\.\d+)?\s?[KMGT]i?B$")] = "4GB"


class Events(_Section):
    """How long after its day an event may still arrive."""

    late_arrival_days: Annotated[int, Field(ge=0, le=60)] = 2


class Cohorts(_Section):
    """Which events start a cohort, and for how many days a cohort is followed."""

    start_events: tuple[str, ...] = ("install", "sign_up")
    max_days: Annotated[int, Field(ge=1, le=3650)] = 90


class MppDiscount(_Section):
    """The share of a container's automated opens that is taken off (Apple Mail Privacy Protection loads)."""

    default: Ratio = Decimal(1)
    containers: dict[str, Ratio] = {}


class Messages(_Section):
    """What a billed message segment costs, in the reporting currency."""

    cost_per_segment: Money = Decimal(0)


class Attribution(_Section):
    """How long after a click a conversion still counts, per offer."""

    default_window: Duration = timedelta(days=7)
    offers: dict[str, Duration] = {}

    @property
    def longest_days(self) -> int:
        """The longest of the windows in days, begun ones included."""
        return -(-max([self.default_window, *self.offers.values()]) // timedelta(days=1))


class Credential(_Section):
    """Where a secret comes from: the name of an environment variable, never the secret itself."""

    env: Annotated[str, Field(min_length=1)]


class Partner(_Section):
    """One partner; ``None`` takes what the connector declares, or the reporting settings for a files partner.

    Ad revenue has a granularity, and nothing else does. `options` are the connector's own.
    """

    connector: str
    granularity: Annotated[Literal["aggregated", "user_level"] | None, Field(validate_default=True)] = None
    grain: tuple[GrainColumn, ...] = ()
    timezone: TimezoneName | None = None
    currency: CurrencyCode | None = None
    import_window_days: Days | None = None
    base_url: Annotated[str, Field(pattern=r"^https?://\S+$")] | None = None
    credentials: dict[str, Credential] = {}
    ids: dict[MappedColumn, dict[str, str]] = {}
    options: dict[str, Any] = {}

    @field_validator("granularity")
    @classmethod
    def _files_hold_revenue(cls, granularity: str | None, others: ValidationInfo) -> str | None:
        if granularity is None and others.data.get("connector") == FILES:
            raise PydanticCustomError("missing", "missing")
        return granularity


class Settings(_Section):
    """Everything a person can set, with the secrets already fetched from the environment."""

    reporting: Reporting = Reporting()
    start_date: date
    storage: Storage = Storage()
    events: Events = Events()
    cohorts: Cohorts = Cohorts()
    mpp_discount: MppDiscount = MppDiscount()
    messages: Messages = Messages()
    attribution: Attribution = Attribution()
    import_window_days: Days = 3
    partners: dict[PartnerName, Partner] = {}
    secrets: dict[str, SecretStr] = Field({}, exclude=True)
    """Environment variable name -> secret; filled by `load_settings`, never written in the file."""

    @property
    def revenue_partners(self) -> dict[str, Partner]:
        """The partners that ad revenue comes from, and so those of the ledger: they have a granularity."""
        return {name: partner for name, partner in self.partners.items() if partner.granularity is not None}

    @property
    def reach(self) -> dict[str, int]:
        """How many days back some tables read: those that cohorts are `followed` for, and a click is `credited` for."""
        return {"followed": self.cohorts.max_days, "credited": self.attribution.longest_days}

    def window_days(self, partner: str) -> int:
        """Give for how many days a partner's day stays open: its own setting, else the one for all partners."""
        own = self.partners[partner].import_window_days if partner in self.partners else None
        return own or self.import_window_days

    def secret(self, variable: str) -> str:
        """Give the secret that the environment variable `variable` held when the settings were loaded."""
        return self.secrets[variable].get_secret_value()

    def today(self) -> date:
        """Give the calendar day it is now in the reporting zone: for the edges, where a run gets its as-of date."""
        return datetime.now(ZoneInfo(self.reporting.timezone)).date()


def load_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Read the file that the environment names, else `revenue_pipeline.yaml` here, else the built-in demo settings.

    Raises:
        SettingsError: one line that names the key, for an unknown key, a bad value or a missing credential.
    """
    environment = os.environ if environment is None else environment
    named = environment.get(SETTINGS_VARIABLE)
    path = Path(named) if named else DEFAULT_FILE
    if path.is_file():
        return _validated(_read_yaml(path), path.resolve().parent, environment, source=str(path))
    if named:
        raise SettingsError(f"{SETTINGS_VARIABLE} names {named}, which is not a file: create it or unset the variable")
    document = _read_yaml(DEMO_FILE)
    folder = Path.cwd()
    document["start_date"] = _first_landed_day(folder / document["storage"]["landing"])
    return _validated(document, folder, {**DEMO_ENVIRONMENT, **environment}, source="the built-in demo settings")


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        # Every value as the text it is: YAML would make a float of 0.01 and an octal number of 010.
        document = yaml.load(path.read_text(encoding="utf-8"), yaml.BaseLoader)  # noqa: S506  makes nothing but text
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise SettingsError(f"{path}: cannot be read as YAML: {reason}") from error
    if not isinstance(document, dict):
        raise SettingsError(f"{path}: holds no settings: it must be a mapping with start_date and others")
    return document


def _validated(document: dict[str, Any], folder: Path, environment: Mapping[str, str], source: str) -> Settings:
    if "secrets" in document:
        raise SettingsError(f"{source}: secrets: unknown key; name environment variables under partners.….credentials")
    try:
        settings = Settings.model_validate(document)
    except ValidationError as error:
        raise SettingsError(f"{source}: {first_mistake(error)}") from None
    secrets = {}
    for name, partner in settings.partners.items():
        for credential, where in partner.credentials.items():
            if not environment.get(where.env):
                key = f"partners.{name}.credentials.{credential}"
                raise SettingsError(f"{source}: {key}: the environment variable {where.env} is not set")
            secrets[where.env] = SecretStr(environment[where.env])
    storage = settings.storage
    resolved = storage.model_copy(
        update={
            "warehouse": folder / storage.warehouse,
            "landing": storage.landing if "://" in storage.landing else str(folder / storage.landing),
            "archive": folder / storage.archive,
        }
    )
    return settings.model_copy(update={"storage": resolved, "secrets": secrets})


def first_mistake(error: ValidationError) -> str:
    """Give the first mistake that was found as one line: its key, and what is wrong."""
    mistake = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in mistake["loc"] if part != "[key]")
    if mistake["type"] == "extra_forbidden":
        return f"{key}: unknown key"
    if mistake["type"] == "missing":
        return f"{key}: missing"
    reason = mistake["msg"].removeprefix("Value error, ")
    is_secret = "credentials" in mistake["loc"]  # somebody may have written the secret itself there
    given = (
        ""
        if is_secret or isinstance(mistake["input"], dict | list) or repr(mistake["input"]) in reason
        else mistake["input"]
    )
    return f"{key}: {reason}" + (f" (it is {given!r})" if given != "" else "")


def _first_landed_day(landing: Path) -> date:
    # The demo lands the days up to the one it ran on: its partitions begin where its data does.
    names = (folder.name.removeprefix("date=") for folder in (landing / "events").glob("date=*"))
    landed = sorted(name for name in names if re.fullmatch(r"\d{4}-\d{2}-\d{2}", name))
    if landed:
        return date.fromisoformat(landed[0])
    return datetime.now(timezone.utc).date() - timedelta(days=DEMO_DAYS - 1)
