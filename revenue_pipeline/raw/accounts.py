"""What the settings and the connectors together say of each partner: the one place where defaults are filled in."""

from __future__ import annotations

from revenue_pipeline.partners import connectors
from revenue_pipeline.partners.base import Account, Connector, PartnerError
from revenue_pipeline.raw.landing import Rules
from revenue_pipeline.settings import Settings, SettingsError

FILES = "files"
"""The connector of partners without an API: their totals are landed as files."""


def open_connector(settings: Settings, partner: str) -> Connector | None:
    """Give the connector of a partner, ready to ask; None for one whose totals are landed as files.

    Raises:
        SettingsError: names the key, when the settings ask for what the connector cannot do.
    """
    set_up = settings.partners[partner]
    if set_up.connector == FILES:
        return None
    known = connectors()
    if set_up.connector not in known:
        choice = ", ".join([FILES, *sorted(known)])
        raise SettingsError(f"partners.{partner}.connector: {set_up.connector!r} is unknown; there are {choice}")
    account = Account(
        name=partner,
        granularity=set_up.granularity,
        grain=set_up.grain,
        timezone=timezone_of(settings, partner),
        currency=currency_of(settings, partner),
        base_url=set_up.base_url or "",
        credentials={name: settings.secret(where.env) for name, where in set_up.credentials.items()},
        credential_variables={name: where.env for name, where in set_up.credentials.items()},
    )
    try:
        return known[set_up.connector](account)
    except PartnerError as error:
        raise SettingsError(f"partners.{partner}: {error}") from error


def timezone_of(settings: Settings, partner: str) -> str:
    """Give the time zone of a partner's days: as set, else the connector's, else the reporting zone."""
    set_up = settings.partners[partner]
    connector = connectors().get(set_up.connector)
    return set_up.timezone or (connector.timezone if connector else settings.reporting.timezone)


def currency_of(settings: Settings, partner: str) -> str:
    """Give the currency of a partner's rows that name none: as set, else the connector's, else the reporting one."""
    set_up = settings.partners[partner]
    connector = connectors().get(set_up.connector)
    return set_up.currency or (connector.currency if connector else settings.reporting.currency)


def landing_rules(settings: Settings) -> Rules:
    """Give what the reading of landing files depends on."""
    files = [name for name, partner in settings.partners.items() if partner.connector == FILES]
    return Rules(
        timezone=settings.reporting.timezone,
        currency=settings.reporting.currency,
        partner_timezones={name: timezone_of(settings, name) for name in settings.partners},
        partner_currencies={name: currency_of(settings, name) for name in files},
        late_arrival_days=settings.events.late_arrival_days,
    )
