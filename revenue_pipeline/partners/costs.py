"""What the connectors of advertising channels share: one row for each campaign and what else it is split by."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field

from revenue_pipeline.partners.base import Connector, ConnectorOptions, CostRow, IncompleteError, Row
from revenue_pipeline.partners.http import PartnerHttp

_NOWHERE = frozenset({"", "-", "none", "unknown", "n/a"})


class Campaign(BaseModel):
    """What one of the channel's campaigns is to us, where its report does not say or says it in other words."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    campaign_id: str | None = Field(default=None, description="Our campaign: several of theirs may be one.")
    app_id: str | None = Field(default=None, description="The app it advertises.")
    platform: str | None = Field(default=None, description="The platform it advertises on.")


class CostOptions(ConnectorOptions):
    """What all channels may be told."""

    channel: str | None = Field(default=None, description="The `channel` of its costs; set it to that of the events.")
    campaigns: Mapping[str, Campaign] = Field(default={}, description="The channel's campaign id: what it is to us.")


class CostConnector(Connector):
    """An advertising channel: asked for a day, it gives one row for each campaign and column of the account's grain."""

    gives = (CostRow,)
    channel: ClassVar[str]  # default of the option
    Options: ClassVar[type[ConnectorOptions]] = CostOptions
    options: CostOptions

    @abstractmethod
    def read_day(self, day: date, http: PartnerHttp) -> list[CostRow]:
        """Every row of the day in the channel's own words.

        IncompleteError when its pages do not make a whole; the day is then read again from the start.
        """

    def fetch_day(self, day: date, http: PartnerHttp) -> Sequence[Row]:
        """The day as a whole, with our names for its campaigns."""
        rows = self.whole_report(day, lambda: self._once(day, http))
        return [self._with_our_names(row) for row in rows]

    def _once(self, day: date, http: PartnerHttp) -> list[CostRow]:
        rows = self.read_day(day, http)
        keys = {(row.campaign_id, row.app_id, row.platform, row.country) for row in rows}
        if len(keys) < len(rows):
            raise IncompleteError("the same campaign came twice")
        return rows

    def _with_our_names(self, row: CostRow) -> CostRow:
        ours = self.options.campaigns.get(row.campaign_id or "", Campaign())
        return replace(
            row,
            channel=self.options.channel or self.channel,
            campaign_id=ours.campaign_id or row.campaign_id,
            app_id=ours.app_id or row.app_id,
            platform=ours.platform or row.platform,
            country=None if (row.country or "").strip().lower() in _NOWHERE else row.country,
        )
