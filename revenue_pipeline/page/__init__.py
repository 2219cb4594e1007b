"""The page of reports: one HTML file that a person opens in a browser, and the charts on it and in the Dagster UI.

Belongs here: what the page shows (`contents`), its charts (`charts`), its look (`page.html`, `page.css`, `page.js`),
and what puts them into one file (`building`). It reads the published copy, so it never meets the writer's lock.
Does not belong here: new numbers (`reports`); anything that only another program reads.
"""

from revenue_pipeline.page.building import Page, build_page

__all__ = ["Page", "build_page"]
