"""What tests of several rooms share: settings and landing files written by hand, and runs of the real graph."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import pytest

from revenue_pipeline.settings import Settings

MakeSettings = Callable[..., Settings]
Land = Callable[..., Path]


def settings_in(folder: Path, **sections: Any) -> Settings:
    """Give settings whose warehouse, landing folder and archive lie in `folder`."""
    storage = {
        "warehouse": folder / "warehouse.duckdb",
        "landing": str(folder / "landing"),
        "archive": folder / "archive",
    }
    return Settings.model_validate({"start_date": date(2026, 11, 1), "storage": storage, **sections})


def land_csv_in(folder: Path, dataset: str, day: str, rows: Sequence[dict[str, Any]], name: str = "rows.csv") -> Path:
    """Write rows as a CSV file of a landing folder; their keys are the header."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(dict.fromkeys(column for row in rows for column in row)))
    writer.writeheader()
    writer.writerows(rows)
    path = folder / "landing" / dataset / f"date={day}" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text.getvalue(), encoding="utf-8")
    return path


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name a test by its argument where that is bytes: packed ones hold the time, which differs between workers."""
    return argname if isinstance(val, bytes) else None


@pytest.fixture
def make_settings(tmp_path: Path) -> MakeSettings:
    return partial(settings_in, tmp_path)


@pytest.fixture
def land_csv(tmp_path: Path) -> Land:
    return partial(land_csv_in, tmp_path)


def impression(event_id: str, day: str, **columns: Any) -> dict[str, Any]:
    """Write an ad impression at noon of `day`."""
    return {
        "event_id": event_id,
        "event_name": "ad_impression",
        "event_time": f"{day}T12:00:00Z",
        "user_id": "",
        "partner": "acme",
        "app_id": "game",
        "revenue": "",
        **columns,
    }


def rows_of(settings: Settings, query: str) -> list[tuple[Any, ...]]:
    """Ask the warehouse."""
    with duckdb.connect(str(settings.storage.warehouse), read_only=True) as connection:
        return connection.execute(query).fetchall()


ACME: dict[str, Any] = {"connector": "files", "granularity": "aggregated", "grain": ["app_id"]}
