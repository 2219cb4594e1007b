"""Answers as Unity LevelPlay does: tokens, the reporting API, and the files of users by their signed addresses.

An app is one of a platform and goes by its key. Numbers of the report are JSON numbers; files are packed, there are two
of them for each app and day, from the next day on until the 14th, and neither the day nor the app is in them.
"""

import gzip
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Any

from revenue_pipeline.simulator import files
from revenue_pipeline.simulator.behaviour import GAME_UNITS
from revenue_pipeline.simulator.counterpart import Answer, Call, Counterpart
from revenue_pipeline.simulator.world import ReportRow

AUTH = "/partners/publisher/auth"
REPORT = "/levelPlay/reporting/v1"
FILES = {"/partners/userAdRevenue/v3": "users", "/partners/adRevenueMeasurements/v4": "impressions"}
APP_KEYS = {app: f"{0x1A2B3C4D0 + number:x}" for number, app in enumerate(GAME_UNITS)}
FORMATS = {"banner": "banner", "inter": "interstitial", "reward": "rewarded"}
BREAKDOWNS = ("date", "app", "platform", "country", "adFormat", "mediationAdUnit")
USERS = (
    *("advertising_id", "advertising_id_type", "user_id", "segment", "placement", "ad_network", "ad_unit"),
    *("AB_Testing", "impressions", "revenue"),
)
IMPRESSIONS = (
    *("event_timestamp", "advertising_id", "advertising_id_type", "user_id", "segment", "placement", "ad_network"),
    *("ad_unit", "mediation_ad_unit_id", "country", "AB_Testing", "revenue"),
)
KEPT = timedelta(days=13)
_TOKEN = "eyJhbGciOiJIUzI1NiJ9."  # noqa: S105  how every token begins


class LevelPlay:
    """Everything one publisher gets from LevelPlay."""

    name = "levelplay"
    prefix = "/levelplay"
    secrets = frozenset({files.SIGNATURE})

    def credential(self, query: Mapping[str, str], headers: Mapping[str, str]) -> str | None:
        """The token, or what earns one."""
        return headers.get("authorization", "").removeprefix("Bearer ") or headers.get("secretkey")

    def refuse_window(self) -> Answer:
        """An error in JSON."""
        return _error(400, "Data is available for the last 14 days only")

    def failure_in_body(self, code: int) -> Answer:
        """HTTP 200, and an error in JSON."""
        return Answer.json({"error": "Internal error", "code": code})

    def answer(self, call: Call) -> Answer:
        """A token, a page of the report, addresses of files, a file, or why not."""
        if call.path == AUTH:
            return _grant(call)
        if call.path.startswith("/files/"):
            return files.refusal_of(call) or _file(call)
        is_known = call.headers.get("authorization", "").startswith(f"Bearer {_TOKEN}")
        if not is_known or "token_expired" in call.faults:
            return _error(401, "Token is expired or invalid")
        try:
            return self._data(call)
        except (KeyError, ValueError) as error:
            return _error(400, f"Bad parameter: {error}")

    def _data(self, call: Call) -> Answer:
        if call.path == REPORT:
            return _report(call)
        if call.path not in FILES:
            return _error(404, "Not found")
        day, app_key = date.fromisoformat(call.query["date"]), call.query["appKey"]
        if app_key not in APP_KEYS.values():
            raise ValueError(f"appKey {app_key}")
        if day < call.today - KEPT:
            return self.refuse_window()
        paths = [f"/files/{FILES[call.path]}/{day}/{app_key}/{number}.csv.gz" for number in (0, 1)]
        addresses = [files.signed_address(call, self.prefix, path) for path in paths] if day < call.today else []
        return Answer.json({"urls": addresses, "expiration": f"{call.today} 12:00:00"})


def _error(status: int, message: str) -> Answer:
    return Answer.json({"error": message}, status)


def _grant(call: Call) -> Answer:
    """A new token for any two secrets, in quotes."""
    secrets = [call.headers.get(name, "") for name in ("secretkey", "refreshtoken")]
    if not all(secrets):
        return _error(400, "Missing credentials")
    return Answer.json(f"{_TOKEN}{sha256(''.join(secrets).encode()).hexdigest()}.signed")


def _report(call: Call) -> Answer:
    first, last = (date.fromisoformat(call.query[edge]) for edge in ("startDate", "endDate"))
    breakdowns = call.query.get("breakdowns", "date").split(",")
    if unknown := [name for name in breakdowns if name not in BREAKDOWNS]:
        raise ValueError(f"breakdown {unknown[0]}")
    totals: dict[tuple[str, ...], tuple[int, Decimal]] = defaultdict(lambda: (0, Decimal(0)))
    for number in range((last - first).days + 1):
        day = first + timedelta(days=number)
        for row in call.reported("levelplay", day):
            labels = _labels(row, day)
            key = tuple(labels[name] for name in breakdowns)
            impressions, revenue = totals[key]
            totals[key] = (impressions + row.impressions, revenue + row.revenue)
    rows = [
        dict(zip(breakdowns, key, strict=True))
        | {"revenue": revenue, "impressions": impressions, "clicks": impressions // 40}
        for key, (impressions, revenue) in totals.items()
    ]
    size = int(call.query.get("resultsPerPage", "100"))
    if cap := call.faults.get("page_cap"):
        size = min(size, int(cap.amount(2)))
    page = call.page(rows, (int(call.query.get("page", "1")) - 1) * size, size)
    if "top_level_list" in call.faults:
        return Answer.json(page)
    under = "payload" if "unknown_envelope" in call.faults else "data"
    return Answer.json({under: page, "totalResults": len(rows)})


def _labels(row: ReportRow, day: date) -> Mapping[str, str]:
    return {
        "date": day.isoformat(),
        "app": APP_KEYS[row.app_id or "", row.platform or ""],
        "platform": {"ios": "iOS", "android": "Android"}[row.platform or ""],
        "country": row.country or "",
        "adFormat": FORMATS[row.ad_format or ""],
        "mediationAdUnit": row.ad_unit_id or "",
    }


def _file(call: Call) -> Answer:
    """A file whose address was given before: every second row of the app's."""
    _, _, kind, day, app_key, name = call.path.split("/")
    app = next(app for app, key in APP_KEYS.items() if key == app_key)
    rows = call.reported("levelplay", date.fromisoformat(day), by_user=True)
    rows = [row for row in rows if (row.app_id, row.platform) == app][int(name[0]) :: 2]
    if kind == "users":
        text = files.csv_text(USERS, [_user(row) for row in rows])
    else:
        text = files.csv_text(IMPRESSIONS, [line for row in rows for line in _impressions(row, day)])
    packed = gzip.compress(text.encode(), mtime=0)
    return Answer(200, packed[: len(packed) // 2] if "cut_file" in call.faults else packed, "application/octet-stream")


def _user(row: ReportRow) -> Sequence[Any]:
    ad = ["", row.ad_unit_id, "ironSource", FORMATS[row.ad_format or ""], ""]
    return [*_ids(row.user_id), *ad, row.impressions, f"{row.revenue:f}"]


def _impressions(row: ReportRow, day: str) -> Sequence[Sequence[Any]]:
    """One line for each impression; the first one earns what cannot be divided."""
    micros = int(row.revenue.scaleb(6))
    shares = [micros // row.impressions + (nth < micros % row.impressions) for nth in range(row.impressions)]
    ad = ["", row.ad_unit_id, "ironSource", FORMATS[row.ad_format or ""], row.ad_unit_id, row.country, ""]
    return [[f"{day} 12:00:00", *_ids(row.user_id), *ad, f"{Decimal(share).scaleb(-6):f}"] for share in shares]


def _ids(user_id: str | None) -> list[str]:
    """Advertising id, its kind and user id: of a device whose SDK was never told the user only the first is known."""
    if user_id is None:
        return ["", "", ""]
    return [user_id, "GAID", ""] if user_id.startswith("device-") else [f"device-{user_id}", "GAID", user_id]


COUNTERPART: Counterpart = LevelPlay()
