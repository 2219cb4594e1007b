"""Keep secrets out of logs, errors and files."""

from __future__ import annotations

import base64
import html
import json
import logging
import re
import threading
from collections.abc import Iterable
from urllib.parse import quote

SIGNATURE_NAME = re.compile(
    r"[\w-]*(signature|credential|token|secret)[\w-]*|sig|sign|hmac|policy|key-pair-id|awsaccesskeyid|googleaccessid",
    re.IGNORECASE,
)
"""The names of query parameters that let whoever has the address of a file open it."""

_SIGNATURE = re.compile(
    rf"((?:[?&]|&amp;|%26|%3F|\\u0026)(?:{SIGNATURE_NAME.pattern})(?:=|%3D|\\u003d))(?:[^\s&\"'<>\\]|\\/)+",
    re.IGNORECASE,
)


class Scrubber:
    """Replaces secrets by `***`, however a URL, a JSON text, an HTML page or a Basic header spells them.

    So it does with the signatures of the addresses in a text, which it need not be told.

    Empty secrets are ignored. A secret that is an ordinary word hides that word everywhere, so choose long ones.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        """Hide these; more can be added."""
        self._lock = threading.Lock()
        self._patterns: dict[str, re.Pattern[str]] = {}
        for secret in secrets:
            self.add(secret)

    def add(self, secret: str) -> None:
        """Hide this one too, for example a token the partner has just handed out."""
        secret = secret.strip()  # a line break at its end is dropped on the way to the partner and back
        with self._lock:
            if not secret or secret in self._patterns:
                return
            longest_first = sorted([*self._patterns, secret], key=len, reverse=True)  # one may contain another
            self._patterns = {each: self._patterns.get(each) or _pattern(each) for each in longest_first}

    def text(self, text: str) -> str:
        """The text without the secrets."""
        for pattern in self._patterns.values():
            text = pattern.sub("***", text)
        return _SIGNATURE.sub(r"\1***", text)

    def finds(self, text: str) -> bool:
        """Whether one of the secrets is in the text."""
        return any(pattern.search(text) for pattern in self._patterns.values())

    def data(self, data: bytes) -> bytes:
        """The bytes without the secrets; all other bytes stay as they are, whatever their encoding."""
        return self.text(data.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")


def _pattern(secret: str) -> re.Pattern[str]:
    return re.compile("|".join(["".join(map(_spellings, secret)), *_base64_forms(secret.encode())]))


def _spellings(character: str) -> str:
    """A pattern for one character: itself, or escaped as URLs, URLs within URLs, JSON and HTML escape it."""
    if re.fullmatch(r"[A-Za-z0-9_.~-]", character):
        return re.escape(character)
    forms = {
        character,
        "\\" + character,
        json.dumps(character)[1:-1],
        f"\\u{ord(character):04x}",
        html.escape(character),
        quote(character, safe=""),
        quote(quote(character, safe=""), safe=""),
        *("+" if character == " " else ""),
    }
    return f"(?i:{'|'.join(re.escape(form) for form in sorted(forms, key=len, reverse=True))})"


def _base64_forms(secret: bytes) -> Iterable[str]:
    """The base64 characters that hold the secret, wherever it begins in a longer text such as `user:secret`."""
    for offset in range(3):
        first, last = -(-8 * offset // 6), 8 * (offset + len(secret)) // 6
        form = base64.b64encode(bytes(offset) + secret).decode()[first:last]
        if len(form) >= 6:  # shorter ones would hide innocent text
            yield re.escape(form)
            yield re.escape(form.replace("+", "-").replace("/", "_"))


class _LogScrubber(logging.Filter):
    """Scrubs what urllib3 logs (at DEBUG it prints request URLs, keys included) and what `http` logs.

    It knows every secret this process has used and forgets none, so a line logged late by another thread is safe too.
    """

    scrubber = Scrubber()

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = self.scrubber.text(record.getMessage()), ()
        if record.exc_info:
            record.exc_text = self.scrubber.text(logging.Formatter().formatException(record.exc_info))
            record.exc_info = None
        return True


_log_scrubber = _LogScrubber()


def hide_from_logs(secret: str, *loggers: str) -> None:
    """Keep the secret out of every line that these loggers, and those below them, write from now on."""
    _log_scrubber.scrubber.add(secret)
    for name in list(logging.root.manager.loggerDict):  # a filter acts on its own logger, not on those below it
        if any(name == logger or name.startswith(f"{logger}.") for logger in loggers):
            logging.getLogger(name).addFilter(_log_scrubber)
