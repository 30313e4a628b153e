"""A service's class that asks another process, and what answers it there.

Every ask of a verb goes to `/internal/<service>/_many/<verb>` as an element of a list, and each is answered
by itself: `{"answer": …}` or `{"problem": …}`. So what gathers while a request is on its way travels as the
next one, and no argument has to fit into a path. Arguments go by name: an older process ignores those that it
does not know, a newer one fills in what is not given.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from functools import partial
from http import HTTPStatus
from typing import Any, NamedTuple, Protocol, TypeVar, cast

import msgspec
import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route as Endpoint

from mercat.kit import codec, deadline, metrics
from mercat.kit.batching import Coalescer
from mercat.kit.http import answered, check_nul, read_bytes, refusal_of
from mercat.kit.refusals import Invalid, Refusal, TooLarge, Unavailable, malformed
from mercat.kit.verbs import Verb

Service = TypeVar("Service")
ASKS_MAX = 256
"""Asks that travel together."""
PATIENCE_S = 10.0
"""How long an ask may take where nobody has said how long they will wait."""
_PLAIN = frozenset({"type", "title", "status", "detail", "code"})
log = structlog.get_logger("mercat.stand_ins")


class Replied(NamedTuple):
    """What a neighbour has answered to a request."""

    status: int
    content: bytes


class Post(Protocol):
    """Sends the body of a POST to a path of a neighbour and waits so long; Unavailable without a reply."""

    def __call__(self, path: str, body: bytes, seconds: float) -> Awaitable[Replied]: ...


class _Ask(NamedTuple):
    content: bytes
    seconds: float


class _Outcome(msgspec.Struct):
    """What became of an ask."""

    answer: msgspec.Raw = msgspec.Raw(b"null")
    problem: dict[str, Any] | None = None


_outcomes = msgspec.json.Decoder(list[_Outcome])
_raw_asks = msgspec.json.Decoder(list[msgspec.Raw])


def remote(
    service: type[Service], api: Iterable[Verb], post: Post, patience_s: float = PATIENCE_S
) -> Service:
    """Make a stand-in with the service's methods, each an ask of another process."""
    methods = {verb.name: _verb(verb, post, patience_s) for verb in api}
    return cast(Service, type(f"Remote{service.__name__}", (), methods)())


def nowhere(service: str) -> Post:
    """Send nothing: for a service that this process was told no address of, as it should never ask it."""

    async def post(path: str, body: bytes, seconds: float) -> Replied:
        log.error("a service without an address was asked", service=service, path=path)
        raise Unavailable

    return post


def _verb(verb: Verb, post: Post, patience_s: float) -> Callable[..., Awaitable[Any]]:
    names = [name for name in verb.signature.parameters if name != "self"]
    path = path_of(verb)

    async def flush(asks: list[_Ask]) -> Sequence[Any]:
        return [answer for load in _loads(asks, verb.bytes_max) for answer in await carry(load)]

    async def carry(asks: list[_Ask]) -> Sequence[Any]:
        body = b"[" + b",".join([ask.content for ask in asks]) + b"]"
        try:
            if len(body) > verb.bytes_max:
                raise TooLarge
            reply = await post(path, body, max(ask.seconds for ask in asks))
            return _read(verb, reply, len(asks))
        except Refusal as refusal:
            return [refusal] * len(asks)

    gathered: Coalescer[_Ask, Any] = Coalescer(flush, batch_max=ASKS_MAX, turns=False)

    async def call(self: object, *args: Any, **named: Any) -> Any:
        given = dict(zip(names, args, strict=False)) | named
        seconds = deadline.left(patience_s)
        ask = _Ask(codec.encode(given), seconds)
        if not verb.many:
            [answer] = await flush([ask])
            if isinstance(answer, Exception):
                raise answer
            return answer
        try:
            async with asyncio.timeout(seconds):
                return await gathered(ask)
        except TimeoutError as error:
            raise Unavailable from error

    return call


def _loads(asks: list[_Ask], bytes_max: int) -> Iterator[list[_Ask]]:
    """Cut what has gathered into requests that are not too large; one ask alone may be."""
    load: list[_Ask] = []
    size = 2
    for ask in asks:
        size += len(ask.content) + 1
        if load and size > bytes_max:
            yield load
            load, size = [], len(ask.content) + 3
        load.append(ask)
    yield load


def _read(verb: Verb, reply: Replied, asks: int) -> list[Any]:
    """Read an answer or a refusal for each ask; raise what is said of all of them."""
    try:
        if reply.status != HTTPStatus.OK:
            raise _refusal(msgspec.json.decode(reply.content, type=dict[str, Any]))
        outcomes = _outcomes.decode(reply.content)
        if len(outcomes) != asks:
            raise ValueError(f"{len(outcomes)} answers to {asks} asks")
        return [
            _refusal(each.problem)
            if each.problem is not None
            else codec.decode(bytes(each.answer), verb.answer)
            if verb.answer
            else None
            for each in outcomes
        ]
    except (ValueError, KeyError) as error:  # no JSON: a proxy's page; or an older process without this verb
        log.warning(
            "a neighbour's reply cannot be read", verb=verb.name, status=reply.status, reason=str(error)
        )
        raise Unavailable from error


def _refusal(problem: dict[str, Any]) -> Refusal:
    """Make the refusal again that was raised in the other process."""
    facts = {name: value for name, value in problem.items() if name not in _PLAIN}
    return Refusal.named(problem["code"])(problem["detail"], **facts)


def path_of(verb: Verb) -> str:
    """Return where a verb is asked, below the address of its service."""
    return f"/_many/{verb.name}"


def serve_asks(api: Iterable[Verb], service: object, prefix: str = "") -> list[Endpoint]:
    """Make the endpoints that stand-ins ask."""
    return [
        Endpoint(f"{prefix}{path_of(verb)}", _endpoint(verb, service, prefix), methods=["POST"])
        for verb in api
    ]


def _endpoint(verb: Verb, service: object, prefix: str) -> Callable[[Request], Awaitable[Response]]:
    method = getattr(service, verb.name)
    label = f"POST {prefix}{path_of(verb)}"
    kind: Any = _arguments_of(verb)
    decoder = codec.decoder(kind)

    async def one(content: msgspec.Raw) -> bytes:
        try:
            try:
                check_nul(content)
                asked = decoder.decode(content)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise _within(malformed(error)) from None
            answer = await method(**msgspec.structs.asdict(asked))
            metrics.requests.labels(label, "200").inc()
            return b'{"answer":' + codec.encode(answer) + b"}"
        except Exception as error:
            refusal = refusal_of(error, label)
            metrics.requests.labels(label, str(refusal.status)).inc()
            return b'{"problem":' + codec.encode(refusal.problem()) + b"}"

    async def answer(request: Request) -> Response:
        asks = _raw_asks.decode(await read_bytes(request, verb.bytes_max))
        if len(asks) > ASKS_MAX:
            raise Invalid(f"At most {ASKS_MAX} asks travel together.", pointer="")
        outcomes = [await one(asks[0])] if len(asks) == 1 else await asyncio.gather(*map(one, asks))
        return Response(b"[" + b",".join(outcomes) + b"]", media_type="application/json")

    return partial(answered, answer)


def _within(refusal: Invalid) -> Invalid:
    """Point into the argument that is wrong: that is what was sent from outside, and has no name there."""
    _, _, inside = str(refusal.facts.get("pointer", "")).lstrip("/").partition("/")
    return Invalid(str(refusal), pointer=f"/{inside}") if inside else refusal


def _arguments_of(verb: Verb) -> type[msgspec.Struct]:
    """Make the struct of a verb's arguments, by their names."""
    parameters = verb.signature.parameters
    fields = [
        (name, hint)
        if parameters[name].default is parameters[name].empty
        else (name, hint, parameters[name].default)
        for name, hint in verb.hints.items()
    ]
    return msgspec.defstruct(f"{verb.name}_asked", fields, kw_only=True)
