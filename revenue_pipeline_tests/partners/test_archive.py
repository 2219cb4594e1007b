from __future__ import annotations

import gzip
import json
import multiprocessing
from datetime import date
from pathlib import Path

from revenue_pipeline.partners.archive import Archive

DAY = date(2026, 10, 5)
REQUEST = {"method": "GET", "url": "http://partner/report", "status": 200}


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_answers_are_kept_by_import_id(tmp_path: Path) -> None:
    answers = Archive(tmp_path).open("acme", DAY)
    answers.add(b'{"page": 1}', "json", REQUEST)
    answers.add(b"a,b\n", "csv", {**REQUEST, "status": 206})
    assert answers.folder.name.startswith("pending-")

    folder = answers.finish("abc123")

    assert folder == tmp_path / "acme" / "2026-10-05" / "abc123"
    kept = files(tmp_path)
    assert set(kept) == {
        f"acme/2026-10-05/abc123/{name}" for name in ("0001.json.gz", "0002.csv.gz", "requests.ndjson")
    }
    assert gzip.decompress((folder / "0001.json.gz").read_bytes()) == b'{"page": 1}'
    index = [json.loads(line) for line in (folder / "requests.ndjson").read_text().splitlines()]
    assert index[1] == {"file": "0002.csv.gz", "method": "GET", "url": "http://partner/report", "status": 206}


def test_the_same_answers_give_the_same_bytes(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        answers = Archive(tmp_path / folder).open("acme", DAY)
        answers.add(b"the same", "txt", REQUEST)
        answers.finish("abc123")
    assert files(tmp_path / "one") == files(tmp_path / "two")
    compressed = files(tmp_path / "one")["acme/2026-10-05/abc123/0001.txt.gz"]
    assert compressed[4:8] == bytes(4)  # no time of writing in the gzip header


def test_an_import_id_that_is_kept_already_stays_and_the_pending_folder_goes(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    for body in (b"first", b"second"):
        answers = archive.open("acme", DAY)
        answers.add(body, "txt", REQUEST)
        folder = answers.finish("abc123")
    assert gzip.decompress((folder / "0001.txt.gz").read_bytes()) == b"first"
    assert [path.name for path in folder.parent.iterdir()] == ["abc123"]


def test_answers_of_a_failure_are_set_aside(tmp_path: Path) -> None:
    answers = Archive(tmp_path).open("acme", DAY)
    answers.add(b"<html>", "html", REQUEST)
    folder = answers.fail()
    assert folder is not None
    assert folder.name.startswith("failed-")
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_a_failure_without_an_answer_leaves_nothing(tmp_path: Path) -> None:
    assert Archive(tmp_path).open("acme", DAY).fail() is None
    assert list((tmp_path / "acme" / "2026-10-05").iterdir()) == []


def import_many(folder: Path, start: multiprocessing.synchronize.Barrier) -> None:
    start.wait()
    for number in range(50):
        answers = Archive(folder).open("acme", DAY)
        answers.add(b"the same", "txt", REQUEST)
        answers.finish(f"import-{number}")


def test_processes_that_import_the_same_day_at_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    start = context.Barrier(4)
    processes = [context.Process(target=import_many, args=(tmp_path, start)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(timeout=30)
    assert [process.exitcode for process in processes] == [0, 0, 0, 0]
    folders = list((tmp_path / "acme" / "2026-10-05").iterdir())
    assert {folder.name for folder in folders} == {f"import-{number}" for number in range(50)}
    assert all(gzip.decompress((folder / "0001.txt.gz").read_bytes()) == b"the same" for folder in folders)
