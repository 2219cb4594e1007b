"""What reports have in common that Google streams: an error may come where HTTP 200 has been said already.

https://google.aip.dev/193
"""

from __future__ import annotations

from revenue_pipeline.partners.base import PartnerError
from revenue_pipeline.partners.http import Answer


def true_status(answer: Answer) -> int:
    """The HTTP status that an answer amounts to: that of the error in the stream, where it began well and failed later.

    An error without a code of its own is a failure of theirs.
    """
    if answer.status != 200 or b'"error"' not in answer.body:
        return answer.status
    try:
        stream = answer.json()
    except PartnerError:
        return answer.status
    for part in stream if isinstance(stream, list) else [stream]:
        if isinstance(part, dict) and "error" in part:
            code = part["error"].get("code") if isinstance(part["error"], dict) else None
            return code if isinstance(code, int) and code >= 400 else 500
    return answer.status
