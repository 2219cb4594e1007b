"""How the text (or the native value) of a landed field is read: as SQL, one reader for each kind of field."""

from __future__ import annotations

import re

from revenue_pipeline.raw.datasets import Field, Kind
from revenue_pipeline.warehouse import quoted

# What Unicode calls white space, as Python's strip() takes it off.
WHITESPACE = quoted(
    "".join(
        map(
            chr,
            (
                *range(9, 14),
                *range(28, 33),
                0x85,
                0xA0,
                0x1680,
                *range(0x2000, 0x200B),
                0x2028,
                0x2029,
                0x202F,
                0x205F,
                0x3000,
            ),
        )
    )
)
NUMBER = r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?"
NOT_FINITE = r"[+-]?(nan|inf|infinity)"
BASIC_ISO = "^([0-9]{4})([0-9]{2})([0-9]{2})T([0-9]{2})([0-9]{2})([0-9]{2})"
WITHOUT_SECONDS = "^([0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2})(Z|[+-][0-9:]+)?$"  # DuckDB 1.5 wants them
NANO = 1_000_000_000
RATE_UNIT = 1_000_000_000_000
LARGEST_COUNT = 2**63 - 1
# One digit less than a total holds, so that adding up whole units and their fraction stays exact on every engine.
LARGEST_PRODUCT_UNITS = 10**37 - 1


def is_native(kind: Kind, physical: str) -> bool:
    """Whether a Parquet column can be taken as it is, without going through text."""
    if kind in (Kind.AMOUNT, Kind.TOTAL):
        decimal = re.fullmatch(r"DECIMAL\((\d+),(\d+)\)", physical)
        return decimal is not None and int(decimal[2]) <= 9 and int(decimal[1]) - int(decimal[2]) <= 9
    natives = {
        Kind.INSTANT: ("TIMESTAMP", "TIMESTAMP WITH TIME ZONE", "TIMESTAMP_NS", "TIMESTAMP_MS", "TIMESTAMP_S", "DATE"),
        Kind.DAY: ("DATE",),
        Kind.FLAG: ("BOOLEAN",),
    }
    return physical in natives.get(kind, ())


def read(each: Field, text: str, physical: str) -> list[str]:
    """Write how a field is read from its text (or native value): the value first, then its flags."""
    name, kind = each.name, each.kind
    parts = _READERS.get(kind, _read_text)(name, text, physical, kind)
    if each.choices:
        value, _, _ = parts[0].rpartition(" AS ")
        known = ", ".join(map(quoted, each.choices))
        parts.append(f"{text} IS NOT NULL AND {value} NOT IN ({known}) AS {name}_unreadable")
    if each.required:
        parts.append(f"{text} IS NULL AS {name}_missing")
    return parts


def _read_text(name: str, text: str, _physical: str, kind: Kind) -> list[str]:
    change = {Kind.UPPER_TEXT: f"upper({text})", Kind.LOWER_TEXT: f"lower({text})"}
    return [f"{change.get(kind, text)} AS {name}"]


def _read_json(name: str, text: str, _physical: str, _kind: Kind) -> list[str]:
    return [f"{text} AS {name}", f"NOT coalesce(json_valid({text}), TRUE) AS {name}_unreadable"]


def _read_dimensions(name: str, text: str, physical: str, kind: Kind) -> list[str]:
    """JSON that says the same is one text, whatever the white space and the order of the names in its object."""
    _, unreadable = _read_json(name, text, physical, kind)
    keys = f"json_keys({text})"
    pointer = "'/' || replace(replace(key, '~', '~0'), '/', '~1')"
    pair = f"CAST(to_json(key) AS VARCHAR) || ':' || CAST(json_extract({text}, {pointer}) AS VARCHAR)"
    ordered = f"'{{' || array_to_string(list_transform(list_sort({keys}), lambda key: {pair}), ',') || '}}'"
    is_in_disorder = f"json_type({text}) = 'OBJECT' AND {keys} <> list_sort({keys})"
    value = f"CASE WHEN {is_in_disorder} THEN {ordered} ELSE CAST(json({text}) AS VARCHAR) END"
    return [f"CASE WHEN json_valid({text}) THEN {value} END AS {name}", unreadable]


def _read_flag(name: str, text: str, physical: str, kind: Kind) -> list[str]:
    if physical != "VARCHAR":
        return [f"{text} AS {name}"]
    value = f"TRY_CAST(lower({text}) AS {kind.type})"
    return [f"{value} AS {name}", f"{text} IS NOT NULL AND {value} IS NULL AS {name}_unreadable"]


def _read_instant(name: str, text: str, physical: str, _kind: Kind) -> list[str]:
    if physical == "VARCHAR":
        # Words such as `infinity` and `epoch` are instants to DuckDB, not to us.
        looks_right = f"regexp_matches({text}, '^[0-9]{{4}}')"
        extended = f"regexp_replace({text}, {quoted(BASIC_ISO)}, '\\1-\\2-\\3T\\4:\\5:\\6')"
        to_the_second = f"regexp_replace({extended}, {quoted(WITHOUT_SECONDS)}, '\\1:00\\2')"
        parsed = f"TRY_CAST({to_the_second} AS TIMESTAMPTZ)"
        value = f"CASE WHEN {looks_right} THEN timezone('UTC', {parsed}) END"
    elif physical == "TIMESTAMP WITH TIME ZONE":
        value = f"timezone('UTC', {text})"
    else:
        value = text if physical == "TIMESTAMP" else f"CAST({text} AS TIMESTAMP)"
    # The years a calendar has on every engine, with a day to spare for time zones.
    usable = f"CASE WHEN {value} BETWEEN TIMESTAMP '0001-01-03' AND TIMESTAMP '9999-12-29' THEN {value} END"
    return [f"{usable} AS {name}", f"{text} IS NOT NULL AND {usable} IS NULL AS {name}_unreadable"]


def _read_day(name: str, text: str, physical: str, _kind: Kind) -> list[str]:
    if physical == "DATE":
        value = f"CASE WHEN isfinite({text}) THEN {text} END"
    else:
        value = f"CASE WHEN regexp_matches({text}, '^[0-9]{{4}}-') THEN TRY_CAST({text} AS DATE) END"
    return [f"{value} AS {name}", f"{text} IS NOT NULL AND {value} IS NULL AS {name}_unreadable"]


def _read_count(name: str, text: str, _physical: str, _kind: Kind) -> list[str]:
    is_number, number = _number(text, "DECIMAL(38,18)")
    is_whole = f"({is_number} AND coalesce({number} = floor({number}), TRUE))"
    return [
        f"CASE WHEN {number} BETWEEN 0 AND {LARGEST_COUNT} AND {is_whole} THEN CAST({number} AS BIGINT) END AS {name}",
        f"{text} IS NOT NULL AND NOT {is_whole} AS {name}_unreadable",
        f"{text} IS NOT NULL AND coalesce({number} NOT BETWEEN 0 AND {LARGEST_COUNT}, TRUE) AS {name}_out_of_range",
    ]


def _read_money(name: str, text: str, physical: str, kind: Kind) -> list[str]:
    not_finite = f"{name}_not_finite"
    if physical != "VARCHAR":
        return [f"CAST({text} AS {kind.type}) AS {name}", f"{text} < 0 AS {name}_negative", f"FALSE AS {not_finite}"]
    is_number, number = _number(text, "DECIMAL(38,9)")
    is_not_finite = f"coalesce(regexp_full_match(lower({text}), {quoted(NOT_FINITE)}), FALSE)"
    # Only an estimate says `bad_estimate` to what is not finite; elsewhere it is no number.
    is_estimate = "coalesce(event_name_text = 'ad_impression', FALSE)" if kind is Kind.AMOUNT else "FALSE"
    return [
        f"TRY_CAST({number} AS {kind.type}) AS {name}",
        f"{is_number} AND regexp_matches({text}, '^-[0.]*[1-9]') AS {name}_negative",
        f"{is_not_finite} AS {not_finite}",
        f"{text} IS NOT NULL AND NOT {is_number} AND NOT ({is_not_finite} AND {is_estimate}) AS {name}_unreadable",
        f"{text} IS NOT NULL AND TRY_CAST({number} AS {kind.type}) IS NULL AND {is_number} AS {name}_out_of_range",
    ]


def _read_rate(name: str, text: str, physical: str, kind: Kind) -> list[str]:
    is_number, number = _number(text, kind.type)
    return [
        f"{number} AS {name}",
        f"{text} IS NOT NULL AND NOT {is_number} AS {name}_unreadable",
        f"{text} IS NOT NULL AND coalesce({number} <= 0, TRUE) AS {name}_out_of_range",
    ]


def _number(text: str, decimal: str) -> tuple[str, str]:
    """Write whether a text is a number, and its value; NULL for one that is, but too large."""
    is_number = f"regexp_full_match({text}, {quoted(NUMBER)})"
    return is_number, f"CASE WHEN {is_number} THEN TRY_CAST({text} AS {decimal}) END"


_READERS = {
    Kind.JSON: _read_json,
    Kind.DIMENSIONS: _read_dimensions,
    Kind.FLAG: _read_flag,
    Kind.INSTANT: _read_instant,
    Kind.DAY: _read_day,
    Kind.COUNT: _read_count,
    Kind.AMOUNT: _read_money,
    Kind.TOTAL: _read_money,
    Kind.RATE: _read_rate,
}


def converted_amount(amount: str, rate_units: str) -> str:
    """Write amount x rate, rounded half away from zero to 9 digits, in exact integers; NULL on overflow.

    The rate is in units of 10^-12. Amount and rate are taken apart first, so that no product is larger than the result
    can be: units * rate / 10^12 = units * whole rate + (units // 10^12) * rest + (units % 10^12) * rest / 10^12.
    """
    units = _units(amount)
    rate_whole, rate_rest = f"({rate_units} // {RATE_UNIT})", f"({rate_units} % {RATE_UNIT})"
    rounded = f"(({units} % {RATE_UNIT} * {rate_rest} * 2 + {RATE_UNIT}) // {2 * RATE_UNIT})"
    product = f"({units} * {rate_whole} + {units} // {RATE_UNIT} * {rate_rest} + {rounded})"
    whole = f"CAST({product} // {NANO} AS DECIMAL(38,9))"
    part = f"CAST({product} % {NANO} AS DECIMAL(18,0)) * CAST(0.000000001 AS DECIMAL(10,9))"
    value = f"TRY({whole} + {part})"
    return f"CASE WHEN {amount} < 0 THEN -{value} ELSE {value} END"


def product_is_too_large(amount: str, count: str, rate_units: str) -> str:
    """Write whether amount x count does not fit a total, as it is or in the reporting currency (a NULL rate is 1)."""
    units = _units(amount)
    return (
        f"CASE WHEN {units} > {LARGEST_PRODUCT_UNITS} // greatest({count}, 1) THEN TRUE "
        f"ELSE {units} * {count} // {RATE_UNIT} >= {LARGEST_PRODUCT_UNITS} // coalesce({rate_units}, {RATE_UNIT}) END"
    )


def exchange_rate(rate_units: str) -> str:
    """Write a rate in units of 10^-12 as the number it is."""
    return f"CAST(CAST({rate_units} AS DECIMAL(24,0)) * CAST(0.000000000001 AS DECIMAL(13,12)) AS {Kind.RATE.type})"


def _units(amount: str) -> str:
    """Write the size of an amount in units of 10^-9: taken apart first, since a DECIMAL(38,9) cannot be multiplied."""
    size = f"abs({amount})"
    return (
        f"(CAST(floor({size}) AS HUGEINT) * {NANO} "
        f"+ CAST(CAST({size} - floor({size}) AS DECIMAL(10,9)) * {NANO} AS HUGEINT))"
    )


def trimmed(text: str) -> str:
    """Write a text without white space at its ends, NULL when nothing is left."""
    # Trimming every text of ten million rows takes longer than reading them: look at the two ends first.
    # `substring` is worked out once for each text of a dictionary, as Parquet has them; `right` for every row.
    last = f"substring({text}, -1, 1)"
    plain = f"{text} >= '!' AND {text} < '\x7f' AND {last} >= '!' AND {last} < '\x7f'"
    return f"CASE WHEN {plain} THEN {text} ELSE nullif(trim({text}, {WHITESPACE}), '') END"


def day_in(zone: str, instant: str) -> str:
    """Write the calendar day of a UTC timestamp expression in the time zone `zone`."""
    if zone == "UTC":
        return f"CAST({instant} AS DATE)"
    return f"CAST(timezone({quoted(zone)}, timezone('UTC', {instant})) AS DATE)"
