"""The arrows between the rooms of the house: what imports what, which table reads which, and where everything lies."""

from __future__ import annotations

import ast
import importlib
import json
import pkgutil
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pytest

import revenue_pipeline
from revenue_pipeline import core, reports
from revenue_pipeline.catalog import all_tables, published_tables
from revenue_pipeline.raw.assets import EVENT_CHECKS, REJECTED_CHECKS
from revenue_pipeline.settings_tables import SETTINGS_TABLES
from revenue_pipeline.sql_asset import Check, SqlTable
from revenue_pipeline.warehouse import WRITTEN_DAYS

PACKAGE = Path(revenue_pipeline.__file__).parent
TESTS = Path(__file__).parent
MODULES = sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))
SQL_FILES = sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.sql"))
SQL_TABLES = (*core.TABLES, *reports.TABLES)


# Imports ----------------------------------------------------------------------------------------------------------

MAY_IMPORT: dict[str, set[str]] = {
    # What talks to the outside knows nothing of us.
    "partners": {"partners"},
    "simulator": {"simulator"},
    # What is shared stands on little: days, settings, the warehouse, the SQL that it runs.
    "partitions": set(),
    "settings": set(),
    "run_day": set(),
    "preview": set(),
    "warehouse": {"partitions"},
    "publish": {"warehouse"},
    "sql": {"warehouse"},
    "settings_tables": {"partitions", "settings", "warehouse"},
    "sql_macro": {"sql", "warehouse"},
    "sql_asset": {"partitions", "preview", "run_day", "settings", "settings_tables", "sql", "warehouse"},
    # Facts come from partners and files; core and reports are declarations, which meet others through tables alone.
    "raw": {
        *{"raw", "partners"},
        *{"partitions", "run_day", "settings", "settings_tables", "sql_asset", "warehouse"},
    },
    "core": {"core", "partitions", "sql_asset"},
    "reports": {"reports", "partitions", "sql_asset", "sql_macro"},
    # What puts them together.
    "catalog": {"raw", "core", "reports", "warehouse"},
    "freshness": {"raw", "core", "reports", "catalog", "partitions", "publish", "settings", "sql_asset", "warehouse"},
    "schedules": {"raw", "catalog", "freshness", "partitions", "publish", "settings"},
    "definitions": {
        *{"page", "raw", "core", "reports", "catalog", "schedules"},
        *{"partitions", "publish", "run_day", "settings", "settings_tables", "sql_asset", "warehouse"},
    },
    "run": {"definitions", "schedules", "partitions", "settings"},
    "page": {"page", "reports", "publish", "settings", "sql_asset"},
    "known_on": {
        "raw",
        "core",
        "reports",
        "catalog",
        "partitions",
        "settings",
        "settings_tables",
        "sql_asset",
        "warehouse",
    },
    "printing": set(),
    "cohort_report": {"printing", "publish", "settings"},
    "explain": {"explain", "reports", "definitions", "partitions", "settings", "settings_tables", "sql", "warehouse"},
    "cli": {
        *{"catalog", "cohort_report", "explain", "freshness", "partitions", "printing", "publish", "run", "schedules"},
        *{"definitions", "known_on", "reports", "settings", "simulator"},
    },
}
"""Which rooms and modules may import which of ours. A new arrow is a decision: write it here."""


@cache
def tree_of(module: Path) -> ast.Module:
    return ast.parse((PACKAGE / module).read_text(encoding="utf-8"))


def room_of(module: Path) -> str:
    return module.parts[0] if len(module.parts) > 1 else module.stem


def imports_of(module: Path) -> Iterator[str]:
    """Give the dotted names that a module imports, wherever in it."""
    for node in ast.walk(tree_of(module)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively: write revenue_pipeline.…"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def packages_of(module: Path) -> set[str]:
    return {name.partition(".")[0] for name in imports_of(module)}


def ours_of(module: Path) -> set[str]:
    return {name.split(".")[1] for name in imports_of(module) if name.startswith(f"{revenue_pipeline.__name__}.")}


def names_of(module: Path) -> Iterator[str]:
    """Give the names, such as `os.environ`, that a module uses."""
    for node in ast.walk(tree_of(module)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            yield f"{node.value.id}.{node.attr}"


every_module = pytest.mark.parametrize("module", MODULES, ids=str)


@every_module
def test_a_module_imports_only_what_its_room_may(module: Path) -> None:
    allowed = MAY_IMPORT.get(room_of(module), set())
    assert ours_of(module) <= allowed


def test_the_arrows_name_every_room_and_module_and_nothing_else() -> None:
    assert set(MAY_IMPORT) == {room_of(module) for module in MODULES} - {"__init__"}
    assert {name for allowed in MAY_IMPORT.values() for name in allowed} <= set(MAY_IMPORT)


def test_the_arrows_form_no_circle() -> None:
    arrows = {room: allowed - {room} for room, allowed in MAY_IMPORT.items()}
    while leaves := {room for room, allowed in arrows.items() if not allowed}:
        arrows = {room: allowed - leaves for room, allowed in arrows.items() if room not in leaves}
    assert arrows == {}


@pytest.mark.parametrize("module", [module for module in MODULES if room_of(module) == "partners"], ids=str)
def test_partners_know_neither_dagster_nor_duckdb_nor_pandas(module: Path) -> None:
    assert packages_of(module).isdisjoint({"dagster", "duckdb", "pandas"})


@pytest.mark.parametrize("module", [module for module in MODULES if room_of(module) in ("core", "reports")], ids=str)
def test_core_and_reports_are_declarations_and_compute_nothing(module: Path) -> None:
    assert packages_of(module) <= {"revenue_pipeline", "__future__"}
    code = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda, ast.For, ast.While)
    assert not [node for node in ast.walk(tree_of(module)) if isinstance(node, code)]


def test_pandas_is_not_imported_at_the_start_anywhere() -> None:
    top = [(module, node) for module in MODULES for node in tree_of(module).body]
    named = [
        (str(module), alias.name)
        for module, node in top
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
        if "pandas" in (alias.name, getattr(node, "module", None))
    ]
    assert named == []


ONLY_IN: dict[str, dict[str, str]] = {
    "duckdb.connect": {
        "warehouse.py": "opens the warehouse",
        "publish.py": "makes and reads the copy that people open, never the warehouse",
        "raw/partner_revenue.py": "reads landed files in memory",
        "raw/exchange_rates.py": "reads landed rates in memory, for what partners report",
        "simulator/landing.py": "writes landing files in memory",
    },
    "os.environ": {
        "settings.py": "reads the environment",
        "cli.py": "DAGSTER_HOME is Dagster's setting, not ours",
    },
    "yaml.load": {"settings.py": "reads the settings file"},
    "datetime.now": {
        "settings.py": "today, for the edges",
        "run_day.py": "the day of a run that was told none",
        "partitions.py": "Dagster counts partitions from the clock",
        "raw/imports.py": "imported_at, the one value that may differ between equal runs",
        "simulator/server.py": "today, where the simulator is told none",
    },
    "date.today": {},
}
"""Where the warehouse, the environment, the settings file and the clock are touched, and what for."""


@pytest.mark.parametrize("name", ONLY_IN)
def test_what_must_have_one_place_is_touched_there_alone(name: str) -> None:
    assert {module.as_posix() for module in MODULES if name in names_of(module)} == set(ONLY_IN[name])


# Tables -----------------------------------------------------------------------------------------------------------

MAY_READ = {
    "raw": {"raw"},
    "core": {"raw", "core", "settings"},
    "reports": {"core", "reports", "settings"},
    "explain": {"raw", "core", "reports", "settings", "explained"},
}
"""Which schemas the SQL files of a room may read."""

MACROS_MAY_READ = {"core", "reports", "pipeline"}
"""The same of macros: what the published copy holds, which has no settings."""

RAW_IN_REPORTS: dict[str, str] = {
    "reports.contracted_revenue": "contracts and their delivery are facts as they are landed",
    "reports.invoice_reconciliation": "invoices are too, and are held against what was imported as it was",
    "reports.restatements": "the log of imports is the history itself",
    "reports.settlement_curves": "the same",
}
"""`reports.…` -> why no core table carries the raw fact that it reads."""

DECLARED_BUT_NOT_READ = {
    ("core.engagement_daily", "core.revenue_conservation"): "a report waits for the certificate of its money",
    ("core.user_revenue_daily", "core.revenue_conservation"): "a report waits for the certificate of its money",
}
"""What a table declares to read though its SELECT does not, and why."""


@cache
def tables_read(file: Path) -> frozenset[str]:
    """Ask DuckDB which `schema.table` the SELECT of a file reads."""
    text = (PACKAGE / file).read_text(encoding="utf-8")
    with duckdb.connect() as connection:
        answer = connection.execute("SELECT json_serialize_sql(?)", [text]).fetchall()[0][0]
    serialized = json.loads(answer)
    assert not serialized["error"], serialized
    found = [(node["schema_name"], node["table_name"]) for node in _nodes(serialized) if node["type"] == "BASE_TABLE"]
    return frozenset(f"{schema}.{table}" for schema, table in found if schema)


def _nodes(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        if "type" in value:
            yield value
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from _nodes(each)


def file_of(table: SqlTable) -> Path:
    return Path(*table.name.split(".")).with_suffix(".sql")


every_file = pytest.mark.parametrize("file", SQL_FILES, ids=str)
every_table = pytest.mark.parametrize("table", SQL_TABLES, ids=[table.name for table in SQL_TABLES])


def test_reading_is_seen_through_ctes_joins_unions_and_subqueries(tmp_path: Path) -> None:
    file = tmp_path / "some.sql"
    file.write_text(
        "WITH a AS (SELECT * FROM raw.one) SELECT * FROM a JOIN core.two ON x = $y UNION ALL "
        "SELECT * FROM (SELECT * FROM reports.three) WHERE z IN (SELECT z FROM settings.four)"
    )
    assert tables_read(file) == {"raw.one", "core.two", "reports.three", "settings.four"}


# A check is held below to its own table and what that reads.
@pytest.mark.parametrize("file", [file for file in SQL_FILES if file.parent.name != "checks"], ids=str)
def test_a_file_reads_only_schemas_that_its_room_may(file: Path) -> None:
    schemas = {table.partition(".")[0] for table in tables_read(file)}
    allowed = MACROS_MAY_READ if file.parent.name == "macros" else MAY_READ[file.parts[0]]
    assert schemas <= allowed | ({"raw"} if f"{file.parts[0]}.{file.stem}" in RAW_IN_REPORTS else set())


@every_file
def test_a_file_reads_only_tables_that_exist(file: Path) -> None:
    read = {table for table in tables_read(file) if not table.startswith("explained.")}
    assert read <= {table.name for table in (*all_tables(), *SETTINGS_TABLES, WRITTEN_DAYS)}


@every_table
def test_a_declaration_names_exactly_the_tables_that_its_file_reads(table: SqlTable) -> None:
    read = {name for name in tables_read(file_of(table)) if not name.startswith("settings.")}
    extra = {name for owner, name in DECLARED_BUT_NOT_READ if owner == table.name}
    assert sorted(each.table for each in table.reads) == sorted(read | extra)
    assert not extra & read, "it is read after all: take it from DECLARED_BUT_NOT_READ"


@pytest.mark.parametrize("room", ["core", "reports"])
def test_every_file_is_declared_and_every_declaration_has_its_file(room: str) -> None:
    files = {file for file in SQL_FILES if file.parts[0] == room and len(file.parts) == 2}
    assert files == {file_of(table) for table in SQL_TABLES if table.name.startswith(f"{room}.")}


def test_every_macro_file_is_declared_and_every_declared_macro_has_its_file() -> None:
    files = [file for file in SQL_FILES if file.parent.name == "macros"]
    assert files == sorted(macro.sql.path.relative_to(PACKAGE) for macro in reports.MACROS)


def test_the_published_copy_holds_all_that_macros_read() -> None:
    read = {table for macro in reports.MACROS for table in tables_read(macro.sql.path.relative_to(PACKAGE))}
    assert read <= {table.name for table in published_tables()}


def test_a_table_comes_after_those_it_reads() -> None:
    names = [table.name for table in all_tables()]
    late = [
        (table.name, read.table)
        for table in SQL_TABLES
        for read in table.reads
        if names.index(read.table) >= names.index(table.name)
    ]
    assert late == []


# Checks -----------------------------------------------------------------------------------------------------------


def declared_checks() -> dict[Path, tuple[Check, set[str]]]:
    """Give the file of each check, with the check and the tables that it may read: its own, and what that reads."""
    of_tables = [
        (table.name.partition(".")[0], check, {table.name, *tables_read(file_of(table))})
        for table in SQL_TABLES
        for check in (*table.checks, *table.requires)
    ]
    of_raw = [("raw", check, {"raw.events"}) for check in EVENT_CHECKS]
    of_raw += [("raw", check, {"raw.rejected_rows"}) for check in REJECTED_CHECKS]
    return {Path(room, "checks", f"{check.name}.sql"): (check, may) for room, check, may in (*of_tables, *of_raw)}


def test_every_check_file_is_declared_and_every_declared_check_has_its_file() -> None:
    assert sorted(declared_checks()) == [file for file in SQL_FILES if file.parent.name == "checks"]


@pytest.mark.parametrize("file", sorted(declared_checks()), ids=str)
def test_a_check_looks_at_its_own_table_and_at_what_that_reads(file: Path) -> None:
    _, may = declared_checks()[file]
    assert tables_read(file) <= may | {table.name for table in SETTINGS_TABLES}


# The mirror -------------------------------------------------------------------------------------------------------

HELD_ELSEWHERE = {
    "partners/applovin_report.py": "pages: held by partners/test_applovin_max.py and test_applovin_ads.py",
    "raw/files.py": "one reader in three files: held by raw/test_landing.py, which lands real ones",
    "raw/values.py": "one reader in three files: held by raw/test_landing.py, which lands real ones",
    "simulator/advertising.py": "names that counterparts share: held by partners/test_costs.py",
    "simulator/applovin_ads.py": "answers over HTTP: held by partners/test_costs.py",
    "simulator/frankfurter.py": "answers over HTTP: held by raw/test_published_rates.py, which lands from it",
    "simulator/google_ad_manager.py": "answers over HTTP: held by raw/test_line_items.py, which imports from it",
    "simulator/google_ads.py": "answers over HTTP: held by partners/test_costs.py",
    "simulator/meta_ads.py": "answers over HTTP: held by partners/test_costs.py",
    "simulator/tiktok_ads.py": "answers over HTTP: held by partners/test_costs.py",
    "simulator/tune.py": "answers over HTTP: held by raw/test_affiliate_networks.py, which imports from it",
    "simulator/everflow.py": "answers over HTTP: held by raw/test_affiliate_networks.py, which imports from it",
    "simulator/impact.py": "answers over HTTP: held by raw/test_affiliate_networks.py, which imports from it",
    "simulator/conversions.py": "what those three answer with: held by raw/test_affiliate_networks.py",
    "simulator/applovin_max.py": "answers over HTTP: held by simulator/test_server.py and raw/test_ad_networks.py",
    "simulator/counterpart.py": "answers over HTTP: held by simulator/test_server.py",
    "simulator/admob.py": "answers over HTTP: held by raw/test_ad_networks.py, which imports from it",
    "simulator/levelplay.py": "answers over HTTP: held by raw/test_ad_networks.py, which imports from it",
    "simulator/unity_ads.py": "answers over HTTP: held by raw/test_ad_networks.py, which imports from it",
    "simulator/meta_audience_network.py": "answers over HTTP: held by raw/test_ad_networks.py, which imports from it",
    "simulator/google_oauth.py": "grants access tokens: held by raw/test_ad_networks.py, which needs them",
    "simulator/files.py": "hands out files: held by raw/test_ad_networks.py, which gets them",
    "simulator/faults.py": "answers over HTTP: held by simulator/test_server.py",
    "simulator/behaviour.py": "what people do in a world: held by simulator/test_world.py",
    "core/catalog.py": "declarations: held here and by the test of each table",
    "reports/catalog.py": "declarations: held here and by the test of each table",
    "explain/catalog.py": "declarations: held by explain/test_explanation.py, which explains cells",
    "explain/asking.py": "held by explain/test_explanation.py, which asks",
}
"""Modules without a test file of their own, and why."""


def mirrored(file: Path) -> Path:
    name = "init" if file.stem == "__init__" else file.stem
    return file.with_name(f"test_{name}.py")


def needs_a_test(file: Path) -> bool:
    if file.as_posix() in HELD_ELSEWHERE or (file.parts[0] == "explain" and file.suffix == ".sql"):
        return False  # the queries of explanations are held by the explained cells of explain/test_explanation.py
    has_code = file.suffix == ".sql" or any(isinstance(node, ast.FunctionDef) for node in tree_of(file).body)
    return has_code or file.stem != "__init__"


@pytest.mark.parametrize("file", [file for file in (*MODULES, *SQL_FILES) if needs_a_test(file)], ids=str)
def test_a_file_has_its_test_where_the_mirror_puts_it(file: Path) -> None:
    assert (TESTS / mirrored(file)).is_file()


# What rooms say of themselves -------------------------------------------------------------------------------------

ROOMS = sorted(entry.name for entry in pkgutil.iter_modules([str(PACKAGE)]) if entry.ispkg)


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_says_what_belongs_in_it_and_what_does_not(room: str) -> None:
    told = importlib.import_module(f"revenue_pipeline.{room}").__doc__ or ""
    assert "Belongs here" in told
    assert "Does not belong here" in told


def test_the_map_of_the_package_names_every_room_and_module() -> None:
    lines = re.findall(r"^ {4}(\w+(?:, \w+)*)", revenue_pipeline.__doc__ or "", re.MULTILINE)
    assert {name for line in lines for name in line.split(", ")} == set(MAY_IMPORT)
