from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path

import pytest
import yaml

import revenue_pipeline
from revenue_pipeline.settings import SETTINGS_VARIABLE, load_settings
from revenue_pipeline_tests.conftest import ACME, Land, impression, rows_of
from revenue_pipeline_tests.test_freshness import import_a_week

Command = Callable[..., "subprocess.CompletedProcess[str]"]


PROGRAM = (sys.executable, "-c", "from revenue_pipeline.cli import main; main()")


def variables_in(folder: Path) -> dict[str, str]:
    """Give the environment of a command: this checkout is run, whichever one is installed."""
    return {"PATH": "/usr/bin:/bin", "HOME": str(folder), "PYTHONPATH": str(Path(revenue_pipeline.__file__).parents[1])}


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """Type a command in the folder of the test, as a person does."""

    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        variables = {**variables_in(tmp_path), **environment}
        return subprocess.run(
            [*PROGRAM, *arguments],
            cwd=tmp_path,
            env=variables,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


@pytest.fixture
def settings_file(tmp_path: Path) -> Path:
    document = {
        "start_date": "2026-11-01",
        "storage": {"warehouse": "warehouse.duckdb", "landing": "landing", "archive": "archive"},
        "partners": {"acme": ACME},
    }
    path = tmp_path / "revenue_pipeline.yaml"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    return path


def land_a_day(land_csv: Land, day: str, total: str = "0.08") -> None:
    land_csv("events", day, [
        impression(f"1 of {day}", day, revenue="0.01"),
        impression(f"2 of {day}", day, revenue="0.03"),
        {**impression(f"3 of {day}", day), "event_name": "open"},
        {**impression(f"4 of {day}", day, user_id="ann", revenue="5"), "event_name": "install"},
    ])  # fmt: skip
    land_csv("partner_revenue", day, [
        {"partner": "acme", "report_date": day, "revenue": total, "app_id": "game"},
    ])  # fmt: skip


def killed_while_it_writes(folder: Path, what: str, arguments: Sequence[str]) -> None:
    """Type a command, and kill it without a chance to tidy up once it writes `what`, as the lock's holder says."""
    holder = folder / "warehouse.duckdb.holder"
    with subprocess.Popen([*PROGRAM, *arguments], cwd=folder, env=variables_in(folder)) as process:
        while process.poll() is None:
            if holder.is_file() and what in holder.read_text(encoding="utf-8"):
                process.kill()
            time.sleep(0.005)
    assert process.returncode == -signal.SIGKILL


def test_a_run_after_killed_ones_repairs_everything(command: Command, settings_file: Path, land_csv: Land) -> None:
    day = "2026-11-05"
    arguments = ("run", "--start", day, "--end", day, "--as-of", day)
    land_a_day(land_csv, day)
    assert command(*arguments).returncode == 0
    land_a_day(land_csv, day, total="0.12")  # restated
    for what in ("core.reconciled_estimates", "publishing"):
        killed_while_it_writes(settings_file.parent, what, arguments)

    assert command(*arguments).returncode == 0

    (total,) = json.loads(command("report", "rpm", "--format", "json").stdout)
    assert (total["revenue"], total["rpm"]) == ("0.120000000", 120.0)
    settings = load_settings({SETTINGS_VARIABLE: str(settings_file)})
    assert rows_of(settings, "SELECT event_id, revenue FROM core.allocated_revenue ORDER BY event_id") == [
        (f"1 of {day}", Decimal("0.03")),
        (f"2 of {day}", Decimal("0.09")),
    ]
    assert rows_of(settings, "SELECT count(*) FROM raw.events") == [(4,)]
    assert rows_of(settings, "SELECT revenue FROM raw.partner_revenue") == [(Decimal("0.12"),)]
    assert rows_of(settings, "SELECT revenue FROM raw.partner_revenue_history ORDER BY revenue") == [
        (Decimal("0.08"),),
        (Decimal("0.12"),),
    ]
    assert command("status").stdout.count("exact") == 1


def test_a_run_then_a_report_in_every_format(command: Command, settings_file: Path, land_csv: Land) -> None:
    land_a_day(land_csv, "2026-11-05")
    land_csv("manual_revenue", "2026-11-05", [{"click_id": "c1", "amount": "$5", "date": "2026-11-05"}], "sales.csv")

    done = command("run", "--start", "2026-11-05", "--end", "2026-11-05", "--as-of", "2026-11-05")
    assert done.returncode == 0, done.stderr
    assert "2026-11-05: done" in done.stderr
    assert "sales.csv line 2: amount '$5' cannot be read" in done.stderr

    table = command("report", "rpm").stdout
    assert "80.0000" in table

    header, row = command("report", "rpm", "--format", "csv").stdout.splitlines()
    assert header.split(",")[:4] == ["event_date", "level", "container_id", "ad_unit_id"]
    assert dict(zip(header.split(","), row.split(","), strict=True))["revenue"] == "0.080000000"

    triangle = command("report", "arpu", "--granularity", "week", "--as-of", "2026-11-05").stdout
    assert "arpu of install cohorts by week, cumulative, all revenue events, 2026-11-05 to 2026-11-05" in triangle
    assert [line.split() for line in triangle.splitlines() if "5.0000*" in line] == [
        ["all", "cohorts", "1", "5.0000*"],
        ["2026-11-02", "1", "5.0000*"],
    ]
    chosen = (
        "--start-event",
        "sign_up",
        "--view-type",
        "non_cumulative",
        "--revenue-event",
        "install",
        "--by",
        "country",
    )
    assert json.loads(command("report", "users", *chosen, "--format", "json").stdout) == []
    header, top, _ = command("report", "revenue", "--end", "2026-11-05", "--format", "csv").stdout.splitlines()
    cohort = dict(zip(header.split(","), top.split(","), strict=True))
    assert (cohort["row_kind"], cohort["period"], cohort["revenue"]) == ("top", "0", "5.000000000")

    (cell,) = json.loads(command("report", "ctr", "--format", "json").stdout)
    assert (cell["event_date"], cell["revenue"], cell["ctr"], cell["is_final"]) == (
        "2026-11-05",
        "0.080000000",
        0.0,
        False,
    )
    assert command("report", "rpm", "--start", "2026-11-06", "--format", "json").stdout == "[]\n"

    (refused,) = json.loads(command("report", "rejected_rows", "--format", "json").stdout)
    assert (refused["dataset"], refused["file"], refused["reason"]) == ("manual_revenue", "sales.csv", "unreadable")
    assert (refused["field"], json.loads(refused["row"])["amount"]) == ("amount", "$5")

    status = command("status", "--as-of", "2026-11-08").stdout
    assert "acme" in status
    assert "closed" in status
    assert "100.0%" in status
    assert "exact" in status


def test_contracts_are_rolled_up_by_a_dimension(command: Command, settings_file: Path, land_csv: Land) -> None:
    contract = {"line_item_id": "L", "rate_type": "CPM", "net_rate": "0.1", "currency": "USD"}
    land_csv("line_items", "2026-11-05", [{**contract, "contracted_volume": "1000000", "start_date": "2026-11-05"}])
    for day in ("2026-11-05", "2026-11-06", "2026-11-07"):
        row = {"delivery_date": day, "line_item_id": "L", "ad_unit_id": "top", "impressions": "7"}
        land_csv("line_item_delivery", day, [row])
    chosen = '+key:"reports/contracted_revenue" or key:"published/reports"'
    done = command("run", "--start", "2026-11-05", "--end", "2026-11-07", "--select", chosen)
    assert done.returncode == 0, done.stderr

    lines = command("report", "contracted_report", "--by", "date").stdout.splitlines()
    shown = [line.split() for line in lines[3:]]
    assert shown == [
        ["total", "-", "21", "0", "100.00", "-", "1,000,000"],
        *(["sub", f"2026-11-0{day}", "7", "0", "33.33", "-", "333,333"] for day in (5, 6, 7)),
    ]
    rows = json.loads(command("report", "contracted_report", "--by", "ad_unit", "--format", "json").stdout)
    assert [(row["dimension_value"], row["contracted_net_revenue"]) for row in rows] == [
        (None, "100.000000000"),
        ("top", "100.000000000"),
    ]

    assert "contracted_report needs --by" in command("report", "contracted_report").stderr
    assert "dimension is date, week, month" in command("report", "contracted_report", "--by", "advertiser").stderr
    assert "takes no --start" in command("report", "settlement_curves", "--start", "2026-11-05").stderr


def test_messages_are_printed_by_a_dimension_and_looked_through_for_trouble(
    command: Command, settings_file: Path, land_csv: Land
) -> None:
    day = "2026-11-05"
    sent = {"sent_at": f"{day}T08:00:00Z", "contact_id": "ann", "creative_id": "sale", "segments": "2"}
    land_csv("message_sends", day, [{"message_id": "m1", **sent}, {"message_id": "m2", **sent}])
    land_csv("link_clicks", day, [{"click_id": "c1", "message_id": "m1", "clicked_at": f"{day}T09:00:00Z"}])
    came = {"partner": "net", "converted_at": f"{day}T10:00:00Z", "payout": "5", "currency": "USD"}
    land_csv("conversions", day, [
        {"conversion_id": "v1", "click_id": "c1", **came}, {"conversion_id": "v2", "click_id": "nowhere", **came},
    ])  # fmt: skip
    done = command("run", "--start", day, "--end", day, "--as-of", day)
    assert done.returncode == 0, done.stderr

    days = ("--start", day, "--end", day)
    asked = command("report", "performance_report", *days, "--by", "creative", "--format", "json")
    (row,) = json.loads(asked.stdout)
    assert [row[each] for each in ("dimension_value", "sends", "clicks", "conversions", "revenue", "epc")] == [
        *("sale", 2, 1, 1, "5.000000000", 5.0),
    ]
    (unknown,) = [
        line for line in command("report", "troubleshoot", *days).stdout.splitlines() if "unknown_click" in line
    ]
    assert "nowhere" in unknown
    assert "troubleshoot needs --start and --end" in command("report", "troubleshoot").stderr


def test_status_recommends_an_import_window_from_how_soon_partners_settled(
    command: Command, settings_file: Path
) -> None:
    settings = load_settings({SETTINGS_VARIABLE: str(settings_file)})
    import_a_week(settings, {0: "50", 1: "80", 2: "90", 3: "100", 8: "100"})

    last = command("status").stdout.splitlines()[-1]

    assert last.split() == ["acme", "7", "50.0%", "80.0%", "90.0%", "100.0%", "100.0%", "3", "4"]


def test_refresh_runs_the_trailing_window_and_what_is_not_settled(
    command: Command, settings_file: Path, land_csv: Land
) -> None:
    land_a_day(land_csv, "2026-11-05")
    land_a_day(land_csv, "2026-11-12")
    assert command("run", "--start", "2026-11-05", "--end", "2026-11-05", "--as-of", "2026-11-05").returncode == 0

    refreshed = command("refresh", "--as-of", "2026-11-12")

    assert refreshed.returncode == 0, refreshed.stderr
    cells = json.loads(command("report", "rpm", "--format", "json").stdout)
    assert [(cell["event_date"], cell["is_final"]) for cell in cells] == [("2026-11-05", True), ("2026-11-12", False)]


def test_a_failed_import_is_told_and_ends_non_zero(command: Command, settings_file: Path, land_csv: Land) -> None:
    land_a_day(land_csv, "2026-11-05")
    broken = land_csv("partner_revenue", "2026-11-05", [{"partner": "acme"}], name="broken.parquet")

    done = command("run", "--start", "2026-11-05", "--end", "2026-11-05")

    assert done.returncode == 1
    assert "raw/partner_revenue/acme import_succeeded" in done.stderr
    assert broken.name in done.stderr
    assert "Land it again" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("run", "--start", "2026-11-06", "--end", "2026-11-05"), "lies before --start"),
        (("run", "--start", "2026-10-01", "--end", "2026-10-01"), "2026-10-01 is before start_date"),
        (("run", "--start", "2026-11-05", "--end", "2026-11-05", "--select", 'key:"no/such"'), "selects no asset"),
        (("run", "--start", "2026-11-05", "--end", "2026-11-05", "--select", "nonsense"), "the selection 'nonsense'"),
        (("run", "--start", "2026-11-05", "--end", "2026-11-05", "--select", "key:"), "the selection 'key:'"),
        (("report", "rpm", "--start", "2026-11-05", "--end", "2026-11-04"), "2026-11-04 lies before --start"),
        (("report", "rpm"), "nothing is published yet"),
        (("report", "nonsense"), "roas, rpm"),
        (("report", "roas"), "nothing is published yet"),
        (("report", "roas", "--start-event", "trial"), "'trial' starts no cohort"),
        (("report", "rpm", "--by", "channel"), "rpm is no cohort report"),
        (("report", "rpm", "--as-of", "2026-11-05"), "rpm is no cohort report"),
        (("simulator", "--fault", "nonsense"), "unknown fault 'nonsense'; there are rate_limited"),
        (("simulator", "--fault", "slow=soon"), "unknown fault 'slow=soon'"),
    ],
)
def test_a_mistake_is_one_line_not_a_traceback(
    command: Command, settings_file: Path, arguments: tuple[str, ...], told: str
) -> None:
    done = command(*arguments)
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_a_mistake_in_the_settings_names_the_key(command: Command, settings_file: Path) -> None:
    settings_file.write_text(settings_file.read_text() + "reporting: {timezone: Mars/Olympus}\n")
    done = command("status")
    assert done.returncode == 2
    assert "reporting.timezone: 'Mars/Olympus' is not a time zone" in done.stderr


def test_the_simulator_lists_its_faults(command: Command) -> None:
    done = command("simulator", "--list-faults")
    assert done.returncode == 0
    assert "rate_limited" in done.stdout
    assert "truncated" in done.stdout


def test_help_is_quick_to_say_what_there_is(command: Command) -> None:
    said = command("--help").stdout
    for name in ("demo", "run", "refresh", "report", "status", "simulator"):
        assert name in said


def test_a_number_is_explained_as_text_and_as_json(command: Command, settings_file: Path, land_csv: Land) -> None:
    land_a_day(land_csv, "2026-11-05")
    command("run", "--start", "2026-11-05", "--end", "2026-11-05", "--as-of", "2026-11-05")

    text = command("explain", "--report", "rpm", "--key", "event_date=2026-11-05")
    assert text.returncode == 0, text.stderr
    assert "acme 2026-11-05, verified" in text.stdout
    assert "0.06" in text.stdout  # 0.08 split 1 to 3

    document = json.loads(
        command("explain", "--report", "rpm", "--key", "event_date=2026-11-05", "--format", "json").stdout
    )
    assert [component["is_exact"] for component in document["components"]] == [True] * 4

    wrong = command("explain", "--report", "rpm", "--key", "event_date=2026-12-24")
    assert wrong.returncode == 2
    assert "no row with event_date=2026-12-24" in wrong.stderr


def test_a_report_is_printed_as_it_was_known_on_a_day(command: Command, settings_file: Path, land_csv: Land) -> None:
    for as_of, total in (("2026-11-05", "0.08"), ("2026-11-06", "0.1")):
        land_a_day(land_csv, "2026-11-05", total)
        command("run", "--start", "2026-11-05", "--end", "2026-11-05", "--as-of", as_of)

    def revenue(known_on: str) -> str:
        printed = command(
            *("report", "rpm", "--start", "2026-11-05", "--end", "2026-11-05"),
            *("--known-on", known_on, "--format", "json"),
        )
        (row,) = json.loads(printed.stdout)
        return str(row["revenue"])

    assert [revenue(day) for day in ("2026-11-05", "2026-11-06")] == ["0.080000000", "0.100000000"]
    assert "--known-on goes with" in command("report", "rpm", "--known-on", "2026-11-05").stderr

    days = ("--start", "2026-11-05", "--end", "2026-11-05", "--since", "2026-11-05", "--known-on", "2026-11-06")
    moved = json.loads(command("report", "diff", "--of", "rpm", *days, "--format", "json").stdout)
    assert {row["column"]: (row["before"], row["after"]) for row in moved}["revenue"] == ("0.080000000", "0.100000000")
    printed = command("report", "diff", "--of", "rpm", *days).stdout
    assert "0.02" in printed.partition("the batches that came in between")[2]  # by how much the second one moved it
    assert "there is no report 'nothing'" in command("report", "diff", "--of", "nothing", *days).stderr
