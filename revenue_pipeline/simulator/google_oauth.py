"""Google's token endpoint, for its APIs in this room: any refresh token but one that is `revoked` earns a token."""

from urllib.parse import parse_qs

from revenue_pipeline.simulator.counterpart import Answer, Call

TOKEN_PATH = "/token"  # noqa: S105  an address, no secret


def grant(call: Call) -> Answer:
    """An access token that tells whose it is, or Google's refusal."""
    form = {name: values[-1] for name, values in parse_qs(call.body.decode()).items()}
    if form.get("grant_type") != "refresh_token" or not form.get("client_id") or not form.get("client_secret"):
        return Answer.json({"error": "invalid_client", "error_description": "The OAuth client was not found."}, 401)
    refresh_token = form.get("refresh_token", "revoked")
    if refresh_token == "revoked":  # noqa: S105  the one that is refused
        refusal = {"error": "invalid_grant", "error_description": "Token has been expired or revoked."}
        return Answer.json(refusal, 400)
    token = {"access_token": f"ya29.for-{refresh_token}", "expires_in": 3599, "token_type": "Bearer"}
    return Answer.json(token)


def refusal_of(call: Call) -> Answer | None:
    """What Google says to a call without an access token; None to one that has one."""
    if call.headers.get("authorization", "").startswith("Bearer ya29."):
        return None
    return status(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.")


def status(code: int, name: str, message: str) -> Answer:
    """An error as Google's APIs write it."""
    return Answer.json({"error": {"code": code, "message": message, "status": name}}, code)
