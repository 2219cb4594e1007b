"""Turns a `.sql` file with arguments into an SQL macro: a question that people put to the warehouse or its copy.

The file is a SELECT like that of a table, `<schema>/macros/<name>.sql`, and names its arguments as parameters, `$name`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from revenue_pipeline.sql import SqlFile, load_sql
from revenue_pipeline.warehouse import Macro

PACKAGE = Path(__file__).parent


@dataclass(frozen=True)
class SqlMacro:
    """One macro that a `.sql` file defines: `SELECT * FROM reports.revenue_report(…)`.

    Attributes:
        name: `schema.macro`; the file is `<schema>/macros/<macro>.sql`.
        arguments: their names, in the order in which they are given.
        headline: the columns that a terminal has room for; empty where `report` does not print it by its name.
    """

    name: str
    arguments: Sequence[str]
    headline: Sequence[str] = ()

    @property
    def sql(self) -> SqlFile:
        """The file that defines it."""
        schema, _, name = self.name.partition(".")
        return load_sql(PACKAGE / schema / "macros" / f"{name}.sql")

    @cached_property
    def macro(self) -> Macro:
        """What the warehouse needs to know of it."""
        return Macro(self.name, tuple(self.arguments), self.sql.with_arguments(self.arguments), self.sql.description)
