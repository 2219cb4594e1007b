"""Every table and macro there is, gathered from the rooms: what is made, what is published, what SQL may read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from revenue_pipeline import core, reports
from revenue_pipeline.raw.datasets import LANDED, REJECTED_ROWS
from revenue_pipeline.raw.imports import DESTINATIONS, PARTNER_IMPORTS
from revenue_pipeline.warehouse import WRITTEN_DAYS, Macro, Table

CERTIFICATE = "core.revenue_conservation"


@dataclass(frozen=True)
class Printed:
    """What the command line prints of a published table: its rows by `day`, in an order, in a terminal's columns."""

    table: str
    day: str
    order: Sequence[str]
    headline: Sequence[str]


@dataclass(frozen=True)
class Asked:
    """What the command line prints of a macro's answer: the macro's arguments, and a terminal's columns."""

    macro: str
    arguments: Sequence[str]
    headline: Sequence[str]


@lru_cache(maxsize=1)
def all_tables() -> tuple[Table, ...]:
    """Every table of the rooms, those that come first in the flow first."""
    raw = [dataset.table for dataset in LANDED]
    imported = [table for each in DESTINATIONS.values() for table in (each.table, each.history) if table]
    raw += [table for table in imported if table not in raw]
    raw += [PARTNER_IMPORTS, REJECTED_ROWS]
    return (*raw, *(table.table for table in (*core.TABLES, *reports.TABLES)))


def all_macros() -> tuple[Macro, ...]:
    """Every macro, each after those it calls."""
    return tuple(macro.macro for macro in reports.MACROS)


def published_tables() -> list[Table]:
    """What the published copy holds: the reports, what macros read, and what tells how far to trust them."""
    asked = {name for macro in reports.MACROS for name in macro.sql.tables} | {CERTIFICATE}
    facts = [table.table for table in core.TABLES if table.name in asked]
    return [*(table.table for table in reports.TABLES), *facts, PARTNER_IMPORTS, REJECTED_ROWS, WRITTEN_DAYS]


def printed_tables() -> dict[str, Printed]:
    """Give what `revenue-pipeline report` can print, by the name that a person types."""
    refused = ("folder_date", "dataset", "file", "reason", "field", "row")
    printed = [Printed(each.name, each.day, each.unique_by, each.headline) for each in reports.TABLES]
    printed.append(Printed(REJECTED_ROWS.name, REJECTED_ROWS.day_column, refused, refused))
    return {each.table.partition(".")[2]: each for each in printed}


def printed_macros() -> dict[str, Asked]:
    """Give the questions that `revenue-pipeline report` can put, by the name that a person types."""
    asked = [Asked(each.name, each.arguments, each.headline) for each in reports.MACROS if each.headline]
    return {each.macro.partition(".")[2]: each for each in asked}
