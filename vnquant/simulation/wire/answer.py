"""Answer: status, headers and body of one HTTP answer, before any socket."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

__all__ = ("Answer", "html_answer", "json_answer")

# Both headers as measured at VPS and CafeF.
_JSON_HEADERS = {"Content-Type": "application/json; charset=utf-8", "Access-Control-Allow-Origin": "*"}
_HTML_HEADERS = {"Content-Type": "text/html; charset=utf-8"}


class Answer(msgspec.Struct, frozen=True):
    """One HTTP answer. `headers` leaves out Content-Length, which the sender knows best."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def content_type(self) -> str:
        """The Content-Type header."""
        return self.headers.get("Content-Type", "")


def json_answer(body: bytes) -> Answer:
    """Return a 200 with the JSON headers of VPS and CafeF."""
    return Answer(200, _JSON_HEADERS, body)


def html_answer(status: int, title: str, headers: Mapping[str, str] | None = None) -> Answer:
    """Return a short HTML page, as a front proxy sends it."""
    page = f"<!DOCTYPE html><html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"
    return Answer(status, _HTML_HEADERS if headers is None else {**_HTML_HEADERS, **headers}, page.encode())
