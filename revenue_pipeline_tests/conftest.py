"""What tests of several rooms share: settings and landing files written by hand, and runs of the real graph."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest

from revenue_pipeline.settings import Settings

MakeSettings = Callable[..., Settings]
Land = Callable[..., Path]


@pytest.fixture
def make_settings(tmp_path: Path) -> MakeSettings:
    def make(**sections: Any) -> Settings:
        storage = {
            "warehouse": tmp_path / "warehouse.duckdb",
            "landing": str(tmp_path / "landing"),
            "archive": tmp_path / "archive",
        }
        return Settings.model_validate({"start_date": date(2026, 11, 1), "storage": storage, **sections})

    return make


@pytest.fixture
def land_csv(tmp_path: Path) -> Land:
    """Write rows as a CSV file of a landing folder; their keys are the header."""

    def land(dataset: str, day: str, rows: Sequence[dict[str, Any]], name: str = "rows.csv") -> Path:
        folder = tmp_path / "landing" / dataset / f"date={day}"
        folder.mkdir(parents=True, exist_ok=True)
        text = io.StringIO()
        writer = csv.DictWriter(text, list(dict.fromkeys(column for row in rows for column in row)))
        writer.writeheader()
        writer.writerows(rows)
        path = folder / name
        path.write_text(text.getvalue(), encoding="utf-8")
        return path

    return land


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
