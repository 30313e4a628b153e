"""Which other sites' pages may use the API from a browser (CORS, https://fetch.spec.whatwg.org).

A setting, and never with cookies: such a page reads what is everybody's, or brings a bearer token of its own.
"""

from starlette.types import Scope

from mercat.web.router import API

Headers = list[tuple[bytes, bytes]]
_ALLOWED: Headers = [
    (b"access-control-allow-methods", b"GET, HEAD, POST, PUT, PATCH, DELETE"),
    (
        b"access-control-allow-headers",
        b"Accept, Authorization, Content-Type, Flash-Pass, Idempotency-Key, If-Match, If-None-Match, Seller, "
        b"X-Request-Id",
    ),
    (b"access-control-max-age", b"7200"),
]
_SHOWN = (
    b"access-control-expose-headers",
    b"ETag, Idempotent-Replayed, Location, RateLimit, RateLimit-Policy, Retry-After, X-Request-Id",
)
_ANY = (b"access-control-allow-origin", b"*")
_VARIES = (b"vary", b"Origin")


class Cors:
    """The origins of a setting, between spaces; `*` is every one."""

    def __init__(self, origins: str) -> None:
        self._origins = frozenset(each.rstrip("/").lower().encode() for each in origins.split())
        self._any = b"*" in self._origins

    def concerns(self, path: str) -> bool:
        """Say whether any other site may use this address at all."""
        return bool(self._origins) and path.startswith(API)

    def allows(self, origin: bytes) -> bool:
        """Say whether pages of this origin may use the API."""
        return bool(origin) and (self._any or origin.lower() in self._origins)

    def headers(self, origin: bytes) -> Headers:
        """Return what every answer of the API carries, whoever asks: caches keep one for each origin."""
        if self._any:
            return [_ANY, _SHOWN]
        if self.allows(origin):
            return [(b"access-control-allow-origin", origin), _SHOWN, _VARIES]
        return [_VARIES]

    @staticmethod
    def preflight(scope: Scope) -> Headers | None:
        """Return what a preflight is told; None for a request that is none."""
        asks = scope["method"] == "OPTIONS" and any(
            name == b"access-control-request-method" for name, _ in scope["headers"]
        )
        return _ALLOWED if asks else None
