"""What is installed elsewhere is whole: the wheel holds every file of the package, and runs on its own."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import revenue_pipeline

PACKAGE = Path(revenue_pipeline.__file__).parent
DAY = "2026-10-01"

SETTINGS = f"""
start_date: {DAY}
partners:
  acme: {{connector: files, granularity: aggregated}}
"""
EVENTS = """event_id,event_name,event_time,partner,container_id,ad_unit_id
e1,open,2026-10-01T12:00:00Z,,letter,top
e2,ad_impression,2026-10-01T12:00:00Z,acme,letter,top
"""
PARTNER_REVENUE = f"""partner,report_date,revenue,currency
acme,{DAY},0.5,USD
"""
RUN = f"""
import json
from datetime import date
import revenue_pipeline
from revenue_pipeline.partitions import Window
from revenue_pipeline.publish import PublishedCopy
from revenue_pipeline.run import run_graph
from revenue_pipeline.settings import load_settings

settings = load_settings()
day = date.fromisoformat("{DAY}")
outcome = run_graph(settings, Window.of_day(day), as_of=day)
assert not outcome.failures, outcome.failures
rows = PublishedCopy(settings.storage.warehouse).read(
    "SELECT r.level, r.rpm, c.ctr FROM reports.rpm AS r JOIN reports.ctr AS c USING (level) ORDER BY level"
).fetchall()
print(json.dumps({{"from": revenue_pipeline.__file__, "rows": rows}}))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(build, cwd=PACKAGE.parent, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_holds_every_file_of_the_package(wheel: Path) -> None:
    files = [path for path in PACKAGE.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert {path.suffix for path in files} >= {".py", ".sql", ".yaml"}
    with zipfile.ZipFile(wheel) as archive:
        assert {path.relative_to(PACKAGE.parent).as_posix() for path in files} <= set(archive.namelist())


def test_the_wheel_holds_nothing_but_the_package(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        folders = {name.partition("/")[0] for name in archive.namelist()}
    assert {folder for folder in folders if not folder.endswith(".dist-info")} == {"revenue_pipeline"}


def test_an_installed_wheel_runs_the_graph_far_from_this_checkout(wheel: Path, tmp_path: Path) -> None:
    site, home = tmp_path / "site", tmp_path / "home"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-compile"]
    subprocess.run([*pip, "--target", str(site), str(wheel)], check=True, capture_output=True)
    for dataset, rows in (("events", EVENTS), ("partner_revenue", PARTNER_REVENUE)):
        folder = home / "data" / "landing" / dataset / f"date={DAY}"
        folder.mkdir(parents=True)
        (folder / "rows.csv").write_text(rows)
    (home / "revenue_pipeline.yaml").write_text(SETTINGS)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("REVENUE_", "DAGSTER_"))}
    ran = subprocess.run(
        [sys.executable, "-c", RUN],
        cwd=home,
        env={**kept, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout.splitlines()[-1])
    assert Path(told["from"]).is_relative_to(site)
    # Half a dollar over one open is 500 for a thousand of them; nobody clicked.
    assert told["rows"] == [["container", 500.0, 0.0], ["placement", 500.0, 0.0]]
