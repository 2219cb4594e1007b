"""Runs the graph over some days in this process: what the command line, tests and benchmarks call."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

import dagster as dg

from revenue_pipeline.definitions import JOB, REFRESH_JOB, build_defs
from revenue_pipeline.partitions import Window
from revenue_pipeline.schedules import run_config, run_tags
from revenue_pipeline.settings import Settings


@dataclass(frozen=True)
class Outcome:
    """What a run did.

    Attributes:
        succeeded: whether every step ran.
        failures: what went wrong, a text each: failed steps and failed checks of error severity.
        warnings: failed checks of warning severity.
    """

    succeeded: bool
    failures: Sequence[str]
    warnings: Sequence[str]


def run_graph(
    settings: Settings,
    window: Window,
    as_of: date | None = None,
    selection: str | None = None,
    only_open_days: bool = False,
    instance: dg.DagsterInstance | None = None,
    on_event: Callable[[dg.DagsterEvent], None] | None = None,
) -> Outcome:
    """Materialise the days of `window` in one run of the graph.

    Args:
        settings: what to run.
        window: the days.
        as_of: the day the run believes it is; today when None.
        selection: an asset selection, such as `core.* or +reports/rpm`; everything when None.
        only_open_days: do what a refresh does: ask partners only for days whose import window is still open, and leave
            the page of reports to its own schedule.
        instance: where the run is recorded; nowhere when None.
        on_event: is told of every event of the run as it happens.

    Raises:
        ValueError: the window begins before `start_date`, or the selection selects nothing.
    """
    if window.start < settings.start_date:
        raise ValueError(f"{window.start} is before start_date, {settings.start_date}: the first day there is")
    today = settings.today()
    as_of = as_of or today
    last_day = window.last if window.last > today else None
    definitions = build_defs(settings, last_day)
    job = definitions.resolve_job_def(REFRESH_JOB if only_open_days else JOB)
    chosen = None
    if selection is not None:
        chosen = _selected(definitions.resolve_asset_graph(), selection)
    with dg.DagsterInstance.ephemeral() as ephemeral:
        result = _execute(job, instance or ephemeral, window, as_of, settings, only_open_days, chosen, on_event)
        return _outcome(result)


def _selected(graph: dg.AssetGraph, selection: str) -> list[dg.AssetKey]:
    try:
        chosen = sorted(dg.AssetSelection.from_string(selection).resolve(graph))
    except dg.DagsterError as error:  # it does not read as a selection, or names what is not there
        raise ValueError(f"the selection {selection!r}: {error}") from error
    if not chosen:
        raise ValueError(f"the selection {selection!r} selects no asset")
    return chosen


def _execute(
    job: dg.JobDefinition,
    instance: dg.DagsterInstance,
    window: Window,
    as_of: date,
    settings: Settings,
    only_open_days: bool,
    chosen: list[dg.AssetKey] | None,
    on_event: Callable[[dg.DagsterEvent], None] | None,
) -> dg.ExecuteInProcessResult:
    run_id = str(uuid.uuid4())
    if on_event:
        instance.add_event_listener(run_id, lambda entry: entry.dagster_event and on_event(entry.dagster_event))
    return job.execute_in_process(
        run_config={
            **run_config(settings, as_of, only_open_days=only_open_days),
            "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
        },
        instance=instance,
        raise_on_error=False,
        tags=run_tags(window),
        asset_selection=chosen,
        run_id=run_id,
    )


def _outcome(result: dg.ExecuteInProcessResult) -> Outcome:
    failures: list[str] = []
    warnings: list[str] = []
    for event in result.all_events:
        if event.is_step_failure:
            failures.append(f"{event.step_key}: {_cause(event)}")
        elif event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            evaluation = event.asset_check_evaluation_data
            told = f"{evaluation.asset_key.to_user_string()} {evaluation.check_name}: {evaluation.description or ''}"
            if not evaluation.passed:
                is_error = evaluation.severity == dg.AssetCheckSeverity.ERROR
                (failures if is_error else warnings).append(told.rstrip(": "))
    return Outcome(result.success, failures, warnings)


def _cause(event: dg.DagsterEvent) -> str:
    error = event.step_failure_data.error
    while error is not None and error.cause is not None:
        error = error.cause
    return error.message.strip() if error else "failed"
