"""What sellers' webhooks promise: signed, the same bytes again, in order, and never into our own network."""

import asyncio
import base64
import hmac
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, cast

import httpx
import msgspec
import pytest
from aiohttp import web

from mercat.catalog import Catalog
from mercat.events import (
    CancelledUnits,
    OrderLine,
    OrderPlaced,
    ParcelMoved,
    RefundPaid,
    ReturnLine,
    ReturnReceived,
    ReturnRequested,
    ShipmentLine,
    StockChanged,
    UnitsCancelled,
)
from mercat.ids import (
    CancellationId,
    CartId,
    CheckoutId,
    LineId,
    OfferId,
    OrderId,
    ProductId,
    RefundId,
    ReturnId,
    SellerId,
    ShipmentId,
    UserId,
)
from mercat.kit import outbound
from mercat.kit.event_log import deliver
from mercat.kit.refusals import Invalid, NotFound
from mercat.webhooks import WEBHOOK_EVENTS, NewWebhook, OutgoingWebhooks, WebhookLimit, WebhookMade
from mercat.webhooks.service import TRIES_MAX

BOB, EVE = SellerId(21), SellerId(22)
EVERYTHING = ["order.placed", "part.shipped", "stock.low"]


class NoGoods:
    """The catalogue of a shop without goods: none of these tests lists any."""

    async def offers(self, offer_ids: list[OfferId]) -> dict[OfferId, Any]:
        return {}


@pytest.fixture
async def webhooks(pool, settings):
    settings = msgspec.structs.replace(settings, webhook_networks="127.0.0.0/8")
    return OutgoingWebhooks(await pool("webhooks"), cast(Catalog, NoGoods()), settings)


class Receiver:
    """A web server of a seller: it answers `status`, hangs while `hangs` is set, and keeps what it got."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.status, self.location, self.url = 200, "", ""
        self.hangs = False
        self.closing = asyncio.Event()

    async def answer(self, request: web.Request) -> web.Response:
        self.got.append((dict(request.headers), await request.read()))
        if self.hangs:
            await self.closing.wait()
        headers = {"location": self.location} if self.location else {}
        return web.Response(status=self.status, headers=headers)


@asynccontextmanager
async def _receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", receiver.answer)
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server = cast(Any, site)._server
    receiver.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
    yield receiver
    receiver.closing.set()
    await runner.cleanup()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with _receiver() as receiver:
        yield receiver


def order(number: int, *sellers: SellerId) -> OrderPlaced:
    lines = [
        OrderLine(
            order_line_id=LineId(100 * number + n),
            product_id=ProductId(5),
            offer_id=OfferId(6),
            seller_id=seller,
            title=f"A cup of {int(seller)}",
            quantity=2,
            unit_price=1250,
            total=2500,
        )
        for n, seller in enumerate(sellers)
    ]
    return OrderPlaced(
        order_id=OrderId(number),
        checkout_id=CheckoutId(number),
        cart_id=CartId(number),
        user_id=UserId(1),
        email="ann@example.com",
        total=5000,
        currency="USD",
        lines=lines,
        placed_at=datetime(2026, 3, 1, tzinfo=UTC),
        address={"name": "Ann"},
    )


def shipped(number: int) -> ParcelMoved:
    return ParcelMoved(
        shipment_id=ShipmentId(number),
        order_id=OrderId(number),
        user_id=UserId(1),
        seller_id=BOB,
        version=1,
        status="shipped",
        at=datetime(2026, 3, 2, tzinfo=UTC),
        carrier="UPS",
        tracking_number="1Z",
        lines=[ShipmentLine(LineId(100 * number), 2)],
    )


async def tell(webhooks, db, *facts):
    async with db.acquire() as connection, connection.transaction():
        await deliver(connection, facts, [webhooks])


async def test_a_delivery_is_signed_as_standard_webhooks_says(webhooks, db, receiver):
    made = await webhooks.add(BOB, NewWebhook(receiver.url, ["order.placed"]))
    await tell(webhooks, db, order(1, BOB, EVE))
    await webhooks.deliver_due()
    [(headers, body)] = receiver.got
    key = base64.b64decode(made.secret.removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(key, signed, sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    said = msgspec.json.decode(body)
    assert said["type"] == "order.placed"
    assert said["data"]["lines"] == [  # their own lines alone, in the terms of the API
        {
            "order_line_id": str(LineId(100)),
            "product_id": str(ProductId(5)),
            "offer_id": str(OfferId(6)),
            "title": "A cup of 21",
            "quantity": 2,
            "unit_price": 12.5,
            "total": 25.0,
        }
    ]
    [delivery] = await webhooks.deliveries(BOB, made.webhook_id)
    assert (delivery.status, delivery.attempts, delivery.response_status) == ("delivered", 1, 200)


async def test_what_is_told_twice_is_delivered_once_and_nothing_that_nobody_wants(webhooks, db, receiver):
    await webhooks.add(BOB, NewWebhook(receiver.url, ["order.placed"]))
    await tell(webhooks, db, order(1, BOB), shipped(1))
    await tell(webhooks, db, order(1, BOB), order(2, EVE))
    await webhooks.deliver_due()
    assert len(receiver.got) == 1


async def test_the_same_bytes_come_again_in_order_a_subject_until_they_are_taken(
    webhooks, db, receiver, clock_ahead
):
    made = await webhooks.add(BOB, NewWebhook(receiver.url, ["order.placed", "part.shipped"]))
    receiver.status = 500
    await tell(webhooks, db, order(1, BOB))
    await tell(webhooks, db, shipped(1), order(2, BOB))
    await webhooks.deliver_due()
    kinds = [msgspec.json.decode(body)["type"] for _, body in receiver.got]
    assert kinds == ["order.placed", "order.placed"]  # the parcel waits for its order, another order does not
    receiver.status = 204
    clock_ahead(60)
    await webhooks.deliver_due()
    first, again = receiver.got[0], receiver.got[2]
    assert (first[0]["webhook-id"], first[1]) == (again[0]["webhook-id"], again[1])
    assert msgspec.json.decode(receiver.got[-1][1])["type"] in ("order.placed", "part.shipped")
    states = {each.event: each.status for each in await webhooks.deliveries(BOB, made.webhook_id)}
    assert states == {"order.placed": "delivered", "part.shipped": "delivered"}


async def test_it_is_given_up_after_three_days_and_sent_again_when_asked(webhooks, db, receiver, clock_ahead):
    made = await webhooks.add(BOB, NewWebhook(receiver.url, ["order.placed"]))
    receiver.status = 503
    await tell(webhooks, db, order(1, BOB))
    waited = 0
    for _ in range(TRIES_MAX):
        await webhooks.deliver_due()
        [delivery] = await webhooks.deliveries(BOB, made.webhook_id)
        if delivery.status == "failed":
            break
        waited += 8 * 3_600 + 1
        clock_ahead(waited)
    assert (delivery.status, delivery.attempts) == ("failed", TRIES_MAX)
    receiver.status = 200
    await webhooks.redeliver(BOB, made.webhook_id, delivery.delivery_id)
    await webhooks.deliver_due()
    [delivery] = await webhooks.deliveries(BOB, made.webhook_id)
    assert (delivery.status, delivery.attempts) == ("delivered", 1)
    assert {body for _, body in receiver.got} == {receiver.got[0][1]}


async def test_a_receiver_that_hangs_delays_no_other(webhooks, db, receiver):
    async with _receiver() as hanging:
        hanging.hangs = True
        await webhooks.add(EVE, NewWebhook(hanging.url, ["order.placed"]))
        await webhooks.add(BOB, NewWebhook(receiver.url, ["order.placed"]))
        await tell(webhooks, db, order(1, EVE), order(2, BOB))
        await webhooks.keep_delivering()
        async with asyncio.timeout(5):
            while not (receiver.got and hanging.got):
                await webhooks.keep_delivering()
                await asyncio.sleep(0.01)
        await tell(webhooks, db, order(3, BOB))
        async with asyncio.timeout(5):
            while len(receiver.got) < 2:
                await webhooks.keep_delivering()
                await asyncio.sleep(0.01)
        assert len(hanging.got) == 1
        await webhooks.stop()


async def test_who_dies_while_sending_loses_nothing(webhooks, db, receiver, clock_ahead):
    made = await webhooks.add(BOB, NewWebhook(receiver.url, ["order.placed"]))
    await tell(webhooks, db, order(1, BOB))
    receiver.hangs = True
    dying = asyncio.create_task(webhooks.deliver_due())
    async with asyncio.timeout(5):
        while not receiver.got:
            await asyncio.sleep(0.01)
    dying.cancel()
    await asyncio.gather(dying, return_exceptions=True)
    receiver.hangs = False
    await webhooks.deliver_due()
    assert len(receiver.got) == 1  # leased to who died
    clock_ahead(60)
    await webhooks.deliver_due()
    [delivery] = await webhooks.deliveries(BOB, made.webhook_id)
    assert (len(receiver.got), delivery.status) == (2, "delivered")
    assert receiver.got[0][0]["webhook-id"] == receiver.got[1][0]["webhook-id"]


async def test_who_says_that_they_are_gone_hears_nothing_more(webhooks, db, receiver):
    made = await webhooks.add(BOB, NewWebhook(receiver.url, ["order.placed"]))
    receiver.status = 410
    await tell(webhooks, db, order(1, BOB), order(2, BOB))
    await webhooks.deliver_due()
    await tell(webhooks, db, order(3, BOB))
    await webhooks.deliver_due()
    assert len(receiver.got) == 1
    assert {each.status for each in await webhooks.deliveries(BOB, made.webhook_id)} == {"failed"}


async def test_a_webhook_is_its_sellers_alone(webhooks, db, receiver):
    made = await webhooks.add(BOB, NewWebhook(receiver.url, ["order.placed"]))
    await tell(webhooks, db, order(1, BOB))
    [delivery] = await webhooks.deliveries(BOB, made.webhook_id)
    for attempt in (
        webhooks.remove(EVE, made.webhook_id),
        webhooks.deliveries(EVE, made.webhook_id),
        webhooks.redeliver(EVE, made.webhook_id, delivery.delivery_id),
        webhooks.test(EVE, made.webhook_id),
    ):
        with pytest.raises(NotFound):
            await attempt
    assert await webhooks.of_seller(EVE) == []
    await webhooks.remove(BOB, made.webhook_id)
    await webhooks.deliver_due()
    assert receiver.got == []


async def test_a_seller_has_ten_however_many_ask_at_once(webhooks, receiver):
    asks = [webhooks.add(BOB, NewWebhook(receiver.url, ["order.placed"])) for _ in range(14)]
    made = await asyncio.gather(*asks, return_exceptions=True)
    assert sum(isinstance(each, WebhookMade) for each in made) == 10
    assert sum(isinstance(each, WebhookLimit) for each in made) == 4


async def test_what_is_not_low_and_not_known_is_no_news(webhooks, db, receiver):
    await webhooks.add(BOB, NewWebhook(receiver.url, ["stock.low"]))
    await tell(webhooks, db, StockChanged(offer_id=OfferId(6), version=1, available=0, low=True))
    await webhooks.deliver_due()
    assert receiver.got == []


async def test_cancelled_units_returns_and_refunds_are_heard_by_whose_goods_they_are(webhooks, db, receiver):
    made = await webhooks.add(BOB, NewWebhook(receiver.url, list(WEBHOOK_EVENTS)))
    line = CancelledUnits(
        order_line_id=LineId(100),
        product_id=ProductId(5),
        offer_id=OfferId(6),
        seller_id=BOB,
        quantity=1,
        cancelled=1,
    )
    cancelled = UnitsCancelled(
        cancellation_id=CancellationId(7),
        order_id=OrderId(1),
        user_id=UserId(1),
        email="ann@example.com",
        lines=[line, msgspec.structs.replace(line, order_line_id=LineId(101), seller_id=EVE)],
        amount=2500,
        currency="USD",
        who="shopper",
    )
    back = ReturnLine(order_line_id=LineId(100), title="A cup", quantity=1, sellable=1)
    of_return = {
        "return_id": ReturnId(8),
        "order_id": OrderId(1),
        "user_id": UserId(1),
        "seller_id": BOB,
        "seller_name": "Bob's",
        "lines": [back],
    }
    paid = RefundPaid(
        refund_id=RefundId(9),
        order_id=OrderId(1),
        amount=1250,
        currency="USD",
        reference="return/8",
        seller_ids=[BOB, EVE],
    )
    await tell(
        webhooks,
        db,
        cancelled,
        ReturnRequested(reason="damaged", comment="", approved=True, **of_return),
        ReturnReceived(by="seller", **of_return),
        paid,
    )
    await webhooks.deliver_due()
    heard = [msgspec.json.decode(body) for _, body in receiver.got]
    assert [each["type"] for each in heard] == [
        "order.cancelled",
        "return.requested",
        "return.received",
        "refund.paid",
    ]
    assert [each["order_line_id"] for each in heard[0]["data"]["lines"]] == [str(LineId(100))]
    assert heard[3]["data"]["amount"] == 12.5
    assert "ann@example.com" not in str(receiver.got)
    assert len(await webhooks.deliveries(BOB, made.webhook_id)) == 4


PRIVATE = [
    "https://127.0.0.1/x",
    "https://localhost/x",
    "https://127.1/x",
    "https://2130706433/x",
    "https://0.0.0.0/x",
    "https://10.0.0.7/x",
    "https://172.16.0.1/x",
    "https://192.168.1.1/x",
    "https://169.254.169.254/latest/meta-data",
    "https://100.64.0.1/x",
    "https://192.0.2.1/x",
    "https://224.0.0.1/x",
    "https://255.255.255.255/x",
    "https://[::1]/x",
    "https://[::]/x",
    "https://[fe80::1]/x",
    "https://[fc00::1]/x",
    "https://[::ffff:127.0.0.1]/x",
    "https://[::ffff:7f00:1]/x",
    "https://[64:ff9b::7f00:1]/x",
    "https://[2002:7f00:1::]/x",
    "https://[::127.0.0.1]/x",
]


@pytest.mark.parametrize("url", PRIVATE)
async def test_an_address_of_our_own_network_is_refused(pool, settings, url):
    webhooks = OutgoingWebhooks(await pool("webhooks"), cast(Catalog, NoGoods()), settings)
    with pytest.raises(Invalid) as refused:
        await webhooks.add(BOB, NewWebhook(url, ["order.placed"]))
    assert refused.value.facts["pointer"] == "/url"


@pytest.mark.parametrize(
    "url",
    [
        "https://",
        "https://ann:secret@example.com/",
        "https://example.com:25/",
        "https://[::1",
        "http://1.1.1.1/",
    ],
)
async def test_an_address_that_is_none_is_refused(webhooks, url):
    with pytest.raises(Invalid):
        await webhooks.add(BOB, NewWebhook(url, ["order.placed"]))


async def test_a_redirect_is_not_followed(webhooks, db, receiver):
    async with _receiver() as inside:
        made = await webhooks.add(BOB, NewWebhook(receiver.url, ["order.placed"]))
        receiver.status, receiver.location = 307, inside.url
        await tell(webhooks, db, order(1, BOB))
        await webhooks.deliver_due()
        [delivery] = await webhooks.deliveries(BOB, made.webhook_id)
        assert (delivery.status, delivery.response_status, inside.got) == ("pending", 307, [])


async def test_a_name_that_answers_otherwise_the_second_time_gains_nothing(receiver, monkeypatch):
    """DNS rebinding: the connection goes to the address that was judged, and to no other."""
    port = httpx.URL(receiver.url).port
    answers = iter(["1.1.1.1", "127.0.0.1"])

    async def getaddrinfo(host, port, **more):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers), port))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
    assert await outbound.resolve("shop.example", 443) == ["1.1.1.1"]  # as when it was added
    async with outbound.client(timeout_s=2) as http:
        with pytest.raises(outbound.PrivateAddress):
            await http.post(f"http://shop.example:{port}/hook")
    assert receiver.got == []


async def test_a_host_whose_first_address_does_not_answer_is_reached_by_its_second(receiver, monkeypatch):
    port = httpx.URL(receiver.url).port

    async def getaddrinfo(host, port, **more):
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in ("127.9.9.9", "127.0.0.1")
        ]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
    async with outbound.client(timeout_s=2, allowed=outbound.networks("127.0.0.0/8")) as http:
        answer = await http.post(f"http://shop.example:{port}/hook", content=b"{}")
    assert (answer.status_code, len(receiver.got)) == (200, 1)
