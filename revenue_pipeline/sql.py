"""Reads a `.sql` file: what it means, its SELECT, its parameters, its columns, and the tables it reads.

A file holds one SELECT and nothing else. Its leading comment is the table's description; each column of the last
SELECT is a CAST with a comment, which is where the declared types and their meanings come from.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.lineage import lineage
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import build_scope
from sqlglot.schema import MappingSchema

from revenue_pipeline.warehouse import Column

PARAMETER = re.compile(r"\$(\w+)")


class SqlFileError(Exception):
    """A `.sql` file that is not one self-describing SELECT; the text names the file and the place."""


@dataclass(frozen=True)
class SqlFile:
    """One `.sql` file."""

    path: Path
    _sources: dict[str, list[tuple[str, str]]] = field(default_factory=dict, compare=False, repr=False)

    @cached_property
    def select(self) -> str:
        """The statement, as it is run."""
        return self.path.read_text(encoding="utf-8").strip().removesuffix(";")

    @cached_property
    def description(self) -> str:
        """The leading comment: meaning, grain, units, NULL rule, source."""
        lines = []
        for line in self.select.splitlines():
            if not line.startswith("--"):
                break
            lines.append(line.removeprefix("--").strip())
        if not lines:
            raise SqlFileError(f"{self.path}: begin it with a comment that says what the table means")
        return "\n".join(lines)

    @cached_property
    def tables(self) -> frozenset[str]:
        """The tables it reads, as `schema.table`."""
        return frozenset(f"{table.db}.{table.name}" for table in self._parsed.find_all(exp.Table) if table.db)

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """The columns of the last SELECT: names, types and comments."""
        # Read alone: every process needs the columns of all files, and all of their text takes four times as long.
        last = self._parse(self.select[self.select.rfind("\nSELECT") + 1 :])
        return tuple(self._column(expression) for expression in last.selects)

    def parameters(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Pick those of `values` that the statement names: DuckDB refuses a parameter it does not know."""
        return {name: values[name] for name in self.parameter_names}

    def with_arguments(self, arguments: Sequence[str]) -> str:
        """Give the SELECT with its parameters, `$name`, written as the arguments of a macro, `name`.

        Raises:
            SqlFileError: it names other parameters than `arguments`, or a bare column is called like one of them: in
                a macro that would be the argument.
        """
        if self.parameter_names != set(arguments):
            odd = ", ".join(sorted(self.parameter_names ^ set(arguments)))
            raise SqlFileError(f"{self.path}: its parameters and its declared arguments differ in {odd}")
        bare = {column.name for column in self._parsed.find_all(exp.Column) if not column.table}
        if hidden := sorted(bare & set(arguments)):
            raise SqlFileError(f"{self.path}: write table.{hidden[0]}: {hidden[0]} alone is the macro's argument")
        return PARAMETER.sub(lambda parameter: parameter[1], self.select)

    @cached_property
    def parameter_names(self) -> frozenset[str]:
        """The names after the dollar signs."""
        return frozenset(PARAMETER.findall(self.select))

    @cached_property
    def _parsed(self) -> exp.Query:
        return self._parse(self.select)

    def _parse(self, select: str) -> exp.Query:
        statements = sqlglot.parse(select, read="duckdb")
        if len(statements) != 1 or not isinstance(statements[0], exp.Query):
            raise SqlFileError(f"{self.path}: it must hold one SELECT and nothing else")
        return statements[0]

    def column_sources(self, schema: Mapping[str, Mapping[str, Mapping[str, str]]]) -> dict[str, list[tuple[str, str]]]:
        """Give for each column the (table, column) pairs that it comes from.

        Args:
            schema: the columns of the tables it reads: schema -> table -> column -> type.
        """
        if self._sources:
            return self._sources
        # Prepared and resolved once for the file: left to itself, the library would do both again for every column.
        known = MappingSchema(dict(schema), dialect="duckdb")
        resolved = qualify(self._parsed.copy(), schema=known, dialect="duckdb", quote_identifiers=False)
        scope = build_scope(resolved)
        for column in self.columns:
            nodes = lineage(column.name, resolved, known, scope=scope, trim_selects=False, copy=False).walk()
            read = [(node.expression, node.name) for node in nodes]
            pairs = {
                (f"{table.db}.{table.name}", name.rpartition(".")[2])
                for table, name in read
                if isinstance(table, exp.Table) and table.db
            }
            self._sources[column.name] = sorted(pairs)
        return self._sources

    def _column(self, expression: exp.Expr) -> Column:
        cast = expression.unalias()
        comments = [*(expression.comments or ()), *(cast.comments or ())]
        if not isinstance(expression, exp.Alias) or not isinstance(cast, exp.Cast) or not comments:
            raise SqlFileError(
                f"{self.path}: write the column {expression.sql('duckdb')!r} as "
                "CAST(… AS type) AS name /* its meaning */"
            )
        kind = re.sub(r",\s+", ",", cast.to.sql("duckdb")).replace("TEXT", "VARCHAR")
        return Column(expression.alias, kind, " ".join(" ".join(comments).split()))


@cache
def load_sql(path: Path) -> SqlFile:
    """Give the file at `path`, read at most once a process."""
    return SqlFile(path)
