"""Where a request comes from: our own pages, another site's, or a client that is no browser.

Browsers say it (`Sec-Fetch-Site`, or `Origin`); whatever another site's page sends without a bearer token is
refused by the middleware, in the API and on pages. A form needs more: a page for one person carries a token
in each form, the signed twin of a cookie that only such pages set, and of the session that the page was made
for. A page for everybody (product, search) is the same bytes for all and can carry none; its forms pass when
the browser itself says that our own page sent them.
"""

import hmac
import re
import secrets
from functools import lru_cache
from hashlib import sha256

from starlette.requests import Request
from starlette.responses import Response

from mercat.kit.refusals import Forbidden
from mercat.web.context import context_of, cookie_name

COOKIE = "mercat_form"
_LIFETIME_S = 30 * 86_400
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
_HOST = re.compile(rb"([a-z0-9_.-]{1,253}|\[[0-9a-f:.]{2,45}\])(?::[0-9]{1,5})?")
_SIGNATURE_LETTERS = 32


class PageTooOld(Forbidden):
    """This page was open too long, or came from elsewhere. Nothing was done: load it again, then press."""


def from_our_page(request: Request) -> bool | None:
    """Say whether one of our own pages sent a request; None: no page at all, or the client does not say."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return None if site == "none" else site == "same-origin"
    origin = request.headers.get("origin")
    if origin is not None:
        return origin.partition("://")[2] == request.headers.get("host", "")
    return None


@lru_cache(maxsize=1_000)
def host_name(host: bytes) -> str:
    """Return the name in a Host header, in lower case; empty where it is malformed (RFC 9110, 7.2)."""
    match = _HOST.fullmatch(host.lower())
    return match[1].strip(b"[]").decode() if match else ""


class Origins:
    """The beginning of absolute addresses: the public one, else the host that was asked if it is our own.

    With neither they are relative: a page that caches keep never names a host that a visitor made up."""

    def __init__(self, public: str = "", host: str = "") -> None:
        self._public = public
        self._own = frozenset({host.lower(), *LOOPBACK_NAMES})

    def __call__(self, request: Request) -> str:
        if self._public:
            return self._public
        asked = request.headers.get("host", "")
        name = host_name(asked.encode("latin-1"))
        return f"{request.url.scheme}://{asked}" if name in self._own else ""


class Csrf:
    """Tokens of forms."""

    def __init__(self, secret: bytes, *, secure: bool) -> None:
        self._secret = secret
        self._secure = secure
        self._cookie = cookie_name(COOKIE, secure=secure)

    def token(self, request: Request) -> str:
        """Make the token for a form of this answer; `keep` sets its cookie."""
        nonce = request.cookies.get(self._cookie)
        if not nonce:
            nonce = request.scope.get("mercat.form")
        if not nonce:
            nonce = request.scope["mercat.form"] = secrets.token_urlsafe(16)
        return self._sign(nonce) + self._sign(f"{nonce} {context_of(request).token}")

    def keep(self, request: Request, response: Response) -> None:
        """Set the cookie of the tokens that this answer carries."""
        nonce = request.scope.get("mercat.form")
        if nonce:
            response.set_cookie(
                self._cookie, nonce, max_age=_LIFETIME_S, secure=self._secure, httponly=True, samesite="lax"
            )

    def check(self, request: Request, given: str, *, public: bool = False) -> None:
        """Raise PageTooOld unless the form is ours; `public`: it may stand on a page without a token."""
        ours = from_our_page(request)
        if ours is False:
            raise PageTooOld
        if given:
            nonce = request.cookies.get(self._cookie, "")
            whole = self._sign(nonce) + self._sign(f"{nonce} {context_of(request).token}")
            # Who signs in elsewhere keeps this tab: the browser itself says that the page is ours.
            length = _SIGNATURE_LETTERS if ours else len(whole)
            if not nonce or not hmac.compare_digest(given[:length].encode(), whole[:length].encode()):
                raise PageTooOld
        elif not (public and ours):
            raise PageTooOld

    def _sign(self, nonce: str) -> str:
        return hmac.new(self._secret, nonce.encode(), sha256).hexdigest()[:_SIGNATURE_LETTERS]
