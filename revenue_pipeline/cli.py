"""`revenue-pipeline …`: what a person types. Each command puts together what the other modules do."""

from __future__ import annotations

import json
import logging
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from revenue_pipeline.cohort_report import (
    DIMENSIONS,
    GRANULARITIES,
    METRICS,
    VIEW_TYPES,
    Question,
    ask,
    headline,
    triangles,
)
from revenue_pipeline.printing import notices, print_rows, screen, write_rows
from revenue_pipeline.settings import DEMO_DAYS, Settings, SettingsError, load_settings

HOME_VARIABLE = "DAGSTER_HOME"
DEMO_HOME = Path("data/dagster")
SIMULATOR_PORT = 8089
SHOWN_AGES = (0, 1, 2, 3, 7)

DAY = click.DateTime(formats=["%Y-%m-%d"])


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def commands() -> None:
    """What you earned, from whom, through which user, ad and message, and whether the number can be trusted."""


@commands.command()
@click.option("--days", type=click.IntRange(1, 40), default=DEMO_DAYS, show_default=True, help="Days, ending today.")
def demo(days: int) -> None:
    """Try everything: simulated partners and generated events, the whole graph, the reports."""
    from revenue_pipeline.simulator import Simulator, World, land

    os.environ.setdefault(HOME_VARIABLE, str(_prepared_home(DEMO_HOME)))
    today = load_settings().today()
    first = today - timedelta(days=days - 1)
    world = World(first_day=first, last_day=today)
    landing = Path(load_settings().storage.landing)
    partners = Simulator(world, port=SIMULATOR_PORT, today=today)  # first, since its port may be taken
    with _progress() as progress:
        task = progress.add_task("landing generated events", total=days)
        land(world, landing, today, lambda _day: progress.advance(task))
    with partners:
        settings = load_settings()
        first = max(first, settings.start_date)
        succeeded = _run(settings, first, today, today)
    shown = max(first, today - timedelta(days=3))
    for name in ("rpm", "ctr"):
        _print_report(settings, name, shown, shown, "table")
    _print_cohorts(settings, Question("roas", today), "table")
    _print_status(settings, today, shown, today)
    # As it was called: the environment's commands may be on no path.
    command = os.path.relpath(sys.argv[0]) if os.sep in sys.argv[0] else sys.argv[0]
    screen.print(
        "\nOpen the Dagster UI on this data with [bold]make dev[/], and the tables with any DuckDB client: "
        f"{_published_path(settings)}\nOpen {_published_path(settings).with_name('reports.html')} in a browser.\n"
        f"See every day of a report with [bold]{command} report rpm[/], and what is still estimated with "
        f"[bold]{command} status[/].\n"
        "To run days again, keep [bold]make dev[/] running: its simulated partners answer then.",
        highlight=False,
        soft_wrap=True,
    )
    sys.exit(0 if succeeded else 1)


@commands.command()
@click.option("--start", type=DAY, required=True, help="First day.")
@click.option("--end", type=DAY, required=True, help="Last day, included.")
@click.option("--as-of", type=DAY, help="The day the run believes it is; today by default.")
@click.option("--select", help="An asset selection, such as 'group:core' or '+key:reports/rpm'; everything by default.")
def run(start: datetime, end: datetime, as_of: datetime | None, select: str | None) -> None:
    """Materialise the days from START to END in one run of the graph."""
    _refuse_backwards(start, end)
    succeeded = _run(load_settings(), start.date(), end.date(), as_of.date() if as_of else None, select)
    sys.exit(0 if succeeded else 1)


@commands.command()
@click.option("--as-of", type=DAY, help="The day the run believes it is; today by default.")
def refresh(as_of: datetime | None) -> None:
    """Do what the schedules do: the trailing window, and every closed day that is not settled yet.

    The page of reports is left to its own schedule; to write it now: run … --select 'key:"published/page"'.
    """
    from revenue_pipeline.schedules import refresh_windows

    settings = load_settings()
    day = as_of.date() if as_of else settings.today()
    windows = refresh_windows(settings, day)
    if not windows:
        notices.print(f"nothing to refresh on {day}: start_date is {settings.start_date}")
    # Every window is run, whatever becomes of the others.
    outcomes = [_run(settings, window.start, window.last, day, only_open_days=True) for window in windows]
    sys.exit(0 if all(outcomes) else 1)


@commands.command()
@click.argument("name")
@click.option("--start", type=DAY, help="First day; the first there is by default.")
@click.option("--end", type=DAY, help="Last day, included; the last there is by default.")
@click.option("--format", "style", type=click.Choice(["table", "csv", "json"]), default="table", show_default=True)
@click.option("--granularity", type=click.Choice(GRANULARITIES), help="Cohorts by day, by week or by month.  [day]")
@click.option("--view-type", type=click.Choice(VIEW_TYPES), help="Through N, or in N alone.  [cumulative]")
@click.option("--start-event", help="What begins a cohort.  [the first of cohorts.start_events]")
@click.option("--revenue-event", help="What brings money.  [all]")
@click.option("--by", "dimension", help="Break a cohort report down, or roll a report up: see below.")
@click.option("--as-of", type=DAY, help="The day whose knowledge a cohort report shows.  [today]")
@click.option("--known-on", type=DAY, help="Compute the report again from what partners had said by that day.")
@click.option("--of", "compared", help="With the NAME diff: the report to compare.")
@click.option("--since", type=DAY, help="With the NAME diff: the earlier day, to compare with --known-on.")
def report(
    name: str,
    start: datetime | None,
    end: datetime | None,
    style: str,
    as_of: datetime | None,
    known_on: datetime | None,
    compared: str | None,
    since: datetime | None,
    **asked: str | None,
) -> None:
    """Print the report NAME from the published copy: rpm, ctr, rejected_rows, …

    The cohort reports are revenue, events, users, roas, arpu, arppu and ltv; the options from --granularity to --as-of
    are theirs. contracted_report takes --by date, week, month, day_of_week, ad_unit or custom_criteria;
    performance_report --by creative, offer, campaign, sending_list, message, contact or custom.<name>, over --start to
    --end; troubleshoot looks there for what keeps messages from earning. With --known-on, which needs --start and
    --end, NAME is a table: a row for each of its keys. What moved in one between two days, and which batches moved it:
    report diff --of rpm --start D --end D --since D --known-on D.
    """
    from revenue_pipeline.catalog import printed_macros

    settings = load_settings()
    _refuse_backwards(start, end)
    first, last = start.date() if start else None, end.date() if end else None
    chosen = {option: value for option, value in asked.items() if value is not None}
    if name == "diff":
        if first is None or last is None or known_on is None or since is None or compared is None or chosen or as_of:
            raise click.UsageError("diff needs --of, --start, --end, --since and --known-on, and takes --format alone")
        _print_moved(settings, compared, first, last, since.date(), known_on.date(), style)
    elif compared or since:
        raise click.UsageError("--of and --since go with the NAME diff")
    elif known_on is not None:
        if first is None or last is None or chosen or as_of:
            raise click.UsageError("--known-on goes with --start and --end, and with --format alone")
        _print_known_on(settings, name, first, last, known_on.date(), style)
    elif name in printed_macros():
        _print_answer(settings, name, {"start_date": first, "end_date": last, **chosen}, style)
    elif name in METRICS:
        if asked["dimension"] not in (None, *DIMENSIONS):
            raise click.BadParameter(f"{asked['dimension']!r}; there are {', '.join(DIMENSIONS)}", param_hint="--by")
        day = as_of.date() if as_of else settings.today()
        _print_cohorts(settings, Question(name, day, first, last, **chosen), style)
    elif chosen or as_of:
        raise click.UsageError(f"{name} is no cohort report: it takes --start, --end and --format alone")
    else:
        _print_report(settings, name, first, last, style)


@commands.command()
@click.option("--report", "name", help="The report that holds the cell, such as rpm or ctr.")
@click.option("--key", default="", help="Which cell: column=value, …; the row of all the others' totals if not unique.")
@click.option("--user", help="Explain what this user brought on --date, instead of a report's cell.")
@click.option("--date", "day", type=DAY, help="The day of --user.")
@click.option("--most", type=click.IntRange(1), default=10, show_default=True, help="Parts shown under each number.")
@click.option("--format", "style", type=click.Choice(["text", "json"]), default="text", show_default=True)
def explain(name: str | None, key: str, user: str | None, day: datetime | None, most: int, style: str) -> None:
    """Take one number apart, down to its events: each level sums exactly to the one above.

    \b
    explain --report rpm --key event_date=2026-11-05,container_id=newsletter-a
    explain --user ann --date 2026-11-05

    JSON holds every part, text the largest ones and the sum of the others.
    """
    from revenue_pipeline.explain import explain_cell, explain_user_day, read_key, rendering

    settings = load_settings()
    if user is not None and day is not None and name is None:
        explained = explain_user_day(settings, user, day.date(), None if style == "json" else most)
    elif name is not None and user is None:
        explained = explain_cell(settings, name, read_key(name, key), None if style == "json" else most)
    else:
        raise click.UsageError("give --report and --key, or --user and --date")
    if style == "json":
        sys.stdout.write(json.dumps(rendering.as_json(explained), indent=2) + "\n")
    else:
        screen.print(rendering.as_tree(explained), highlight=False, soft_wrap=True)
    sys.exit(0 if explained.is_exact else 1)


@commands.command()
@click.option("--as-of", type=DAY, help="The day on which to say what is open; today by default.")
@click.option("--start", type=DAY, help="First day; the first there is by default.")
@click.option("--end", type=DAY, help="Last day, included; the last there is by default.")
def status(as_of: datetime | None, start: datetime | None, end: datetime | None) -> None:
    """Say per partner and day what is open, imported, verified, estimated, expired; and which days are stale."""
    _refuse_backwards(start, end)
    settings = load_settings()
    day = as_of.date() if as_of else settings.today()
    _print_status(settings, day, start.date() if start else None, end.date() if end else None)


@commands.command()
@click.option("--port", type=int, default=SIMULATOR_PORT, show_default=True)
@click.option("--days", type=click.IntRange(1, 400), default=60, show_default=True, help="Days it knows, ending today.")
@click.option(
    "--fault",
    "faults",
    multiple=True,
    metavar="[PARTNER/]NAME[=VALUE]",
    help="Misbehave, as all partners or as one; may be repeated. See --list-faults.",
)
@click.option("--list-faults", is_flag=True, help="Name the faults and end.")
def simulator(port: int, days: int, faults: Sequence[str], list_faults: bool) -> None:
    """Run the partner simulator alone."""
    from revenue_pipeline.simulator import Simulator, World
    from revenue_pipeline.simulator.faults import FAULTS

    if list_faults:
        for fault, meaning in FAULTS.items():
            screen.print(f"[bold]{fault}[/]  {meaning}")
        return
    today = load_settings().today()
    world = World(first_day=today - timedelta(days=days - 1), last_day=today)
    server = Simulator(world, port=port, faults=faults)
    notices.print(f"the partner simulator answers at {server.url}; Ctrl-C ends it")
    server.serve_forever()


def main() -> None:
    """Run the command line; a mistake of the person is one line, not a traceback."""
    try:
        commands()
    except (SettingsError, FileNotFoundError, ValueError) as error:
        notices.print(f"[red]error:[/] {error}", highlight=False, soft_wrap=True)
        sys.exit(2)


def _refuse_backwards(start: datetime | None, end: datetime | None) -> None:
    if start and end and start > end:
        raise click.BadParameter(f"{end:%Y-%m-%d} lies before --start", param_hint="--end")


def _run(
    settings: Settings,
    first: date,
    last: date,
    as_of: date | None,
    select: str | None = None,
    only_open_days: bool = False,
) -> bool:
    """Run the graph with a progress display, say what went wrong, and tell whether nothing did."""
    import dagster as dg

    from revenue_pipeline.partitions import Window
    from revenue_pipeline.run import run_graph

    window = Window.between(first, last)
    instance = dg.DagsterInstance.get() if os.environ.get(HOME_VARIABLE) else None
    with _progress() as progress:
        task = progress.add_task(f"running {window}", total=None)
        outcome = run_graph(
            settings, window, as_of, select, only_open_days, instance, on_event=_step_display(progress, task)
        )
    for warning in outcome.warnings:
        notices.print(f"[yellow]warning[/] {warning}", highlight=False, soft_wrap=True)
    for failure in outcome.failures:
        notices.print(f"[red]failed[/] {failure}", highlight=False, soft_wrap=True)
    succeeded = outcome.succeeded and not outcome.failures
    notices.print(f"{window}: {'[green]done[/]' if succeeded else '[red]not everything succeeded[/]'}", highlight=False)
    return succeeded


def _step_display(progress: Progress, task: Any) -> Callable[[Any], None]:
    def show(event: Any) -> None:
        if event.event_type_value == "STEP_START":
            progress.update(task, description=event.step_key.replace("__", "."))
        elif event.event_type_value in ("STEP_SUCCESS", "STEP_FAILURE", "STEP_SKIPPED"):
            progress.advance(task)

    return show


@contextmanager
def _progress() -> Iterator[Progress]:
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=notices, transient=True) as progress:
        yield progress


def _print_report(settings: Settings, name: str, start: date | None, end: date | None, style: str) -> None:
    from revenue_pipeline.catalog import printed_macros, printed_tables
    from revenue_pipeline.publish import PublishedCopy

    tables = printed_tables()
    if name not in tables:
        known = ", ".join(sorted({*tables, *printed_macros(), *METRICS}))
        raise click.BadParameter(f"{name!r}; there are {known}", param_hint="NAME")
    printed = tables[name]
    key = ", ".join(f"{column} NULLS FIRST" for column in printed.order)
    relation = PublishedCopy(settings.storage.warehouse).read(
        f"SELECT * FROM {printed.table} WHERE ($start IS NULL OR {printed.day} >= $start) "
        f"AND ($end IS NULL OR {printed.day} <= $end) ORDER BY {key}",
        {"start": start, "end": end},
    )
    columns = list(relation.columns)
    rows = [dict(zip(columns, row, strict=True)) for row in relation.fetchall()]
    if style != "table":
        write_rows(style, columns, rows)
    else:
        print_rows(f"{printed.table}, {settings.reporting.currency}", printed.headline, rows, by_day=True)


def _print_answer(settings: Settings, name: str, given: Mapping[str, Any], style: str) -> None:
    import duckdb

    from revenue_pipeline.catalog import printed_macros
    from revenue_pipeline.publish import PublishedCopy

    asked = printed_macros()[name]
    values = {argument: given.get(argument) for argument in asked.arguments}
    options = {"start_date": "--start", "end_date": "--end", "dimension": "--by"}
    if missing := [options[argument] for argument, value in values.items() if value is None]:
        raise click.UsageError(f"{name} needs {' and '.join(missing)}")
    if odd := [options.get(each, each) for each, value in given.items() if value is not None and each not in values]:
        raise click.UsageError(f"{name} takes no {', '.join(odd)}")
    arguments = ", ".join(f"${argument}" for argument in asked.arguments)
    try:
        relation = PublishedCopy(settings.storage.warehouse).read(f"SELECT * FROM {asked.macro}({arguments})", values)
        columns, found = list(relation.columns), relation.fetchall()
    except duckdb.InvalidInputException as error:  # a macro refuses what it does not know, and says what it does
        raise click.UsageError(str(error).removeprefix("Invalid Input Error: ")) from error
    rows = [dict(zip(columns, row, strict=True)) for row in found]
    if style != "table":
        write_rows(style, columns, rows)
    else:
        print_rows(f"{asked.macro}, {settings.reporting.currency}", asked.headline, rows)


def _print_known_on(settings: Settings, name: str, first: date, last: date, known_on: date, style: str) -> None:
    from revenue_pipeline.definitions import open_warehouse
    from revenue_pipeline.known_on import report_table, rows_known_on
    from revenue_pipeline.partitions import Window

    table, window, log = report_table(name), Window.between(first, last), logging.getLogger(__name__)
    rows = rows_known_on(open_warehouse(settings), settings, table, window, known_on, log)
    columns = [column.name for column in table.table.columns]
    if style != "table":
        write_rows(style, columns, rows)
    else:
        title = f"{table.name} as known on {known_on}, {settings.reporting.currency}"
        print_rows(title, table.headline or columns, rows)


def _print_moved(
    settings: Settings, name: str, first: date, last: date, since: date, known_on: date, style: str
) -> None:
    from revenue_pipeline.definitions import open_warehouse
    from revenue_pipeline.known_on import moved_between, report_table
    from revenue_pipeline.partitions import Window

    table, window, log = report_table(name), Window.between(first, last), logging.getLogger(__name__)
    moved, batches = moved_between(open_warehouse(settings), settings, table, window, since, known_on, log)
    columns = [*table.unique_by, "column", "before", "after"]
    rows = [
        {**cell.key, "column": column, "before": was, "after": now}
        for cell in moved
        for column, was, now in cell.changes
    ]
    if style != "table":
        write_rows(style, columns, rows)
        return
    print_rows(f"{table.name}: what moved from {since} to {known_on}, {settings.reporting.currency}", columns, rows)
    moving = [vars(batch) for batch in batches]
    shown = ["report_date", "partner", "as_of", "revenue", "change", "import_id"]
    print_rows(f"the batches that came in between, {settings.reporting.currency}", shown, moving)


def _print_cohorts(settings: Settings, question: Question, style: str) -> None:
    from revenue_pipeline.publish import PublishedCopy

    answer = ask(settings, PublishedCopy(settings.storage.warehouse), question)
    if style != "table":
        write_rows(style, answer.columns, answer.rows)
    elif not answer.rows:
        notices.print(
            f"no cohort of {answer.question.start_event} began from {answer.question.start} to "
            f"{answer.question.end}, as far as {answer.question.as_of} knows"
        )
    else:
        screen.print(headline(answer, settings.reporting.currency), highlight=False, soft_wrap=True)
        for triangle in triangles(answer, screen.width):
            screen.print(triangle, highlight=False)


def _print_status(settings: Settings, as_of: date, start: date | None, end: date | None) -> None:
    from revenue_pipeline.freshness import partner_days, stale_days

    days = partner_days(settings, as_of, start, end)
    rows = [
        {
            "partner": day.partner,
            "report_date": day.report_date,
            "state": "closed" if day.is_closed else "open",
            "imported (UTC)": f"{day.last_imported_at:%m-%d %H:%M}" if day.last_imported_at else "never",
            "revenue": day.imported_revenue,
            "verified": _percent(day.verified_share),
            "estimated": _percent(day.estimated_share),
            "expired": _percent(day.expired_share),
            "conserved": _conserved(day.difference),
        }
        for day in days
    ]
    print_rows(f"partner days as of {as_of}, {settings.reporting.currency}", list(rows[0]) if rows else [], rows)
    for day in days:
        if day.import_error:
            screen.print(f"[red]import failed[/] {day.import_error}", highlight=False, soft_wrap=True)
    _print_settlements(settings)
    for stale in stale_days(settings):
        screen.print(
            f"[yellow]stale[/] {stale.table} {stale.day}: newer is {stale.newer}", highlight=False, soft_wrap=True
        )


def _print_settlements(settings: Settings) -> None:
    from revenue_pipeline.freshness import settlements

    rows = [
        {
            "partner": each.partner,
            "days": each.report_dates,
            **{f"known at {age}": _percent(each.settled_shares.get(age)) for age in SHOWN_AGES},
            "import window": each.import_window_days,
            "recommended": each.recommended_import_window_days,
        }
        for each in settlements(settings)
    ]
    if rows:
        print_rows("how soon partners settle: share of the final value known at an age in days", list(rows[0]), rows)


def _conserved(difference: Decimal | None) -> str:
    if difference is None:
        return "-"  # not in the ledger
    return "exact" if not difference else f"LOST {difference}"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


def _prepared_home(home: Path) -> Path:
    home = home.resolve()
    home.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(Path(__file__).parent / "dagster.yaml", home / "dagster.yaml")
    return home


def _published_path(settings: Settings) -> Path:
    from revenue_pipeline.publish import PublishedCopy

    return PublishedCopy(settings.storage.warehouse).path


if __name__ == "__main__":
    main()
