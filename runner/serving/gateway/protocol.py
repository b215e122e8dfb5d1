"""HTTP as the gateway speaks it: uvicorn's, except that bytes which are no HTTP get an answer in OpenAI's shape too.

Used by `server` only.
"""

from __future__ import annotations

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from runner.serving.gateway.replies import error_body


class Protocol(HttpToolsProtocol):
    """One connection."""

    def send_400_response(self, msg: str) -> None:
        """Answer what could not be parsed, and close the connection, as uvicorn does."""
        body = orjson.dumps(error_body(400, "malformed_http", f"this is not an HTTP request: {msg}"))
        head = (
            b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\nconnection: close\r\n"
            b"content-length: %d\r\n\r\n" % len(body)
        )
        self.transport.write(head + body)
        self.transport.close()
