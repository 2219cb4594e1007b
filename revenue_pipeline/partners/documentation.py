"""The page `docs/partners.md`, written from what the connectors declare: `make docs`."""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Iterable
from typing import Any

from revenue_pipeline.partners import connectors
from revenue_pipeline.partners.base import Connector

_INTRODUCTION = """# Partners

Every connector there is, as the code declares it; `make docs` writes this page. A partner is named under `partners:` in
the settings, with `connector:` one of these; what it takes besides is told below. Partners without an API: `files`.

- **Day**: the zone of the partner's days; `timezone:` in the settings where the account has another one.
- **Reach-back**: how old a day may be. An older one is an error, and keeps what was imported.
- **Window**: for how many days a day is asked for again. It is `import_window_days`, 3 unless set, for all of them;
  where the partner is known to restate for longer, the table says what to set.
- **Columns**: what `grain:` may choose from. Ad formats and platforms are the partner's own words in lower case.
"""


def page() -> str:
    """The page as Markdown."""
    known = [connector for _, connector in sorted(connectors().items())]
    parts = [_INTRODUCTION, _table(_HEADINGS, map(_summary, known)), *map(_section, known)]
    return "\n".join(parts)


_HEADINGS = ("connector", "fills", "day", "reach-back", "window", "granularity", "columns")


def _summary(connector: type[Connector]) -> list[str]:
    own_window = connector.import_window_days != Connector.import_window_days
    return [
        f"[{connector.name}](#{connector.name})",
        ", ".join(f"`raw.{kind.dataset}`" for kind in connector.gives),
        connector.timezone,
        _reach_back(connector),
        f"set {connector.import_window_days}" if own_window else "3",
        ", ".join(granularity.replace("_", "-") for granularity in connector.granularities) or "-",
        ", ".join(connector.grain) or "-",
    ]


def _reach_back(connector: type[Connector]) -> str:
    usual = "not known" if connector.reach_back_days is None else f"{connector.reach_back_days} days"
    of_users = connector.user_level_reach_back_days
    return usual if of_users is None else f"{usual}; user-level {of_users} days"


def _section(connector: type[Connector]) -> str:
    credentials = ", ".join(f"`{name}`" for name in connector.credentials) or "none"
    limit = connector.rate_limit
    paced = f"at most {limit.calls} calls in {limit.seconds:g} s, as documented" if limit else "no limit is published"
    days = connector.concurrent_days
    facts = [
        f"- Documentation: <{connector.documentation}>",
        f"- Address: `{connector.base_url}`",
        f"- Credentials: {credentials}",
        f"- Currency of rows that name none: {connector.currency or '-'}",
        f"- Calls: {paced}; {days} {'days' if days > 1 else 'day'} at once",
    ]
    told = [inspect.getdoc(inspect.getmodule(connector)) or "", inspect.getdoc(connector) or ""]
    options = [_option(name, each) for name, each in connector.Options.model_json_schema()["properties"].items()]
    required = connector.Options.model_json_schema().get("required", [])
    rows = [[f"`{name}`", "required" if name in required else default, told] for name, default, told in options]
    table = ["", _table(("option", "default", "meaning"), rows)] if rows else [""]
    return "\n".join([f"\n## {connector.name}\n", "\n\n".join(told), "", *facts, *table]).rstrip() + "\n"


def _option(name: str, schema: dict[str, Any]) -> tuple[str, str, str]:
    default = schema.get("default")
    shown = (
        "-" if default in (None, "", [], {}) else f"`{default if isinstance(default, str) else json.dumps(default)}`"
    )
    kinds = [schema, *schema.get("anyOf", [])]
    choices = [choice for kind in kinds for choice in kind.get("enum", [])]
    choice = f" One of {', '.join(f'`{each}`' for each in choices)}." if choices else ""
    return name, shown, schema.get("description", "") + choice


def _table(headings: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    cells = [list(headings), *map(list, rows)]
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in cells]
    return "\n".join([lines[0], "|" + "---|" * len(cells[0]), *lines[1:]]) + "\n"


if __name__ == "__main__":
    sys.stdout.write(page())
