from __future__ import annotations

from revenue_pipeline.page.charts import as_markdown, by_day, curves, heat_map

POINTS = [{"cohort": "2026-11-05", "period": n, "value": 1.5 * n, "shown": f"{1.5 * n}*"} for n in range(3)]


def test_charts_are_drawn_in_the_ink_of_where_they_stand() -> None:
    for drawn in (
        curves(POINTS, "ROAS", "days since install", level=1.0),
        heat_map(POINTS, "Revenue", "days since install"),
        by_day([{"day": "2026-11-05", "series": "news", "value": 2.0}], "RPM", "Container"),
    ):
        assert drawn.startswith("<svg")
        assert "currentColor" in drawn


def test_a_heat_map_shows_the_text_of_each_cell() -> None:
    assert "3.0*" in heat_map(POINTS, "Revenue", "days since install")


def test_a_picture_stands_in_a_text() -> None:
    assert as_markdown("LTV", curves(POINTS, "LTV", "days")).startswith("![LTV](data:image/png;base64,iVBOR")
