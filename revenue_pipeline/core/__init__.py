"""Agree on the money: schema `core`.

Belongs here: one `.sql` file a table, its declaration in `catalog`, and the checks of both. It reads `raw` and `core`.
Does not belong here: Python that computes; anything a person looks at (`reports`); anything as landed (`raw`).
"""

from revenue_pipeline.core.catalog import GROUPS, TABLES

__all__ = ["GROUPS", "TABLES"]
