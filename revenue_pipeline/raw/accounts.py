"""What the settings and the connectors together say of each partner: the one place where defaults are filled in."""

from __future__ import annotations

from pydantic import ValidationError

from revenue_pipeline.partners import connectors
from revenue_pipeline.partners.base import Account, Connector, ExchangeRateRow, PartnerError, RevenueRow, Row
from revenue_pipeline.raw.landing import Rules
from revenue_pipeline.settings import FILES, Settings, SettingsError, first_mistake


def open_connector(settings: Settings, partner: str) -> Connector | None:
    """Give the connector of a partner, ready to ask; None for one whose totals are landed as files.

    Raises:
        SettingsError: names the key, when the settings ask for what the connector cannot do.
    """
    set_up = settings.partners[partner]
    connector = _connector_of(settings, partner)
    if connector is None:
        if set_up.options:
            raise SettingsError(f"partners.{partner}.options: a partner whose totals are landed as files has none")
        return None
    reporting_currency = settings.reporting.currency
    if ExchangeRateRow in connector.gives and currency_of(settings, partner) != reporting_currency:
        raise SettingsError(f"partners.{partner}.currency: its rates are into {reporting_currency}, the reporting one")
    account = Account(
        name=partner,
        granularity=set_up.granularity,
        grain=set_up.grain,
        timezone=timezone_of(settings, partner),
        currency=currency_of(settings, partner),
        base_url=set_up.base_url or "",
        # Without the line break that ends a mounted file: a key with one is a wrong key, or no header at all.
        credentials={name: settings.secret(where.env).strip() for name, where in set_up.credentials.items()},
        credential_variables={name: where.env for name, where in set_up.credentials.items()},
        options=set_up.options,
    )
    try:
        return connector(account)
    except ValidationError as error:
        raise SettingsError(f"partners.{partner}.options.{first_mistake(error)}") from error
    except PartnerError as error:
        raise SettingsError(f"partners.{partner}: {error}") from error


def kinds_of(settings: Settings, partner: str) -> tuple[type[Row], ...]:
    """Give the kinds of rows that a partner gives; landed totals are revenue.

    Raises:
        SettingsError: there is no such connector.
    """
    connector = _connector_of(settings, partner)
    return connector.gives if connector else (RevenueRow,)


def _connector_of(settings: Settings, partner: str) -> type[Connector] | None:
    name, known = settings.partners[partner].connector, connectors()
    if name != FILES and name not in known:
        choice = ", ".join([FILES, *sorted(known)])
        raise SettingsError(f"partners.{partner}.connector: {name!r} is unknown; there are {choice}")
    return known.get(name)


def timezone_of(settings: Settings, partner: str) -> str:
    """Give the time zone of a partner's days: as set, else the connector's, else the reporting zone."""
    set_up = settings.partners[partner]
    connector = connectors().get(set_up.connector)
    return set_up.timezone or (connector.timezone if connector else settings.reporting.timezone)


def currency_of(settings: Settings, partner: str) -> str:
    """Give the currency of a partner's rows that name none: as set, else the connector's, else the reporting one."""
    set_up = settings.partners[partner]
    connector = connectors().get(set_up.connector)
    return set_up.currency or (connector.currency if connector else "") or settings.reporting.currency


def landing_rules(settings: Settings) -> Rules:
    """Give what the reading of landing files depends on."""
    files = [name for name, partner in settings.partners.items() if partner.connector == FILES]
    return Rules(
        timezone=settings.reporting.timezone,
        currency=settings.reporting.currency,
        partner_timezones={name: timezone_of(settings, name) for name in settings.revenue_partners},
        partner_currencies={name: currency_of(settings, name) for name in files},
        late_arrival_days=settings.events.late_arrival_days,
    )
