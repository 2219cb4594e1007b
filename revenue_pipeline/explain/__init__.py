"""Explain one number of a report down to the events behind it, each level summing exactly to the one above.

Belongs here: which columns of a report can be taken apart (`catalog`), for each the query of its parts (a `.sql` file),
what makes a tree of them and holds it against the cell (`explanation`), and how that is written (`rendering`).
Does not belong here: new numbers (`core`, `reports`): an explanation shows what is there.
"""

from revenue_pipeline.explain.asking import explain_cell, explain_user_day, read_key

__all__ = ["explain_cell", "explain_user_day", "read_key"]
