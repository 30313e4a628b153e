"""The access log: a line of JSON for each request on standard error, with nothing of who asked."""

import sys
from contextlib import suppress
from datetime import UTC, datetime

import msgspec
from starlette.types import Scope

from mercat.web.context import RequestContext
from mercat.web.router import ROUTE


class AccessLog:
    """Writes what was asked by its route: a path may hold a key or a token."""

    def write(self, scope: Scope, status: int, seconds: float) -> None:
        """Write the line of a request."""
        context: RequestContext = scope["mercat.context"]
        line = {
            "event": "answered",
            "method": scope["method"],
            "route": scope.get(ROUTE, ""),
            "status": status,
            "ms": round(seconds * 1_000, 1),
            "request_id": context.request_id.decode(),
            "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds"),
        }
        with suppress(OSError):  # a full disk under the log fails no request
            sys.stderr.write(msgspec.json.encode(line).decode() + "\n")
