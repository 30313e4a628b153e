"""A trace leads from the door to whoever hears of an order later, and says nothing of a person."""

import asyncio
import json
import secrets
import socket
import threading
import uuid
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Sink
from house import House, Opened
from house import opened as opened
from msgspec.structs import replace
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from waiting import until

from mercat.kit import tracing
from mercat.web import Proxies

ANN = {
    "email": "annabel.example@shop.example",
    "password": "corect horse battery",
    "name": "Annabel Loewenherz",
}
HOME = {
    "name": "Annabel Loewenherz",
    "line1": "17 Quince Alley",
    "city": "Springfield",
    "region": "MA",
    "postal_code": "01103",
    "country": "US",
    "phone": "+1 413 555 0142",
}
SECRETS = ("annabel", "loewenherz", "quince", "springfield", "01103", "555", "corect", "tok_visa", "usr_")


@pytest.fixture
def spans() -> Iterator[Callable[[], list[ReadableSpan]]]:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracing.use(provider)
    yield lambda: list(exporter.get_finished_spans())
    tracing.use(None)


@pytest.fixture
def smtp() -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    controller = Controller(Sink(), hostname="127.0.0.1", port=port)
    controller.start()
    yield f"smtp://127.0.0.1:{port}"
    controller.stop()


async def bought(house: House, traceparent: str) -> tuple[str, str]:
    """Sell a cup to Ann; return the order, and the token of her session."""
    bob = await house.member({"email": "bob@shop.example", "password": "correct horse 9", "name": "Bob"})
    await bob.api("POST", "/sellers", 201, {"name": "Bob"})
    cup = {
        "title": "Cup",
        "description": "",
        "category": "Cups",
        "price": 5,
        "currency": "USD",
        "quantity": 9,
    }
    offer = (await bob.api("POST", "/seller/products", 201, cup))["offer_id"]
    ann = await house.member(ANN)
    address = (await ann.api("POST", "/addresses", 201, HOME))["address_id"]
    card = (await ann.api("POST", "/payment-methods", 201, {"token": "tok_visa"}))["payment_method_id"]
    await ann.api("POST", "/cart/items", 200, {"offer_id": offer, "quantity": 1})
    ann.http.headers.update({"traceparent": traceparent, "idempotency-key": uuid.uuid4().hex})
    ask = {"shipping_address_id": address, "payment_method_id": card, "shipping_method": "standard"}
    order = (await ann.api("POST", "/orders/checkout", 201, ask))["order_id"]
    del ann.http.headers["traceparent"]
    assert "Quince" in await ann.page(f"/orders/{order}")
    token = ann.http.cookies.get("mercat_session") or ""
    return order, token


def named(found: list[ReadableSpan], name: str) -> list[ReadableSpan]:
    return [span for span in found if span.name.startswith(name)]


def said_in(span: ReadableSpan) -> list[str]:
    """All that a span says in words: what else it has are numbers, its own and times."""
    events = [f"{event.name} {dict(event.attributes or {})}" for event in span.events]
    links = [str(dict(link.attributes or {})) for link in span.links]
    return [span.name, str(dict(span.attributes or {})), str(span.status.description), *events, *links]


def leads_to(span: ReadableSpan, others: list[ReadableSpan]) -> bool:
    """Whether a span is linked to one of the others' traces."""
    traces = {other.context.trace_id for other in others if other.context}
    return any(link.context.trace_id in traces for link in span.links)


async def test_who_is_no_proxy_of_ours_cannot_have_traces_kept(spans):
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": []})

    async def sent(_: Any) -> None: ...

    trace_id = secrets.token_hex(16)
    headers = [(b"traceparent", f"00-{trace_id}-{secrets.token_hex(8)}-01".encode())]
    door = tracing.TracedDoor(app, Proxies("10.0.0.0/8").own)
    for client in (("10.0.0.1", 1), ("203.0.113.7", 1), ("127.0.0.1", 1), None):
        await door({"type": "http", "method": "GET", "headers": headers, "client": client}, None, sent)
    ours, *strangers = [f"{span.context.trace_id:032x}" for span in spans() if span.context]
    assert ours == trace_id
    assert len(strangers) == 3
    assert trace_id not in strangers


async def test_a_purchase_is_followed_from_the_door_to_its_letter(opened: Opened, spans, smtp):
    trace_id = secrets.token_hex(16)
    async with opened(smtp_url=smtp, gather_letters_s=0.1) as house:
        house._door = tracing.TracedDoor(house._door, Proxies("127.0.0.1").own)
        order, token = await bought(house, f"00-{trace_id}-{secrets.token_hex(8)}-01")

        async def told() -> bool:
            sent = [(span.attributes or {})["mercat.kind"] for span in named(spans(), "letter")]
            return "order_confirmed" in sent

        await until(told, 30)
    found = spans()
    [door] = named(found, "POST /api/v1/orders/checkout")
    assert door.context
    assert f"{door.context.trace_id:032x}" == trace_id, "traceparent says what it is part of"
    assert (door.attributes or {})["http.response.status_code"] == 201
    verbs = {span.name for span in found if span.parent and span.parent.span_id == door.context.span_id}
    assert "checkout.buy" in verbs, verbs
    sets = [span for span in named(found, "together ") if leads_to(span, [door])]
    assert sets, "what many ask together is linked to each"
    assert all(span.parent is None for span in sets), "and belongs to none"
    made = {span.context.trace_id for span in sets if span.context}
    provider = [span for span in named(found, "provider ") if span.context and span.context.trace_id in made]
    assert {span.name for span in provider} >= {"provider sandbox.authorise_many"}
    for later in ("relay", "follow fulfilment", "follow notifications", "letter"):
        assert [span for span in named(found, later) if leads_to(span, sets)], later
    text = " ".join(said for span in found for said in said_in(span)).lower()
    assert [secret for secret in (*SECRETS, token.lower(), ANN["email"]) if secret in text] == []
    assert len(found) > 100
    assert order


async def test_off_no_span_is_made(opened: Opened, spans):
    provider_spans = spans
    tracing.use(None)
    async with opened() as house:
        await bought(house, f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01")
        assert not [name for name in vars(house.shop.orders) if name == "create_many"], "no verb is wrapped"
    assert provider_spans() == []
    assert tracing.headers() == {}


class Collector(BaseHTTPRequestHandler):
    """Takes spans as a collector of OpenTelemetry does, over HTTP."""

    asked: ClassVar[list[tuple[str, bytes]]] = []

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        self.asked.append((self.path, body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def collector() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    Collector.asked.clear()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    tracing.use(None)


async def test_spans_arrive_where_the_setting_says(opened: Opened, settings, collector):
    tracing.set_up(replace(settings, otlp_endpoint=collector, trace_share=1.0), "web")
    async with opened() as house:
        await (await house.visitor()).api("GET", "/categories", 200)
    await asyncio.to_thread(tracing.shut_down)
    assert {path for path, _ in Collector.asked} == {"/v1/traces"}
    sent = [ExportTraceServiceRequest.FromString(body) for _, body in Collector.asked]
    whole = [each for request in sent for each in request.resource_spans]
    about = {each.key: each.value.string_value for each in whole[0].resource.attributes}
    assert (about["service.name"], about["mercat.part"]) == ("mercat", "web")
    names = {span.name for each in whole for scope in each.scope_spans for span in scope.spans}
    assert "catalog.categories" in names


async def test_the_access_log_says_which_route_and_nothing_of_who_asked(opened: Opened, capsys):
    async with opened(access_log=True) as house:
        visitor = await house.visitor(agent="Annabel's browser")
        await visitor.http.get("/orders/ord_0000000000?key=a-secret-key&email=annabel@shop.example")
        await visitor.api("GET", "/no/such/path/annabel", 404)
    told = [line for line in capsys.readouterr().err.splitlines() if '"answered"' in line]
    page, nothing = map(json.loads, told)
    assert (page["method"], page["route"]) == ("GET", "/orders/{order_id}")
    assert page["status"] in (303, 404)
    assert page["request_id"]
    assert (nothing["route"], nothing["status"]) == ("", 404)
    text = "\n".join(told).lower()
    assert [word for word in ("annabel", "secret", "127.0.0.1", "ord_") if word in text] == []
