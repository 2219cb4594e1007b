"""What can go wrong between a partner and us, to be switched on by name."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from threading import Lock
from typing import Any

_WRITTEN = re.compile(r"(?:(?P<partner>\w+)/)?(?P<name>\w+)(?:=(?P<value>-?[0-9]+(?:\.[0-9]+)?))?")

# The first of these that applies is the whole answer; the others change what a good answer holds.
REFUSALS = {
    "rate_limited": "429 with a Retry-After header of `value` seconds (default 1)",
    "server_error": "500 with a text",
    "unavailable": "503 with a text",
    "unauthorized": "401 (or the status `value`, such as 403) with a text that echoes the credential",
    "error_in_body": "HTTP 200 whose body says that it failed, with code `value` (default 500)",
    "not_json": "HTTP 200 with the HTML page of some proxy in the way",
    "window_refused": "the partner's refusal of days beyond its reach-back, whatever the days",
    "not_found": "404 with the text of a gateway, which says nothing of data",
    "no_content": "204, with nothing in it",
    "empty_body": "HTTP 200, with nothing in it",
    "redirected": "307 to another host, where nobody answers",
}
FAULTS = REFUSALS | {
    "slow": "the answer comes after `value` seconds (default 5)",
    "truncated": "Content-Length promises the whole body, half of it comes",
    "page_cap": "no page has more than `value` rows (default 2), whatever the limit asked for",
    "offset_ignored": "every page is the first one",
    "moving_report": "from call to call the last row moves to the front, so that pages overlap and miss rows",
    "empty": "the report has no rows",
    "vanished_rows": "the first quarter of each day's rows (at least one) is gone",
    "token_echoed": "TUNE: HTTP 200 whose body refuses the token, and repeats it",
    "page_count_unsaid": "TUNE: `pageCount` is null (`value` 0), the text null (1) or missing (2)",
    "rows_by_id": "TUNE: the rows are a map by their number, and a list only where there is none",
    "status_told": "Everflow: the affiliate's conversions have a status",
    "rate_limit_reset": "impact.com: 429 that says in X-RateLimit-Reset to come back in `value` seconds (default 1)",
    "report_pending": "Ad Manager: a report is never ready",
    "report_failed": "Ad Manager: a report ends in an error",
    "restated": "all revenue, and all cost, is `value` percent (default 3) more than it was",
    "status_flipped": "affiliate networks: all was approved, and turned `value` times (default 1): rejected, and back",
    "pending_untold": "affiliate networks: a pending conversion is not told of",
    "adjusted": "TUNE: beside each approved conversion an adjustment of `value` percent (default -100) of its payout",
    "cut_file": "a file ends in its middle, and nothing says so but the file itself",
    "headings_drift": "MAX: the headings of a file are in upper case, and nothing else",
    "repeated_rows": "MAX: each row of a user-level file is there twice: as many impressions more, alike in all",
    "no_such_app": "MAX: the partner knows none of the apps",
    "unknown_revenue": "MAX: the first impression of each user-level file has a revenue of -1, as before 2022",
    "token_expired": "LevelPlay: 401, as to a token whose time is over",
    "top_level_list": "LevelPlay: a page is a list of rows, without saying how many there are in all",
    "unknown_envelope": "LevelPlay: the rows come under a key that nobody has seen before",
    "delayed_data": "AdMob: the footer warns that some data is delayed",
    "no_footer": "AdMob: the stream ends before its footer, as a JSON array all the same",
    "numbers": "AdMob: whole numbers are numbers, not texts",
    "missing_metrics": "AdMob: no row has clicks, and some have no earnings",
    "omitted_results": "Meta: the first revenue of a report is left out, since too few people saw the ad",
    "no_next_page": "Meta: no page says that there is another one",
    "only_basic_file": "MAX: of a user-level report only the file without the estimates for Meta's ads is there",
}


@dataclass(frozen=True)
class Fault:
    """A fault that is switched on: for `partner` and credential `key` (None: all), for `times` calls (None: always).

    `path`: only for calls whose path, after the partner's prefix, begins so. `value` means what the fault's line in
    `FAULTS` says; `calls` counts how often it has acted.
    """

    name: str
    partner: str | None = None
    times: int | None = None
    value: float | None = None
    key: str | None = None
    path: str = ""
    calls: int = 0

    def concerns(self, partner: str, key: str | None, path: str) -> bool:
        """Whether it acts on such a call, and has not acted often enough."""
        is_here = self.partner in {None, partner} and self.key in {None, key} and path.startswith(self.path)
        return is_here and self.calls != self.times

    def amount(self, default: float) -> float:
        """The fault's `value`, or the default."""
        return default if self.value is None else self.value


class Faults:
    """The faults that are switched on; safe to change while calls are answered."""

    def __init__(self, faults: Iterable[str] = ()) -> None:
        """Switch these on, for good: `name`, `name=value`, and for one partner alone `partner/name` or both."""
        self._faults: list[Fault] = []
        self._lock = Lock()
        for written in faults:
            read = _WRITTEN.fullmatch(written)
            name, partner, value = read.group("name", "partner", "value") if read else (written, None, None)
            self.add(name, partner, value=None if value is None else float(value))

    def add(
        self,
        name: str,
        partner: str | None = None,
        times: int | None = None,
        *,
        value: float | None = None,
        key: str | None = None,
        path: str = "",
    ) -> None:
        """Switch a fault on; of several refusals, the one added first acts until its calls are used up."""
        if name not in FAULTS:
            raise ValueError(f"unknown fault {name!r}; there are {', '.join(FAULTS)}")
        with self._lock:
            self._faults.append(Fault(name, partner, times, value, key, path))

    def clear(self) -> None:
        """Switch all faults off."""
        with self._lock:
            self._faults.clear()

    def listed(self) -> list[dict[str, Any]]:
        """The faults as they stand, used-up ones included."""
        with self._lock:
            return [asdict(fault) for fault in self._faults]

    def take(self, partner: str, key: str | None, path: str) -> Mapping[str, Fault]:
        """The faults that act on a call of the partner with this credential, by name; each use is counted."""
        acting: dict[str, Fault] = {}
        with self._lock:
            for fault in self._faults:
                if fault.concerns(partner, key, path) and not (
                    fault.name in REFUSALS and REFUSALS.keys() & acting.keys()
                ):
                    acting.setdefault(fault.name, fault)
            if REFUSALS.keys() & acting.keys():  # a refused call uses up nothing of what would change a good answer
                acting = {name: fault for name, fault in acting.items() if name in REFUSALS or name == "slow"}
            used = {id(fault) for fault in acting.values()}
            self._faults = [replace(f, calls=f.calls + 1) if id(f) in used else f for f in self._faults]
        return acting
