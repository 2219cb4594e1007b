"""Small adversarial worlds: what a person sets, what lands in folders, and what is asked for.

A seed is a world. Each module here adds one part of the business to it, with choices of its own, so that a new part
leaves the others as they were. `landing_files` writes a world to disk, `comparison` holds tables against each other.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from random import Random
from typing import Any

from revenue_pipeline_tests import reference
from revenue_pipeline_tests.reference.cohorts import Question
from revenue_pipeline_tests.reference.landing import DATASETS, Landed, LandedFile, Texts, trimmed, why_rejected
from revenue_pipeline_tests.reference.values import ONE_DAY
from revenue_pipeline_tests.worlds import advertising, cohorts, contracts, messages
from revenue_pipeline_tests.worlds.builder import Builder, days_between
from revenue_pipeline_tests.worlds.landing_files import FORMATS

# Around both clock changes of Los Angeles, a leap day and a New Year.
QUESTIONS = 12  # for each world
FIRST_DAYS = (date(2025, 10, 31), date(2026, 3, 6), date(2024, 2, 27), date(2025, 12, 30), date(2026, 5, 4))


@dataclass(frozen=True)
class World:
    """What a person sets, what landed, and what is asked for."""

    settings: dict[str, Any]
    landing: Sequence[LandedFile]
    first: date
    last: date
    as_of: date
    questions: Sequence[Question]

    @property
    def days(self) -> list[date]:
        return days_between(self.first, self.last)


def make_world(seed: int, most_days: int = 6) -> World:
    """Give the world of a seed, of 3 to `most_days` days."""
    rng = Random(seed)  # noqa: S311, the same world every time is the point
    first = rng.choice(FIRST_DAYS)
    length = rng.randint(3, most_days)
    builder = Builder(seed, first, first + ONE_DAY * (length - 1))
    advertising.add(builder)
    cohorts.add(builder)
    messages.add(builder)
    contracts.add(builder)
    files = [*_files(builder), *_odd_files(builder)]
    as_of = first + ONE_DAY * rng.randint(0, length + 5)
    questions = list(cohorts.questions(builder, QUESTIONS))
    return World(builder.settings, files, first, builder.last, as_of, questions)


def _files(builder: Builder) -> Iterable[LandedFile]:
    """The rows of each folder, shuffled over one or two files of different formats."""
    rng = builder.choices("files")
    formats = rng.sample(FORMATS, 5)
    for dataset, rows in builder.rows.items():
        folders: dict[date, list[Texts]] = defaultdict(list)
        for folder, row in rows:
            folders[folder].append(row)
        for folder, landed in folders.items():
            rng.shuffle(landed)
            parts = rng.choice((1, 1, 1, 2))
            for part in range(parts):
                yield LandedFile(dataset, folder, f"{part}.{rng.choice(formats)}", landed[part::parts])


def _odd_files(builder: Builder) -> Iterable[LandedFile]:
    """Files without rows (for a partner: an empty batch) and files that lack a required column altogether."""
    rng = builder.choices("odd files")
    for dataset, rows in builder.rows.items():
        if rng.random() < 0.3:
            yield LandedFile(dataset, rng.choice(builder.days_around), f"empty.{rng.choice(FORMATS)}")
        if rng.random() < 0.3 and rows:
            folder, row = rng.choice(rows)
            lacking = rng.choice(DATASETS[dataset].required)
            left = {column: text for column, text in row.items() if column != lacking}
            yield LandedFile(dataset, folder, f"lacking.{rng.choice(FORMATS)}", [left, left])


def corrected(world: World) -> World:
    """The same world when partners have thought better of some of their numbers; what could not be used stays so."""
    rules = reference.rules_of(world.landing, world.settings, world.as_of)

    def corrected_row(folder: date, row: Landed) -> Landed:
        is_used = why_rejected("partner_revenue", trimmed("partner_revenue", row), folder, rules) is None
        return {**row, "revenue": "1.230000001"} if is_used and folder.day % 2 else row

    def corrected_file(file: LandedFile) -> LandedFile:
        return replace(file, rows=[corrected_row(file.folder, row) for row in file.rows])

    files = [corrected_file(file) if file.dataset == "partner_revenue" else file for file in world.landing]
    return replace(world, landing=files)
