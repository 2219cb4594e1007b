"""Small adversarial worlds, run through the real graph and compared with `reference`, cell by cell.

A seed is a world: settings, landing files in mixed formats, the days to run and the as-of date. `WORLDS=300 pytest …`
tries other seeds than the committed ones, `FIRST_WORLD=1000` from that one on; `KEEP_WORLDS=/tmp/w` leaves the files.
"""

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from revenue_pipeline.settings import Settings
from revenue_pipeline_tests import reference
from revenue_pipeline_tests.reference import contracts
from revenue_pipeline_tests.reference.values import ONE_DAY
from revenue_pipeline_tests.worlds import World, corrected, make_world, situations
from revenue_pipeline_tests.worlds.comparison import (
    DERIVED,
    RESTATEMENTS,
    assert_exact,
    assert_same,
    derive,
    macro_differences,
    put_raw,
    read_tables,
    restatement_differences,
    run,
    settings_of,
    with_keys,
)
from revenue_pipeline_tests.worlds.landing_files import land

# Few, for each run of the graph takes seconds, but between them they hold every situation: a test below says which.
SEEDS: Sequence[int] = (37,)
CORRECTED_SEEDS: Sequence[int] = (2,)
ORDER_SEEDS: Sequence[int] = (37,)
LONG = 40  # days at most
LONG_SEEDS: Sequence[int] = (13, 34)
if "WORLDS" in os.environ:
    FIRST_WORLD = int(os.environ.get("FIRST_WORLD", "0"))
    SEEDS = CORRECTED_SEEDS = ORDER_SEEDS = LONG_SEEDS = range(FIRST_WORLD, FIRST_WORLD + int(os.environ["WORLDS"]))


@pytest.fixture
def home(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    kept = os.environ.get("KEEP_WORLDS")
    return Path(kept) / request.node.name if kept else tmp_path


@pytest.mark.parametrize("seed", SEEDS)
def test_every_cell_is_what_the_contract_says(seed: int, home: Path) -> None:
    world = make_world(seed)
    settings = settings_of(world, home)
    land(world.landing, home / "landing")
    run(settings, world.first, world.last, world.as_of)
    assert_agreement(world, settings)


@pytest.mark.parametrize("seed", CORRECTED_SEEDS)
def test_so_it_is_when_partners_have_corrected_their_numbers(seed: int, home: Path) -> None:
    world, later = make_world(seed), corrected(make_world(seed))
    settings = settings_of(world, home)
    for each, selection in ((world, None), (later, 'key:"raw/partner_revenue/*" or key:"core/*" or key:"reports/*"')):
        land(each.landing, home / "landing")
        run(settings, world.first, world.last, world.as_of, selection)
    assert_agreement(later, settings)
    rules = reference.rules_of(world.landing, world.settings, world.as_of)
    imports = [batch for each in (world, later) for batch in contracts.batches(each.landing, rules, world.days)]
    expected, got = contracts.restatements(imports), read_tables(settings, [RESTATEMENTS])[RESTATEMENTS]
    assert any(row["change"] for row in expected)
    assert not restatement_differences(expected, got)


def assert_agreement(world: World, settings: Settings) -> None:
    expected = reference.tables(world.landing, world.settings, world.days, world.as_of)
    got = read_tables(settings)
    assert_same(expected, got)
    assert_exact(with_keys(got, world))
    assert not macro_differences(world, expected, settings)


@pytest.mark.parametrize("seed", LONG_SEEDS)
def test_so_it_is_over_weeks_and_months(seed: int, home: Path) -> None:
    world = make_world(seed, most_days=LONG)
    settings = settings_of(world, home)
    expected = reference.tables(world.landing, world.settings, world.days, world.as_of)
    put_raw(settings, expected, world.first, world.last)
    derive(settings, world.first, world.last, world.as_of)
    assert_same(expected, read_tables(settings), DERIVED)
    assert not macro_differences(world, expected, settings)


@pytest.mark.parametrize("seed", ORDER_SEEDS)
def test_the_order_of_runs_does_not_matter_once_every_day_was_run_after_what_it_reads(seed: int, home: Path) -> None:
    world = make_world(seed)
    settings = settings_of(world, home)
    expected = reference.tables(world.landing, world.settings, world.days, world.as_of)
    half = world.first + ONE_DAY
    late, early = (half + ONE_DAY, world.last), (world.first, half)
    for first, last in (late, early):
        put_raw(settings, expected, first, last)
        derive(settings, first, last, world.as_of)
    # The ledger of a day reads the events of its neighbours, a user's revenue the allocations of its own, and a cohort
    # all that its users earned before.
    for first, last in (late, early, late):
        derive(settings, first, last, world.as_of)
    assert_same(expected, read_tables(settings), DERIVED)


@pytest.mark.skipif("WORLDS" in os.environ, reason="other seeds than the committed ones")
def test_the_worlds_hold_every_situation() -> None:
    landed = [make_world(seed) for seed in (*SEEDS, *CORRECTED_SEEDS)]
    found = {situation for world in landed for situation in situations.of_landing(world)}
    assert found >= situations.LANDING
    worlds = [*landed, *(make_world(seed, most_days=LONG) for seed in LONG_SEEDS)]
    assert {situation for world in worlds for situation in situations.of_tables(world)} >= situations.TABLES
