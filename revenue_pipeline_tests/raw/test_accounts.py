from __future__ import annotations

from typing import Any

import pytest
from pydantic import SecretStr

from revenue_pipeline.partners.base import ConversionRow, RevenueRow
from revenue_pipeline.raw.accounts import currency_of, kinds_of, landing_rules, open_connector, timezone_of
from revenue_pipeline.settings import Settings, SettingsError

SECRET = "s3cret"
FILES: dict[str, Any] = {"connector": "files", "granularity": "user_level"}
API: dict[str, Any] = {
    "connector": "applovin_max",
    "granularity": "aggregated",
    "grain": ["app_id"],
    "credentials": {"api_key": {"env": "KEY"}},
}


def settings_with(secret: str = SECRET, **partners: dict[str, Any]) -> Settings:
    reporting = {"timezone": "Asia/Tokyo", "currency": "JPY"}
    loaded = Settings.model_validate({"start_date": "2026-10-01", "reporting": reporting, "partners": partners})
    return loaded.model_copy(update={"secrets": {"KEY": SecretStr(secret)}})


def test_a_files_partner_has_no_connector_and_the_reporting_zone_and_currency() -> None:
    settings = settings_with(acme=FILES)

    assert open_connector(settings, "acme") is None
    assert (timezone_of(settings, "acme"), currency_of(settings, "acme")) == ("Asia/Tokyo", "JPY")


def test_an_api_partner_has_its_connectors_zone_and_currency() -> None:
    settings = settings_with(max=API)

    assert (timezone_of(settings, "max"), currency_of(settings, "max")) == ("UTC", "USD")


@pytest.mark.parametrize("partner", [FILES, API])
def test_what_the_settings_say_of_a_partner_comes_first(partner: dict[str, Any]) -> None:
    settings = settings_with(some={**partner, "timezone": "Europe/Berlin", "currency": "EUR"})

    assert (timezone_of(settings, "some"), currency_of(settings, "some")) == ("Europe/Berlin", "EUR")


def test_an_opened_connector_knows_its_account_and_shows_no_secret() -> None:
    connector = open_connector(settings_with(max={**API, "base_url": "http://127.0.0.1:1/x"}), "max")

    assert connector is not None
    account = connector.account
    assert (account.name, account.grain, account.base_url) == ("max", ("app_id",), "http://127.0.0.1:1/x")
    assert account.credentials == {"api_key": "s3cret"}
    assert "s3cret" not in repr(account)


def test_a_secret_that_comes_from_a_file_may_end_with_its_line_break() -> None:
    connector = open_connector(settings_with(" s3cret\r\n", max=API), "max")

    assert connector is not None
    assert connector.account.credentials == {"api_key": "s3cret"}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"connector": "nope"}, r"partners\.max\.connector: 'nope' is unknown; there are files, "),
        ({"granularity": "user_level"}, r"partners\.max\.options\.apps: missing: user-level revenue"),
        ({"granularity": None}, r"partners\.max: max: granularity is missing\. Set its granularity to aggregated"),
        ({"options": {"side": "network"}}, r"partners\.max\.options\.side: unknown key"),
        ({"credentials": {}}, r"partners\.max: .*api_key"),
    ],
)
def test_a_setting_that_the_connector_cannot_do_names_its_key(change: dict[str, Any], told: str) -> None:
    with pytest.raises(SettingsError, match=told) as error:
        open_connector(settings_with(max={**API, **change}), "max")

    assert "\n" not in str(error.value)


def test_landed_totals_have_no_options() -> None:
    with pytest.raises(SettingsError, match=r"partners\.acme\.options: .*"):
        open_connector(settings_with(acme={**FILES, "options": {"side": "network"}}), "acme")


def test_landed_totals_are_revenue() -> None:
    assert kinds_of(settings_with(acme=FILES, max=API), "acme") == (RevenueRow,)
    assert kinds_of(settings_with(acme=FILES, max=API), "max") == (RevenueRow,)


def test_a_network_has_neither_granularity_nor_grain() -> None:
    network = {"connector": "impact", "credentials": {name: {"env": "KEY"} for name in ("account_sid", "auth_token")}}
    assert kinds_of(settings_with(net=network), "net") == (ConversionRow,)
    assert open_connector(settings_with(net=network), "net") is not None
    with pytest.raises(
        SettingsError, match=r"partners\.net: net: impact reports no ad revenue\. Remove its granularity"
    ):
        open_connector(settings_with(net={**network, "granularity": "aggregated"}), "net")
    with pytest.raises(SettingsError, match=r"partners\.net: net: impact cannot report app_id\. Remove its grain"):
        open_connector(settings_with(net={**network, "grain": ["app_id"]}), "net")


def test_an_empty_secret_is_told_with_its_variable() -> None:
    with pytest.raises(SettingsError, match="KEY"):
        open_connector(settings_with(" ", max=API), "max")


def test_landing_rules_know_every_revenue_partners_zone_and_which_partners_land_files() -> None:
    network = {"connector": "tune", "timezone": "America/New_York"}  # books no revenue, so its days are nobody's
    rules = landing_rules(settings_with(acme={**FILES, "currency": "EUR"}, max=API, tune=network))

    assert rules.partner_timezones == {"acme": "Asia/Tokyo", "max": "UTC"}
    assert rules.partner_currencies == {"acme": "EUR"}
    assert (rules.timezone, rules.currency, rules.late_arrival_days) == ("Asia/Tokyo", "JPY", 2)
