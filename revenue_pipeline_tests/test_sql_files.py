"""Every `.sql` file of the package: what it looks like, and that it means the same on the engine we may move to."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ClassVar

import pytest
import sqlglot
from sqlglot import exp
from sqlglot.dialects.spark import Spark
from sqlglot.errors import ErrorLevel
from sqlglot.generators.spark import SparkGenerator

import revenue_pipeline
from revenue_pipeline import reports
from revenue_pipeline.partitions import Window
from revenue_pipeline.settings import Settings
from revenue_pipeline.settings_tables import parameters
from revenue_pipeline.sql import load_sql
from revenue_pipeline_tests.sql_fixture import DAY, MACRO_ARGUMENTS, SqlFixture

PACKAGE = Path(revenue_pipeline.__file__).parent
# Queries of explanations make no table and stay on the machine of the person who asks.
FILES = sorted(path for path in PACKAGE.rglob("*.sql") if path.parent.name != "explain")
TABLE_FILES = [path for path in FILES if path.parent.name != "checks"]
PARAMETERS = {*parameters(Settings.model_validate({"start_date": DAY}), Window.of_day(DAY), DAY), *MACRO_ARGUMENTS}
MACROS = {macro.name.partition(".")[2] for macro in reports.MACROS}


class RevenueSpark(Spark):
    """Spark, with HUGEINT as the decimal that holds it, whole division as `DIV`, and its own name for `error`."""

    class Generator(SparkGenerator):
        TYPE_MAPPING: ClassVar = {**SparkGenerator.TYPE_MAPPING, exp.DataType.Type.INT128: "DECIMAL(38, 0)"}

        def intdiv_sql(self, expression: exp.IntDiv) -> str:
            return str(self.binary(expression, "DIV"))

        def anonymous_sql(self, expression: exp.Anonymous) -> str:
            name = "RAISE_ERROR" if expression.name.lower() == "error" else expression.name
            return str(self.func(name, *expression.expressions))


def name_of(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").as_posix()


def parsed(text: str) -> exp.Expr:
    (statement,) = sqlglot.parse(text, read="duckdb")
    assert statement is not None
    return statement


def as_spark(node: exp.Expr) -> str:
    return node.sql(dialect=RevenueSpark, unsupported_level=ErrorLevel.RAISE, comments=False)


every_file = pytest.mark.parametrize("path", FILES, ids=name_of)


# What a file looks like -------------------------------------------------------------------------------------------


def test_there_are_files_to_look_at() -> None:
    assert {"core/reconciled_estimates", "core/checks/revenue_is_conserved", "reports/rpm"} <= set(map(name_of, FILES))


@every_file
def test_a_file_is_one_select(path: Path) -> None:
    assert isinstance(parsed(path.read_text()), exp.Query)


@every_file
def test_a_file_begins_with_what_it_means(path: Path) -> None:
    first_line = path.read_text().splitlines()[0]
    assert re.match(r"-- \w", first_line), first_line


@every_file
def test_a_file_names_known_parameters_only(path: Path) -> None:
    named = {str(each.this) for each in parsed(path.read_text()).find_all(exp.Placeholder, exp.Parameter)}
    assert named <= PARAMETERS


@pytest.mark.parametrize("path", TABLE_FILES, ids=name_of)
def test_every_column_of_the_last_select_is_cast_and_commented(path: Path) -> None:
    query = parsed(path.read_text())
    assert isinstance(query, exp.Query)
    bare = [
        column.sql("duckdb")
        for column in query.selects
        if not (
            isinstance(column, exp.Alias)
            and isinstance(column.this, exp.Cast)
            and (column.comments or column.this.comments)
        )
    ]
    assert bare == [], "write them as CAST(… AS type) AS name /* its meaning */"


@every_file
def test_no_column_is_wider_than_what_every_format_keeps(path: Path, tmp_path: Path) -> None:
    # Parquet and pandas make a DOUBLE of a HUGEINT, without a word.
    types = SqlFixture(tmp_path).describe(path)
    assert [name for name, type_ in types.items() if "HUGEINT" in type_] == []


@pytest.mark.parametrize("path", TABLE_FILES, ids=name_of)
def test_the_types_that_a_file_declares_are_those_it_gives(path: Path, tmp_path: Path) -> None:
    assert SqlFixture(tmp_path).describe(path) == {column.name: column.type for column in load_sql(path).columns}


# What a file may not say ------------------------------------------------------------------------------------------


def is_guarded(divisor: exp.Expr) -> bool:
    """Whether it can never be 0: a number that is not, or `nullif(…, 0)`."""
    divisor = divisor.unnest()
    if isinstance(divisor, exp.Neg):
        return is_guarded(divisor.this)
    if isinstance(divisor, exp.Literal):
        return not divisor.is_string and float(divisor.this) != 0
    is_nullif_zero = isinstance(divisor, exp.Nullif) and divisor.expression == exp.Literal.number(0)
    return is_nullif_zero or (isinstance(divisor, exp.Cast) and is_guarded(divisor.this))


def is_double(operand: exp.Expr) -> bool:
    operand = operand.unnest()
    if isinstance(operand, exp.Nullif):
        return is_double(operand.this)
    return isinstance(operand, exp.Cast) and operand.is_type(exp.DataType.Type.DOUBLE)


def is_fraction(node: exp.Expr) -> bool:
    node = node.unnest()
    return isinstance(node, exp.Div) or (isinstance(node, exp.Literal) and "." in str(node.this))


def is_all(node: exp.Expr) -> bool:
    return isinstance(node, exp.Var) and node.name.upper() == "ALL"


RULES: dict[str, Callable[[exp.Expr], bool]] = {
    "sign() is a DOUBLE elsewhere: CASE WHEN x < 0": lambda node: isinstance(node, exp.Sign),
    "the days of the week are numbered differently elsewhere": lambda node: isinstance(
        node, exp.DayOfWeek | exp.DayOfWeekIso | exp.Extract | exp.TimeToUnix
    ),
    "name the columns instead of ALL": lambda node: (
        (isinstance(node, exp.Group) and bool(node.args.get("all")))
        or (isinstance(node, exp.Ordered) and is_all(node.this))
    ),
    "date + INTERVAL is a TIMESTAMP here and a DATE elsewhere: date + 1": lambda node: isinstance(
        node, exp.Interval | exp.ToDays
    ),
    "days only: other units are counted differently elsewhere": lambda node: (
        isinstance(node, exp.DateDiff) and str(node.args.get("unit")).upper() != "DAY"
    ),
    "guard the divisor: x / nullif(y, 0)": lambda node: (
        isinstance(node, exp.Div | exp.IntDiv | exp.Mod) and not is_guarded(node.expression)
    ),
    "`/` is for ratios, between DOUBLEs; money is divided with // in HUGEINT units": lambda node: (
        isinstance(node, exp.Div) and not (is_double(node.this) and is_double(node.expression))
    ),
    "a fraction is cut to an integer here and rounded elsewhere": lambda node: (
        isinstance(node, exp.Cast) and node.is_type(*exp.DataType.INTEGER_TYPES) and is_fraction(node.this)
    ),
    "a run is told its day: $as_of": lambda node: isinstance(
        node, exp.CurrentDate | exp.CurrentTime | exp.CurrentTimestamp | exp.Rand | exp.Uuid
    ),
    "not on every engine": lambda node: (
        isinstance(node, exp.ArrayAgg | exp.Struct | exp.Pivot | exp.TableSample | exp.Columns)
        or (isinstance(node, exp.Join) and node.method == "ASOF")
        or (isinstance(node, exp.Window) and node.find(exp.Distinct) is not None)
        or (isinstance(node, exp.Star) and bool(node.args.get("except_") or node.args.get("replace")))
    ),
    # Such as hash(), today(), date_part('dow', …): what sqlglot does not know it cannot translate.
    "a function that is passed on as it is": lambda node: (
        isinstance(node, exp.Anonymous) and node.name.lower() not in {"error", *MACROS}
    ),
}


def broken_rules(text: str) -> Iterator[str]:
    query = parsed(text)
    for node in query.walk():
        yield from (f"{node.sql('duckdb')}: {rule}" for rule, breaks in RULES.items() if breaks(node))
    assert isinstance(query, exp.Query)
    if any(column.find(exp.Star) and not column.find(exp.Count) for column in query.selects):
        yield "the last SELECT names its columns"


@every_file
def test_a_file_says_nothing_that_other_engines_understand_differently(path: Path) -> None:
    assert list(broken_rules(path.read_text())) == []


@pytest.mark.parametrize(
    "expression",
    [
        "sign(x)",
        "hash(x)",
        "dayofweek(d)",
        "isodow(d)",
        "extract(dow FROM d)",
        "date_part('dow', d)",
        "epoch(t)",
        "d + INTERVAL 1 DAY",
        "d + to_days(1)",
        "date_diff('month', d, e)",
        "current_date",
        "today()",
        "now()",
        "current_timestamp",
        "random()",
        "CAST(x AS DOUBLE) / CAST(y AS DOUBLE)",
        "CAST(x AS DOUBLE) / coalesce(CAST(y AS DOUBLE), 0)",
        "x / nullif(y, 0)",
        "x // y",
        "x // 0",
        "x // nullif(y, 1)",
        "x % y",
        "CAST(CAST(x AS DOUBLE) / nullif(CAST(y AS DOUBLE), 0) AS BIGINT)",
        "CAST(1.5 AS INTEGER)",
        "list(x ORDER BY y)",
        "count(DISTINCT x) OVER ()",
        "*",
        "t.*",
        "* EXCLUDE (x)",
    ],
)
def test_the_rules_find_what_they_forbid(expression: str) -> None:
    assert list(broken_rules(f"SELECT {expression} FROM t"))


@pytest.mark.parametrize(
    "text",
    [
        "SELECT x, count(*) FROM t GROUP BY ALL",
        "SELECT x FROM t ORDER BY ALL",
        "SELECT t.x FROM t ASOF JOIN u ON t.x >= u.x",
        "SELECT x FROM t USING SAMPLE 10%",
    ],
)
def test_the_rules_find_what_they_forbid_of_clauses(text: str) -> None:
    assert list(broken_rules(text))


@pytest.mark.parametrize(
    "expression",
    [
        "x // nullif(y, 0)",
        "x // 1000",
        "x % -2",
        "CAST(x AS DOUBLE) / nullif(CAST(y AS DOUBLE), 0) * 1000",
        "date_diff('day', d, $as_of)",
        "$start_date - 1",
        "count(*)",
        "count(DISTINCT x)",
        "CASE WHEN x < 0 THEN -1 ELSE 1 END",
        "CAST(x AS BIGINT)",
    ],
)
def test_the_rules_allow_the_portable_way(expression: str) -> None:
    assert list(broken_rules(f"SELECT {expression} FROM t")) == []


# What it is elsewhere ---------------------------------------------------------------------------------------------


@every_file
def test_a_file_can_be_written_for_spark(path: Path) -> None:
    written = as_spark(parsed(path.read_text()))
    assert not re.search(r"//|INT128|HUGEINT|\$\w", written)
    assert sqlglot.parse_one(written, read="spark")


def test_the_split_divides_whole_numbers_on_spark_too() -> None:
    # Older versions of sqlglot wrote CAST(a / b AS INT), which loses digits.
    divisions = parsed((PACKAGE / "core/allocated_revenue.sql").read_text()).find_all(exp.IntDiv)
    assert sorted(map(as_spark, divisions)) == [
        "CAST(ledger.multiplier AS BIGINT) * impressions.estimate_units DIV NULLIF(CAST(ledger.divisor AS BIGINT), 0)",
        "ledger.multiplier * impressions.estimate_units DIV NULLIF(ledger.divisor, 0)",
        "total_units DIV NULLIF(sdk_impressions, 0)",
    ]
