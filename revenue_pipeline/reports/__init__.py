"""What people read: schema `reports`.

Belongs here: one `.sql` file a report, its declaration in `catalog`, and the checks of both; `macros/`, the questions
with arguments. It reads `core`, and `raw` only where no core table carries the fact.
Does not belong here: new facts (`core`), Python that computes, anything that formats for a screen (`cli`).
"""

from revenue_pipeline.reports.catalog import GROUPS, MACROS, TABLES

__all__ = ["GROUPS", "MACROS", "TABLES"]
