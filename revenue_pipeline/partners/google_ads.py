"""Google Ads: what campaigns cost, by `googleAds:searchStream` over REST.

Days are the account's, and so is the currency: both come with every row. The app and the platform are those of an app
campaign. The country is that of the people who saw the ad; what Google places in no country stays on a row without one,
so that a campaign's rows always add up to the campaign.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from pydantic import Field

from revenue_pipeline.partners import google_oauth, google_stream
from revenue_pipeline.partners.base import Account, CostRow, IncompleteError, count, text
from revenue_pipeline.partners.costs import CostConnector, CostOptions
from revenue_pipeline.partners.http import PartnerHttp

_PLATFORMS = {"APPLE_APP_STORE": "ios", "GOOGLE_APP_STORE": "android"}
_CAMPAIGN = "campaign.id, campaign.app_campaign_setting.app_id, campaign.app_campaign_setting.app_store"
_ACCOUNT = "customer.currency_code, customer.time_zone"
_METRICS = "metrics.cost_micros, metrics.impressions, metrics.clicks"
_BESIDE_RESULTS = {"fieldMask", "requestId", "summaryRow", "queryResourceConsumption"}

_Row = Mapping[str, Any]


class GoogleAdsOptions(CostOptions):
    """Which account is asked, and how."""

    customer_id: str = Field(pattern=r"^[0-9]+(-[0-9]+)*$", description="The account whose campaigns these are.")
    login_customer_id: str | None = Field(
        None, pattern=r"^[0-9]+(-[0-9]+)*$", description="The manager account by which it is reached, if by one."
    )
    api_version: str = Field("v25", pattern=r"^v[0-9]+$", description="A version lives for about a year.")
    token_url: str = Field(google_oauth.TOKEN_URL, description="Where access tokens come from.")


class _Spent(NamedTuple):
    """What a campaign cost, in a country or in all; money in 1e-6 units of `currency`."""

    app_id: str | None
    platform: str | None
    currency: str
    micros: int
    impressions: int
    clicks: int


class GoogleAds(CostConnector):
    """Spend is corrected for invalid clicks for some days; a conversion window does not concern it."""

    name = "google_ads"
    documentation = "https://developers.google.com/google-ads/api/rest/common/search"
    base_url = "https://googleads.googleapis.com"
    credentials = ("developer_token", *google_oauth.CREDENTIALS)
    grain = ("app_id", "platform", "country")
    channel = "google"
    Options = GoogleAdsOptions
    options: GoogleAdsOptions
    import_window_days = 7
    concurrent_days = 3  # its quotas are of operations per day, and it says itself when they come too fast

    def __init__(self, account: Account) -> None:
        """As every connector."""
        super().__init__(account)
        self._authorization = google_oauth.Authorization(account, self.options.token_url)

    def read_day(self, day: date, http: PartnerHttp) -> list[CostRow]:
        """The campaigns of the day, split by country when the account's grain has it."""
        headers = self._headers(http)
        shares: dict[tuple[str, str | None], _Spent] = {}
        if "country" in self.account.grain:
            shares = self._by_country(day, http, headers)  # asked first: totals only grow meanwhile
        campaigns = self._campaigns(day, http, headers)
        parts = shares | {(campaign, None): whole for campaign, whole in _remainders(campaigns, shares).items()}
        return [self._cost_row(day, *key, spent) for key, spent in parts.items()]

    def _headers(self, http: PartnerHttp) -> dict[str, str]:
        headers = self._authorization.header(http)
        headers["developer-token"] = self.account.credentials["developer_token"]
        if self.options.login_customer_id:
            headers["login-customer-id"] = _digits(self.options.login_customer_id)
        return headers

    def _campaigns(self, day: date, http: PartnerHttp, headers: Mapping[str, str]) -> dict[str, _Spent]:
        query = (
            f"SELECT segments.date, {_CAMPAIGN}, {_ACCOUNT}, {_METRICS} "
            f"FROM campaign WHERE segments.date = '{day.isoformat()}'"
        )
        spent: dict[str, _Spent] = {}
        for row in self._rows(query, day, http, headers):
            campaign, found = self._spent(row, day)
            if campaign in spent:
                raise IncompleteError("the same campaign came twice")
            spent[campaign] = found
        return spent

    def _by_country(
        self, day: date, http: PartnerHttp, headers: Mapping[str, str]
    ) -> dict[tuple[str, str | None], _Spent]:
        query = (
            f"SELECT segments.date, user_location_view.country_criterion_id, {_CAMPAIGN}, {_ACCOUNT}, {_METRICS} "
            f"FROM user_location_view WHERE segments.date = '{day.isoformat()}'"
        )
        found: dict[tuple[str, str], list[_Spent]] = defaultdict(list)
        for row in self._rows(query, day, http, headers):
            campaign, spent = self._spent(row, day)
            criterion = text((row.get("userLocationView") or {}).get("countryCriterionId"))
            # A country comes twice where ads reached people in a place that was aimed at and others who were not.
            found[campaign, criterion or ""].append(spent)
        codes = self._country_codes({criterion for _, criterion in found} - {""}, day, http, headers)
        return {
            (campaign, codes[criterion]): _sum(parts)
            for (campaign, criterion), parts in found.items()
            if criterion in codes
        }

    def _country_codes(
        self, criteria: set[str], day: date, http: PartnerHttp, headers: Mapping[str, str]
    ) -> dict[str, str]:
        if not criteria:
            return {}
        query = (
            "SELECT geo_target_constant.id, geo_target_constant.country_code FROM geo_target_constant "
            f"WHERE geo_target_constant.id IN ({', '.join(sorted(criteria))})"
        )
        rows = self._rows(query, day, http, headers)
        constants: list[Any] = [row.get("geoTargetConstant") for row in rows]
        try:
            return {str(text(constant["id"])): str(text(constant["countryCode"])) for constant in constants}
        except (TypeError, KeyError, ValueError):
            raise self.shape_error(day, f"no ids and country codes in {constants!r}") from None

    def _rows(self, query: str, day: date, http: PartnerHttp, headers: Mapping[str, str]) -> list[_Row]:
        """The rows of all batches of the stream; a stream that was cut off is no JSON."""
        path = f"{self.options.api_version}/customers/{_digits(self.options.customer_id)}/googleAds:searchStream"
        answer = http.post(path, json={"query": query}, headers=headers, true_status=google_stream.true_status)
        batches = answer.json()
        if not isinstance(batches, list):
            raise self.shape_error(day, f"no list of batches in {answer.excerpt!r}")
        rows: list[_Row] = []
        for batch in batches:
            if not isinstance(batch, dict) or not ("results" in batch or batch.keys() & _BESIDE_RESULTS):
                raise self.shape_error(day, f"a batch with something else than results in {answer.excerpt!r}")
            results = batch.get("results", [])  # an empty list is left out, as in all of Google's JSON
            if not isinstance(results, list) or not all(isinstance(row, dict) for row in results):
                raise self.shape_error(day, f"no list of results in {answer.excerpt!r}")
            rows += results
        return rows

    def _spent(self, row: _Row, day: date) -> tuple[str, _Spent]:
        """The campaign of a row, and what it cost."""
        if self._value(row, day, "segments", "date") != day.isoformat():
            raise self.shape_error(day, f"a row of day {row['segments']['date']!r}")
        self.refuse_other_days(day, str(self._value(row, day, "customer", "timeZone")))
        app = row["campaign"].get("appCampaignSetting", {}) if isinstance(row.get("campaign"), dict) else {}
        try:
            spent = _Spent(
                text(app.get("appId")),
                _PLATFORMS.get(str(app.get("appStore"))),
                str(self._value(row, day, "customer", "currencyCode")),
                count(self._value(row, day, "metrics", "costMicros")) or 0,
                count(self._value(row, day, "metrics", "impressions")) or 0,
                count(self._value(row, day, "metrics", "clicks")) or 0,
            )
        except ValueError as error:
            raise self.shape_error(day, f"{error} in the row {row}") from None
        return str(self._value(row, day, "campaign", "id")), spent

    def _value(self, row: _Row, day: date, resource: str, field: str) -> Any:
        value = row.get(resource)
        if not isinstance(value, dict) or value.get(field) in (None, ""):
            raise self.shape_error(day, f"a row without `{resource}.{field}`")
        return value[field]

    def _cost_row(self, day: date, campaign_id: str, country: str | None, spent: _Spent) -> CostRow:
        grain = self.account.grain
        return CostRow(
            cost_date=day,
            channel=self.channel,
            campaign_id=campaign_id,
            app_id=spent.app_id if "app_id" in grain else None,
            platform=spent.platform if "platform" in grain else None,
            country=country,
            cost=Decimal(spent.micros).scaleb(-6),
            currency=spent.currency,
            impressions=spent.impressions,
            clicks=spent.clicks,
        )


def _remainders(campaigns: Mapping[str, _Spent], shares: Mapping[tuple[str, str | None], _Spent]) -> dict[str, _Spent]:
    """What of each campaign lies in no country; without shares, all of it.

    IncompleteError when countries have more than their campaign, which grew between the two queries.
    """
    placed: dict[str, list[_Spent]] = defaultdict(list)
    for (campaign, _), spent in shares.items():
        placed[campaign].append(spent)
    if not placed.keys() <= campaigns.keys():
        raise IncompleteError("a campaign was there by country and not in whole")
    rest: dict[str, _Spent] = {}
    for campaign, whole in campaigns.items():
        there = _sum(placed[campaign]) if campaign in placed else whole._replace(micros=0, impressions=0, clicks=0)
        numbers = (whole.micros - there.micros, whole.impressions - there.impressions, whole.clicks - there.clicks)
        if min(numbers) < 0:
            raise IncompleteError("the countries of a campaign had more than the campaign")
        if any(numbers) or campaign not in placed:
            rest[campaign] = whole._replace(micros=numbers[0], impressions=numbers[1], clicks=numbers[2])
    return rest


def _sum(spent: Iterable[_Spent]) -> _Spent:
    parts = list(spent)
    return parts[0]._replace(
        micros=sum(part.micros for part in parts),
        impressions=sum(part.impressions for part in parts),
        clicks=sum(part.clicks for part in parts),
    )


def _digits(customer_id: str) -> str:
    return customer_id.replace("-", "")
