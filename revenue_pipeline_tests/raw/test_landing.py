"""Every format, every kind of value, every reason to reject a row, and files that nobody should have landed."""

from __future__ import annotations

import csv
import gzip
import json
import re
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import duckdb
import fsspec
import pytest

from revenue_pipeline.partitions import Window
from revenue_pipeline.raw.datasets import COSTS, EVENTS, FX_RATES, PARTNER_REVENUE_FILES
from revenue_pipeline.raw.exchange_rates import load_exchange_rates
from revenue_pipeline.raw.files import LandingError, LandingFolder
from revenue_pipeline.raw.land import record_rejected
from revenue_pipeline.raw.landing import Rules, day_start
from revenue_pipeline_tests.raw.conftest import COST_HEADER, DAY, EVENT_HEADER, TEN, Lake, csv_of


def at(text: str) -> datetime:
    """A UTC time as DuckDB gives it, without a zone."""
    return datetime.fromisoformat(text)


FULL_HEADER = "event_id,event_name,event_time,country,platform,ad_format,user_id,revenue,currency,is_automated"
FULL_ROW = {
    "event_id": " 007 ",
    "event_name": "ad_impression",
    "event_time": TEN,
    "country": "de",
    "platform": "iOS",
    "ad_format": "BANNER",
    "user_id": "  ",
    "revenue": "0.123456789",
    "currency": "USD",
    "is_automated": "true",
}
FULL_AS_READ = (
    *("007", "ad_impression", at("2026-10-05 10:00:00"), "DE", "ios", "banner", None),
    *(Decimal("0.123456789"), "USD", True),
)


def zstd(text: str, folder: Path) -> bytes:
    """Compress with DuckDB, which is at hand, as lines without quoting."""
    path = folder / f"{uuid4()}.zst"
    with duckdb.connect(":memory:") as connection:
        connection.execute("CREATE TABLE lines (line VARCHAR)")
        connection.executemany("INSERT INTO lines VALUES (?)", [[line] for line in text.splitlines()])
        connection.execute(
            f"COPY lines TO '{path}' (FORMAT csv, HEADER false, QUOTE '', ESCAPE '', DELIM '\x01', COMPRESSION zstd)"
        )
    return path.read_bytes()


def event(event_id: str = "1", **columns: Any) -> dict[str, Any]:
    return {"event_id": event_id, "event_name": "purchase", "event_time": TEN, **columns}


def texts(**columns: str) -> str:
    """One Parquet row of texts."""
    return "SELECT " + ", ".join(f"'{value}' AS {name}" for name, value in columns.items())


TYPED = "'purchase' AS event_name, TIMESTAMP '2026-10-05 10:00:00' AS event_time"


# --- formats ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".csv.zst", ".ndjson", ".ndjson.gz", ".jsonl.zst"])
def test_every_text_format_reads_as_the_same_row(lake: Lake, tmp_path: Path, suffix: str) -> None:
    content = f"{FULL_HEADER}\n{','.join(FULL_ROW.values())}\n" if "csv" in suffix else json.dumps(FULL_ROW) + "\n"
    packed = {".gz": gzip.compress(content.encode()), ".zst": zstd(content, tmp_path)}
    lake.put("events", f"rows{suffix}", packed.get(Path(suffix).suffix, content.encode()))

    lake.read()

    assert lake.ask(f"SELECT {FULL_HEADER} FROM raw.events") == [FULL_AS_READ]


@pytest.mark.parametrize(
    "select",
    [
        texts(**FULL_ROW),
        (
            "SELECT '007' AS event_id, 'ad_impression' AS event_name, TIMESTAMP '2026-10-05 10:00:00' AS event_time, "
            "'de' AS country, 'iOS' AS platform, 'BANNER' AS ad_format, NULL::INTEGER AS user_id, "
            "0.123456789::DECIMAL(18,9) AS revenue, 'USD' AS currency, TRUE AS is_automated"
        ),
        (
            "SELECT '007' AS event_id, 'ad_impression' AS event_name, "
            "TIMESTAMPTZ '2026-10-05 12:00:00+02' AS event_time, 'de' AS country, "
            "'iOS' AS platform, 'BANNER' AS ad_format, '' AS user_id, "
            "0.123456789::DOUBLE AS revenue, 'USD' AS currency, 1 AS is_automated"
        ),
    ],
    ids=["as text", "typed", "typed otherwise"],
)
def test_parquet_reads_as_the_same_row_typed_or_as_text(lake: Lake, select: str) -> None:
    lake.put_parquet("events", "rows.parquet", select)

    lake.read()

    assert lake.ask(f"SELECT {FULL_HEADER} FROM raw.events") == [FULL_AS_READ]


def test_files_of_all_formats_and_shapes_lie_side_by_side_and_hidden_ones_are_left_alone(lake: Lake) -> None:
    lake.put("events", "a.csv", f"{EVENT_HEADER},user_id\n1,open,{TEN},u1\n")
    lake.put("events", "b.csv", f"user_id,event_time,extra,event_name,event_id\nu2,{TEN},x,open,2\n")
    lake.put_lines({"event_time": TEN, "event_name": "open", "event_id": "3", "user_id": "u3", "extra": [1]})
    lake.put_parquet("events", "d.parquet", f"SELECT 4 AS event_id, 5 AS user_id, {TYPED}")
    lake.put("events", "UPPER.CSV", f"{EVENT_HEADER},user_id\n5,open,{TEN},u5\n")
    lake.put("events", "_SUCCESS", "")
    lake.put("events", ".rows.csv.swp", "junk")
    lake.put("events", "_temporary/part.csv", "junk")

    lake.read()

    assert lake.ask("SELECT event_id, user_id FROM raw.events ORDER BY event_id") == [
        ("1", "u1"),
        ("2", "u2"),
        ("3", "u3"),
        ("4", "5"),
        ("5", "u5"),
    ]


def test_an_object_store_is_read_through_fsspec(lake: Lake) -> None:
    bucket = f"memory://bucket-{uuid4()}"
    store = fsspec.filesystem("memory")
    folder = f"{bucket.removeprefix('memory:/')}/events/date=2026-10-05"
    parquet = lake.put_parquet("elsewhere", "a.parquet", f"SELECT '4' AS event_id, {TYPED}").read_bytes()
    store.pipe(f"{folder}/a.csv", f"{EVENT_HEADER}\n1,open,{TEN}\n,open,{TEN}\n".encode())
    store.pipe(f"{folder}/b.csv.gz", gzip.compress(f"{EVENT_HEADER}\n2,open,{TEN}\n".encode()))
    store.pipe(f"{folder}/c.ndjson", json.dumps(event("3")).encode())
    store.pipe(f"{folder}/d.parquet", parquet)

    lake.land(url=bucket)

    assert lake.event_ids() == ["1", "2", "3", "4"]
    assert lake.ask("SELECT folder_date, file, reason FROM raw.rejected_rows") == [(DAY, "a.csv", "missing_column")]

    lake.connection.unregister_filesystem("memory")
    store.pipe(f"{folder}/e.parquet", b"junk")
    with pytest.raises(LandingError, match=r"e\.parquet"):
        lake.land(url=bucket)
    lake.connection.unregister_filesystem("memory")
    assert lake.event_ids() == ["1", "2", "3", "4"]


# --- file names ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["it's.csv", 'a"b.csv', "a%20b #1 {x}.csv", "ü ö.csv", "date=2026-01-01.csv", "a;b=c.csv"]
)
def test_a_file_may_have_an_odd_name(lake: Lake, name: str) -> None:
    lake.put("events", name, f"{EVENT_HEADER}\n1,open,{TEN}\n,open,{TEN}\n")

    lake.read()

    assert lake.event_ids() == ["1"]
    assert lake.ask("SELECT folder_date, file FROM raw.rejected_rows") == [(DAY, name)]


@pytest.mark.parametrize(("name", "lookalike"), [("a*b", "axb"), ("a?b", "axb"), ("report[1]", "report1")])
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_name_with_pattern_characters_names_one_file_only(lake: Lake, name: str, lookalike: str, suffix: str) -> None:
    for file, channel in ((name, "pattern"), (lookalike, "plain")):
        if suffix == ".csv":
            lake.put("costs", file + suffix, f"{COST_HEADER}\n2026-10-05,{channel},1,USD\n")
        else:
            row = f"SELECT DATE '2026-10-05' AS cost_date, '{channel}' AS channel, 1 AS cost, 'USD' AS currency"
            lake.put_parquet("costs", file + suffix, row)

    lake.read(COSTS)

    assert lake.ask("SELECT channel, sum(cost) FROM raw.costs GROUP BY ALL ORDER BY ALL") == [
        ("pattern", Decimal(1)),
        ("plain", Decimal(1)),
    ]


def test_a_landing_folder_with_pattern_characters_is_that_folder_only(lake: Lake, tmp_path: Path) -> None:
    row = f"{COST_HEADER}\n2026-10-05,{{}},1,USD\n"
    lake.put("costs", "a.csv", row.format("other"))
    lake.landing = tmp_path / "land*g"
    lake.put("costs", "a.csv", row.format("ours"))

    lake.read(COSTS)

    assert lake.column("SELECT channel FROM raw.costs") == ["ours"]


# --- files that cannot be read ---------------------------------------------------------------------------------------


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def test_a_file_of_an_unknown_kind_fails_by_name_and_changes_nothing(lake: Lake) -> None:
    lake.put("events", "good.csv", f"{EVENT_HEADER}\n1,open,{TEN}\n")
    lake.land()
    lake.put("events", "good.csv", f"{EVENT_HEADER}\n2,open,{TEN}\n,,\n")

    for name in ("notes.txt", "README", "rows.csv.bz2", "rows.parquet.gz", "rows.csv.tmp", "rows.xlsx", "rows.csv."):
        path = lake.put("events", name, "whatever")
        with pytest.raises(LandingError, match=re.escape(f"/{name}: ")):
            lake.land()
        path.unlink()

    assert lake.event_ids() == ["1"]
    assert lake.reasons() == []


def damaged_page(content: bytes) -> bytes:
    """The footer of this Parquet file is whole, its data is not."""
    return content[:200] + b"\xab" * (len(content) // 2 - 200) + content[len(content) // 2 :]


def emptied(_: bytes) -> bytes:
    return b""


def junk(_: bytes) -> bytes:
    return b"junk"


def without_end(content: bytes) -> bytes:
    return content[:-4]


@pytest.mark.parametrize("damage", [cut, damaged_page, emptied, junk])
def test_a_damaged_parquet_file_fails_by_name_and_changes_nothing(lake: Lake, damage: Callable[[bytes], bytes]) -> None:
    lake.put("events", "good.csv", f"{EVENT_HEADER}\n1,open,{TEN}\n")
    lake.land()
    path = lake.put_parquet(
        "events",
        "bad.parquet",
        f"SELECT CAST(i AS VARCHAR) AS event_id, {TYPED}, CAST(random() AS VARCHAR) AS user_id "
        "FROM range(3000) AS t (i)",
    )
    path.write_bytes(damage(path.read_bytes()))

    with pytest.raises(LandingError, match=r"bad\.parquet"):
        lake.land()

    assert lake.event_ids() == ["1"]


@pytest.mark.parametrize("damage", [cut, without_end, junk])
@pytest.mark.parametrize("suffix", [".csv.gz", ".ndjson.gz", ".csv.zst", ".ndjson.zst"])
def test_a_damaged_compressed_file_fails_by_name(
    lake: Lake, tmp_path: Path, suffix: str, damage: Callable[[bytes], bytes]
) -> None:
    rows = [event(str(n), user_id=str(uuid4())) for n in range(200)]
    content = csv_of(*rows) if "csv" in suffix else "".join(json.dumps(row) + "\n" for row in rows)
    packed = gzip.compress(content.encode()) if suffix.endswith("gz") else zstd(content, tmp_path)
    lake.put("events", f"bad{suffix}", damage(packed))

    with pytest.raises(LandingError, match=rf"bad\{suffix}"):
        lake.land()

    assert lake.event_ids() == []


def test_a_zst_file_cut_after_its_first_blocks_fails_by_name(lake: Lake) -> None:
    path = lake.put("events", "bad.csv.zst", "")
    rows = f"SELECT uuid() AS event_id, {TYPED} FROM range(30000)"
    lake.connection.execute(f"COPY ({rows}) TO '{path}' (FORMAT csv, HEADER, COMPRESSION zstd)")
    path.write_bytes(cut(path.read_bytes()))

    with pytest.raises(LandingError, match=r"bad\.csv\.zst"):
        lake.land()

    assert lake.event_ids() == []


# --- files without rows ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", f"{EVENT_HEADER}\n".encode()),
        ("a.csv", EVENT_HEADER.encode()),
        ("a.csv", b""),
        ("a.csv.gz", gzip.compress(b"")),
        ("a.ndjson", b""),
        ("a.ndjson", b"\n \n\n"),
        ("a.ndjson.gz", gzip.compress(b"")),
    ],
    ids=["header", "header without line end", "nothing", "nothing, gz", "no line", "blank lines", "no line, gz"],
)
def test_a_file_without_rows_clears_the_day(lake: Lake, name: str, content: bytes) -> None:
    before = lake.put("events", "before.csv", f"{EVENT_HEADER}\n1,open,{TEN}\n")
    lake.land()
    before.unlink()
    lake.put("events", name, content)

    lake.land()

    assert lake.event_ids() == []
    assert lake.reasons() == []


def test_a_parquet_file_without_rows_clears_the_day(lake: Lake) -> None:
    before = lake.put("events", "before.csv", f"{EVENT_HEADER}\n1,open,{TEN}\n")
    lake.land()
    before.unlink()
    lake.put_parquet("events", "a.parquet", f"SELECT '1' AS event_id, {TYPED} WHERE FALSE")

    lake.land()

    assert lake.event_ids() == []


# --- CSV -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_csv_with_any_line_ends_byte_order_mark_and_quotes(lake: Lake, newline: str, mark: str) -> None:
    lines = [f"{EVENT_HEADER},user_id", f'1,open,{TEN},"a,b"', f'2,open,{TEN},"say ""hi"""', f'3,open,{TEN},""']
    lake.put("events", "a.csv", mark + newline.join(lines))

    lake.read()

    assert lake.ask("SELECT event_id, user_id FROM raw.events ORDER BY 1") == [
        ("1", "a,b"),
        ("2", 'say "hi"'),
        ("3", None),
    ]


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_quoted_value_may_hold_a_line_feed_as_spreadsheets_write_it(lake: Lake, newline: str) -> None:
    lines = [f"{EVENT_HEADER},user_id", f'1,open,{TEN},"two\nlines"', f"2,open,{TEN},u2", ""]
    lake.put("events", "a.csv", newline.join(lines))

    lake.read()

    assert lake.ask("SELECT event_id, user_id FROM raw.events ORDER BY 1") == [("1", "two\nlines"), ("2", "u2")]


@pytest.mark.parametrize("suffix", ["csv", "ndjson"])
def test_line_ends_may_be_mixed_as_in_files_put_together_from_others(lake: Lake, suffix: str) -> None:
    if suffix == "csv":
        lake.put("events", "a.csv", f"{EVENT_HEADER}\n1,open,{TEN}\r\n2,open,{TEN}\n")
    else:
        lake.put("events", "a.ndjson", f"{json.dumps(event('1'))}\n{json.dumps(event('2'))}\r\n")

    lake.read()

    assert lake.event_ids() == ["1", "2"]


def test_blank_lines_are_no_rows(lake: Lake) -> None:
    lake.put("events", "a.csv", f"{EVENT_HEADER}\n\n1,open,{TEN}\n\n2,open,{TEN}\n\n")

    lake.read()

    assert lake.event_ids() == ["1", "2"]
    assert lake.reasons() == []


def test_a_blank_line_before_the_header_is_no_header(lake: Lake) -> None:
    lake.put("events", "a.csv", f"\n{EVENT_HEADER}\n1,open,{TEN}\n")

    lake.read()

    assert lake.event_ids() == ["1"]


def test_lines_of_another_length_or_with_an_open_quote_are_unreadable_and_the_others_land(lake: Lake) -> None:
    lines = [f"1,open,{TEN}", f"2,open,{TEN},u,extra", f"3,open,{TEN},u3", f'4,open,{TEN},"a"b', f'5,open,{TEN},"open']
    lake.put("events", "a.csv", "\n".join([f"{EVENT_HEADER},user_id", *lines]))

    lake.read()

    assert lake.event_ids() == ["3"]
    assert lake.ask("SELECT reason, file, json_extract_string(row, '$') FROM raw.rejected_rows ORDER BY 3") == [
        ("unreadable", "a.csv", line) for line in lines if not line.startswith("3")
    ]


@pytest.mark.parametrize("column", ["user_id", "revenue", "event_id", "extra"])
def test_a_line_that_is_not_utf8_is_recorded_whatever_column_it_breaks_in(lake: Lake, column: str) -> None:
    values = {"event_id": b"1", "event_name": b"open", "event_time": TEN.encode(), "user_id": b"u", "revenue": b"1"}
    values = {**values, "extra": b"x"}
    bad = {**values, column: b"caf\xe9"}
    good = {**values, "event_id": b"2"}
    lake.put("events", "a.csv", b"\n".join([",".join(values).encode(), *(b",".join(r.values()) for r in (bad, good))]))

    lake.land()

    assert [*lake.event_ids(), *lake.reasons()] in (["2", "unreadable"], ["1", "2"])  # an unread column may be let be


def test_a_header_that_is_not_utf8_fails_by_name_rather_than_eating_a_row(lake: Lake) -> None:
    lake.put("events", "bad.csv", f"{EVENT_HEADER},caf".encode() + b"\xe9" + f"\n1,open,{TEN},x\n".encode())

    with pytest.raises(LandingError, match=r"bad\.csv"):
        lake.land()


@pytest.mark.parametrize(
    "header",
    [
        '"event_id","event_name","event_time"',
        " Event_ID ,EVENT_NAME,event_time ",
        'event_id,event_name,event_time,"we""ird","a,b",select,a.b,it\'s,',
        "event_id,event_name,event_time,event_id,user,user,USER",
        "event_id,event_name,event_time,file,reason,folder_date,landed_row,filename,event_id_text,rate_units,event_date",
        "event_id,event_name,event_time,landed_path",
        "event_id,event_name,event_time,event_id_2,event_id",
        "\ufeffevent_id,event_name,event_time",
    ],
)
def test_columns_are_found_whatever_the_header_holds_besides(lake: Lake, header: str) -> None:
    width = len(next(csv.reader([header])))
    usable = ["1", "open", TEN, *["x"] * (width - 3)]
    lake.put("events", "a.csv", f"{header}\n{','.join(usable)}\n{','.join(['', *usable[1:]])}\n")

    lake.read()

    assert lake.event_ids() == ["1"]
    assert lake.reasons() == ["missing_column"]
    assert "open" in json.loads(lake.column("SELECT row FROM raw.rejected_rows")[0]).values()


def test_very_long_values_are_kept_and_longer_ones_recorded(lake: Lake) -> None:
    long, too_long = "x" * 3_000_000, "y" * 17_000_000
    lake.put(
        "events", "a.csv", f"{EVENT_HEADER},user_id\n1,open,{TEN},{long}\n2,open,{TEN},{too_long}\n3,open,{TEN},u\n"
    )
    lake.put_lines(event("4", user_id=long))

    lake.read()

    assert lake.ask("SELECT event_id, length(user_id) FROM raw.events ORDER BY 1") == [
        ("1", 3_000_000),
        ("3", 1),
        ("4", 3_000_000),
    ]
    assert lake.reasons() == ["unreadable"]


# --- NDJSON ----------------------------------------------------------------------------------------------------------


def test_numbers_in_ndjson_are_the_digits_that_were_written(lake: Lake) -> None:
    lake.put_lines(
        f'{{"event_id":12345678901234567890,"event_name":"p","event_time":"{TEN}","revenue":123456789.123456789}}',
        f'{{"event_id":1.0,"event_name":"p","event_time":"{TEN}","revenue" : 1.5e-3 , "user_id":-0}}',
        f'{{"event_id":1e5,"event_name":"p","event_time":"{TEN}","revenue":\t0.000000001\t}}',
        f'{{"event_id":"007","event_name":"p","event_time":"{TEN}","revenue":"0.1","user_id":true}}',
        f'{{"event_id":1.50,"event_name":"p","event_time":"{TEN}","revenue":-999999999.999999999}}',
    )

    lake.read()

    assert sorted(lake.ask("SELECT event_id, revenue, user_id FROM raw.events")) == [
        ("007", Decimal("0.1"), "true"),
        ("1.0", Decimal("0.0015"), "-0"),
        ("1.50", Decimal("-999999999.999999999"), None),
        ("12345678901234567890", Decimal("123456789.123456789"), None),
        ("1e5", Decimal("0.000000001"), None),
    ]


@pytest.mark.parametrize(
    "text", [":100:", ": 5,", " : 5", '"', '\\": 5', "x\\", ']": 5', '{"a":1}', ',"revenue":5', "\t", "é😀", "null"]
)
def test_a_text_in_ndjson_may_hold_anything_that_looks_like_json(lake: Lake, text: str) -> None:
    lake.put_lines(
        event("1", user_id=f"<{text}"), event("2", user_id=text, revenue=2), event("3", x=[text]), event("4")
    )

    lake.read()

    kept = {"1": f"<{text}".strip(), "2": text.strip() or None, "3": None, "4": None}
    assert dict(lake.ask("SELECT event_id, user_id FROM raw.events")) == kept
    assert lake.column("SELECT revenue FROM raw.events WHERE event_id = '2'") == [Decimal(2)]


def test_keys_may_come_in_any_order_escaped_or_with_a_nested_namesake(lake: Lake) -> None:
    lake.put_lines(
        f'{{"revenue":1.1,"event_time":"{TEN}","nested":{{"event_id":"no","revenue":9}},"event_name":"p","event_id":"1"}}',
        f'{{"event\\u005fid":"2","event_name":"\\u00e9\\n\\"q\\"","event_time":"{TEN}"}}',
        f'{{"k\\\\":7,"we]ird\\"":8.5,"":9,"event_id":"3","event_name":"p","event_time":"{TEN}","revenue":0.3}}',
    )

    lake.read()

    assert lake.ask("SELECT event_id, event_name, revenue FROM raw.events ORDER BY 1") == [
        ("1", "p", Decimal("1.1")),
        ("2", 'é\n"q"', None),
        ("3", "p", Decimal("0.3")),
    ]


def test_a_line_that_is_no_object_is_unreadable_and_null_is_as_good_as_nothing(lake: Lake) -> None:
    broken = [
        "[1]",
        '"x"',
        "5",
        "null",
        '{"event_id":"1"',
        "{} {}",
        "not json",
        "\ud83d".encode("utf-8", "replace").decode(),
    ]
    lake.put_lines(*broken, {}, event("1", user_id=None), {**event(), "event_id": None}, {**event(), "event_id": ""})

    lake.read()

    assert lake.ask("SELECT event_id, user_id FROM raw.events") == [("1", None)]
    assert lake.reasons() == ["missing_column"] * 3 + ["unreadable"] * len(broken)


def test_lists_and_objects_are_no_numbers_and_text_as_they_stand(lake: Lake) -> None:
    lake.put_lines(
        event("1", revenue=[1]), event("2", revenue={}), event("3", user_id={"x": 1}), event("4", user_id=["a"])
    )

    lake.read()

    assert lake.rejected("event_id") == {"1": "unreadable", "2": "unreadable"}
    assert [json.loads(text) for text in lake.column("SELECT user_id FROM raw.events ORDER BY event_id")] == [
        {"x": 1},
        ["a"],
    ]


def test_properties_are_any_json(lake: Lake) -> None:
    exact = '{"price":12345.678,"id":1234567890123456789,"s":" x ","nested":[1.5]}'
    lake.put_lines(
        f'{{"event_id":"1","event_name":"p","event_time":"{TEN}","properties":{exact}}}',
        event("2", properties='{"a": 1}'),
        event("3", properties=None),
        event("4", properties=""),
        event("5", properties="not json"),
        event("6", properties=json.loads("[" * 300 + "]" * 300)),
        event("7", properties={"mood": ":100:"}),
    )

    lake.read()

    kept = dict(lake.ask("SELECT event_id, properties FROM raw.events"))
    assert {name: kept[name] for name in "1234"} == {"1": exact, "2": '{"a": 1}', "3": None, "4": None}
    assert len(kept["6"]) == 600
    assert json.loads(kept["7"]) == {"mood": ":100:"}
    assert lake.rejected("event_id") == {"5": "unreadable"}


# --- Parquet ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "written", "read"),
    [
        ("user_id", "7::INTEGER", "7"),
        ("user_id", "12345678901234567890::UBIGINT", "12345678901234567890"),
        ("user_id", "12345678901234567890123456789::DECIMAL(38,0)", "12345678901234567890123456789"),
        ("user_id", "'x'::ENUM('x')", "x"),
        ("user_id", "'ab'::BLOB", "ab"),
        ("user_id", "NULL::INTEGER", None),
        ("currency", "NULL::INTEGER", None),
        ("is_automated", "NULL::INTEGER", None),
        ("properties", "NULL::INTEGER", None),
        ("properties", "{'a': 1, 'b': [1.5]}", '{"a":1,"b":[1.5]}'),
        ("properties", "MAP {'k': 'v', 'a b': NULL}", '{"k":"v","a b":null}'),
        ("properties", "NULL::MAP(VARCHAR, VARCHAR)", None),
        ("properties", "[{'key': 'k'}]", '[{"key":"k"}]'),
        ("properties", "['a', 'b']", '["a","b"]'),
        ("properties", "'{\"a\":1}'::JSON", '{"a":1}'),
        ("revenue", "NULL::INTEGER", None),
        ("revenue", "5::UBIGINT", Decimal(5)),
        ("revenue", "0.1::FLOAT", Decimal("0.1")),
        ("revenue", "0.1::DOUBLE", Decimal("0.1")),
        ("revenue", "0.5e-9::DOUBLE", Decimal("0.000000001")),
        ("revenue", "-0.1234567895::DECIMAL(38,10)", Decimal("-0.123456790")),
        ("revenue", "0.1234567894::DECIMAL(38,10)", Decimal("0.123456789")),
        ("revenue", "'0.12345678949999999999999999999999999999'::DECIMAL(38,38)", Decimal("0.123456789")),
        ("revenue", "999999999.9999999994::DECIMAL(38,10)", Decimal("999999999.999999999")),
        ("revenue", "5::DECIMAL(38,0)", Decimal(5)),
    ],
)
def test_a_parquet_column_of_another_type_is_read_by_its_value(
    lake: Lake, column: str, written: str, read: object
) -> None:
    lake.put_parquet("events", "a.parquet", f"SELECT '1' AS event_id, {TYPED}, {written} AS {column}")

    lake.read()

    assert lake.ask(f"SELECT {column} FROM raw.events") == [(read,)]


@pytest.mark.parametrize(
    ("column", "written", "reason"),
    [
        ("revenue", "'nan'::DOUBLE", "unreadable"),
        ("revenue", "'inf'::DOUBLE", "unreadable"),
        ("revenue", "1e300::DOUBLE", "out_of_range"),
        ("revenue", "9999999999.5::DECIMAL(38,10)", "out_of_range"),
        ("revenue", "999999999.9999999995::DECIMAL(38,10)", "out_of_range"),
        ("revenue", "[1]", "unreadable"),
        ("is_automated", "2", "unreadable"),
        ("currency", "{'a': 1}", "unknown_currency"),
    ],
)
def test_a_parquet_value_that_cannot_be_used_has_its_reason(lake: Lake, column: str, written: str, reason: str) -> None:
    lake.put_parquet("events", "a.parquet", f"SELECT '1' AS event_id, {TYPED}, {written} AS {column}")

    lake.read()

    assert lake.rejected("event_id") == {"1": reason}


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("TIMESTAMP_NS '2026-10-05 10:00:00.000001'", at("2026-10-05 10:00:00.000001")),
        ("TIMESTAMP_MS '2026-10-05 10:00:00.001'", at("2026-10-05 10:00:00.001000")),
        ("TIMESTAMPTZ '2026-10-05 10:00:00-05'", at("2026-10-05 15:00:00")),
        ("DATE '2026-10-05'", at("2026-10-05 00:00:00")),
        ("'2026-10-05 10:00'", at("2026-10-05 10:00:00")),
        ("'infinity'::TIMESTAMP", "unreadable"),
        ("'infinity'::TIMESTAMPTZ", "unreadable"),
        ("'infinity'::DATE", "unreadable"),
        ("TIMESTAMP '290000-01-01'", "unreadable"),
        ("TIME '10:00:00'", "unreadable"),
        ("1759658400::BIGINT", "unreadable"),
        ("NULL::INTEGER", "missing_column"),
    ],
)
def test_a_parquet_instant_of_any_type(lake: Lake, written: str, read: object) -> None:
    row = f"SELECT '1' AS event_id, 'open' AS event_name, {written} AS event_time"
    lake.put_parquet("events", "a.parquet", row)

    lake.read()

    assert [*lake.column("SELECT event_time FROM raw.events"), *lake.reasons()] == [read]


@pytest.mark.parametrize(
    ("written", "outcome"),
    [
        ("DATE '2026-10-05'", DAY),
        ("TIMESTAMP '2026-10-05 00:00:00'", DAY),
        ("TIMESTAMPTZ '2026-10-05 00:00:00+00'", DAY),
        ("'2026-10-05'", DAY),
        ("DATE '2026-10-06'", "wrong_day"),
        ("'infinity'::DATE", "unreadable"),
        ("20261005", "unreadable"),
        ("NULL::DATE", "missing_column"),
    ],
)
def test_a_parquet_day_of_any_type(lake: Lake, written: str, outcome: object) -> None:
    row = f"SELECT {written} AS cost_date, 'c' AS channel, 1.5::DOUBLE AS cost, 'USD' AS currency"
    lake.put_parquet("costs", "a.parquet", row)

    lake.read(COSTS)

    assert [*lake.column("SELECT cost_date FROM raw.costs"), *lake.reasons()] == [outcome]


def test_parquet_columns_may_have_any_name_and_rejected_rows_are_json(lake: Lake) -> None:
    odd = '1 AS "we""ird", 2 AS "a b", 3 AS "select", 4 AS "it\'s", [1] AS l, {\'a\': 1} AS s, \'x\' AS reason'
    rows = [f'SELECT {value} AS "Event_ID", {TYPED}, {odd}' for value in ("'1'", "NULL")]
    lake.put_parquet("events", "a.parquet", " UNION ALL ".join(rows))

    lake.read()

    assert lake.event_ids() == ["1"]
    row = json.loads(lake.column("SELECT row FROM raw.rejected_rows")[0])
    assert (row["Event_ID"], row['we"ird'], row["it's"], row["event_name"]) == (None, "1", "4", "purchase")


def test_a_parquet_column_named_like_one_of_ours_is_only_an_extra_column(lake: Lake) -> None:
    lake.put_parquet("events", "a.parquet", f"SELECT '1' AS event_id, {TYPED}, 'x' AS landed_path, 'y' AS folder_date")

    lake.read()

    assert lake.ask("SELECT event_id, folder_date FROM raw.events") == [("1", DAY)]


# --- values ----------------------------------------------------------------------------------------------------------


def test_text_is_trimmed_of_every_whitespace_and_empty_text_is_null(lake: Lake) -> None:
    spaces = {
        "tab": "\t",
        "vertical tab": "\v",
        "form feed": "\f",
        "line end": "\n",
        "no-break": "\u00a0",
        "em": "\u2003",
    }
    for n, (name, space) in enumerate(spaces.items()):
        file = csv_of(
            event(name, country=f"{space}us {space}", user_id=f"{space}{space}"),
            event(f"{name} inside", country="us", user_id=f"a{space}b"),
        )
        lake.put("events", f"{n}.csv", file)

    lake.read()

    found = {row[0]: row[1:] for row in lake.ask("SELECT event_id, country, user_id FROM raw.events")}
    assert found == {
        **dict.fromkeys(spaces, ("US", None)),
        **{f"{name} inside": ("US", f"a{space}b") for name, space in spaces.items()},
    }


def test_ids_are_never_guessed(lake: Lake) -> None:
    ids = ["007", "1e5", "0x10", "12345678901234567890", "1.0", "NaN", "true", "2026-10-05", "NULL", "null", "-0"]
    lake.put("events", "a.csv", "\n".join([f"{EVENT_HEADER},user_id", *(f"{each},open,{TEN},{each}" for each in ids)]))

    lake.read()

    assert lake.ask("SELECT event_id, user_id FROM raw.events ORDER BY 1") == [(each, each) for each in sorted(ids)]


INSTANTS: dict[str, datetime | str] = {
    "2026-10-05T10:00:00Z": at("2026-10-05 10:00:00"),
    "2026-10-05T10:00:00": at("2026-10-05 10:00:00"),
    "2026-10-05 10:00:00": at("2026-10-05 10:00:00"),
    "2026-10-05T10:00:00.123456Z": at("2026-10-05 10:00:00.123456"),
    "2026-10-05T10:00:00.123Z": at("2026-10-05 10:00:00.123000"),
    "2026-10-05T10:00Z": at("2026-10-05 10:00:00"),
    "2026-10-05 10:01": at("2026-10-05 10:01:00"),
    "2026-10-05T10:02+02:00": at("2026-10-05 08:02:00"),
    "2026-10-05T10:00:00+02:00": at("2026-10-05 08:00:00"),
    "2026-10-05T10:00:00-0530": at("2026-10-05 15:30:00"),
    "2026-10-05T10:00:00+02": at("2026-10-05 08:00:00"),
    "2026-10-05T01:00:00+14:00": at("2026-10-04 11:00:00"),
    "2026-10-05": at("2026-10-05 00:00:00"),
    "20261005T100000+0200": at("2026-10-05 08:00:00"),
    "20261005T100001Z": at("2026-10-05 10:00:01"),
    "20261005T100002": at("2026-10-05 10:00:02"),
    "20261005T100003-0100": at("2026-10-05 11:00:03"),
    "20261005T100004.250Z": at("2026-10-05 10:00:04.250000"),
    **dict.fromkeys(
        [
            "infinity",
            "-infinity",
            "epoch",
            "now",
            "today",
            "1759658400",
            "1759658400000",
            "10/05/2026",
            "05.10.2026",
            "2026-02-30",
            "2026-13-01T00:00:00Z",
            "2026-10-05X",
            "2026-10-05 (BC)",
            "tomorrow",
            "99999-01-01",
        ],
        "unreadable",
    ),
}


@pytest.mark.parametrize("order", [1, -1], ids=["in order", "the other way round"])
def test_instants_are_iso_8601_with_utc_where_there_is_no_zone_whatever_the_neighbours(lake: Lake, order: int) -> None:
    lake.put_lines(*(event(text, event_time=text) for text in list(INSTANTS)[::order]))

    lake.land(first=date(2026, 10, 4), last=DAY)

    found = dict(lake.ask("SELECT event_id, event_time FROM raw.events")) | lake.rejected("event_id")
    assert {text: found[text] for text in INSTANTS} == INSTANTS


AMOUNTS: dict[str, str] = {
    "0": "0",
    "-0": "0",
    ".5": "0.5",
    "5.": "5",
    "+1": "1",
    "1e2": "100",
    "1.5E-3": "0.0015",
    "123456789.123456789": "123456789.123456789",
    "0.0000000005": "0.000000001",
    "-0.0000000005": "-0.000000001",
    "0.00000000049999999999999999": "0",
    "-0.00000000049": "0",
    "5e-10": "0.000000001",
    "4.9e-10": "0",
    "0.1234567895": "0.123456790",
    "-0.1234567895": "-0.123456790",
    "0.12345678949999999999": "0.123456789",
    "1e-300": "0",
    "999999999.9999999994": "999999999.999999999",
    "999999999.9999999995": "out_of_range",
    "-999999999.9999999995": "out_of_range",
    "1000000000": "out_of_range",
    "1e300": "out_of_range",
    "1e999999": "out_of_range",
    "99999999999999999999999999999999999999999999999": "out_of_range",
    **dict.fromkeys(
        [
            "1,000.50",
            "1_000",
            "1 000",
            "$5",
            "5%",
            "0x10",
            "nan",
            "Infinity",
            "-inf",
            "abc",
            "null",
            "true",
            "1e",
            ".",
            "1d",
        ],
        "unreadable",
    ),
}


def test_money_is_read_exactly_and_rounded_half_away_from_zero_at_the_ninth_digit(lake: Lake) -> None:
    lake.put("events", "a.csv", csv_of(*(event(text, revenue=text) for text in AMOUNTS)))

    lake.read()

    kept = dict(lake.ask("SELECT event_id, revenue FROM raw.events"))
    rejected = lake.rejected("event_id")
    found = {text: kept[text] if text in kept else rejected[text] for text in AMOUNTS}
    assert found == {t: Decimal(a) if a[0] in "-0123456789" else a for t, a in AMOUNTS.items()}


ESTIMATES = {
    **dict.fromkeys(["NaN", "inf", "-Infinity", "-1", "-5e-10", "-1e300", " -1 ", "-1e-20"], "bad_estimate"),
    **dict.fromkeys(["abc", "-abc", "-"], "unreadable"),
    "1e300": "out_of_range",
    "-0": "0",
    "0.000000001": "0.000000001",
}


def test_an_estimate_is_never_negative_nor_infinite(lake: Lake) -> None:
    rows = [event(text.strip() + "*", event_name="ad_impression", revenue=text) for text in ESTIMATES]
    lake.put("events", "a.csv", csv_of(*rows))

    lake.read()

    kept = {name: str(revenue.normalize()) for name, revenue in lake.ask("SELECT event_id, revenue FROM raw.events")}
    assert {**kept, **lake.rejected("event_id")} == {
        f"{text.strip()}*": "1E-9" if outcome == "0.000000001" else outcome for text, outcome in ESTIMATES.items()
    }


def test_parquet_estimates_are_judged_by_the_same_rules(lake: Lake) -> None:
    values = {"1": "'nan'", "2": "'inf'", "3": "-1.0", "4": "-0.0", "5": "1e300", "6": "0.25"}
    rows = ", ".join(f"('{name}', {value}::DOUBLE)" for name, value in values.items())
    lake.put_parquet(
        "events",
        "a.parquet",
        f"SELECT name AS event_id, 'ad_impression' AS event_name, TIMESTAMP '2026-10-05 10:00:00' AS event_time, "
        f"revenue FROM (VALUES {rows}) AS t (name, revenue)",
    )

    lake.read()

    assert dict(lake.ask("SELECT event_id, revenue FROM raw.events")) == {"4": Decimal(0), "6": Decimal("0.25")}
    assert lake.rejected("event_id") == {
        "1": "bad_estimate",
        "2": "bad_estimate",
        "3": "bad_estimate",
        "5": "out_of_range",
    }


COUNTS: dict[str, int | str | None] = {
    "": None,
    "0": 0,
    "-0": 0,
    "+5": 5,
    "5.": 5,
    "1.0": 1,
    "1e3": 1000,
    "9223372036854775807": 2**63 - 1,
    "9223372036854775807.0": 2**63 - 1,
    **dict.fromkeys(["9223372036854775808", "-1", "1e19", "1e40", "-1e40", "9" * 41], "out_of_range"),
    **dict.fromkeys(
        ["1.5", "-0.5", "abc", "nan", "1,000", "0x5", "true", "1e-3", "1.0000000001", "1e-9"], "unreadable"
    ),
}


def test_counts_are_whole_numbers_from_0_to_2_to_the_63_minus_1(lake: Lake) -> None:
    rows = [
        {"cost_date": "2026-10-05", "channel": f"'{text}'", "cost": "1", "currency": "USD", "clicks": text}
        for text in COUNTS
    ]
    lake.put("costs", "a.csv", csv_of(*rows))

    lake.read(COSTS)

    found = dict(lake.ask("SELECT channel, clicks FROM raw.costs")) | lake.rejected("channel")
    assert found == {f"'{text}'": outcome for text, outcome in COUNTS.items()}


def test_totals_are_as_large_as_their_column_and_may_be_negative(lake: Lake) -> None:
    largest = "9" * 29 + ".999999999"
    rows = {"largest": largest, "too large": largest + "5", "1e29": "1e29", "negative": "-0.5", "infinite": "inf"}
    file = "".join(f"2026-10-05,{name},{cost},USD\n" for name, cost in rows.items())
    lake.put("costs", "a.csv", f"{COST_HEADER}\n{file}")

    lake.read(COSTS)

    assert dict(lake.ask("SELECT channel, cost FROM raw.costs")) == {
        "largest": Decimal(largest),
        "negative": Decimal("-0.5"),
    }
    assert lake.rejected("channel") == {
        "too large": "out_of_range",
        "1e29": "out_of_range",
        "infinite": "unreadable",
    }


def test_rates_lie_above_0_and_days_are_days(lake: Lake) -> None:
    rates = {"1.25": None, "0": "out_of_range", "-1": "out_of_range", "nan": "unreadable", "x": "unreadable"}
    rows = [{"rate_date": "2026-10-05", "currency": "EUR", "rate": rate} for rate in rates]
    days = {"2026-10-06": "wrong_day", "infinity": "unreadable", "2026-02-30": "unreadable", "10/05/2026": "unreadable"}
    rows += [{"rate_date": day, "currency": "GBP", "rate": "1"} for day in days]
    lake.put("fx_rates", "a.csv", csv_of(*rows))

    lake.read(FX_RATES)

    assert lake.ask("FROM raw.fx_rates") == [(DAY, "EUR", Decimal("1.25"))]
    found = lake.rejected("rate") | {day: reason for day, reason in lake.rejected("rate_date").items() if day in days}
    assert {name: found[name] for name in (*rates, *days) if name != "1.25"} == {
        name: reason for name, reason in {**rates, **days}.items() if reason
    }


def test_flags_are_true_or_false(lake: Lake) -> None:
    yes, no, neither = [True, "true", "TRUE", "1", 1], [False, "false", "0", 0], ["maybe", 2, "on?"]
    values = [*yes, *no, *neither, None, ""]
    lake.put_lines(*(event(str(n), is_automated=value) for n, value in enumerate(values)))

    lake.read()

    found = dict(lake.ask("SELECT event_id, is_automated FROM raw.events"))
    assert [found.get(str(n), "unreadable") for n in range(len(values))] == (
        [True] * len(yes) + [False] * len(no) + ["unreadable"] * len(neither) + [None, None]
    )


# --- reasons ---------------------------------------------------------------------------------------------------------


def test_the_reason_is_the_first_rule_an_event_breaks(lake: Lake) -> None:
    wrong = {"revenue": "NaN", "currency": "XXY", "event_time": "2026-12-05T00:00:00Z"}  # 61 days after its folder
    impression = {"event_name": "ad_impression"}
    lake.put(
        "events",
        "a.csv",
        csv_of(
            {"event_id": "", "event_name": "", "event_time": "bad", "revenue": "NaN", "currency": "XXY"},
            event("unreadable", **impression, **{**wrong, "event_time": "bad"}),
            event("bad_estimate", **impression, **wrong),
            event("bad_estimate 2", **impression, **{**wrong, "revenue": "-1e99"}),
            event("unknown_currency", **impression, **{**wrong, "revenue": "1e99"}),
            event("out_of_range", **impression, **{**wrong, "revenue": "1e99", "currency": "USD"}),
            event("outside_arrival_window", **impression, **{**wrong, "revenue": "1", "currency": "USD"}),
            event("unreadable 2", **wrong),
        ),
    )

    lake.read()

    assert {event_id.partition(" ")[0]: reason for event_id, reason in lake.rejected("event_id").items()} == {
        "None": "missing_column",
        "unreadable": "unreadable",
        "bad_estimate": "bad_estimate",
        "unknown_currency": "unknown_currency",
        "out_of_range": "out_of_range",
        "outside_arrival_window": "outside_arrival_window",
    }
    assert len(lake.reasons()) == 8


def test_the_reason_is_the_first_rule_a_partner_row_breaks(lake: Lake) -> None:
    header = "partner,report_date,revenue,currency,impressions"
    rows = {
        ",2026-10-06,x,XXY,-1": "missing_column",
        "zzz,2026-10-06,x,XXY,-1": "unreadable",
        "zzz,2026-10-06,1,XXY,-1": "unknown_currency",
        "zzz,2026-10-06,1,USD,-1": "out_of_range",
        "zzz,2026-10-06,1,USD,1": "unknown_partner",
        "zzz,2026-10-06,1,EUR,1": "unknown_partner",  # which fails nothing, though there is no rate for EUR
        "acme,2026-10-06,1,EUR,1": "wrong_day",
    }
    rules = Rules(partner_currencies={"acme": "EUR"})
    lake.put("partner_revenue", "a.csv", "\n".join([header, *rows]))
    landing = LandingFolder(str(lake.landing))
    load_exchange_rates(lake.connection, landing, Window.of_day(DAY), rules)

    record_rejected(lake.connection, PARTNER_REVENUE_FILES, landing, Window.of_day(DAY), rules, as_of=DAY)

    landed = {
        ",".join(value or "" for value in json.loads(row).values()): reason
        for row, reason in lake.ask("SELECT row, reason FROM raw.rejected_rows")
    }
    assert landed == rows


def test_unknown_currencies_are_those_that_iso_4217_does_not_know(lake: Lake) -> None:
    lake.put("events", "a.csv", csv_of(*(event(code, currency=code) for code in ["USD", "", "XXY", "US", "EURO", "0"])))

    lake.read()

    assert sorted(lake.event_ids()) == ["USD"]
    assert lake.rejected("event_id") == {
        "None": "missing_column",
        **dict.fromkeys(["XXY", "US", "EURO", "0"], "unknown_currency"),
    }


def test_a_rejected_row_is_kept_as_it_was_landed(lake: Lake) -> None:
    lake.put("events", "a.csv", f'{EVENT_HEADER},extra\n1,open,bad," x, ""y"""\n')
    lake.put_lines({**event("2"), "event_time": "bad", "extra": {"a": [1, None]}})

    lake.read()

    rows = {row["event_id"]: row for row in map(json.loads, lake.column("SELECT row FROM raw.rejected_rows"))}
    assert rows["1"] == {"event_id": "1", "event_name": "open", "event_time": "bad", "extra": ' x, "y"'}
    assert rows["2"] == {**event("2"), "event_time": "bad", "extra": {"a": [1, None]}}


# --- days ------------------------------------------------------------------------------------------------------------


def test_a_day_begins_at_midnight_of_the_zone() -> None:
    assert day_start(DAY, "UTC") == at("2026-10-05 00:00:00")
    assert day_start(DAY, "Asia/Tokyo") == at("2026-10-04 15:00:00")
    assert day_start(DAY, "America/Los_Angeles") == at("2026-10-05 07:00:00")


def test_events_belong_to_the_day_of_the_reporting_zone_and_to_the_partners_own_day(lake: Lake) -> None:
    tokyo = Rules(timezone="Asia/Tokyo", partner_timezones={"la": "America/Los_Angeles", "here": "Asia/Tokyo"})
    at = "2026-10-04T16:30:00Z"  # 01:30 of the 5th in Tokyo, 09:30 of the 4th in Los Angeles
    lake.put(
        "events", "a.csv", csv_of(*(event(name or "none", event_time=at, partner=name) for name in ("la", "here", "")))
    )
    typed = "'x' AS event_name, TIMESTAMP '2026-10-04 16:30:00' AS event_time"
    lake.put_parquet("events", "b.parquet", f"SELECT 'stranger' AS event_id, 'stranger' AS partner, {typed}")

    lake.land(EVENTS, rules=tokyo)

    days = {row[0]: row[1:] for row in lake.ask("SELECT event_id, event_date, report_date FROM raw.events")}
    assert days == {
        "la": (DAY, date(2026, 10, 4)),
        "here": (DAY, DAY),
        "none": (DAY, DAY),
        "stranger": (DAY, DAY),
    }
