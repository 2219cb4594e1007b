"""Affiliate networks from their answers over HTTP to `raw.conversions`, against the simulator's one generated world."""

from __future__ import annotations

import gzip
import itertools
import logging
from collections.abc import Callable, Iterator
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg
import duckdb
import pytest
import yaml
from pydantic import SecretStr

import revenue_pipeline
from revenue_pipeline.freshness import partner_days
from revenue_pipeline.partitions import Window
from revenue_pipeline.partners.base import PartnerError
from revenue_pipeline.raw.imports import Batch, FailedDay, book, fetch_batches, restated_days
from revenue_pipeline.run import run_graph
from revenue_pipeline.settings import Settings
from revenue_pipeline.simulator import Simulator, World
from revenue_pipeline_tests.conftest import Land, MakeSettings, rows_of
from revenue_pipeline_tests.raw.conftest import DAY, LOG, Lake

LATER = DAY + timedelta(days=20)
ZONES = {"tune": "America/New_York", "everflow": "America/Los_Angeles", "impact": "America/Los_Angeles"}
PATHS = {"tune": "/Apiv3/json"}
SECRETS = {
    "TUNE_KEY": "tune-key-nobody-may-see",
    "EFLOW_KEY": "everflow+key/nobody=may&see",
    "IMPACT_SID": "IRaccountNobodyMaySee",
    "IMPACT_TOKEN": "impact:token~nobody may see",
}
CREDENTIALS: dict[str, dict[str, Any]] = {
    "tune": {"api_key": {"env": "TUNE_KEY"}},
    "everflow": {"api_key": {"env": "EFLOW_KEY"}},
    "impact": {"account_sid": {"env": "IMPACT_SID"}, "auth_token": {"env": "IMPACT_TOKEN"}},
}
NETWORK_SIDE = {"options": {"side": "network"}}
every_network = pytest.mark.parametrize("network", list(ZONES))


@pytest.fixture(scope="module")
def world() -> World:
    return World(first_day=DAY - timedelta(days=8), last_day=DAY + timedelta(days=2), scale=1)


@pytest.fixture
def simulator(world: World) -> Iterator[Simulator]:
    with Simulator(world, today=LATER) as simulator:
        yield simulator


def partner(simulator: Simulator, network: str, **changes: Any) -> dict[str, Any]:
    return {
        "connector": network,
        "timezone": ZONES[network],
        "base_url": f"{simulator.url}/{network}{PATHS.get(network, '')}",
        "credentials": CREDENTIALS[network],
        **changes,
    }


def with_secrets(settings: Settings) -> Settings:
    return settings.model_copy(update={"secrets": {name: SecretStr(secret) for name, secret in SECRETS.items()}})


Import = Callable[..., list[Batch | FailedDay]]


@pytest.fixture
def import_days(lake: Lake, simulator: Simulator, world: World, tmp_path: Path) -> Import:
    """Import days of a network and book them; rates of euros are landed, as in the demo."""
    for age in range(-8, 3):
        day = DAY + timedelta(days=age)
        lake.put("fx_rates", "a.csv", f"rate_date,currency,rate\n{day},EUR,2\n", day)

    def run(network: str, *days: date, **changes: Any) -> list[Batch | FailedDay]:
        settings = with_secrets(
            Settings.model_validate(
                {
                    "start_date": "2026-09-01",
                    "storage": {"landing": str(lake.landing), "archive": tmp_path / "archive"},
                    "partners": {network: partner(simulator, network, **changes)},
                }
            )
        )
        outcomes = fetch_batches(settings, network, days or [DAY], LATER, LOG)
        book(lake.connection, network, outcomes, LATER)
        return outcomes

    return run


def expected(world: World, network: str, day: date, today: date = LATER) -> dict[tuple[str | None, datetime], Any]:
    """What the world holds for the network's day: (click, time) -> the state and the payout that it has on `today`."""
    start, end = (
        datetime.combine(each, time(), ZoneInfo(ZONES[network])).astimezone(timezone.utc)
        for each in (day, day + timedelta(days=1))
    )
    found = {}
    for conversion in world.messages.conversions(network, start, end):
        if state := conversion.state(today):
            rejected = {"tune": "rejected", "impact": "reversed"}.get(network)
            status = rejected if state.status == "rejected" else state.status
            payout = Decimal(0) if network == "impact" and state.status == "rejected" else state.payout
            instant = conversion.converted_at.replace(tzinfo=None)
            key = (conversion.click_id, instant, conversion.is_adjustment)
            found[key] = (status if network != "everflow" else None, payout, conversion.offer.currency)
    return found


def imported(lake: Lake, network: str, day: date = DAY) -> dict[Any, Any]:
    rows = lake.ask(
        "SELECT click_id, converted_at, payout < 0, status, payout, currency, reporting_payout, event_date "
        f"FROM raw.conversions WHERE partner = '{network}' AND source = 'api' AND report_date = DATE '{day}'"
    )
    for row in rows:
        assert row[6] == row[4] * (2 if row[5] == "EUR" else 1)
        assert row[7] == row[1].date()  # reporting is in UTC
    return {row[:3]: row[3:6] for row in rows}


# --- a day -----------------------------------------------------------------------------------------------------------


@every_network
def test_a_day_is_what_the_network_knows_of_it_to_the_last_digit(
    lake: Lake, import_days: Import, world: World, network: str
) -> None:
    days = [DAY - timedelta(days=1), DAY]
    import_days(network, *days)

    for day in days:
        known = expected(world, network, day)
        assert len(known) >= 2
        assert {key: _rounded(value, network) for key, value in known.items()} == imported(lake, network, day)
    conversions = lake.column("SELECT conversion_id FROM raw.conversions")
    assert len(set(conversions)) == len(conversions)


def _rounded(value: tuple[Any, Decimal, str], network: str) -> tuple[Any, Decimal, str]:
    """impact.com writes cents."""
    status, payout, currency = value
    return status, round(payout, 2) if network == "impact" else payout, currency


@pytest.mark.parametrize("network", ["tune", "everflow"])
def test_the_networks_own_account_sees_the_same_payouts_and_every_state(
    lake: Lake, import_days: Import, world: World, network: str
) -> None:
    import_days(network)
    as_affiliate = imported(lake, network)
    import_days(network, **NETWORK_SIDE)

    assert {key: row[1:] for key, row in imported(lake, network).items()} == {
        key: row[1:] for key, row in as_affiliate.items()
    }
    states = {key: status for key, (status, _, _) in imported(lake, network).items()}
    start = datetime.combine(DAY, time(), ZoneInfo(ZONES[network]))
    assert set(states.values()) <= {"pending", "approved", "rejected"}
    for conversion in world.messages.conversions(network, start, start + timedelta(days=1)):
        state = conversion.state(LATER)
        key = (conversion.click_id, conversion.converted_at.replace(tzinfo=None), conversion.is_adjustment)
        assert states[key] == (state and state.status)


@every_network
def test_a_day_read_again_has_what_became_of_its_conversions(
    lake: Lake, import_days: Import, simulator: Simulator, world: World, network: str
) -> None:
    seen = []
    for age in (0, 3, 9, 20):
        simulator.today = DAY + timedelta(days=age)
        import_days(network)
        assert imported(lake, network) == {
            key: _rounded(value, network) for key, value in expected(world, network, DAY, simulator.today).items()
        }
        seen.append(imported(lake, network))

    assert len(seen[0]) < len(seen[-1])  # some are told of late
    changes = lake.column("SELECT is_changed FROM raw.partner_imports ORDER BY imported_at")
    assert changes == [True, *(before != after for before, after in itertools.pairwise(seen))]


def _payouts(conversions: dict[Any, Any]) -> dict[Any, Decimal]:
    return {key: payout for key, (_, payout, _) in conversions.items()}


def test_impact_says_which_days_changed_and_the_others_cannot(
    lake: Lake, import_days: Import, simulator: Simulator, world: World, tmp_path: Path
) -> None:
    settings = with_secrets(
        Settings.model_validate(
            {
                "start_date": "2026-09-01",
                "storage": {"archive": tmp_path / "archive"},
                "partners": {network: partner(simulator, network) for network in ZONES},
            }
        )
    )
    days = [DAY + timedelta(days=age) for age in range(-6, 1)]
    states: list[dict[date, Any]] = []
    for age in (3, 6, 40):
        simulator.today = DAY + timedelta(days=age)
        import_days("impact", *days)
        states.append({day: imported(lake, "impact", day) for day in days})

    changed = {day for day in days if states[0][day] != states[1][day]}
    approved = {day for day in changed if _payouts(states[0][day]) == _payouts(states[1][day])}
    simulator.today = DAY + timedelta(days=6)
    told = restated_days(settings, "impact", DAY + timedelta(days=4), DAY + timedelta(days=6))
    assert told is not None
    assert changed - approved  # else this proves nothing
    assert changed - approved <= told <= {DAY + timedelta(days=age) for age in range(-6, 7)}

    # By the time that all of them are locked, every one has been told of.
    simulator.today = DAY + timedelta(days=40)
    later = restated_days(settings, "impact", DAY + timedelta(days=7), simulator.today)
    assert later is not None
    assert {day for day in days if states[1][day] != states[2][day]} <= later
    assert list((tmp_path / "archive" / "impact" / str(simulator.today)).glob("restated-*/*.gz"))

    assert restated_days(settings, "tune", DAY, LATER) is None
    simulator.faults.add("unauthorized", "impact")
    with pytest.raises(PartnerError, match="impact 2026-10-25: the partner refused the credentials"):
        restated_days(settings, "impact", DAY, LATER)


# --- what partners do ------------------------------------------------------------------------------------------------


def told(value: Any) -> str:
    return value if isinstance(value, str) else "-".join(map(str, value.values()))


HARD: list[tuple[str, str, dict[str, Any]]] = [
    *((network, "page_cap", {"value": 3}) for network in ZONES),
    *((network, "rate_limited", {"times": 1, "value": 0.01}) for network in ZONES),
    *((network, "server_error", {"times": 1}) for network in ("everflow",)),
    *(("tune", "page_count_unsaid", {"value": way}) for way in (0, 1, 2)),
    ("tune", "rows_by_id", {}),
    ("tune", "error_in_body", {"times": 1, "value": 429}),
    ("tune", "not_json", {"times": 1}),
    ("impact", "rate_limit_reset", {"times": 1, "value": 0.01}),
]


@pytest.mark.parametrize(
    ("network", "fault", "how"), HARD, ids=lambda value: str(value) if isinstance(value, str) else ""
)
def test_a_network_that_only_makes_it_hard_is_imported_all_the_same(
    lake: Lake, import_days: Import, simulator: Simulator, network: str, fault: str, how: dict[str, Any]
) -> None:
    import_days(network)
    before = imported(lake, network)
    lake.connection.execute("DELETE FROM raw.conversions")
    simulator.faults.add(fault, network, **how)

    (outcome,) = import_days(network)

    assert isinstance(outcome, Batch), outcome
    assert imported(lake, network) == before


BROKEN: list[tuple[str, str, dict[str, Any]]] = [
    *((network, "unauthorized", {}) for network in ZONES),
    *((network, "unauthorized", {"value": 403}) for network in ZONES),
    *((network, "window_refused", {}) for network in ZONES),
    *((network, "error_in_body", {"value": 500}) for network in ZONES),
    ("tune", "error_in_body", {"value": 401}),
    ("tune", "token_echoed", {}),
    ("everflow", "not_json", {}),
    ("impact", "not_json", {}),
]


@pytest.mark.parametrize(
    ("network", "fault", "how"), BROKEN, ids=lambda value: str(value) if isinstance(value, str) else ""
)
def test_a_failed_call_keeps_the_day_before_it_and_shows_no_secret(
    lake: Lake,
    import_days: Import,
    simulator: Simulator,
    caplog: pytest.LogCaptureFixture,
    network: str,
    fault: str,
    how: dict[str, Any],
) -> None:
    import_days(network)
    before = imported(lake, network)
    simulator.faults.add(fault, network, **how)
    with caplog.at_level(logging.INFO):
        (outcome,) = import_days(network)

    assert isinstance(outcome, FailedDay)
    assert outcome.error.startswith(f"{network} 2026-10-05: ")
    assert imported(lake, network) == before
    shown = outcome.error + caplog.text + str(lake.ask("FROM raw.partner_imports"))
    assert [secret for secret in SECRETS.values() if secret in shown] == []


@every_network
@pytest.mark.parametrize("fault", ["moving_report", "offset_ignored"])
def test_pages_that_do_not_fit_together_are_read_again_or_an_error(
    lake: Lake, import_days: Import, simulator: Simulator, network: str, fault: str
) -> None:
    import_days(network)
    before = imported(lake, network)
    simulator.faults.add("page_cap", network, value=4)
    simulator.faults.add(fault, network, times=2)
    (again,) = import_days(network)
    assert isinstance(again, Batch)
    assert imported(lake, network) == before

    simulator.faults.add(fault, network)
    (outcome,) = import_days(network)
    assert isinstance(outcome, FailedDay)
    assert "could not be read as a whole in 3 attempts" in outcome.error
    assert imported(lake, network) == before


@every_network
def test_an_empty_answer_clears_the_day_and_no_other(
    lake: Lake, import_days: Import, simulator: Simulator, network: str
) -> None:
    import_days(network, DAY - timedelta(days=1), DAY)
    simulator.faults.add("empty", network)
    import_days(network)

    assert imported(lake, network) == {}
    assert imported(lake, network, DAY - timedelta(days=1))


@every_network
def test_what_the_network_turns_over_and_turns_back_follows_it(
    lake: Lake, import_days: Import, simulator: Simulator, network: str
) -> None:
    seen = []
    for turns in (0, 1, 2):
        simulator.faults.clear()
        simulator.faults.add("status_flipped", network, value=turns)
        import_days(network, **({} if network == "impact" else NETWORK_SIDE))
        seen.append(imported(lake, network))

    approved, turned, back = seen
    assert approved
    assert {status for status, _, _ in approved.values()} == {"approved"}
    assert back == approved
    # TUNE and Everflow go on to say what a rejected conversion would have paid; impact.com says 0.
    rejected = "reversed" if network == "impact" else "rejected"
    assert turned == {
        key: (rejected, Decimal(0) if network == "impact" else payout, currency)
        for key, (_, payout, currency) in approved.items()
    }
    assert lake.column("SELECT is_changed FROM raw.partner_imports ORDER BY imported_at") == [True, True, True]


CHANGES: list[tuple[dict[str, float], bool]] = [
    ({"status_flipped": 0}, False),
    ({"status_flipped": 1}, True),
    ({"status_flipped": 2}, True),
    ({"status_flipped": 0, "restated": 10}, True),  # approved, and so no update of the action: only the log tells
]


@pytest.mark.parametrize(("faults", "is_told"), CHANGES, ids=str)
def test_impact_tells_of_a_day_that_it_reversed_restored_or_paid_otherwise(
    simulator: Simulator, tmp_path: Path, faults: dict[str, float], is_told: bool
) -> None:
    settings = with_secrets(
        Settings.model_validate(
            {
                "start_date": "2026-09-01",
                "storage": {"archive": tmp_path / "archive"},
                "partners": {"impact": partner(simulator, "impact")},
            }
        )
    )
    for name, value in faults.items():
        simulator.faults.add(name, "impact", value=value)
    days = restated_days(settings, "impact", LATER, LATER)
    assert days is not None
    assert (DAY in days) == is_told


@every_network
def test_a_pending_conversion_that_is_told_of_late_is_added_to_its_day(
    lake: Lake, import_days: Import, simulator: Simulator, network: str
) -> None:
    side = {} if network == "impact" else NETWORK_SIDE
    simulator.today = DAY + timedelta(days=1)
    simulator.faults.add("pending_untold", network)
    import_days(network, **side)
    before = imported(lake, network)
    simulator.faults.clear()
    import_days(network, **side)

    after = imported(lake, network)
    late = {key: value for key, value in after.items() if key not in before}
    assert before.items() <= after.items()
    assert {status for status, _, _ in late.values()} == {"pending"}
    assert "pending" not in {status for status, _, _ in before.values()}


def test_what_tune_takes_away_by_an_adjustment_is_a_conversion_of_its_own(
    lake: Lake, import_days: Import, simulator: Simulator
) -> None:
    query = "SELECT conversion_id, click_id, converted_at, payout FROM raw.conversions WHERE status = 'approved'"
    import_days("tune")
    before = lake.ask(query)
    assert len(before) >= 2
    for percent in (-100, 25):
        simulator.faults.clear()
        simulator.faults.add("adjusted", "tune", value=percent)
        import_days("tune")
        adjustments = [(f"{row[0]}-adjustment", *row[1:3], row[3] * percent / 100) for row in before]
        assert sorted(lake.ask(query)) == sorted([*before, *adjustments])


# --- in a run --------------------------------------------------------------------------------------------------------


def test_one_network_fails_in_a_run_and_nothing_else_is_touched_and_no_secret_is_anywhere(
    make_settings: MakeSettings, land_csv: Land, simulator: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    settings = with_secrets(
        make_settings(start_date=DAY, partners={network: partner(simulator, network) for network in ZONES})
    )
    rates = [{"rate_date": DAY, "currency": "EUR", "rate": 2}]
    land_csv("fx_rates", str(DAY), rates)
    keys = ["raw/fx_rates", *(f"raw/conversions/{network}" for network in ZONES)]
    selection = " or ".join(f'key:"{key}"' for key in keys)
    window, events = Window.of_day(DAY), []

    def rows(network: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(settings.storage.warehouse), read_only=True) as connection:
            query = f"SELECT * EXCLUDE (imported_at) FROM raw.conversions WHERE partner = '{network}' ORDER BY ALL"
            return connection.execute(query).fetchall()

    with caplog.at_level(logging.DEBUG):
        assert run_graph(settings, window, LATER, selection, on_event=events.append).failures == []
        before = {network: rows(network) for network in ZONES}
        assert all(before.values())
        simulator.faults.add("restated", "everflow")
        simulator.faults.add("token_echoed", "tune")
        simulator.faults.add("not_json", "impact")
        outcome = run_graph(settings, window, LATER, selection, on_event=events.append)

    assert outcome.succeeded
    assert [failure.partition(": ")[0] for failure in sorted(outcome.failures)] == [
        "raw/conversions/impact import_succeeded",
        "raw/conversions/tune import_succeeded",
    ]
    assert rows("tune") == before["tune"]
    assert rows("impact") == before["impact"]
    assert rows("everflow") != before["everflow"]
    archive = [gzip.decompress(path.read_bytes()) for path in settings.storage.archive.rglob("*.gz")]
    archive += [path.read_bytes() for path in settings.storage.archive.rglob("requests.ndjson")]
    assert len(archive) > 6
    shown = "\n".join(
        [
            *(data.decode("utf-8", "replace") for data in archive),
            caplog.text,
            str(outcome),
            *map(str, events),
            settings.storage.warehouse.read_bytes().decode("latin-1"),
            repr(settings),
        ]
    )
    assert [secret for secret in SECRETS.values() if secret in shown] == []


def test_what_a_network_turns_over_or_takes_away_earns_nothing_and_what_it_turns_back_earns_again(
    make_settings: MakeSettings, land_csv: Land, simulator: Simulator, world: World
) -> None:
    sides = {"tune": NETWORK_SIDE, "everflow": NETWORK_SIDE, "impact": {}}
    networks = {network: partner(simulator, network, **side) for network, side in sides.items()}
    settings = with_secrets(make_settings(start_date=world.first_day, partners=networks))
    for day in world.days():
        land_csv("fx_rates", str(day), [{"rate_date": day, "currency": "EUR", "rate": 2}])
        sends = [send._asdict() | {"custom": "{}"} for send in world.messages.sends(day)]
        land_csv("message_sends", str(day), sends)
        land_csv("link_clicks", str(day), [click._asdict() for click in world.messages.clicks(day)])
    window = Window.between(world.first_day, world.last_day)
    selection = 'key:"raw/fx_rates" or key:"raw/message_sends" or key:"raw/link_clicks" or key:"core/message_clicks"'
    assert run_graph(settings, window, LATER, selection).failures == []
    imports = " or ".join(f'key:"raw/conversions/{network}"' for network in networks)
    selection = f'{imports} or key:"core/repeated_conversions" or key:"core/attributed_conversions"'

    def earned(**faults: float) -> dict[str, dict[str, tuple[int, Decimal]]]:
        """By network and status, how many conversions there are and what they earned."""
        simulator.faults.clear()
        for name, value in faults.items():
            simulator.faults.add(name, value=value)
        assert run_graph(settings, window, LATER, selection).failures == []
        found: dict[str, dict[str, tuple[int, Decimal]]] = {network: {} for network in networks}
        query = "SELECT partner, status, count(*), sum(revenue) FROM core.attributed_conversions GROUP BY ALL"
        for network, status, conversions, revenue in rows_of(settings, query):
            found[network][status] = (conversions, revenue)
        return found

    approved = earned(status_flipped=0)
    assert all(by_status["attributed"][1] > 0 for by_status in approved.values())
    assert earned(status_flipped=1) == {
        network: {"rejected": (sum(conversions for conversions, _ in by_status.values()), 0)}
        for network, by_status in approved.items()
    }
    assert earned(status_flipped=2) == approved

    adjusted = earned(status_flipped=0, adjusted=-100)
    conversions, _ = approved["tune"]["attributed"]
    assert adjusted["tune"]["attributed"] == (2 * conversions, 0)
    assert adjusted["everflow"] == approved["everflow"]
    assert adjusted["impact"] == approved["impact"]


def test_the_log_of_a_run_tells_how_far_an_import_is_and_what_it_waits_for(
    make_settings: MakeSettings, simulator: Simulator, tmp_path: Path
) -> None:
    days = [DAY - timedelta(days=2), DAY - timedelta(days=1), DAY]
    settings = with_secrets(make_settings(start_date=days[0], partners={"tune": partner(simulator, "tune")}))
    simulator.faults.add("rate_limited", times=1, value=0.01)
    instance_file = yaml.safe_load(Path(revenue_pipeline.__file__).with_name("dagster.yaml").read_text())
    logs = {"python_logs": instance_file["python_logs"]}
    with dg.DagsterInstance.local_temp(str(tmp_path), overrides=logs) as instance:
        run_graph(settings, Window.between(days[0], DAY), LATER, 'key:"raw/conversions/tune"', instance=instance)
        (run,) = instance.get_runs()
        told = [entry.user_message for entry in instance.all_logs(run.run_id) if not entry.is_dagster_event]

    (waits,) = [line for line in told if "Attempt 1 of 5" in line]
    assert "the partner's rate limit is reached (HTTP 429)" in waits
    came = [line.partition(": ")[0] for line in told if line != waits]
    assert sorted(line.partition(" (")[2] for line in came) == ["1 of 3)", "2 of 3)", "3 of 3)"]
    assert sorted(line.partition(" (")[0] for line in came) == [f"tune {day}" for day in days]


def test_status_tells_of_a_network_what_there_is_to_tell(
    make_settings: MakeSettings, land_csv: Land, simulator: Simulator
) -> None:
    network = partner(simulator, "tune", import_window_days=30)
    settings = with_secrets(make_settings(start_date=DAY, partners={"tune": network}))
    land_csv("fx_rates", str(DAY), [{"rate_date": DAY, "currency": "EUR", "rate": 2}])
    selection = 'key:"raw/conversions/tune" or key:"published/reports"'
    run_graph(settings, Window.of_day(DAY), LATER, selection)
    simulator.faults.add("token_echoed", "tune")
    run_graph(settings, Window.of_day(DAY), LATER, selection)

    (day,) = partner_days(settings, LATER)

    assert (day.partner, day.report_date, day.is_closed) == ("tune", DAY, False)
    assert day.last_imported_at is not None
    assert "tune 2026-10-05: the partner refused the credentials" in (day.import_error or "")
    assert (day.imported_revenue, day.difference, day.verified_share) == (None, None, None)
