"""What every partner's stand-in shares: the call it answers, the answer it gives, and how it is found.

A new partner is one module in this room with a `COUNTERPART`; nothing else needs to know of it.
"""

import json
import pkgutil
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, TypeVar

from revenue_pipeline.simulator.faults import Fault
from revenue_pipeline.simulator.world import Cost, ReportRow, World

T = TypeVar("T")
_NUMBER = "a number, not a text: "


@dataclass(frozen=True)
class Answer:
    """An HTTP answer; `length` is the Content-Length promised where that is not the body's."""

    status: int
    body: bytes
    content_type: str = "text/plain; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)
    length: int | None = None

    @classmethod
    def text(cls, status: int, text: str, **headers: str) -> "Answer":
        """An answer a person can read; underscores in header names are hyphens."""
        return cls(status, text.encode(), headers={name.replace("_", "-"): value for name, value in headers.items()})

    @classmethod
    def json(cls, content: Any, status: int = 200) -> "Answer":
        """A JSON answer; a `Decimal` in it becomes a number of the same digits."""
        text = json.dumps(content, default=lambda number: f"{_NUMBER}{number:f}")
        return cls(status, re.sub(rf'"{re.escape(_NUMBER)}([^"]*)"', r"\1", text).encode(), "application/json")


@dataclass(frozen=True)
class Call:
    """One HTTP call to a partner, with the world as that partner knows it on the day of the call.

    `path` is what follows the partner's prefix; header names are lower case.
    """

    method: str
    path: str
    parameters: Sequence[tuple[str, str]]
    headers: Mapping[str, str]
    body: bytes
    today: date
    world: World
    faults: Mapping[str, Fault]

    @property
    def query(self) -> dict[str, str]:
        """The parameters by name, the last of each; in the order of the query."""
        return dict(self.parameters)

    def reported(self, partner: str, day: date, by_user: bool = False) -> list[ReportRow]:
        """The partner's rows for one of its days, at the age the day has today; those of users if asked for."""
        rows = self.world.reported(partner, day, (self.today - day).days, by_user)
        if "empty" in self.faults:
            return []
        if "vanished_rows" in self.faults:
            rows = rows[1 + len(rows) // 4 :]
        if restated := self.faults.get("restated"):
            growth = 1 + Decimal(str(restated.amount(3))) / 100
            rows = [row._replace(revenue=(row.revenue * growth).quantize(row.revenue)) for row in rows]
        return rows

    def spent(self, channel: str, day: date) -> list[Cost]:
        """What an advertising channel says that one of its days cost, at the age the day has today."""
        rows = self.world.charged(channel, day, (self.today - day).days)
        if "empty" in self.faults:
            return []
        if "vanished_rows" in self.faults:
            rows = rows[1 + len(rows) // 4 :]
        if restated := self.faults.get("restated"):
            growth = 1 + Decimal(str(restated.amount(3))) / 100
            rows = [row._replace(cost=(row.cost * growth).quantize(row.cost)) for row in rows]
        return rows

    def page(self, rows: Sequence[T], offset: int, limit: int | None) -> Sequence[T]:
        """The rows of the report that belong on the page asked for."""
        if moving := self.faults.get("moving_report"):
            shift = -moving.calls % len(rows) if rows else 0
            rows = [*rows[shift:], *rows[:shift]]
        if "offset_ignored" in self.faults:
            offset = 0
        if cap := self.faults.get("page_cap"):
            limit = min(int(cap.amount(2)), limit or len(rows))
        return rows[offset:] if limit is None else rows[offset : offset + limit]


class Counterpart(Protocol):
    """A partner's stand-in: answers under `prefix` as the partner's API does, and says no the way the partner does."""

    name: str
    prefix: str
    secrets: frozenset[str]  # query parameters that the request log leaves out

    def credential(self, query: Mapping[str, str], headers: Mapping[str, str]) -> str | None:
        """The caller's key or token, if there is one."""

    def answer(self, call: Call) -> Answer:
        """The answer to a call that nothing went wrong with."""

    def refuse_window(self) -> Answer:
        """The refusal of days the partner no longer reports."""

    def failure_in_body(self, code: int) -> Answer:
        """HTTP 200 around a failure, in this partner's shape."""


def discover() -> list[Counterpart]:
    """The counterparts in this room, one per module that has one."""
    modules = [
        import_module(f"{__package__}.{module.name}") for module in pkgutil.iter_modules([str(Path(__file__).parent)])
    ]
    return [module.COUNTERPART for module in modules if hasattr(module, "COUNTERPART")]
