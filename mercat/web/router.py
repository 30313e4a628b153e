"""Routes of the API; from a path to its handler by a look-up a segment, whatever the number of routes."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from mercat.kit.refusals import Invalid, MethodNotAllowed, NotFound
from mercat.kit.rpc import Needs, Route, problem

Handler = Callable[[Request], Awaitable[Response]]
_PRIVATE = "private, no-store"


Tag = Literal["Browsing", "Buying", "People", "Selling", "Opinions", "Flash sales", "Merchandising"]

TAGS: dict[Tag, str] = {
    "Browsing": "Categories, products and search. Open to everybody; the same page for everyone.",
    "Buying": "The cart, quotes, checkout and orders. A guest session is enough.",
    "Flash sales": "Few units, many people: a queue with a verifiable draw, a pass when it is your turn.",
    "People": "Accounts, sessions, addresses and ways to pay.",
    "Selling": "A seller's products, stock, orders and shipments.",
    "Opinions": "Reviews, the wishlist and recommendations.",
    "Merchandising": "For operators: which products searches put first, and which words mean the same.",
}


class PublicRoute(Route):
    """A route of the public table: also what it shows, where the method answers ready bytes, and the codes
    of the refusals that are its own."""

    def __init__(
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
    ) -> None:
        super().__init__(verb, path, method, needs=needs, status=status)
        self.tag: Tag = tag
        self.shows = shows or self.answer
        self.refuses = refuses
        self.also = also
        self.keyed = keyed
        self.headers = headers or {}


class Entry(NamedTuple):
    verb: str
    path: str
    handler: Handler


def _nul(query: bytes) -> Invalid:
    names = [name for name, value in parse_qsl(query.decode("latin-1"), True) if "\0" in name + value]
    pointer = f"/{names[0]}" if names and "\0" not in names[0] else ""
    return Invalid("A text may not contain the NUL character.", pointer=pointer)


class _Node:
    """One segment of paths: what may follow it, and who answers where a path ends here."""

    __slots__ = ("literal", "parameter", "parameter_name", "verbs")

    def __init__(self) -> None:
        self.literal: dict[str, _Node] = {}
        self.parameter: _Node | None = None
        self.parameter_name = ""
        self.verbs: dict[str, Handler] = {}


class Paths(BaseRoute):
    """All routes below `prefix` as one of Starlette's. What is not there is a problem document, and every
    answer that does not say who may keep it is private."""

    def __init__(self, prefix: str, entries: Iterable[Entry]) -> None:
        self._prefix = prefix
        self._root = _Node()
        for entry in entries:
            self._add(entry)

    def _add(self, entry: Entry) -> None:
        node = self._root
        for segment in entry.path.strip("/").split("/"):
            if segment.startswith("{"):
                name = segment.strip("{}")
                if node.parameter is None:
                    node.parameter, node.parameter_name = _Node(), name
                if node.parameter_name != name:
                    raise ValueError(f"{entry.path}: this place is called {node.parameter_name} elsewhere")
                node = node.parameter
            else:
                node = node.literal.setdefault(segment, _Node())
        if entry.verb in node.verbs:
            raise ValueError(f"{entry.verb} {entry.path} is there twice")
        node.verbs[entry.verb] = entry.handler

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        path = scope["path"] if scope["type"] == "http" else ""
        ours = path.startswith(self._prefix) and path[len(self._prefix) :][:1] in ("", "/")
        return (Match.FULL if ours else Match.NONE), {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, send)
        response = await self._answer(scope, request)
        if "cache-control" not in response.headers:
            response.headers["cache-control"] = _PRIVATE
        await response(scope, receive, send)

    async def _answer(self, scope: Scope, request: Request) -> Response:
        parameters: dict[str, str] = {}
        node = self._find(scope["path"][len(self._prefix) :], parameters)
        if node is None or not node.verbs:
            return problem(NotFound("There is nothing at this address."))
        verb = scope["method"]
        handler = node.verbs.get("GET" if verb == "HEAD" else verb)
        if handler is None:
            allowed = ", ".join(sorted({*node.verbs, "OPTIONS", *(["HEAD"] if "GET" in node.verbs else [])}))
            if verb == "OPTIONS":
                return Response(status_code=204, headers={"allow": allowed})
            answer = problem(MethodNotAllowed(f"This address takes {allowed}."))
            answer.headers["allow"] = allowed
            return answer
        if b"%00" in scope["query_string"]:
            return problem(_nul(scope["query_string"]))
        scope["path_params"] = parameters
        return await handler(request)

    def _find(self, path: str, parameters: dict[str, str]) -> _Node | None:
        node: _Node | None = self._root
        for segment in path.strip("/").split("/") if not path.endswith("/") else ():
            assert node is not None
            following = node.literal.get(segment)
            if following is None:
                following = node.parameter
                if following is None or not segment or "\0" in segment:
                    return None
                parameters[node.parameter_name] = segment
            node = following
        return node
