from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from revenue_pipeline.partitions import Window
from revenue_pipeline.settings import Settings
from revenue_pipeline.settings_tables import SETTINGS_TABLES, attach_settings_tables, parameters

SETTINGS = Settings.model_validate(
    {
        "start_date": "2026-10-01",
        "import_window_days": 4,
        "cohorts": {"start_events": ["first", "second", "first"], "max_days": 30},
        "messages": {"cost_per_segment": "0.0125"},
        "attribution": {"default_window": "36h", "offers": {"sofa": "30d", "flash-sale": "24h"}},
        "reporting": {"timezone": "Europe/Berlin", "currency": "EUR"},
        "mpp_discount": {"default": "0.5", "containers": {"it's a letter": "0.8"}},
        "partners": {
            "max": {"connector": "files", "granularity": "aggregated", "grain": ["app_id", "country"]},
            "acme": {"connector": "files", "granularity": "user_level", "import_window_days": 2},
            "affiliates": {"connector": "some_network"},
        },
    }
)


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(":memory:") as connection:
        attach_settings_tables(connection, SETTINGS)
        yield connection


def test_partners_have_their_key_and_their_import_window(connection: duckdb.DuckDBPyConnection) -> None:
    keys = "has_app_id, has_platform, has_country, has_ad_format, has_ad_unit_id, has_user_id"

    found = connection.execute(f"SELECT partner, granularity, import_window_days, {keys} FROM settings.partners")

    assert found.fetchall() == [
        ("max", "aggregated", 4, True, False, True, False, False, False),
        ("acme", "user_level", 2, False, False, False, False, False, True),
    ]


def test_containers_have_their_exact_discount(connection: duckdb.DuckDBPyConnection) -> None:
    assert connection.execute("FROM settings.containers").fetchall() == [("it's a letter", Decimal("0.8"))]


def test_start_events_are_named_once_each(connection: duckdb.DuckDBPyConnection) -> None:
    assert connection.execute("FROM settings.start_events ORDER BY start_event").fetchall() == [("first",), ("second",)]


def test_the_tables_are_as_declared(connection: duckdb.DuckDBPyConnection) -> None:
    for table in SETTINGS_TABLES:
        described = connection.execute(f"DESCRIBE {table.name}").fetchall()
        assert [(row[0], row[1]) for row in described] == [(column.name, column.type) for column in table.columns]


def test_an_attribution_window_is_an_exact_length_of_time(connection: duckdb.DuckDBPyConnection) -> None:
    # 30 days are not a month: January has 31, and February is not what the window ends in.
    ends = connection.execute(
        "SELECT offer_id, TIMESTAMP '2026-01-31' + attribution_window FROM settings.offers ORDER BY offer_id"
    ).fetchall()
    assert ends == [("flash-sale", datetime(2026, 2, 1)), ("sofa", datetime(2026, 3, 2))]  # noqa: DTZ001  stored in UTC


def test_the_settings_are_never_stored_in_the_warehouse(tmp_path: Path) -> None:
    path = tmp_path / "w.duckdb"
    with duckdb.connect(str(path)) as connection:
        attach_settings_tables(connection, SETTINGS)
    with duckdb.connect(str(path)) as connection:
        assert connection.execute("SELECT count(*) FROM duckdb_tables()").fetchall() == [(0,)]


def test_parameters_are_the_window_the_day_and_plain_settings() -> None:
    day = date(2026, 10, 5)

    values = parameters(SETTINGS, Window.of_day(day), as_of=day)

    assert values["start_date"] == day
    assert values["end_date"] == date(2026, 10, 6)
    assert values["as_of"] == day
    assert values["default_import_window_days"] == 4
    assert values["default_mpp_discount"] == Decimal("0.5")
    assert values["max_days"] == 30
    assert values["default_attribution_window"] == timedelta(hours=36)
    assert values["cost_per_segment"] == Decimal("0.0125")
    assert (values["reporting_currency"], values["reporting_timezone"]) == ("EUR", "Europe/Berlin")
