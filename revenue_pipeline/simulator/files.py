"""Files that partners hand out by signed addresses, on another host than their API, as from somebody else's storage."""

import csv
import io
from collections.abc import Sequence
from hashlib import sha256
from typing import Any
from urllib.parse import urlencode

from revenue_pipeline.simulator.counterpart import Answer, Call

SIGNATURE = "X-Amz-Signature"
_KEY = "the key that nobody but the storage knows"


def signed_address(call: Call, prefix: str, path: str) -> str:
    """Where `path`, which follows the partner's prefix, can be got from. This machine goes by two names: two hosts."""
    host = call.headers.get("host", "").replace("127.0.0.1", "localhost")
    query = {"X-Amz-Algorithm": "AWS4-HMAC-SHA256", "X-Amz-Expires": "3600", SIGNATURE: _signature(path)}
    return f"http://{host}{prefix}{path}?{urlencode(query)}"


def refusal_of(call: Call) -> Answer | None:
    """What the storage says to a call that it refuses; None to one with the right signature and nothing else."""
    if call.query.get(SIGNATURE) != _signature(call.path):
        return _xml(403, "SignatureDoesNotMatch")
    if "authorization" in call.headers or any("key" in name for name in (*call.query, *call.headers)):
        return _xml(400, "Only one auth mechanism allowed")
    return None


def csv_text(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A CSV file; None is an empty value."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue()


def _signature(path: str) -> str:
    return sha256(f"{_KEY} {path}".encode()).hexdigest()


def _xml(status: int, code: str) -> Answer:
    return Answer(status, f"<Error><Code>{code}</Code></Error>".encode(), "application/xml")
