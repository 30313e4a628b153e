"""Methods over HTTP, from one table of routes.

    API = [Route("POST", "/products/{product_id}/reviews", Reviews.write), ...]

`serve` answers them. How services ask each other is `kit.stand_ins`.
"""

import inspect
import re
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import cache, cached_property
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NamedTuple, TypeVar, get_origin

import msgspec
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from mercat.ids import Id, SellerId, UserId
from mercat.kit import codec, metrics
from mercat.kit.expected import Members, Parameters
from mercat.kit.http import BODY_BYTES_MAX, answered, read_body, respond
from mercat.kit.media_types import check_media_types
from mercat.kit.moments import check_times, has_times
from mercat.kit.refusals import Forbidden, Invalid, NotFound, ScopeMissing, SignInFirst, malformed
from mercat.kit.text import plain_problem
from mercat.kit.verbs import Verb

Service = TypeVar("Service")
Place = Literal["path", "query", "filters", "body", "caller", "request"]
Needs = Literal["nobody", "guest", "member", "seller", "operator"]
JSON = "application/json"
_ANY_NAME = "NAME]"
_WHOLE = re.compile(r"-?[0-9]+")


class Caller(msgspec.Struct, frozen=True):
    """Who asks, as the session says."""

    user_id: UserId
    roles: frozenset[str] = frozenset({"guest"})
    seller_id: SellerId | None = None
    email: str | None = None
    name: str = ""
    scopes: frozenset[str] | None = None
    """What a program's key may do; None: a session, which may do all that its person may."""

    @property
    def guest(self) -> bool:
        return "guest" in self.roles


class Filters(msgspec.Struct):
    """Base of structs that travel in the query string; a field's encoded name is the parameter's."""


class Route(Verb):
    """A method and where it lives on the wire. Its type hints say where each argument travels."""

    shared = False
    """Whether the answer is the same for all who ask, so that it may be kept for a moment."""
    any_query = False
    """Whether who asks may write into the query what they like: it is not read."""

    def __init__(
        self,
        verb: str,
        path: str,
        method: Callable[..., Awaitable[Any]],
        *,
        needs: Needs = "nobody",
        status: int = 200,
        summary: str = "",
        scopes: Sequence[str] = (),
        answers: str = JSON,
    ) -> None:
        """`scopes`: a program's key may ask with any of these; without one no key may. `answers`: the media
        type of what is answered; after commas, those that are answered to who asks for them instead."""
        super().__init__(method)
        self.verb, self.path = verb, path
        self.needs: Needs = needs
        self.scopes = scopes
        self.answers, _, self.or_answers = answers.partition(", ")
        self.status = status
        self.summary = summary or (inspect.getdoc(method) or "").split("\n\n")[0].replace("\n", " ")
        self.places = {name: _place(name, hint, path) for name, hint in self.hints.items()}
        assert len(self.at("body")) <= 1, f"{self.name}: two bodies cannot travel"
        self.body = next((self.hints[name] for name in self.at("body")), None)
        self.body_needed = all(
            self.signature.parameters[name].default is inspect.Parameter.empty for name in self.at("body")
        )
        self.filters = next((self.hints[name] for name in self.at("filters")), None)
        self.ids: dict[str, type[Id]] = {
            name: hint
            for name in self.at("path")
            if isinstance(hint := self.hints[name], type) and issubclass(hint, Id)
        }
        self.plain = msgspec.defstruct(
            f"{self.name}_arguments",
            [
                _field(self.signature.parameters[name], self.hints[name])
                for name in self.at("path", "query")
                if name not in self.ids
            ],
            kw_only=True,
        )

    def at(self, *places: Place) -> list[str]:
        return [name for name, place in self.places.items() if place in places]

    @cached_property
    def timed(self) -> dict[str, str]:
        """Say which arguments of who is outside may hold days or times, and how a place in them begins."""
        return {
            name: f"/{name}" if self.places[name] in ("path", "query") else ""
            for name in self.at("path", "query", "filters", "body")
            if has_times(self.hints[name])
        }


def _place(name: str, hint: Any, path: str) -> Place:
    if f"{{{name}}}" in path or f"{{{name}:" in path:
        return "path"
    if get_origin(hint) is Annotated:
        hint = hint.__origin__
    if hint in (Caller, Caller | None):
        return "caller"
    if isinstance(hint, UnionType) and len(kinds := set(hint.__args__) - {NoneType}) == 1:
        [hint] = kinds
    if hint is Request:
        return "request"
    if isinstance(hint, type) and issubclass(hint, Filters):
        return "filters"
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return "body"
    if get_origin(hint) in (list, dict):
        return "body"
    return "query"


def _field(parameter: inspect.Parameter, hint: Any) -> tuple[str, Any] | tuple[str, Any, Any]:
    required = parameter.default is inspect.Parameter.empty
    return (parameter.name, hint) if required else (parameter.name, hint, parameter.default)


Authenticate = Callable[[Request], Awaitable[Caller | None]]
Handler = Callable[[Request], Awaitable[Response]]


def serve(
    api: Iterable[Route],
    service: object,
    authenticate: Authenticate,
    prefix: str,
    keep: Callable[[Handler], Handler] | None = None,
) -> list[Handler]:
    """Make what answers each route with the service's method; `authenticate` says who asks, and `keep` makes
    a handler whose answers are kept, for routes that are shared."""
    return [_handler(route, service, authenticate, prefix, keep) for route in api]


def _handler(
    route: Route,
    service: object,
    authenticate: Authenticate,
    prefix: str,
    keep: Callable[[Handler], Handler] | None,
) -> Handler:
    """Make the handler of a route: read the arguments, call the method, count and time the answer."""
    method = getattr(service, route.name)
    arguments = _reader(route, authenticate)
    label = f"{route.verb} {prefix}{route.path}"
    seconds: Any = None
    counted: dict[int, Any] = {}

    async def make(request: Request) -> Response:
        return respond(await method(**await arguments(request)), route.status)

    made = keep(make) if keep and route.shared else make

    async def answer(request: Request) -> Response:
        check_media_types(
            request, reads_json=route.body is not None, answers=route.answers, or_answers=route.or_answers
        )
        return await made(request)

    async def handler(request: Request) -> Response:
        nonlocal seconds
        began = time.perf_counter()
        response = await answered(answer, request)
        status = response.status_code
        count = counted.get(status)
        if count is None:
            count = counted[status] = metrics.requests.labels(label, str(status))
        count.inc()
        if seconds is None:  # what is never asked has no series
            seconds = metrics.request_seconds.labels(label)
        seconds.observe(time.perf_counter() - began)
        return response

    return handler


def _reader(route: Route, authenticate: Authenticate) -> Callable[[Request], Awaitable[dict[str, Any]]]:
    """Make the reader of a route's arguments; what can be known before a request is looked up once."""
    body = codec.asked(route.body) if route.body else None
    body_name = next(iter(route.at("body")), "")
    callers, requests, filters = route.at("caller"), route.at("request"), route.at("filters")
    optional_caller = bool(callers) and route.hints[callers[0]] is not Caller
    has_plain = bool(route.at("path", "query"))
    parameters = Parameters(route)
    members = Members(route.body) if route.body else None

    async def arguments(request: Request) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if request.scope["query_string"] and not route.any_query:
            parameters.check(request.query_params)
        if callers or route.needs != "nobody":
            caller = _with_key(route, await authenticate(request))
            _check(route.needs, caller, optional=optional_caller)
            found.update(dict.fromkeys(callers, caller))
        if has_plain:
            given = request.path_params
            if request.scope["query_string"]:
                given = {**request.query_params, **given}
            found |= _plain(route, given)
        for name in filters:
            found[name] = _filters(route.filters, request)
        for name in requests:
            found[name] = request
        if body:
            content = await read_body(request, needed=route.body_needed, most=BODY_BYTES_MAX)
            if content or route.body_needed:
                found[body_name] = body.decode(content)
                if members:
                    members.check(content)
        _check_times(found, route.timed)
        return found

    return arguments


def _check_times(found: Mapping[str, Any], timed: Mapping[str, str]) -> None:
    for name, at in timed.items():
        check_times(found.get(name), at)


def _with_key(route: Route, caller: Caller | None) -> Caller | None:
    """Say who asks with a program's key: nobody where anybody may; elsewhere ScopeMissing unless the key has
    one of the route's scopes. Who may write may read."""
    if caller is None or caller.scopes is None:
        return caller
    if route.needs == "nobody":
        return None
    held = caller.scopes
    if not any(scope in held or scope.replace(":read", ":write") in held for scope in route.scopes):
        raise ScopeMissing(scopes=list(route.scopes))
    return caller


def _check(needs: Needs, caller: Caller | None, *, optional: bool) -> None:
    if needs == "nobody" and optional:
        return
    if caller is None:
        raise SignInFirst
    if needs == "member" and caller.guest:
        raise SignInFirst("Sign in with an account of your own: a guest session cannot do this.")
    if needs in ("seller", "operator") and needs not in caller.roles:
        raise Forbidden(f"Only a {needs} may do this.")


def _plain(route: Route, given: Mapping[str, Any]) -> dict[str, Any]:
    """Read what stands in the address: an id that cannot exist is NotFound, anything else malformed."""
    found: dict[str, Any] = {}
    for name, kind in route.ids.items():
        try:
            found[name] = codec.convert(given[name], kind)
        except msgspec.ValidationError:
            raise NotFound from None  # an id that cannot exist names nothing
    if route.plain.__struct_fields__:
        for field in codec.fields_of(route.plain):
            _check_whole(field, given.get(field.encode_name))
        try:
            found |= msgspec.structs.asdict(codec.convert(given, route.plain, strict=False))
        except msgspec.ValidationError as error:
            raise malformed(error) from None
    return found


class _Parameter(NamedTuple):
    """A field of Filters as it is looked for in a query string."""

    name: str
    beginning: str
    """Of all names that it takes, where it takes more than one."""
    field: msgspec.structs.FieldInfo
    is_list: bool
    is_filter: bool
    """Whether it is called `filters[…]`, which a form sends empty where nothing was chosen."""


@cache
def _parameters_of(kind: Any) -> list[_Parameter]:
    return [
        _Parameter(
            field.encode_name,
            field.encode_name.removesuffix(_ANY_NAME) if field.encode_name.endswith(_ANY_NAME) else "",
            field,
            isinstance(_bare(msgspec.inspect.type_info(field.type)), msgspec.inspect.ListType),
            field.encode_name.endswith("]"),
        )
        for field in codec.fields_of(kind)
    ]


def _filters(kind: Any, request: Request) -> Any:
    """Query parameters to a struct: a list field takes every value, another field the last one. An empty
    `filters[…]`, as a form sends it, is none. A field called `…NAME]` takes all that begin so, by name."""
    given: dict[str, Any] = {}
    said = request.query_params
    for name, beginning, field, is_list, is_filter in _parameters_of(kind) if said else ():
        if beginning:
            named = _named(beginning, said)
            try:
                codec.convert(named, field.type)
            except msgspec.ValidationError as error:
                words = plain_problem(str(error).split(" - at")[0])
                raise Invalid(words, pointer=f"/{name}") from None
            if named:
                given[name] = named
            continue
        if name not in said:
            continue
        values = said.getlist(name)
        if is_filter:
            values = [value for value in values if value]
        if values:
            _check_whole(field, values[-1])
            given[name] = values if is_list else values[-1]
    try:
        return codec.convert(given, kind, strict=False)
    except msgspec.ValidationError as error:
        raise malformed(error) from None


def _named(beginning: str, said: QueryParams) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in said.multi_items():
        if value and name.startswith(beginning) and name.endswith("]"):
            found.setdefault(name[len(beginning) : -1], []).append(value)
    return found


def _check_whole(field: msgspec.structs.FieldInfo, value: object) -> None:
    """Refuse what stands for a whole number in JSON or Python, and is none as people write it: `1e1`."""
    if isinstance(value, str) and _is_whole(field.type) and not _WHOLE.fullmatch(value):
        raise Invalid("Give a whole number here.", pointer=f"/{field.encode_name}")


@cache
def _is_whole(hint: Any) -> bool:
    kind = msgspec.inspect.type_info(hint)
    kinds = kind.types if isinstance(kind, msgspec.inspect.UnionType) else [kind]
    return any(isinstance(_bare(each), msgspec.inspect.IntType) for each in kinds)


def _bare(kind: msgspec.inspect.Type) -> msgspec.inspect.Type:
    return kind.type if isinstance(kind, msgspec.inspect.Metadata) else kind
