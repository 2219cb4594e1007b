from __future__ import annotations

import inspect
import subprocess
import sys

from revenue_pipeline.partners import connectors
from revenue_pipeline.partners.applovin_max import AppLovinMax
from revenue_pipeline.partners.base import Connector


def test_connectors_are_found_by_the_name_of_their_module() -> None:
    found = connectors()
    assert found["applovin_max"] is AppLovinMax
    for name, connector in found.items():
        assert connector.__module__ == f"revenue_pipeline.partners.{name}"
        assert connector.name == name


def test_every_connector_says_what_it_can_do() -> None:
    for connector in connectors().values():
        assert issubclass(connector, Connector)
        assert not inspect.isabstract(connector)
        assert connector.documentation.startswith("https://")
        assert connector.base_url.startswith("https://")
        assert set(connector.granularities) <= {"aggregated", "user_level"}
        assert set(connector.grain) <= {"app_id", "platform", "country", "ad_format", "ad_unit_id"}


def test_the_room_loads_no_engine() -> None:
    script = (
        "import sys; from revenue_pipeline.partners import connectors; connectors();"
        "print(sorted({'dagster', 'duckdb', 'pandas'} & set(sys.modules)))"
    )
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
