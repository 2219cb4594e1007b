"""An explanation as text, for a person, and as JSON, for a program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from rich.markup import escape
from rich.tree import Tree

from revenue_pipeline.explain.explanation import ExplainedCell, Part


def as_tree(cell: ExplainedCell) -> Tree:
    """Draw the components of a cell, each with its parts below it."""
    tree = Tree(f"[bold]{escape(cell.title)}[/]\n{escape(cell.formula)}")
    for explained in cell.components:
        told = "" if explained.is_exact else f"  [red]but the report says {_shown(explained.reported)}[/]"
        levels = " > ".join(level.replace("_", " ") for level in explained.levels)
        branch = tree.add(
            f"[bold]{explained.component.title}[/] {_shown(explained.total.value)}{told}  [dim]{levels}[/]"
        )
        _add(branch, explained.total.parts)
    return tree


def as_json(cell: ExplainedCell) -> dict[str, Any]:
    """Give the same as values that JSON can hold; money is text in full digits."""
    return {
        "cell": cell.title,
        "formula": cell.formula,
        "components": [
            {
                "column": explained.component.column,
                "levels": list(explained.levels),
                "reported": None if explained.reported is None else f"{explained.reported:f}",
                "is_exact": explained.is_exact,
                **_part(explained.total),
            }
            for explained in cell.components
        ],
    }


def _add(branch: Tree, parts: Sequence[Part]) -> None:
    for part in parts:
        facts = ", ".join(f"{name}={_written(fact)}" for name, fact in part.facts.items())
        _add(branch.add(f"{escape(part.label)}  {_shown(part.value)}  [dim]{escape(facts)}[/]"), part.parts)


def _part(part: Part) -> dict[str, Any]:
    facts: Mapping[str, Any] = {name: _written(fact) for name, fact in part.facts.items()}
    parts = [_part(each) for each in part.parts]
    return {"label": part.label, "value": f"{part.value:f}", "rows": part.rows, "facts": facts, "parts": parts}


def _shown(value: Decimal | None) -> str:
    """Write a number in full, but for zeros at its end."""
    text = f"{value or 0:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _written(value: Any) -> Any:
    return f"{value:f}" if isinstance(value, Decimal) else value if isinstance(value, int | bool) else str(value)
