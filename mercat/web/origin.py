"""Forms come from our own pages only.

A page for one person carries a token in each form: the signed twin of a cookie that only such pages set.
A page for everybody (product, search) is the same bytes for all and can carry none; its forms pass when the
browser itself says that they were sent by our own page (`Sec-Fetch-Site`, or `Origin`). Whatever another site
sends, with a token or without, is refused.
"""

import hmac
import secrets
from hashlib import sha256

from starlette.requests import Request
from starlette.responses import Response

from mercat.kit.refusals import Forbidden
from mercat.web.context import context_of

COOKIE = "mercat_form"
_LIFETIME_S = 30 * 86_400
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class PageTooOld(Forbidden):
    """This page was open too long, or came from elsewhere. Nothing was done: load it again, then press."""


def refuse_other_sites(request: Request) -> None:
    """Refuses what another site's page sends with the visitor's cookie. Browsers say where a request comes
    from; a client that says nothing is no browser, and had to be given the cookie on purpose."""
    if context_of(request).bearer or request.method in _SAFE:
        return
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    if site is not None:
        ours = site in ("same-origin", "none")
    elif origin is not None:
        ours = origin.partition("://")[2] == request.headers.get("host", "")
    else:
        ours = True
    if not ours:
        raise Forbidden("This came from another site's page. Use a bearer token instead of the cookie.")


class Csrf:
    def __init__(self, secret: bytes, *, secure: bool) -> None:
        self._secret = secret
        self._secure = secure

    def token(self, request: Request) -> str:
        """For a form of this answer; `keep` sets its cookie."""
        nonce = request.cookies.get(COOKIE)
        if not nonce:
            nonce = request.scope.get("mercat.form")
        if not nonce:
            nonce = request.scope["mercat.form"] = secrets.token_urlsafe(16)
        return self._sign(nonce)

    def keep(self, request: Request, response: Response) -> None:
        nonce = request.scope.get("mercat.form")
        if nonce:
            response.set_cookie(
                COOKIE, nonce, max_age=_LIFETIME_S, secure=self._secure, httponly=True, samesite="lax"
            )

    def check(self, request: Request, given: str, *, public: bool = False) -> None:
        """PageTooOld unless the form is ours; `public`: it may stand on a page that carries no token."""
        ours = _says_ours(request)
        if ours is False:
            raise PageTooOld
        if given:
            nonce = request.cookies.get(COOKIE, "")
            if not nonce or not hmac.compare_digest(given.encode(), self._sign(nonce).encode()):
                raise PageTooOld
        elif not (public and ours):
            raise PageTooOld

    def _sign(self, nonce: str) -> str:
        return hmac.new(self._secret, nonce.encode(), sha256).hexdigest()


def _says_ours(request: Request) -> bool | None:
    """What the browser says of where the request comes from; None: it says nothing."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = request.headers.get("origin")
    if origin is not None:
        return origin.partition("://")[2] == request.headers.get("host", "")
    return None
