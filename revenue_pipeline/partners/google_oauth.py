"""Access tokens for Google's APIs: one is asked for with the refresh token of a person's consent.

https://developers.google.com/identity/protocols/oauth2/web-server#offline
"""

from __future__ import annotations

from revenue_pipeline.partners.base import Account, PartnerError
from revenue_pipeline.partners.http import PartnerHttp

CREDENTIALS = ("client_id", "client_secret", "refresh_token")
"""What an account needs of it."""

TOKEN_URL = "https://oauth2.googleapis.com/token"  # noqa: S105  an address, no secret


def authorization(account: Account, http: PartnerHttp, token_url: str = TOKEN_URL) -> dict[str, str]:
    """Ask for an access token, and give the header that carries it; the token is scrubbed from then on.

    Raises PartnerError naming the credentials when Google refuses them, as it does once consent was withdrawn.
    """
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
    return {"Authorization": f"Bearer {token}"}
