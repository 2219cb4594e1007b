"""Charts as SVG, described in Vega-Lite. Their ink is that of where they stand, so that they suit light and dark."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

INK = "currentColor"
# Old cohorts to young ones, without the ends of the scheme, which a white or a black page would swallow.
COHORT_COLOURS = {"name": "plasma", "extent": [0.12, 0.82]}
CONFIG: Mapping[str, Any] = {
    "background": None,
    "font": "system-ui, sans-serif",
    "view": {"stroke": None},
    "axis": {
        **dict.fromkeys(("labelColor", "titleColor", "domainColor", "tickColor", "gridColor"), INK),
        "gridOpacity": 0.13,
        "domainOpacity": 0.5,
        "tickOpacity": 0.5,
    },
    "legend": {"labelColor": INK, "titleColor": INK, "symbolStrokeWidth": 3},
}
SIZE = {"width": 560, "height": 260}


def curves(rows: Sequence[Mapping[str, Any]], y_title: str, x_title: str, level: float | None = None) -> str:
    """Draw one line a cohort over its periods.

    Args:
        rows: `cohort`, `period`, `value`; a value may be None.
        y_title: what the value is, and its unit.
        x_title: what the periods are.
        level: draws a dashed line there, such as where money is earned back.
    """
    lines = {
        "data": {"values": list(rows)},
        "mark": {"type": "line", "interpolate": "linear", "strokeWidth": 1.8, "point": {"size": 16}},
        "encoding": {
            "x": {"field": "period", "type": "quantitative", "title": x_title, "axis": {"tickMinStep": 1}},
            "y": {"field": "value", "type": "quantitative", "title": y_title},
            "color": {
                "field": "cohort",
                "type": "ordinal",
                "title": "Cohort",
                "scale": {"scheme": COHORT_COLOURS},
            },
        },
    }
    rule = {
        "data": {"values": [{"level": level}]},
        "mark": {"type": "rule", "strokeDash": [5, 4], "color": INK, "opacity": 0.6},
        "encoding": {"y": {"field": "level", "type": "quantitative"}},
    }
    return svg({**SIZE, "layer": [lines, rule] if level is not None else [lines]})


def by_day(rows: Sequence[Mapping[str, Any]], y_title: str, series_title: str) -> str:
    """Draw one line a series over days: rows of `day` (ISO 8601), `series`, `value`."""
    encoding = {
        "x": {"field": "day", "type": "temporal", "title": None, "axis": {"format": "%b %d"}},
        "y": {"field": "value", "type": "quantitative", "title": y_title},
        "color": {"field": "series", "type": "nominal", "title": series_title},
    }
    mark = {"type": "line", "strokeWidth": 1.8, "point": {"size": 16}}
    return svg({**SIZE, "data": {"values": list(rows)}, "mark": mark, "encoding": encoding})


def heat_map(rows: Sequence[Mapping[str, Any]], value_title: str, x_title: str) -> str:
    """Draw a cohort report: rows of `cohort`, `period`, `value`, `shown` (the text in the cell, `*` if running)."""
    position = {
        "x": {"field": "period", "type": "ordinal", "title": x_title, "axis": {"orient": "top", "labelAngle": 0}},
        "y": {"field": "cohort", "type": "ordinal", "title": None},
    }
    colour = {"field": "value", "type": "quantitative", "title": value_title, "scale": {"scheme": "tealblues"}}
    cells = {"mark": {"type": "rect", "opacity": 0.75}, "encoding": {"color": {**colour, "legend": None}}}
    texts = {"mark": {"type": "text", "fontSize": 9, "color": INK}, "encoding": {"text": {"field": "shown"}}}
    size = {"width": {"step": 52}, "height": {"step": 18}}
    return svg({**size, "data": {"values": list(rows)}, "encoding": position, "layer": [cells, texts]})


def as_markdown(title: str, drawn: str) -> str:
    """Write a chart as a picture that stands in a Markdown text, on white paper, whatever is around it."""
    import vl_convert  # noqa: PLC0415  as below

    on_paper = drawn.replace(INK, "#1b1f24").replace(">", '><rect width="100%" height="100%" fill="#ffffff"/>', 1)
    png = base64.b64encode(vl_convert.svg_to_png(on_paper)).decode()
    return f"![{title}](data:image/png;base64,{png})"


def svg(description: Mapping[str, Any]) -> str:
    """Draw a Vega-Lite description."""
    import vl_convert  # noqa: PLC0415  starts an engine of its own, which only those who draw should wait for

    drawn: str = vl_convert.vegalite_to_svg({**description, "config": CONFIG})
    return drawn
