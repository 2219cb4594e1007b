"""Which slices a table of `raw` is written in: what was landed as files, and what each partner reports."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import dagster as dg

from revenue_pipeline.raw.datasets import LANDED
from revenue_pipeline.raw.imports import DESTINATIONS, PARTNER_IMPORTS, destinations
from revenue_pipeline.settings import Settings
from revenue_pipeline.sql_asset import asset_key
from revenue_pipeline.warehouse import Table, written_name


@dataclass(frozen=True)
class Slice:
    """A part of a table with a writer of its own.

    Attributes:
        key: the asset that writes it.
        written: its name in `pipeline.written_days`.
    """

    key: dg.AssetKey
    written: str


def slices(settings: Settings) -> Mapping[str, Sequence[Slice]]:
    """Give the slices of each table of `raw` that is landed or that a partner of the settings fills."""
    found: dict[str, list[Slice]] = defaultdict(list)
    for dataset in LANDED:
        table = dataset.table
        found[table.name].append(Slice(asset_key(table.name), written_name(table.name, dataset.slice)))
    for partner in settings.partners:
        for destination in destinations(settings, partner):
            name = destination.table.name
            key = partner_key(destination.table, partner)
            found[name].append(Slice(key, written_name(name, destination.slice_of(partner))))
    return found


def partner_key(table: Table, partner: str) -> dg.AssetKey:
    """Give the key of the asset that is the partner's slice of `table`."""
    return dg.AssetKey([*table.name.split("."), partner])


def writers(settings: Settings) -> dict[str, list[dg.AssetKey]]:
    """Give the assets that write each table of `raw` whose rows are imported; none where no partner gives them."""
    keys = {table: [each.key for each in found] for table, found in slices(settings).items()}
    importing = [
        partner_key(destination.table, partner)
        for partner in settings.partners
        for destination in destinations(settings, partner)
    ]
    none = {destination.table.name: list[dg.AssetKey]() for destination in DESTINATIONS.values()}
    return {**none, **keys, PARTNER_IMPORTS.name: importing}
