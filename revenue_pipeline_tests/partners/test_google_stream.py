from __future__ import annotations

import json

import pytest

from revenue_pipeline.partners.google_stream import true_status
from revenue_pipeline.partners.http import Answer


@pytest.mark.parametrize(
    ("body", "status", "amounts_to"),
    [
        ([{"results": []}], 200, 200),
        ([{"results": []}, {"error": {"code": 429, "status": "RESOURCE_EXHAUSTED"}}], 200, 429),
        ({"error": {"code": 403}}, 200, 403),
        ([{"error": {"code": 0}}], 200, 500),
        ([{"error": {}}], 200, 500),
        ([{"error": "no"}], 200, 500),
        ([{"row": {"app": "error"}}], 200, 200),
        ('[{"error"', 200, 200),
        ({"error": {"code": 401}}, 400, 400),
    ],
)
def test_what_an_answer_amounts_to(body: object, status: int, amounts_to: int) -> None:
    text = body if isinstance(body, str) else json.dumps(body)
    assert true_status(Answer(status, {}, text.encode(), "google 2026-10-05", text[:20])) == amounts_to
