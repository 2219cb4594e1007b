"""Talk to partners: ask their reporting APIs for a day, and hand it on as checked rows.

Belongs here: how a partner is asked and what its answers mean (one file per partner), and what they share: `base`
(accounts, importing a day), `rows`, `http`, `scrubbing` (secrets), `archive` (raw answers), and what some of them have
in common: `costs` (advertising channels), `applovin_report`, `csv_files`, `google_oauth`, `google_stream`,
`graph_api`.
Does not belong here: storing rows, mapping ids or currencies (`raw`), reading settings or the environment (`settings`),
Dagster, DuckDB, pandas.
A new partner is one new file with one `Connector` in it, and its test.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from functools import lru_cache

from revenue_pipeline.partners.base import Connector


@lru_cache(maxsize=1)
def connectors() -> dict[str, type[Connector]]:
    """Every connector of this room by name: the concrete `Connector` classes of its modules."""
    found: dict[str, type[Connector]] = {}
    for entry in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{entry.name}")
        # Python 3.10 takes an alias such as `dict[str, str]` for a class, but not as one of the module's own.
        own = [each for each in vars(module).values() if inspect.isclass(each) and each.__module__ == module.__name__]
        for member in own:
            if issubclass(member, Connector) and not inspect.isabstract(member):
                found[member.name] = member
    return found
