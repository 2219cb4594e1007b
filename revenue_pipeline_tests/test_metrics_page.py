"""`docs/metrics.md`: one section for each report and macro, with a formula and a unit for every column of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from revenue_pipeline import reports
from revenue_pipeline.sql_asset import SqlTable
from revenue_pipeline.sql_macro import SqlMacro

PAGE = Path(__file__).parents[1] / "docs" / "metrics.md"
WORD = re.compile(r"\w+")
KEY = re.compile(r"one row per \((.*?)\)")


@dataclass(frozen=True)
class Section:
    """A section of the page: its heading, and the lines below it."""

    heading: str
    lines: list[str]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def is_of(self, report: str) -> bool:
        """Whether the heading names the report, with its schema or after one that has it."""
        return "reports." in self.heading and report in WORD.findall(KEY.sub("", self.heading))

    def rows_of(self, report: str) -> Iterator[dict[str, str]]:
        """Give the rows of its tables of columns that tell of the report, each as heading -> cell.

        A first column `table` says whose columns they are: `all of them`, `all but` some, or some, as the row above.
        """
        header: list[str] = []
        whose = ""
        for line in self.lines:
            cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            if not cells:
                header = []
            elif not header:
                header = cells
            elif "column" in header and not set("".join(cells)) <= set("-"):
                row = dict(zip(header, cells, strict=True))
                whose = row.pop("table", "all") or whose
                if (report in WORD.findall(whose)) != whose.startswith("all"):
                    yield row

    def columns_of(self, report: str) -> set[str]:
        """Give the columns that it describes: those of the key in the heading, and those in the rows of its tables."""
        key = KEY.search(self.heading)
        named = set(WORD.findall(key[1])) if key else set()
        return named.union(*(re.findall(r"`(\w+)`", row["column"]) for row in self.rows_of(report)))


def sections() -> list[Section]:
    parts = re.split(r"^## ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    return [Section(part.splitlines()[0], part.splitlines()[1:]) for part in parts]


every_report = pytest.mark.parametrize("report", [*reports.TABLES, *reports.MACROS], ids=lambda report: report.name)


@every_report
def test_one_section_describes_every_column_of_a_report(report: SqlTable | SqlMacro) -> None:
    name = report.name.removeprefix("reports.")
    (section,) = [section for section in sections() if section.is_of(name)]

    missing = {column.name for column in report.sql.columns} - section.columns_of(name)
    assert missing == set(), f"docs/metrics.md, {section.heading!r}"
    assert "Source:" in section.text, section.heading
    for row in section.rows_of(name):
        assert row["unit"], row
        assert all(row.values()), row


def test_a_section_describes_no_column_that_is_not_there() -> None:
    there = {
        report.name: {column.name for column in report.sql.columns} for report in (*reports.TABLES, *reports.MACROS)
    }
    for section in sections():
        named = [name for name in there if section.is_of(name.removeprefix("reports."))]
        if named:
            known = set().union(*(there[name] for name in named))
            told = set().union(*(section.columns_of(name.removeprefix("reports.")) for name in named))
            assert told <= known, section.heading
