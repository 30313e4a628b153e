"""Traces of OpenTelemetry, from the door through the services to whoever hears later. Off, no span is made.

A request is a span, and each verb of a service one below it. What many requests do together (a statement of a
batch, a set of purchases) belongs to none of them alone: it is a trace of its own with a link to each. An
order remembers where it was bought, so that relay, followers and letters link there.

No attribute has anything of a person: no path, no text of an error, no argument; only routes, verbs, counts.
"""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Generator, Iterable, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import wraps
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, cast

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.propagate import extract, inject
from opentelemetry.trace import Link, Span, SpanContext, SpanKind, Status, StatusCode, TracerProvider

from mercat.kit.refusals import Refusal
from mercat.settings import Settings

if TYPE_CHECKING:
    from mercat.kit.valkey import Store

tracer: trace.Tracer | None = None
"""None: off. Whoever would make a span looks here first."""
_LINKS_MAX = 128
_cache: "Store | None" = None
_KEPT_S = 86_400
_FAULT = 500
_ends: list[Callable[[], None]] = []
SpanContexts = Iterable[SpanContext | None]


def use(provider: TracerProvider | None) -> None:
    """Make spans by this provider from now on, or none."""
    global tracer
    tracer = provider.get_tracer("mercat", version("mercat")) if provider else None


def set_up(settings: Settings, part: str) -> None:
    """Send spans to where the settings say, if they do. `part`: which process this is."""
    if not settings.otlp_endpoint:
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider as Provider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio

    provider = Provider(
        sampler=ParentBasedTraceIdRatio(settings.trace_share),
        resource=Resource.create(
            {"service.name": "mercat", "service.version": version("mercat"), "mercat.part": part}
        ),
    )
    endpoint = f"{settings.otlp_endpoint.rstrip('/')}/v1/traces"
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint)))
    _ends.append(provider.shutdown)
    use(provider)


def shut_down() -> None:
    """Send what is left, at the end of a process."""
    for end in _ends:
        end()


def here() -> SpanContext | None:
    """Return what a later span can link to: where we are now."""
    context = trace.get_current_span().get_span_context()
    return context if context.is_valid else None


@contextmanager
def span(
    name: str,
    kind: SpanKind = SpanKind.INTERNAL,
    *,
    context: Context | None = None,
    links: SpanContexts = (),
    **attributes: str | int,
) -> Generator[Span | None]:
    """Make a span while the block runs, below the one we are in or in `context`; none where that is off."""
    if tracer is None:
        yield None
        return
    known = {each.span_id: Link(each) for each in links if each}
    with tracer.start_as_current_span(
        name,
        context,
        kind,
        {key.replace("__", "."): value for key, value in attributes.items()},
        list(known.values())[:_LINKS_MAX],
        record_exception=False,  # its text may say whose
        set_status_on_exception=False,
    ) as made:
        try:
            yield made
        except BaseException as error:
            refused = isinstance(error, Refusal)
            made.set_attribute("error.type", error.code() if refused else type(error).__name__)
            if not refused or error.status >= _FAULT:
                made.set_status(Status(StatusCode.ERROR))
            raise


def alone(
    name: str, kind: SpanKind, links: SpanContexts, **attributes: str | int
) -> AbstractContextManager[Span | None]:
    """Make the first span of a trace of its own, linked to what it is done for."""
    return span(name, kind, context=Context(), links=links, **attributes)


def together(work: Callable[..., Any], asks: int, links: SpanContexts) -> AbstractContextManager[Span | None]:
    """Make the span of what was asked by many: a trace of its own, linked to each of theirs."""
    name = getattr(work, "__qualname__", type(work).__name__).replace(".<locals>", "")
    return alone(f"together {name}", SpanKind.INTERNAL, links, mercat__asks=asks)


def watch(thing: object, name: str, verbs: Iterable[str], kind: SpanKind = SpanKind.INTERNAL) -> None:
    """Make each verb of a service or an adapter a span from now on, where tracing is on."""
    if tracer is None:
        return
    for verb in verbs:
        method = getattr(thing, verb, None)
        if inspect.iscoroutinefunction(method):
            with suppress(AttributeError):  # one with slots stays as it is
                setattr(thing, verb, _watched(method, f"{name}.{verb}", kind))


def _watched(
    method: Callable[..., Awaitable[Any]], name: str, kind: SpanKind
) -> Callable[..., Awaitable[Any]]:
    @wraps(method)
    async def watched(*args: Any, **named: Any) -> Any:
        with span(name, kind):
            return await method(*args, **named)

    return watched


def headers() -> dict[str, str]:
    """Return what another process of the shop is told of where we are: `traceparent`."""
    carrier: dict[str, str] = {}
    if tracer is not None:
        inject(carrier)
    return carrier


class TracedDoor:
    """An application whose requests are spans; `traceparent` says what they are part of, from who may say it.

    It says too whether a trace is kept: anybody could have all of theirs kept, whatever the share is."""

    def __init__(self, app: Callable[..., Awaitable[None]], may_say: Callable[[str], bool]) -> None:
        """`may_say` judges the address of who is at the other end."""
        self._app = app
        self._may_say = may_say

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        said: dict[str, str] = {}
        client = scope.get("client")
        if client and self._may_say(client[0]):
            given = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
            said = {name: given[name] for name in ("traceparent", "tracestate") if name in given}
        verb = scope["method"]
        with span(
            verb, SpanKind.SERVER, context=extract(said, Context()), http__request__method=verb
        ) as made:
            assert made

            async def noted(message: Any) -> None:
                if message["type"] == "http.response.start":
                    _note(made, scope, message)
                await send(message)

            await self._app(scope, receive, noted)


def _note(made: Span, scope: Any, start: Any) -> None:
    route = scope.get("mercat.route") or getattr(scope.get("route"), "path", "")
    if route:
        made.update_name(f"{scope['method']} {route}")
        made.set_attribute("http.route", route)
    status = start["status"]
    made.set_attribute("http.response.status_code", status)
    if status >= _FAULT:
        made.set_status(Status(StatusCode.ERROR))


def keep_orders_in(cache: "Store") -> None:
    """Note where orders are made in this Valkey, which may forget."""
    global _cache
    _cache = cache


async def remember_orders(order_ids: Iterable[int]) -> None:
    """Note that these orders were made here, for those who hear of them later."""
    place, cache = headers().get("traceparent"), _cache
    if not place or not cache:
        return
    with suppress(Exception):  # a trace is worth no order
        await asyncio.gather(*(cache.do("SET", _key(each), place, "EX", _KEPT_S) for each in order_ids))


async def where_made(order_ids: Iterable[int]) -> list[SpanContext | None]:
    """Return where these orders were made, as far as that is known; nothing where tracing is off."""
    keys = [_key(each) for each in {*order_ids}][:_LINKS_MAX]
    if tracer is None or not keys or not _cache:
        return []
    try:
        places = cast(Sequence[bytes | None], await _cache.do("MGET", *keys))
    except Exception:
        return []
    found = [extract({"traceparent": place.decode()}, Context()) for place in places if place]
    return [trace.get_current_span(each).get_span_context() for each in found]


def _key(order_id: int) -> str:
    return f"trace:{int(order_id)}"


def orders_in(events: Iterable[object]) -> list[int]:
    """List the orders that these events are about."""
    return [int(number) for event in events if (number := getattr(event, "order_id", None)) is not None]
