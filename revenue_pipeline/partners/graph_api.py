"""What all of Meta's Graph API shares: its errors, which come with HTTP 400, 403 and now and then 200.

https://developers.facebook.com/docs/graph-api/guides/error-handling
"""

from __future__ import annotations

from typing import Any

from revenue_pipeline.partners.base import PartnerError
from revenue_pipeline.partners.http import Answer

_PASSING = frozenset({1, 2, 4, 17, 32, 341, 613, *range(80000, 80015)})  # overload and limits, of app, account or page
_TOKEN_REFUSED = frozenset({10, 102, 190, *range(200, 300)})


def error_code(reply: Any) -> int | None:
    """The code of the error that a reply is; 0 for one without a code, None for a reply that is none."""
    error = reply.get("error") if isinstance(reply, dict) else None
    if error is None:
        return None
    code = error.get("code") if isinstance(error, dict) else None
    return code if isinstance(code, int) else 0


def true_status(answer: Answer) -> int:
    """The HTTP status that an answer amounts to, error or not."""
    try:
        code = error_code(answer.json())
    except PartnerError:
        return answer.status
    if code is None:
        return answer.status
    if code in _PASSING:
        return 429
    return 401 if code in _TOKEN_REFUSED else 400
