"""The settings file: what it may say, what it means, and one clear line for every mistake."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from revenue_pipeline.settings import DEMO_FILE, SETTINGS_VARIABLE, Settings, SettingsError, load_settings

SECRET = "9f8e7d-secret"
# Section 4 of the contract, word for word.
EXAMPLE = """
reporting: {timezone: UTC, currency: USD}
start_date: 2026-10-01            # first daily partition
storage:                          # relative paths are relative to this file
  warehouse: data/warehouse.duckdb
  landing: data/landing           # folder or object-store URL
  archive: data/archive           # raw partner answers
events: {late_arrival_days: 2}
cohorts: {start_events: [install, sign_up], max_days: 90}
mpp_discount: {default: 1.0, containers: {newsletter-a: 0.8}}
messages: {cost_per_segment: 0.01}            # reporting currency; read as decimal text
attribution: {default_window: 7d, offers: {flash-sale: 24h}}
import_window_days: 3
partners:
  applovin_max:
    connector: applovin_max
    granularity: aggregated       # or user_level
    grain: [app_id, platform, country, ad_format, ad_unit_id]
    timezone: UTC
    currency: USD
    import_window_days: 3
    base_url: http://127.0.0.1:8089/applovin    # default: the partner's real one
    credentials: {api_key: {env: APPLOVIN_API_KEY}}
    ids: {app_id: {com.acme.game: acme_ios}}
  acme:                           # a partner without an API: landing files
    connector: files
    granularity: user_level
    grain: [app_id]
    timezone: America/Los_Angeles
    currency: EUR
"""

Load = Callable[..., Settings]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Load settings from the text of a file."""

    def load(text: str, **environment: str) -> Settings:
        path = tmp_path / "settings.yaml"
        path.write_text(text, encoding="utf-8")
        return load_settings({SETTINGS_VARIABLE: str(path), **environment})

    return load


def test_the_example_of_the_contract_loads_whole(load: Load, tmp_path: Path) -> None:
    settings = load(EXAMPLE, APPLOVIN_API_KEY=SECRET)

    assert settings.start_date == date(2026, 10, 1)
    assert settings.storage.warehouse == tmp_path / "data/warehouse.duckdb"
    assert settings.storage.landing == str(tmp_path / "data/landing")
    assert settings.storage.archive == tmp_path / "data/archive"
    assert settings.events.late_arrival_days == 2
    assert (settings.cohorts.start_events, settings.cohorts.max_days) == (("install", "sign_up"), 90)
    assert settings.mpp_discount.containers == {"newsletter-a": Decimal("0.8")}
    assert settings.messages.cost_per_segment == Decimal("0.01")
    assert settings.attribution.default_window == timedelta(days=7)
    assert settings.attribution.offers == {"flash-sale": timedelta(hours=24)}
    assert settings.reach == {"followed": 90, "credited": 7}
    assert list(settings.partners) == ["applovin_max", "acme"]
    applovin, acme = settings.partners.values()
    assert applovin.grain == ("app_id", "platform", "country", "ad_format", "ad_unit_id")
    assert applovin.ids == {"app_id": {"com.acme.game": "acme_ios"}}
    assert (acme.granularity, acme.timezone, acme.currency) == ("user_level", "America/Los_Angeles", "EUR")
    assert settings.secret("APPLOVIN_API_KEY") == SECRET


def test_what_a_file_does_not_say_has_the_contracts_defaults(load: Load) -> None:
    settings = load("start_date: 2026-10-01")

    assert (settings.reporting.timezone, settings.reporting.currency) == ("UTC", "USD")
    assert settings.import_window_days == 3
    assert settings.events.late_arrival_days == 2
    assert settings.cohorts.start_events == ("install", "sign_up")
    assert settings.mpp_discount.default == 1
    assert settings.attribution.default_window == timedelta(days=7)
    assert settings.partners == {}


def test_secrets_are_never_shown(load: Load) -> None:
    settings = load(EXAMPLE, APPLOVIN_API_KEY=SECRET)

    for shown in (repr(settings), str(settings), str(settings.model_dump()), settings.model_dump_json()):
        assert SECRET not in shown


def test_settings_do_not_change(load: Load) -> None:
    settings = load("start_date: 2026-10-01")

    with pytest.raises(ValueError, match="frozen"):
        settings.import_window_days = 4  # type: ignore[misc]


# --- decimals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "written", ["0.01", "0.1", "0.3", "1e-9", "0.000000001", "123456789.123456789", "12345678.123456789", '"0.01"', "7"]
)
def test_money_is_read_as_the_decimal_that_was_written(load: Load, written: str) -> None:
    settings = load(f"start_date: 2026-10-01\nmessages: {{cost_per_segment: {written}}}")

    assert settings.messages.cost_per_segment == Decimal(written.strip('"'))


# --- paths -----------------------------------------------------------------------------------------------------------


def test_absolute_paths_and_object_stores_stay_as_they_are(load: Load) -> None:
    settings = load("start_date: 2026-10-01\nstorage: {warehouse: /srv/w.duckdb, landing: 's3://lake/landing'}")

    assert settings.storage.warehouse == Path("/srv/w.duckdb")
    assert settings.storage.landing == "s3://lake/landing"


def test_relative_paths_are_relative_to_the_file_wherever_one_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    for folder in (home, elsewhere):
        folder.mkdir()
    (home / "mine.yaml").write_text("start_date: 2026-10-01", encoding="utf-8")
    monkeypatch.chdir(elsewhere)

    settings = load_settings({SETTINGS_VARIABLE: "../home/mine.yaml"})

    assert settings.storage.archive == home / "data/archive"


def test_the_file_in_the_working_directory_serves_where_none_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "revenue_pipeline.yaml").write_text("start_date: 2026-10-07", encoding="utf-8")
    monkeypatch.chdir(tmp_path)

    assert load_settings({}).start_date == date(2026, 10, 7)


def test_without_a_file_the_demo_settings_serve_and_need_no_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    settings = load_settings({})

    ad_networks = {"applovin_max", "admob", "levelplay", "unity_ads", "meta_audience_network", "acme"}
    assert ad_networks | {"tune", "everflow", "impact"} <= set(settings.partners)
    assert settings.storage.landing == str(tmp_path / "data/landing")
    assert settings.partners["applovin_max"].base_url == "http://127.0.0.1:8089/applovin"
    asked = [partner.base_url or "" for partner in settings.partners.values() if partner.connector != "files"]
    assert all(url.startswith("http://127.0.0.1:8089/") for url in asked)  # nobody's real account
    assert list(tmp_path.iterdir()) == []


def test_the_demos_partitions_begin_where_its_data_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("date=2026-10-03", "date=2026-10-01", "date=junk"):
        (tmp_path / "data/landing/events" / name).mkdir(parents=True)
    monkeypatch.chdir(tmp_path)

    assert load_settings({}).start_date == date(2026, 10, 1)


def test_the_demo_file_says_what_the_example_says() -> None:
    lines = DEMO_FILE.read_text(encoding="utf-8").splitlines()

    assert "mpp_discount: {default: 1.0, containers: {newsletter-a: 0.8}}" in lines


# --- mistakes --------------------------------------------------------------------------------------------------------

PARTNER = "partners: {acme: {connector: files, granularity: aggregated, %s}}"


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ("unknown: 1", "unknown: unknown key"),
        ("reporting: {zone: UTC}", "reporting.zone: unknown key"),
        ("secrets: {}", "secrets: unknown key"),
        ("reporting: {timezone: Mars/Olympus}", "reporting.timezone"),
        ("reporting: {currency: usd}", "reporting.currency"),
        ("reporting: {currency: EURO}", "reporting.currency"),
        ("reporting: UTC", "reporting"),
        ("reporting:", "reporting"),
        ("events: {late_arrival_days: -1}", "events.late_arrival_days"),
        ("events: {late_arrival_days: 2.5}", "events.late_arrival_days"),
        ("events: {late_arrival_days: yes}", "events.late_arrival_days"),
        ("cohorts: {start_events: install}", "cohorts.start_events"),
        ("cohorts: {max_days: 0}", "cohorts.max_days"),
        ("mpp_discount: {default: 1.1}", "mpp_discount.default"),
        ("mpp_discount: {default: -0.1}", "mpp_discount.default"),
        ("mpp_discount: {default: .nan}", "mpp_discount.default"),
        ("mpp_discount: {containers: {letter: 2}}", "mpp_discount.containers.letter"),
        ("messages: {cost_per_segment: -1}", "messages.cost_per_segment"),
        ("messages: {cost_per_segment: 0.0000000001}", "messages.cost_per_segment"),
        ("messages: {cost_per_segment: .inf}", "messages.cost_per_segment"),
        ("attribution: {default_window: 7}", "attribution.default_window"),
        ("attribution: {default_window: 7w}", "attribution.default_window"),
        ("attribution: {offers: {sale: -1d}}", "attribution.offers.sale"),
        ("import_window_days: 0", "import_window_days"),
        ("import_window_days: many", "import_window_days"),
        ("import_window_days: true", "import_window_days"),
        ("storage: {memory_limit: lots}", "storage.memory_limit"),
        ("partners: []", "partners"),
        ("partners: {acme: {granularity: aggregated}}", "partners.acme.connector: missing"),
        ("partners: {acme: {connector: files}}", "partners.acme.granularity: missing"),
        ("partners: {acme: {connector: files, granularity: both}}", "partners.acme.granularity"),
        ("partners: {max: {connector: applovin_max, options: 7}}", "partners.max.options"),
        ("partners: {a b: {connector: files, granularity: aggregated}}", "partners.a b"),
        ("partners: {..: {connector: files, granularity: aggregated}}", "partners..."),  # it names a folder
        (PARTNER % "grain: [user_id]", "partners.acme.grain.0"),
        (PARTNER % "timezone: Berlin", "partners.acme.timezone"),
        (PARTNER % "currency: XX", "partners.acme.currency"),
        (PARTNER % "base_url: ftp://x", "partners.acme.base_url"),
        (PARTNER % "import_window_days: 0", "partners.acme.import_window_days"),
        (PARTNER % "credentials: {key: the-secret-itself}", "partners.acme.credentials.key"),
        (PARTNER % "ids: {country: {a: b}}", "partners.acme.ids.country"),
        (PARTNER % "colour: red", "partners.acme.colour: unknown key"),
    ],
)
def test_a_mistake_is_one_line_that_names_the_key(load: Load, line: str, key: str) -> None:
    with pytest.raises(SettingsError) as error:
        load(f"start_date: 2026-10-01\n{line}")

    told = str(error.value)
    assert "\n" not in told
    assert f"settings.yaml: {key}" in told


@pytest.mark.parametrize(
    "line", ["", "start_date:", "start_date: soon", "start_date: 5", "start_date: 2026-13-01", "start_date: 2026-02-30"]
)
def test_a_start_date_that_is_no_date_is_named(load: Load, line: str) -> None:
    with pytest.raises(SettingsError, match="start_date") as error:
        load(f"{line}\nimport_window_days: 3")

    assert "\n" not in str(error.value)


@pytest.mark.parametrize("text", ["", "just text", "[1, 2]", "a: b: c", "a: !!python/object/apply:os.system ['true']"])
def test_a_file_that_is_no_settings_is_named(load: Load, text: str) -> None:
    with pytest.raises(SettingsError, match=r"settings\.yaml") as error:
        load(text)

    assert "\n" not in str(error.value)


@pytest.mark.parametrize("value", [None, ""])
def test_a_missing_credential_names_its_key_and_variable(load: Load, value: str | None) -> None:
    environment = {} if value is None else {"APPLOVIN_API_KEY": value}

    with pytest.raises(SettingsError) as error:
        load(EXAMPLE, **environment)

    assert "partners.applovin_max.credentials.api_key" in str(error.value)
    assert "APPLOVIN_API_KEY" in str(error.value)


@pytest.mark.parametrize("name", ["missing.yaml", "."])
def test_a_named_file_that_is_not_there_is_named_with_the_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)

    with pytest.raises(SettingsError, match=f"{SETTINGS_VARIABLE} names {name}"):
        load_settings({SETTINGS_VARIABLE: name})


def test_a_secret_put_where_its_variable_belongs_is_not_repeated(load: Load) -> None:
    with pytest.raises(SettingsError) as error:
        load("start_date: 2026-10-01\n" + PARTNER % f"credentials: {{key: {SECRET}}}")

    assert SECRET not in str(error.value)


@pytest.mark.parametrize("name", ["unknown", "manual"])
def test_a_name_that_tables_use_themselves_is_no_partners(name: str, tmp_path: Path) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text(f"start_date: 2026-11-01\npartners: {{{name}: {{connector: files, granularity: aggregated}}}}")

    with pytest.raises(SettingsError, match=rf"partners\.{name}: the name '{name}' is taken"):
        load_settings({"REVENUE_PIPELINE_CONFIG": str(path)})
