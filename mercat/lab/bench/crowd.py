"""A crowd that buys at a rate, over HTTP and whatever happens to the shop, and remembers what it was told."""

import asyncio
import itertools
import uuid
from collections import Counter
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import asynccontextmanager
from time import perf_counter
from typing import Any, cast

import msgspec

from mercat.accounts import NewAddress
from mercat.catalog import NewProduct
from mercat.embedded import Connection
from mercat.ids import AddressId, OfferId, PaymentMethodId, UserId
from mercat.inventory import Line
from mercat.kit import codec
from mercat.kit.refusals import Unavailable
from mercat.lab.bench.load import request
from mercat.lab.bench.shop import staff
from mercat.shop import Shop
from mercat.web import TABLE, refusals

SETTLED_WITHIN_S = 60.0
_OFFERS = 100
PATIENCE_S = 25.0
_PAUSE_S = 0.25
_AGAIN = ("checkout_in_progress", "too_many_requests", "overloaded", "unavailable")
_BUY = "POST", "/orders/checkout"
_SHOPPERS = 400


class _Line(asyncio.Protocol):
    """A connection that is kept: one question at a time."""

    def __init__(self) -> None:
        self.open = False
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.open, self._transport = True, cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer
        buffer += data
        end = buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = bytes(buffer[:end]).lower()
        at = head.find(b"content-length:")
        whole = end + 4 + (int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0)
        if len(buffer) >= whole and self._answer and not self._answer.done():
            self._answer.set_result((int(buffer[9:12]), bytes(buffer[end + 4 : whole])))
            buffer.clear()

    def connection_lost(self, exc: Exception | None) -> None:
        self.open = False
        if self._answer and not self._answer.done():
            self._answer.set_exception(ConnectionResetError())

    async def ask(self, question: bytes) -> tuple[int, bytes]:
        """Status and body; ConnectionError, or TimeoutError from somebody who has lost patience."""
        if not self.open or self._transport is None:
            raise ConnectionResetError
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(question)
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await self._answer
        except TimeoutError:
            self.close()
            raise

    def close(self) -> None:
        self.open = False
        if self._transport:
            self._transport.abort()


class Shopper:
    """Somebody with a cart and a card who is told, for each key, how it ended."""

    def __init__(
        self, crowd: "Crowd", user_id: UserId, token: str, address: AddressId, card: PaymentMethodId
    ) -> None:
        self._crowd = crowd
        self._user_id = user_id
        self._line = _Line()
        ask = {
            "shipping_address_id": address,
            "payment_method_id": card,
            "shipping_method": "standard",
            "email": "shopper@example.com",
        }
        self._body = codec.encode(ask)
        self._token = token

    async def buys(self) -> None:
        """One purchase, to its end."""
        crowd, began = self._crowd, perf_counter()
        await self._fills_the_cart()
        key = uuid.uuid4().hex
        while True:
            status, code, said = await self._asks(key)
            if status == 201:
                crowd.told[key] = said["order_id"]
                crowd.acknowledged.append((began, perf_counter()))
                return
            if status == 202 or code in _AGAIN or not status:
                await asyncio.sleep(_PAUSE_S)
            else:
                return  # an empty cart, say, where Valkey has lost it

    async def _asks(self, key: str) -> tuple[int, str, dict[str, Any]]:
        headers = {"Authorization": f"Bearer {self._token}", "Idempotency-Key": key}
        question = request(_BUY[0], f"/api/v1{_BUY[1]}", headers, self._body)
        try:
            if not self._line.open:
                loop = asyncio.get_running_loop()
                async with asyncio.timeout(PATIENCE_S):
                    _, self._line = await loop.create_connection(_Line, "127.0.0.1", self._crowd.port)
            status, body = await self._line.ask(question)
        except TimeoutError:
            self._crowd.answers["no answer"] += 1
            return 0, "", {}
        except OSError:
            self._crowd.answers["no connection"] += 1
            return 0, "", {}
        try:
            said: dict[str, Any] = msgspec.json.decode(body)
        except msgspec.DecodeError:
            said = {}
        code = str(said.get("code", ""))
        self._crowd.hears(status, code, body)
        return status, code, said

    async def _fills_the_cart(self) -> None:
        """Past the door, straight into Valkey: what is measured is buying."""
        while True:
            try:
                offer = next(self._crowd.goods)
                await self._crowd.shop.host.store.do("HSET", f"cart:{self._user_id}", str(offer), _KEPT)
                return
            except (Unavailable, OSError, TimeoutError):
                await asyncio.sleep(_PAUSE_S)

    def leaves(self) -> None:
        self._line.close()


_KEPT = '{"qty":1,"price":1999,"added":"2026-01-01T00:00:00+00:00"}'


class Crowd:
    """Shoppers who arrive at a rate, whether or not those before them have been served."""

    def __init__(self, shop: Shop, connection: Connection, rate: float) -> None:
        self.shop = shop
        self.port = connection.port
        self.rate = rate
        self.told: dict[str, str] = {}
        self.acknowledged: list[tuple[float, float]] = []
        """When each began, and when it was told."""
        self.answers: Counter[str] = Counter()
        self.unlike: list[str] = []
        self.undocumented = 0
        self.goods: Iterator[OfferId] = iter(())
        route = next(route for route in TABLE if (route.verb, route.path) == _BUY)
        self._documented = {(route.status, ""), *((also, "") for also in route.also), *refusals(route)}
        self._free: list[Shopper] = []
        self._all: list[Shopper] = []
        self._under_way: set[asyncio.Task[None]] = set()
        self._arriving: asyncio.Task[None] | None = None

    async def gather(self, card: str, shoppers: int) -> None:
        """Goods that do not run out, and people with an address and a card."""
        shop = self.shop
        seller_id = await shop.sellers.by_name("Seller")
        offers: list[OfferId] = []
        for n in range(_OFFERS):
            draft = NewProduct(title=f"Thing {n}", price=1_999, currency=shop.settings.currency)
            offer_id = (await shop.catalog.create(seller_id, "Seller", draft)).offer_id
            await shop.inventory.receive(f"faults/{n}", [Line(offer_id, 10_000_000)], seller_id)
            offers.append(offer_id)
        self.goods = itertools.cycle(offers)
        for _ in range(shoppers):
            guest = await shop.accounts.guest()
            address = await shop.accounts.add_address(guest.user_id, _HOME)
            method = await shop.accounts.add_payment_method(guest.user_id, card)
            await shop.cart.basket(guest.user_id)
            self._all.append(Shopper(self, guest.user_id, guest.token, address, method))
        self._free = list(self._all)

    def come(self) -> None:
        self._arriving = asyncio.create_task(self._arrive())

    async def _arrive(self) -> None:
        began, come = perf_counter(), 0
        while True:
            due = int((perf_counter() - began) * self.rate)
            for _ in range(due - come):
                if not self._free:
                    break  # everybody stands at the till; who comes now turns round
                task = asyncio.create_task(self._one(self._free.pop()))
                self._under_way.add(task)
                task.add_done_callback(self._under_way.discard)
            come = due
            await asyncio.sleep(0.002)

    async def _one(self, shopper: Shopper) -> None:
        try:
            await shopper.buys()
        finally:
            self._free.append(shopper)

    async def have_been_served(self) -> int:
        """Nobody comes any more, and everybody is told; but for so many, after a minute."""
        if self._arriving:
            self._arriving.cancel()
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=SETTLED_WITHIN_S)
        left = list(self._under_way)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        return len(left)

    async def go_home(self) -> None:
        if self._arriving:
            self._arriving.cancel()
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)
        for shopper in self._all:
            shopper.leaves()

    def hears(self, status: int, code: str, body: bytes) -> None:
        name = f"{status} {code}".strip()
        self.answers[name] += 1
        if (status, code) not in self._documented:
            self.undocumented += 1
            if len(self.unlike) < 3:
                self.unlike.append(f"{status} {body[:300].decode(errors='replace')}")

    def rate_since(self, since: float, until: float) -> float:
        told = sum(1 for _, at in self.acknowledged if since <= at < until)
        return told / max(until - since, 1e-9)

    def back_at(self, ended: float, enough: float) -> float | None:
        """Find the first moment after `ended` from which on a second's orders were enough.

        Only orders that began after it count."""
        times = sorted(at for began, at in self.acknowledged if began >= ended)
        for n, at in enumerate(times):
            ahead = n + max(int(enough), 1) - 1
            if ahead < len(times) and times[ahead] <= at + 1:
                return at
        return None

    def longest_silence(self, since: float, until: float) -> float:
        times = [since, *sorted(at for _, at in self.acknowledged if since <= at <= until), until]
        return max(after - before for before, after in itertools.pairwise(times))


_HOME = NewAddress(
    name="Ann", line1="1 Long Street", city="Springfield", region="OR", postal_code="97477", country="US"
)


@asynccontextmanager
async def crowded(
    connection: Connection,
    rate: float,
    card: str = "tok_visa",
    shoppers: int = _SHOPPERS,
    more: Mapping[str, str] | None = None,
) -> AsyncGenerator[Crowd]:
    """Fill a shop with people. `more`: settings that it was opened with."""
    async with staff(connection, more) as shop:
        crowd = Crowd(shop, connection, rate)
        await crowd.gather(card, shoppers)
        try:
            yield crowd
        finally:
            await crowd.go_home()
