"""Where imported rows go: for each kind of row the table of `raw` it fills, and how a row becomes a line of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timezone
from decimal import Decimal
from functools import cached_property
from typing import Any

from revenue_pipeline.partners.base import Row
from revenue_pipeline.raw.exchange_rates import ExchangeRates, rounded
from revenue_pipeline.warehouse import Table

LARGEST_TOTAL = Decimal(10) ** 29
"""What DECIMAL(38,9) holds no more."""

Value = str | int | Decimal | date | datetime | bool | None


@dataclass(frozen=True)
class Booking:
    """What a line depends on besides its row.

    Attributes:
        report_date: the partner's day that was asked for.
        timezone: the reporting zone.
        rates: into the reporting currency.
    """

    report_date: date
    timezone: str
    rates: ExchangeRates


@dataclass(frozen=True, eq=False)
class Destination:
    """One kind of row and the table it fills.

    Attributes:
        row: the kind.
        table: where the rows of a partner's day replace those before them. Its columns `source`, `partner`,
            `import_id` and `imported_at`, where it has them, are filled for every kind alike.
        line: gives the other columns for a row.
        money: the column whose sum a run shows; empty where there is none.
        history: where every batch that differs from the one before it is kept as well.
    """

    row: type[Row]
    table: Table
    line: Callable[[Any, Booking], Mapping[str, Value]]
    money: str = ""
    history: Table | None = None

    def slice_of(self, partner: str) -> dict[str, str]:
        """Give the column values that set this partner's imported rows apart from all others in the table."""
        source = {"source": "api"} if self._has("source") else {}
        return {**source, "partner": partner}

    def whole_line(
        self, line: Mapping[str, Value], partner: str, import_id: str, imported_at: datetime
    ) -> dict[str, str | int | None]:
        """Give every column of the table as JSON can carry it: text for all that is not text, a count or NULL."""
        values: dict[str, Value] = {
            **line,
            **self.slice_of(partner),
            "import_id": import_id,
            "imported_at": imported_at,
        }
        return {column.name: _as_text(values[column.name]) for column in self.table.columns}

    def too_large(self, line: Mapping[str, Value]) -> str | None:
        """Name a column whose type cannot hold the line's amount, and the amount; None when all of them can."""
        for column, (scale, limit) in self._limits.items():
            value = line.get(column)
            if isinstance(value, Decimal) and rounded(value, scale).copy_abs() >= limit:
                return f"{column} {value:f}"
        return None

    @cached_property
    def _limits(self) -> Mapping[str, tuple[int, Decimal]]:
        """Column of amounts -> its fractional digits, and the first amount that is more than it holds."""
        sizes = {each.name: list(map(int, re.findall(r"\d+", each.type))) for each in self.table.columns}
        return {name: (size[1], Decimal(10) ** (size[0] - size[1])) for name, size in sizes.items() if size}

    def _has(self, name: str) -> bool:
        return any(column.name == name for column in self.table.columns)


def _as_text(value: Value) -> str | int | None:
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, datetime):
        value = value.astimezone(timezone.utc).replace(tzinfo=None) if value.tzinfo else value
    return value.isoformat() if isinstance(value, date) else value
