"""Does what is measured in processes of its own, so that the memory and the caches of one do not count for another."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import date
from multiprocessing import get_context
from pathlib import Path

SETTINGS_FILE = "revenue_pipeline.yaml"


@dataclass(frozen=True)
class Measured:
    """What a piece of work took: seconds, and the most memory that its process held, in GB."""

    seconds: float
    gigabytes: float


def measured(work: Callable[..., None], *arguments: object) -> Measured:
    """Do `work` in a new process, and say what it took; what it imports by itself counts."""
    with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn"), initializer=_say_nothing) as pool:
        return pool.submit(_timed, work, arguments).result()


def _say_nothing() -> None:
    """Leave the terminal to the figures: DuckDB draws bars and lists leftovers. Errors come back anyway."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)


def _timed(work: Callable[..., None], arguments: tuple[object, ...]) -> Measured:
    started = time.perf_counter()
    work(*arguments)
    seconds = time.perf_counter() - started
    return Measured(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6)


def run_days(folder: Path, first: date, last: date, is_refresh: bool = False) -> None:
    """Run the whole graph over some days, or refresh them, with the settings that lie in `folder`."""
    from revenue_pipeline.partitions import Window  # noqa: PLC0415  importing is a part of what is measured
    from revenue_pipeline.run import run_graph  # noqa: PLC0415
    from revenue_pipeline.settings import SETTINGS_VARIABLE, load_settings  # noqa: PLC0415

    settings = load_settings({SETTINGS_VARIABLE: str(folder / SETTINGS_FILE)})
    outcome = run_graph(settings, Window.between(first, last), as_of=last, only_open_days=is_refresh)
    if outcome.failures:
        raise RuntimeError("\n".join(outcome.failures))
