"""Raw partner answers on disk, kept before anybody parses them.

    <folder>/<partner>/<report date>/<import id>/0001.json.gz, 0002.json.gz, …, requests.ndjson

Answers are written to a `pending-…` folder of their own, so processes never meet. The folder is renamed once: to the
import id when the import worked, to `failed-…` when it did not. A `pending-…` folder that nobody writes to any more is
left of an import that was killed, and can be deleted.
"""

from __future__ import annotations

import gzip
import json
import shutil
import uuid
from collections.abc import Mapping
from datetime import date
from pathlib import Path


class Archive:
    """The archive of a deployment."""

    def __init__(self, folder: Path | str) -> None:
        """`folder` is made when it is first written to."""
        self.folder = Path(folder)

    def open(self, partner: str, day: date) -> PendingAnswers:
        """A new pending folder for the answers of one import of one report date."""
        return PendingAnswers(self.folder / partner / day.isoformat())


class PendingAnswers:
    """The answers of one import under way. Used by one thread; end it with `finish` or `fail`."""

    def __init__(self, day_folder: Path) -> None:
        """Make a folder of their own inside `day_folder`."""
        self._key = uuid.uuid4().hex
        self._count = 0
        self.folder = day_folder / f"pending-{self._key}"
        self.folder.mkdir(parents=True)

    def add(self, body: bytes, extension: str, request: Mapping[str, object]) -> None:
        """Keep one answer. The body and `request` (its line in requests.ndjson) must be free of secrets already."""
        self._count += 1
        file = f"{self._count:04d}.{extension}.gz"
        (self.folder / file).write_bytes(gzip.compress(body, compresslevel=6, mtime=0))
        with (self.folder / "requests.ndjson").open("a", encoding="utf-8") as index:
            index.write(json.dumps({"file": file, **request}) + "\n")

    def finish(self, import_id: str) -> Path:
        """Move the answers to the folder of their import id; where that exists, the same content is kept already."""
        final = self.folder.with_name(import_id)
        try:
            self.folder.rename(final)
        except OSError:
            if not final.is_dir():
                raise
            shutil.rmtree(self.folder)
        return final

    def fail(self) -> Path | None:
        """Set the answers aside under `failed-…` for whoever looks into it; None when there was no answer at all."""
        if not self._count:
            self.folder.rmdir()
            return None
        return self.folder.rename(self.folder.with_name(f"failed-{self._key}"))
