"""Access tokens for Google's APIs: one is asked for with the refresh token of a person's consent.

https://developers.google.com/identity/protocols/oauth2/web-server#offline
"""

from __future__ import annotations

import time
from typing import NamedTuple

from revenue_pipeline.partners.base import Account, PartnerError
from revenue_pipeline.partners.http import PartnerHttp

CREDENTIALS = ("client_id", "client_secret", "refresh_token")
"""What an account needs of it."""

TOKEN_URL = "https://oauth2.googleapis.com/token"  # noqa: S105  an address, no secret


class Authorization:
    """How an account authorizes its calls: with an access token, which the days of one import share."""

    def __init__(self, account: Account, token_url: str = TOKEN_URL) -> None:
        """No token is asked for before the first call."""
        self._account, self._token_url = account, token_url
        self._token = _Token("", 0)

    def header(self, http: PartnerHttp) -> dict[str, str]:
        """Give the header that carries a token with half its life before it; the token is scrubbed from then on.

        Raises PartnerError naming the credentials when Google refuses them, as it does once consent was withdrawn.
        """
        token = self._token
        if time.monotonic() >= token.good_until:  # days that begin at once get one each, which does no harm
            token = self._token = _granted(self._account, http, self._token_url)
        http.hide(token.text)
        return {"Authorization": f"Bearer {token.text}"}


class _Token(NamedTuple):
    """An access token, and until when a day may begin with it, by the monotonic clock."""

    text: str
    good_until: float


def _granted(account: Account, http: PartnerHttp, token_url: str) -> _Token:
    asked_at = time.monotonic()
    form = {name: account.credentials[name] for name in CREDENTIALS}
    # 400 is how Google refuses a refresh token that has expired or was revoked.
    answer = http.post(token_url, data={"grant_type": "refresh_token", **form}, expect=(200, 400, 401), private=True)
    try:
        reply = answer.json()
    except PartnerError:
        if answer.status == 200:
            raise
        reply = {}  # a refusal in other words is a refusal
    if not isinstance(reply, dict):
        reply = {}
    if answer.status != 200:
        told = ": ".join(str(reply[name]) for name in ("error", "error_description") if reply.get(name))
        variables = " and ".join(account.credential_variables.get(name, name) for name in CREDENTIALS)
        raise PartnerError(
            f"{http.subject}: Google refused the credentials ({told or f'HTTP {answer.status}'}).",
            f"Give consent anew if it was withdrawn or has expired, and check the environment variables {variables}.",
        )
    token = reply.get("access_token")
    if not isinstance(token, str) or not token:
        raise PartnerError(f"{http.subject}: Google's answer holds no access token.", f"Check token_url: {token_url}.")
    http.hide(token)
    seconds = reply.get("expires_in")
    return _Token(token, asked_at + seconds / 2 if isinstance(seconds, int) else asked_at)
