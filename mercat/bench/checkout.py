"""Whole purchases over HTTP: authentication, a cart of two lines in Valkey, reserve, charge, ledger, order,
confirmation and the fact of it; beside pgbench that writes the same rows, one order a transaction."""

import asyncio
import itertools
from collections import deque
from collections.abc import Iterator
from typing import Any, NamedTuple

from mercat.accounts import NewAddress
from mercat.bench import floors
from mercat.bench.load import Load, Result, request
from mercat.bench.report import Report
from mercat.bench.shop import audited, opened, staff
from mercat.catalog import NewProduct
from mercat.ids import AddressId, OfferId, PaymentMethodId, UserId
from mercat.inventory import Line
from mercat.kit import wire
from mercat.main import Shop

_BUYERS = 2_000
_OFFERS = 400
_AT_ONCE = 512
_REFILL_PAUSE_S = 0.002


class Buyer(NamedTuple):
    user_id: UserId
    token: str
    address_id: AddressId
    payment_method_id: PaymentMethodId


class Crowd:
    """People with full carts: who has bought has the cart filled again before coming back."""

    def __init__(self, shop: Shop, buyers: list[Buyer], offers: list[OfferId]) -> None:
        self._store = shop.building.store
        self._heads = [_head(buyer) for buyer in buyers]
        self._carts = [f"cart:{buyer.user_id}" for buyer in buyers]
        self._pairs = itertools.cycle(list(zip(offers, offers[1:] + offers[:1], strict=True)))
        self._ready: deque[int] = deque()
        self._empty: deque[int] = deque(range(len(buyers)))
        self._keys = itertools.count()

    def requests(self) -> Iterator[bytes]:
        """The next person's purchase, under a new key; whoever has bought goes to the end of the line."""
        while True:
            if not self._ready:
                self._ready.extend(self._empty)  # nobody is filled: their refusals will be counted
                self._empty.clear()
            person = self._ready.popleft()
            self._empty.append(person)
            before, after = self._heads[person]
            yield b"%b%d%b" % (before, next(self._keys), after)

    async def fill(self, most: int = 500) -> int:
        """Fills the carts of those who bought longest ago."""
        people = [self._empty.popleft() for _ in range(min(most, len(self._empty)))]
        if people:
            async with self._store.client.pipeline(transaction=False) as pipe:
                for person in people:
                    one, two = next(self._pairs)
                    pipe.hset(self._carts[person], mapping={str(one): _LINE_OF_ONE, str(two): _LINE_OF_TWO})
                await pipe.execute()
            self._ready.extend(people)
        return len(people)

    async def keep_filling(self) -> None:
        while True:
            if len(self._empty) > _BUYERS // 2:
                await self.fill(len(self._empty) - _BUYERS // 2)
            await asyncio.sleep(_REFILL_PAUSE_S)


_LINE_OF_ONE = '{"qty":1,"price":1999,"added":"2026-01-01T00:00:00+00:00"}'
_LINE_OF_TWO = '{"qty":2,"price":1999,"added":"2026-01-01T00:00:00+00:00"}'


def _head(buyer: Buyer) -> tuple[bytes, bytes]:
    """A purchase as bytes, cut where its key stands."""
    ask = {
        "shipping_address_id": buyer.address_id,
        "payment_method_id": buyer.payment_method_id,
        "shipping_method": "standard",
        "email": "buyer@example.com",
    }
    headers = {"Authorization": f"Bearer {buyer.token}", "Idempotency-Key": "bench-@"}
    before, after = request("POST", "/api/v1/orders/checkout", headers, wire.encode(ask)).split(b"@", 1)
    return before, after


async def checkout(seconds: float) -> Report:
    """Closed loop for the best rate, then open loop at half and at nine tenths of it."""
    async with opened() as connection, staff(connection) as shop:
        offers = await _stock_shelves(shop)
        buyers = await _invite(shop)
        crowd = Crowd(shop, buyers, offers)
        while await crowd.fill():
            pass
        filling = asyncio.create_task(crowd.keep_filling())
        await Load(connection.port, crowd.requests()).run(_AT_ONCE, 2)
        best = await Load(connection.port, crowd.requests()).run(_AT_ONCE, seconds)
        half = await Load(connection.port, crowd.requests()).run(_AT_ONCE, seconds / 3, rate=best.rate / 2)
        high = await Load(connection.port, crowd.requests()).run(_AT_ONCE, seconds / 3, rate=best.rate * 0.9)
        filling.cancel()
        idle = await _idle(connection.port, crowd)
        lag = await drained(shop)
        findings = await audited(connection)
        floor = await floors.orders_in_sql(connection)
    return Report(
        name="checkout",
        rate_per_s=best.rate,
        floor_per_s=floor,
        ratio=best.rate / floor,
        p50_ms=best.percentile(0.5),
        p99_ms=best.percentile(0.99),
        audit_violations=sum(finding.violations for finding in findings),
        more={
            "orders": best.statuses[201],
            "statuses": {str(status): count for status, count in best.statuses.items()},
            "p99_ms_at_half_rate": round(half.percentile(0.99), 2),
            "p99_ms_at_90_percent": round(high.percentile(0.99), 2),
            "idle_ms": round(idle.percentile(0.5), 2),
            "log_drained_s": round(lag, 2),
            "broken_laws": [finding.law for finding in findings if finding.violations],
        },
    )


async def _stock_shelves(shop: Shop) -> list[OfferId]:
    """Some hundred products of four sellers, with stock that does not run out."""
    offers: list[OfferId] = []
    for n in range(_OFFERS):
        seller_id = await shop.sellers.by_name(f"Seller {n % 4}")
        draft = NewProduct(
            title=f"A product with a title of usual length, number {n}",
            description="Made for measuring.",
            category="benchmarks",
            price=1_999,
            currency=shop.settings.currency,
        )
        listed = await shop.catalog.create(seller_id, f"Seller {n % 4}", draft)
        await shop.inventory.receive(f"bench/{n}", [Line(listed.offer_id, 10_000_000)], seller_id)
        offers.append(listed.offer_id)
    return offers


async def _invite(shop: Shop) -> list[Buyer]:
    places = asyncio.Semaphore(32)

    async def invite(n: int) -> Buyer:
        async with places:
            guest = await shop.accounts.guest()
            address = NewAddress(
                name="Ann Shopper",
                line1=f"{n} Long Street",
                city="Springfield",
                postal_code="12345",
                country="US",
            )
            address_id = await shop.accounts.add_address(guest.user_id, address)
            method_id = await shop.accounts.add_payment_method(guest.user_id, "tok_visa")
            await shop.cart.basket(guest.user_id)
            return Buyer(guest.user_id, guest.token, address_id, method_id)

    return list(await asyncio.gather(*(invite(n) for n in range(_BUYERS))))


async def _idle(port: int, crowd: Crowd) -> Result:
    """One purchase at a time in a quiet shop."""
    await crowd.fill()
    return await Load(port, itertools.islice(crowd.requests(), 100)).run(1, 10)


async def drained(shop: Shop) -> float:
    """Seconds until every follower has read all that was told."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    lags: list[Any] = [1]
    while any(lags) and loop.time() < began + 120:
        lags = [row["behind"] for row in await shop.building.lags()]
        await asyncio.sleep(0.1)
    return loop.time() - began
