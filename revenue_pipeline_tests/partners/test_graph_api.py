from __future__ import annotations

import json

import pytest

from revenue_pipeline.partners.graph_api import error_code, true_status
from revenue_pipeline.partners.http import Answer


def answer(body: object, status: int = 400) -> Answer:
    text = body if isinstance(body, str) else json.dumps(body)
    return Answer(status, {}, text.encode(), "meta 2026-10-05", text[:20])


@pytest.mark.parametrize(
    ("body", "status", "amounts_to"),
    [
        ({"data": []}, 200, 200),
        ({"error": {"code": 17, "message": "User request limit reached"}}, 400, 429),
        ({"error": {"code": 80002}}, 403, 429),
        ({"error": {"code": 2, "is_transient": True}}, 500, 429),
        ({"error": {"code": 190, "message": "Error validating access token"}}, 400, 401),
        ({"error": {"code": 200}}, 403, 401),
        ({"error": {"code": 100}}, 200, 400),
        ({"error": {"message": "no code"}}, 200, 400),
        ({"error": "something"}, 200, 400),
        ("<html>", 502, 502),
        ([], 200, 200),
    ],
)
def test_what_an_answer_amounts_to(body: object, status: int, amounts_to: int) -> None:
    assert true_status(answer(body, status)) == amounts_to


def test_the_code_of_an_error() -> None:
    assert [error_code(reply) for reply in ({"error": {"code": 4}}, {"error": {}}, {"data": []}, None)] == [
        4,
        0,
        None,
        None,
    ]
