"""From a path to its handler, for both faces: a look-up a segment, whatever the number of routes."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Literal, NamedTuple
from urllib.parse import parse_qsl, quote

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from mercat.accounts import Scope as KeyScope
from mercat.kit.http import check_encoded, problem, refusal_of
from mercat.kit.refusals import Invalid, MethodNotAllowed, NotFound, Refusal
from mercat.kit.rpc import JSON, Needs, Route
from mercat.web.cache import PRIVATE, Handler

ROUTE = "mercat.route"
"""Where a scope has the path of its route, with names for values."""
API = "/api/"
"""Below this a refusal is a problem document; elsewhere it is a page."""

Tell = Callable[[Request, Refusal], Awaitable[Response]]
"""How a refusal is told to who asked."""
Tag = Literal[
    "Browsing",
    "Buying",
    "People",
    "Selling",
    "Opinions",
    "Flash sales",
    "Merchandising",
    "Running the shop",
]

TAGS: dict[Tag, str] = {
    "Browsing": "Categories, products and search. Open to everybody; the same page for everyone.",
    "Buying": "The cart, quotes, checkout and orders. A guest session is enough.",
    "Flash sales": "Few units, many people: a queue with a verifiable draw, a pass when it is your turn.",
    "People": "Accounts, sessions, addresses and ways to pay.",
    "Selling": "A seller's products, stock, orders and shipments.",
    "Opinions": "Reviews, the wishlist and recommendations.",
    "Merchandising": "For operators: which products searches put first, and which words mean the same.",
    "Running the shop": "For operators: orders, people, goods, and who changed what.",
}


class PublicRoute(Route):
    """A route of the API: also what it shows, where the method answers ready bytes, and the codes of the
    refusals that are its own. `location`: the path of what it made, by names in its path and its answer.
    `uploads`: its body is a form with a `file`."""

    def __init__(  # noqa: PLR0913  - a row of the table
        self,
        verb: str,
        path: str,
        method: Any,
        *,
        tag: Tag,
        needs: Needs = "nobody",
        status: int | None = None,
        shows: Any = None,
        refuses: Sequence[str] = (),
        also: Sequence[int] = (),
        keyed: bool = False,
        headers: Mapping[str, str] | None = None,
        uploads: bool = False,
        scopes: Sequence[KeyScope] = (),
        location: str = "",
        answers: str = JSON,
        shared: bool = False,
        any_query: bool = False,
    ) -> None:
        answered = status or (201 if verb == "POST" else 200)
        super().__init__(verb, path, method, needs=needs, status=answered, scopes=scopes, answers=answers)
        self.shared = shared
        self.any_query = any_query
        self.tag: Tag = tag
        self.shows = (shows or self.answer) if self.answers == JSON else None
        self.refuses = refuses
        self.also = also
        self.keyed = keyed
        self.uploads = uploads
        self.headers = headers or {}
        self.location = location

    @property
    def honours_key(self) -> bool:
        """Whether the same `Idempotency-Key` again gets the same answer."""
        return self.verb != "GET" and (self.keyed or self.name not in UNKEYED)


UNKEYED = frozenset({"buy", "sign_in", "guest", "sign_out", "provider_notice", "begin_two_factor"})
"""Checkout keeps keys of its own, a notice has an id, and a secret is not kept in the open."""


SECRET = frozenset({"make_api_key", "make_gift_card", "add_webhook"})
"""Their answers have a secret, so none is kept: the same key asks the verb again, which makes nothing new."""


class Endpoint(NamedTuple):
    """A handler and its path: `{name}` is a segment of it, `{name:path}` at its end is all that follows."""

    verb: str
    path: str
    handler: Handler


_PRIVATE = b"cache-control", PRIVATE.encode()


class _Node:
    """A segment of paths: what may follow it, and who answers where a path ends here."""

    __slots__ = (
        "handlers",
        "literal",
        "parameter",
        "parameter_name",
        "path",
        "rest",
        "rest_from",
        "rest_name",
    )

    def __init__(self) -> None:
        self.path = ""
        """As its route has it: no value of a parameter is in it."""
        self.literal: dict[str, _Node] = {}
        self.parameter: _Node | None = None
        self.parameter_name = ""
        self.rest: _Node | None = None
        self.rest_name = ""
        self.rest_from = 0
        self.handlers: dict[str, Handler] = {}


async def tell_problem(request: Request, refusal: Refusal) -> Response:
    return problem(refusal)


class Router:
    """The application behind the middleware, for both faces.

    What is not there and what goes wrong in a handler is told by a problem document in the API, elsewhere by
    `tell_page`. An answer that does not say who may keep it is private."""

    def __init__(self, endpoints: Iterable[Endpoint], tell_page: Tell = tell_problem) -> None:
        self._root = _Node()
        self._tell_page = tell_page
        for endpoint in endpoints:
            self._add(endpoint)

    def _add(self, endpoint: Endpoint) -> None:
        node, at = self._root, 1
        for segment in endpoint.path[1:].split("/") if endpoint.path != "/" else ():
            if segment.endswith(":path}"):
                node.rest, node.rest_name, node.rest_from = node.rest or _Node(), segment[1:-6], at
                node = node.rest
            elif segment.startswith("{"):
                name = segment.strip("{}")
                if node.parameter is None:
                    node.parameter, node.parameter_name = _Node(), name
                if node.parameter_name != name:
                    raise ValueError(f"{endpoint.path}: {node.parameter_name} stands here elsewhere")
                node = node.parameter
            else:
                node = node.literal.setdefault(segment, _Node())
            at += len(segment) + 1
        if endpoint.verb in node.handlers:
            raise ValueError(f"{endpoint.verb} {endpoint.path} is there twice")
        node.handlers[endpoint.verb] = endpoint.handler
        node.path = endpoint.path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, send)
        try:
            response = await self._handler(scope)(request)
        except ClientDisconnect:
            response = Response(status_code=499)
        except Exception as error:
            response = await self._tell(request, refusal_of(error, scope["path"]))
        if not any(name == b"cache-control" for name, _ in response.raw_headers):
            response.raw_headers.append(_PRIVATE)
        await response(scope, receive, send)

    def _handler(self, scope: Scope) -> Handler:
        parameters: dict[str, str] = {}
        path, query = scope["path"], scope["query_string"]
        if b"%" in query:
            if b"%00" in query and path.startswith(API):
                raise _nul(query)
            check_encoded(query)
        node = self._find(path, parameters)
        if node is None or not node.handlers:
            if path.endswith("/") and (proper := self._find(path.rstrip("/"), {})) and proper.handlers:
                return _without_slash
            raise NotFound("There is nothing at this address.")
        verb = scope["method"]
        handler = node.handlers.get("GET" if verb == "HEAD" else verb)
        if handler is None:
            return partial(self._other_method, node)
        scope["path_params"] = parameters
        scope[ROUTE] = node.path
        return handler

    async def _other_method(self, node: _Node, request: Request) -> Response:
        verbs = {*node.handlers, "OPTIONS", *(["HEAD"] if "GET" in node.handlers else [])}
        allowed = ", ".join(sorted(verbs))
        if request.method == "OPTIONS":
            return Response(status_code=204, headers={"allow": allowed})
        response = await self._tell(request, MethodNotAllowed(f"This address takes {allowed}."))
        response.headers["allow"] = allowed
        return response

    def _tell(self, request: Request, refusal: Refusal) -> Awaitable[Response]:
        tell = tell_problem if request.scope["path"].startswith(API) else self._tell_page
        return tell(request, refusal)

    def _find(self, path: str, parameters: dict[str, str]) -> _Node | None:
        node = self._root
        for segment in path[1:].split("/") if path != "/" else ():
            following = node.literal.get(segment)
            if following is None:
                following = node.parameter
                if following is None or not segment or "\0" in segment:
                    if node.rest is None:
                        return None
                    parameters[node.rest_name] = path[node.rest_from :]
                    return node.rest
                parameters[node.parameter_name] = segment
            node = following
        return node


async def _without_slash(request: Request) -> Response:
    """Lead on to the address without a slash at its end, with the same method and body."""
    location = "/" + quote(request.url.path.strip("/"))
    query = request.url.query
    return Response(status_code=308, headers={"location": f"{location}?{query}" if query else location})


def _nul(query: bytes) -> Invalid:
    names = [name for name, value in parse_qsl(query.decode("latin-1"), True) if "\0" in name + value]
    pointer = f"/{names[0]}" if names and "\0" not in names[0] else ""
    return Invalid("A text may not contain the NUL character.", pointer=pointer)
