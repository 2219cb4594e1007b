from __future__ import annotations

import base64
import html
import json
import logging
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from revenue_pipeline.partners.scrubbing import Scrubber, hide_from_logs

KEY = 'a/b+c=d&e"f\\g h-é'

secrets = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="*"), min_size=5).filter(
    lambda secret: secret == secret.strip()
)


@pytest.mark.parametrize(
    "written",
    [
        KEY,
        quote(KEY),
        quote(KEY, safe=""),
        quote(KEY, safe="").lower(),
        quote_plus(KEY),
        quote(quote(KEY, safe=""), safe=""),
        json.dumps(KEY)[1:-1],
        json.dumps(KEY, ensure_ascii=False)[1:-1],
        json.dumps(KEY)[1:-1].replace("/", "\\/"),
        html.escape(KEY),
        repr(KEY)[1:-1],
    ],
)
def test_every_spelling_is_hidden(written: str) -> None:
    assert Scrubber([KEY]).text(f"<{written}>") == "<***>"
    assert Scrubber([KEY]).data(f"<{written}>".encode()) == b"<***>"


@pytest.mark.parametrize("user", ["", "u", "us", "use", "user"])
def test_a_basic_header_is_hidden_wherever_the_secret_begins(user: str) -> None:
    header = base64.b64encode(f"{user}:top-secret:{user}".encode()).decode()
    kept = Scrubber(["top-secret"]).text(header)
    assert "***" in kept
    assert len(kept.replace("***", "")) <= len(header) - 12  # ten bytes fill at least twelve base64 characters


@given(secret=secrets, before=st.text(max_size=3), after=st.text(max_size=3))
def test_no_form_of_any_secret_survives(secret: str, before: str, after: str) -> None:
    scrubber = Scrubber([secret])
    pair = base64.b64encode(f"{before}:{secret}".encode("utf-8", "replace")).decode()
    for form in (secret, quote(secret), quote_plus(secret), json.dumps(secret)[1:-1], html.escape(secret)):
        assert scrubber.text(f"{before}{form}{after}").count("***") >= 1
        assert form not in scrubber.text(form)
    assert "***" in scrubber.text(pair)


@given(st.binary())
def test_all_other_bytes_stay_as_they_are(data: bytes) -> None:
    assert Scrubber(["no-such-secret"]).data(data) == data


def test_empty_secrets_are_ignored_and_blanks_around_one_do_not_matter() -> None:
    assert Scrubber(["", "  ", "key-1\n"]).text("a key-1 b") == "a *** b"


def test_a_secret_that_contains_another_is_hidden_whole() -> None:
    assert Scrubber(["key", "key-long"]).text("key-long, key") == "***, ***"


def test_log_lines_are_scrubbed_arguments_and_tracebacks_included(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    logger = logging.getLogger("revenue_pipeline_tests.below.this")
    hide_from_logs("hidden-value", "revenue_pipeline_tests.below")
    logger.debug("%s asks %s", "partner", {"key": "hidden-value"})
    try:
        int("hidden-value")
    except ValueError:
        logger.exception("failed with %s", "hidden-value")
    assert caplog.records[0].getMessage() == "partner asks {'key': '***'}"
    assert "ValueError: invalid literal for int() with base 10: '***'" in caplog.text
    assert "hidden-value" not in caplog.text


# --- signed addresses ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("https://f.s3/x?Expires=9&Signature=a%2Fb%3D", "https://f.s3/x?Expires=9&Signature=***"),
        ("f?X-Amz-Signature=0f1e&X-Amz-Date=2", "f?X-Amz-Signature=***&X-Amz-Date=2"),
        (r'{"u": "f?sig=ab\/cd\u0026day=1"}', r'{"u": "f?sig=***\u0026day=1"}'),
        ("f?a=1&amp;AWSAccessKeyId=AKIA77&amp;b=2", "f?a=1&amp;AWSAccessKeyId=***&amp;b=2"),
        ("next=%3Faccess_token%3Dabc%26limit%3D5 page", "next=%3Faccess_token%3D*** page"),
        ("'f?X-Amz-Security-Token=x/y' and more", "'f?X-Amz-Security-Token=***' and more"),
        ("signature=1 is a word here, and f?design=2&signs=3", "signature=1 is a word here, and f?design=2&signs=3"),
    ],
)
def test_what_opens_a_signed_address_is_hidden(written: str, shown: str) -> None:
    assert Scrubber().text(written) == shown


def test_a_signature_is_none_of_the_secrets() -> None:
    scrubber = Scrubber([KEY])
    assert scrubber.finds(f"f?key={quote(KEY)}")
    assert not scrubber.finds("f?signature=0f1e2d3c")
