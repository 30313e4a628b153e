"""The verbs of outgoing webhooks.

A delivery is a row, written with the position in the event log: nothing is lost, and what is sent again is
the same bytes under the same id. Each receiver is served by itself, so one that hangs delays no other, and
what is about one order or product arrives in order. Source of the signature: Standard Webhooks 1.0.
"""

import asyncio
import base64
import hmac
from collections import defaultdict
from datetime import datetime, timedelta
from hashlib import sha256
from ipaddress import ip_address
from urllib.parse import urlsplit

import asyncpg
import httpx
import structlog
from asyncpg.pool import PoolConnectionProxy

from mercat import ids
from mercat.catalog import Catalog, Offer
from mercat.events import (
    Event,
    OrderPlaced,
    ParcelMoved,
    PayoutFailed,
    PayoutPaid,
    ProductChanged,
    RefundPaid,
    ReturnReceived,
    ReturnRequested,
    StockChanged,
    UnitsCancelled,
)
from mercat.ids import DeliveryId, OfferId, SellerId, WebhookId
from mercat.kit import clock, codec, outbound, sql
from mercat.kit.event_log import on
from mercat.kit.once import OnceKey, once_of
from mercat.kit.refusals import Invalid, NotFound
from mercat.settings import Settings
from mercat.webhooks.messages import Delivery, NewWebhook, SellerWebhook, WebhookLimit, WebhookMade
from mercat.webhooks.payloads import Payload, heard_of

queries = sql.load("mercat.webhooks")
log = structlog.get_logger("mercat.webhooks")
TIMEOUT_S = 10
TRIES_MAX = 16
"""With the waits between them they take three days."""
KEPT = timedelta(days=30)
_FIRST_WAIT = timedelta(seconds=5)
_LONGEST_WAIT = timedelta(hours=8)
_LEASE = timedelta(seconds=2 * TIMEOUT_S)
_AT_ONCE_MAX = 100
_REST_S = 0.25
_GONE = 410
_LAST = 2**63 - 1
_PORTS_REFUSED = frozenset({22, 25, 110, 143, 465, 587})
"""Ports at which no web server answers, and a request might be taken for something else."""

Wanted = dict[SellerId, list[tuple[WebhookId, frozenset[str]]]]
"""Which webhooks of a seller hear what."""


class OutgoingWebhooks:
    """Sellers' webhooks, and what is delivered to them."""

    def __init__(self, db: asyncpg.Pool, catalog: Catalog, settings: Settings) -> None:
        self._db = db
        self._catalog = catalog
        self._key = settings.key("webhooks")
        self._allowed = outbound.networks(settings.webhook_networks)
        self._serving: dict[WebhookId, asyncio.Task[None]] = {}

    async def add(self, seller_id: SellerId, asked: NewWebhook, once: OnceKey = "") -> WebhookMade:
        """Add an address of a seller; refuses one that is not on the internet. The secret is derived from the
        id with the shop's key, so none is kept. The same again under the same `once` is the same webhook."""
        await self._check(asked.url)
        said, events = once_of(once, asked), sorted(set(asked.events))
        given = (ids.new(WebhookId), seller_id, asked.url, events, clock.now(), said)
        try:
            made = await self._db.fetchval(queries.add, *given)
        except asyncpg.UniqueViolationError:  # two at once took one slot, or had one key
            return await self.add(seller_id, asked, once)
        if made is None:
            raise WebhookLimit
        return WebhookMade(WebhookId(made), self._secret(WebhookId(made)))

    async def of_seller(self, seller_id: SellerId) -> list[SellerWebhook]:
        """List a seller's webhooks, the newest first."""
        return sql.rows(SellerWebhook, await self._db.fetch(queries.of_seller, seller_id))

    async def remove(self, seller_id: SellerId, webhook_id: WebhookId) -> None:
        """Remove a webhook, with what waits for it."""
        if await self._db.fetchval(queries.remove, seller_id, webhook_id) is None:
            raise NotFound("You have no such webhook.")

    async def deliveries(
        self, seller_id: SellerId, webhook_id: WebhookId, before: DeliveryId | None = None, limit: int = 50
    ) -> list[Delivery]:
        """List what was or will be sent to a webhook, the newest first."""
        await self._own(seller_id, webhook_id)
        rows = await self._db.fetch(queries.deliveries, seller_id, webhook_id, before or _LAST, limit)
        return sql.rows(Delivery, rows)

    async def redeliver(self, seller_id: SellerId, webhook_id: WebhookId, delivery_id: DeliveryId) -> None:
        """Send a delivery once more, now, and again for three days if need be."""
        done = await self._db.fetchval(queries.redeliver, seller_id, webhook_id, delivery_id, clock.now())
        if done is None:
            raise NotFound("You have no such delivery.")

    async def test(self, seller_id: SellerId, webhook_id: WebhookId) -> DeliveryId:
        """Send a webhook something that means nothing, so that its receiver can be tried."""
        await self._own(seller_id, webhook_id)
        delivery_id = _next(webhook_id)
        body = _body("test", clock.now(), {"webhook_id": webhook_id})
        row = (delivery_id, webhook_id, f"test/{int(delivery_id)}", int(delivery_id), "test", body)
        await self._put([row])
        return delivery_id

    @on(
        OrderPlaced,
        UnitsCancelled,
        ParcelMoved,
        StockChanged,
        ProductChanged,
        ReturnRequested,
        ReturnReceived,
        RefundPaid,
        PayoutPaid,
        PayoutFailed,
    )
    async def follow(self, db: PoolConnectionProxy, facts: list[Event]) -> None:
        """Write down what each webhook is to hear of these facts, each once."""
        wanted = _wanted(await db.fetch(queries.wanted))
        if not wanted:
            return
        offers = await self._offers(facts)
        heard = [payload for fact in facts for payload in heard_of(fact, offers)]
        rows = [
            row for payload in heard for row in _rows(payload, wanted.get(payload.seller_id, []), clock.now())
        ]
        if rows:
            await db.execute(queries.put, *sql.columns(rows, 6), clock.now())

    async def keep_delivering(self) -> None:
        """Serve each receiver for which something is due by a task of its own, then rest."""
        try:
            for webhook_id in await self._due():
                if webhook_id not in self._serving:
                    task = asyncio.create_task(self._serve(webhook_id))
                    self._serving[webhook_id] = task
                    task.add_done_callback(lambda _, served=webhook_id: self._serving.pop(served, None))
            await asyncio.sleep(_REST_S)
        except asyncio.CancelledError:
            await self.stop()
            raise

    async def deliver_due(self) -> None:
        """Deliver all that is due now, and wait for it."""
        await asyncio.gather(*[self._serve(webhook_id) for webhook_id in await self._due()])

    async def stop(self) -> None:
        """Stop sending; what was under way is due again when its lease is over."""
        tasks = list(self._serving.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def forget_old(self) -> None:
        """Delete what was delivered or given up a month ago, a thousand at a time."""
        before = ids.first_of(clock.now() - KEPT)
        while await self._db.execute(queries.forget, before) == "DELETE 1000":
            pass
        await asyncio.sleep(3_600)

    def signature(self, webhook_id: WebhookId, message: str, at: int, body: str) -> str:
        """Sign a message as Standard Webhooks has it: HMAC-SHA-256 over id, time and body."""
        signed = hmac.new(self._derived(webhook_id), f"{message}.{at}.{body}".encode(), sha256).digest()
        return f"v1,{base64.b64encode(signed).decode()}"

    def _secret(self, webhook_id: WebhookId) -> str:
        return f"whsec_{base64.b64encode(self._derived(webhook_id)).decode()}"

    def _derived(self, webhook_id: WebhookId) -> bytes:
        return hmac.new(self._key, str(webhook_id).encode(), sha256).digest()

    async def _own(self, seller_id: SellerId, webhook_id: WebhookId) -> None:
        if await self._db.fetchval(queries.owned, seller_id, webhook_id) is None:
            raise NotFound("You have no such webhook.")

    async def _check(self, url: str) -> None:
        try:
            parts = urlsplit(url)
            port = parts.port or (443 if parts.scheme == "https" else 80)
            host = parts.hostname or ""
        except ValueError:
            raise Invalid("This is no address of a web server.", pointer="/url") from None
        if not host or parts.username or parts.password or port in _PORTS_REFUSED:
            raise Invalid("Give an address as in https://example.com/hook.", pointer="/url")
        try:
            addresses = await outbound.resolve(host, port, self._allowed)
        except (outbound.UnknownHost, outbound.PrivateAddress) as error:
            raise Invalid(str(error), pointer="/url") from None
        if parts.scheme != "https" and any(outbound.is_public(ip_address(each)) for each in addresses):
            raise Invalid("It needs https://, since it tells of people's orders.", pointer="/url")

    async def _offers(self, facts: list[Event]) -> dict[OfferId, Offer]:
        low = [fact.offer_id for fact in facts if isinstance(fact, StockChanged)]
        return await self._catalog.offers(low) if low else {}

    async def _put(self, rows: list[tuple[int, int, str, int, str, str]]) -> None:
        await self._db.execute(queries.put, *sql.columns(rows, 6), clock.now())

    async def _due(self) -> list[WebhookId]:
        rows = await self._db.fetch(queries.due, clock.now(), _AT_ONCE_MAX)
        return [WebhookId(row["webhook_id"]) for row in rows]

    async def _serve(self, webhook_id: WebhookId) -> None:
        """Send a receiver all that is due, one after the other."""
        async with outbound.client(self._allowed, timeout_s=TIMEOUT_S) as http:
            while row := await self._db.fetchrow(
                queries.claim, webhook_id, clock.now(), clock.now() + _LEASE
            ):
                await self._send(http, row)

    async def _send(self, http: httpx.AsyncClient, row: asyncpg.Record) -> None:
        delivery_id, webhook_id = DeliveryId(row["delivery_id"]), WebhookId(row["webhook_id"])
        status, failure = await self._post(http, webhook_id, str(delivery_id), row["url"], row["body"])
        if status == _GONE:
            await self._db.execute(queries.gone, webhook_id, clock.now())
            return
        state, due_at = "delivered", None
        if failure:
            if row["tries"] < TRIES_MAX:
                wait = min(_FIRST_WAIT * 4 ** (row["tries"] - 1), _LONGEST_WAIT)
                state, due_at = "pending", clock.now() + wait
            else:
                state = "failed"
            log.info("a webhook was not delivered", delivery=delivery_id, tries=row["tries"], status=status)
        await self._db.execute(queries.settle, delivery_id, row["tries"], state, due_at, status, failure)

    async def _post(
        self, http: httpx.AsyncClient, webhook_id: WebhookId, message: str, url: str, body: str
    ) -> tuple[int | None, str]:
        """Send once; answer the receiver's status and why that is no success. What it says is not read."""
        at = int(clock.now().timestamp())
        headers = {
            "content-type": "application/json",
            "user-agent": "Mercat-Webhooks",
            "webhook-id": message,
            "webhook-timestamp": str(at),
            "webhook-signature": self.signature(webhook_id, message, at, body),
        }
        try:
            async with (
                asyncio.timeout(TIMEOUT_S),
                http.stream("POST", url, content=body.encode(), headers=headers) as response,
            ):
                status = response.status_code
        except outbound.PrivateAddress as error:
            return None, str(error)
        except (httpx.HTTPError, TimeoutError, OSError) as error:
            return None, f"No answer: {type(error).__name__}"
        return status, "" if 200 <= status < 300 else f"It answered {status}."


def _wanted(rows: list[asyncpg.Record]) -> Wanted:
    wanted: Wanted = defaultdict(list)
    for row in rows:
        wanted[SellerId(row["seller_id"])].append((WebhookId(row["webhook_id"]), frozenset(row["events"])))
    return wanted


def _rows(
    payload: Payload, webhooks: list[tuple[WebhookId, frozenset[str]]], now: datetime
) -> list[tuple[int, int, str, int, str, str]]:
    body = _body(payload.event, now, payload.data)
    return [
        (_next(webhook_id), webhook_id, payload.reference, payload.subject, payload.event, body)
        for webhook_id, events in webhooks
        if payload.event in events
    ]


def _next(webhook_id: WebhookId) -> DeliveryId:
    """Make an id later than all of this webhook: those of one bucket are in order within a millisecond."""
    return ids.new(DeliveryId, webhook_id.bucket)


def _body(event: str, at: datetime, data: dict[str, object]) -> str:
    return codec.text({"type": event, "timestamp": at, "data": data})
