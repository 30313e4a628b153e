"""How a refusal becomes an answer: a problem document (RFC 9457) for programs, a page for people."""

from functools import cache
from typing import Any, NamedTuple

from jinja2 import Environment
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.types import Scope

from mercat.kit.refusals import BadRequest, MethodNotAllowed, NotFound, Refusal
from mercat.kit.rpc import problem
from mercat.web import rendering
from mercat.web.cache import PRIVATE


class RefusalMessage(NamedTuple):
    """A refusal as a page says it: what happened, whether money moved, what to do."""

    title: str
    what: str = ""
    money: str = ""
    todo: str = ""


TITLES = {
    401: "Please sign in",
    403: "This is not yours to do",
    404: "There is nothing here",
    405: "That cannot be done here",
    409: "That does not go together",
    413: "That is too large",
    429: "One moment, please",
    503: "The shop is full at the moment",
}


def turn_away(scope: Scope, refusal: Refusal) -> Response:
    """What the door turns away before a page is asked: for people a page that comes back by itself, for
    machines the problem document."""
    headers = Headers(scope=scope)
    if scope["path"].startswith("/api/") or "text/html" not in headers.get("accept", ""):
        return problem(refusal)
    again = max(3, int(refusal.facts.get("retry_after", refusal.retry_after) or 0))
    shown = {"title": TITLES.get(refusal.status, "One moment, please"), "words": str(refusal), "again": again}
    if scope["method"] != "GET":
        shown["again"] = 0
    page = _plain().get_template("bare.html").render(**shown)
    return HTMLResponse(page, refusal.status, {"Cache-Control": PRIVATE, "Retry-After": str(again)})


@cache
def _plain() -> Environment:
    return rendering.environment(rendering.Statics(), lambda _: "")


def message_of(refusal: Refusal) -> RefusalMessage:
    """A refusal of a form that moves no money."""
    return RefusalMessage(str(refusal))


async def unknown_path(request: Request, error: Exception) -> Response:
    """For paths outside the API; pages that want to look nicer register their own."""
    status = error.status_code if isinstance(error, HTTPException) else 404
    known: dict[int, Refusal] = {404: NotFound("There is nothing at this address."), 405: MethodNotAllowed()}
    answer = problem(known.get(status) or BadRequest(str(getattr(error, "detail", ""))))
    if isinstance(error, HTTPException) and error.headers:
        answer.headers.update(error.headers)
    return answer


async def broken(request: Request, error: Exception) -> Response:
    return problem(Refusal())


def exception_handlers() -> dict[Any, Any]:
    """Starlette's `exception_handlers`: problem documents instead of plain text."""
    return {HTTPException: unknown_path, Exception: broken}
