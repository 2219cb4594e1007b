"""Asks the warehouse for an explanation: of a cell of a report, or of what a user brought on a day."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from datetime import date

from revenue_pipeline import reports
from revenue_pipeline.definitions import open_warehouse
from revenue_pipeline.explain.catalog import EXPLANATIONS, USER_DAY
from revenue_pipeline.explain.explanation import (
    ExplainedCell,
    Explanation,
    ExplanationError,
    explained_components,
    find_cell,
    said,
)
from revenue_pipeline.settings import Settings

LOG = logging.getLogger(__name__)


def explain_cell(settings: Settings, report: str, key: Mapping[str, str], most: int | None = None) -> ExplainedCell:
    """Explain the cell of `reports.<report>` that `key` names.

    Args:
        settings: which warehouse.
        report: the report's name, such as rpm.
        key: column -> value of the columns that name its rows; those not given are NULL in the cell, where several fit.
        most: how many parts are shown under each number, the others as one sum; None for all.

    Raises:
        ExplanationError: there is no such report or cell, or more than one.
        FileNotFoundError: there is no warehouse yet.
    """
    name, explanation, unique_by = _explanation(report)
    with open_warehouse(settings).reading(LOG, f"explaining {report}") as connection:
        cell = find_cell(connection, name, unique_by, key)
        components = explained_components(connection, explanation, settings, cell, unique_by, most)
    title = f"{name}: {said({column: cell[column] for column in unique_by})}"
    return ExplainedCell(title, explanation.formula, components)


def read_key(report: str, text: str) -> dict[str, str]:
    """Read which cell a person means: `column=value, …`.

    A comma that no column of the report's key follows is part of a value, such as one that is JSON.

    Raises:
        ExplanationError: there is no such report, or a part is not `column=value`.
    """
    _, _, unique_by = _explanation(report)
    parts = re.split(rf",\s*(?=(?:{'|'.join(unique_by)})\s*=)", text) if text.strip() else []
    pairs = [part.partition("=") for part in parts]
    if wrong := [column for column, equals, _ in pairs if not equals]:
        raise ExplanationError(f"{wrong[0]!r} is not column=value")
    return {column.strip(): value.strip() for column, _, value in pairs}


def explain_user_day(settings: Settings, user_id: str, day: date, most: int | None = None) -> ExplainedCell:
    """Explain what a user brought on one day: shares of ad revenue, and what the app booked.

    Raises:
        FileNotFoundError: there is no warehouse yet.
    """
    cell = {"user_id": user_id, "event_date": day}
    with open_warehouse(settings).reading(LOG, f"explaining a day of {user_id}") as connection:
        components = explained_components(connection, USER_DAY, settings, cell, most=most)
    return ExplainedCell(said(cell), USER_DAY.formula, components)


def _explanation(report: str) -> tuple[str, Explanation, Sequence[str]]:
    """Give the table of a report, how its cells are taken apart, and the columns that name its rows."""
    name = f"reports.{report}"
    if name not in EXPLANATIONS:
        known = ", ".join(sorted(each.removeprefix("reports.") for each in EXPLANATIONS))
        raise ExplanationError(f"{report!r} cannot be explained; there are {known}")
    unique_by = next(table.unique_by for table in reports.TABLES if table.name == name)
    return name, EXPLANATIONS[name], unique_by
