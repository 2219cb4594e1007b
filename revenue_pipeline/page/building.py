"""Puts the page into one file that needs nothing beside it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from revenue_pipeline.page.charts import as_markdown
from revenue_pipeline.page.contents import page_contents
from revenue_pipeline.settings import Settings

ROOM = Path(__file__).parent


@dataclass(frozen=True)
class Page:
    """The page, and its charts as Markdown that the UI shows: title -> picture."""

    html: str
    pictures: Mapping[str, str]

    def write(self, path: Path) -> None:
        """Write the page to `path` in one step: whoever opens it sees the old one or the new one."""
        aside = path.with_name(f"{path.name}.{os.getpid()}")
        aside.write_text(self.html, encoding="utf-8")
        aside.replace(path)


def build_page(settings: Settings, as_of: date) -> Page:
    """Make the page from the published copy, as of a day.

    Raises:
        FileNotFoundError: nothing was published yet.
    """
    contents, charts = page_contents(settings, as_of)
    # Text of reports, an id for one, must not end the element that holds it.
    data = json.dumps(contents, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    html = (ROOM / "page.html").read_text(encoding="utf-8")
    for place, file in (("{{style}}", "page.css"), ("{{script}}", "page.js")):
        html = html.replace(place, (ROOM / file).read_text(encoding="utf-8").strip())
    return Page(html.replace("{{data}}", data), {title: as_markdown(title, svg) for title, svg in charts.items()})
