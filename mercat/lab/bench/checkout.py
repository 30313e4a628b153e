"""Whole purchases over HTTP: authentication, a cart of two lines in Valkey, reserve, charge, ledger, order,
confirmation and the fact of it; beside pgbench that writes the same rows, one order a transaction."""

import asyncio
import itertools
from collections import deque
from collections.abc import Iterator
from typing import Any, NamedTuple

from mercat.accounts import NewAddress
from mercat.catalog import NewProduct
from mercat.ids import AddressId, OfferId, PaymentMethodId, UserId
from mercat.inventory import Line
from mercat.kit import codec
from mercat.lab.bench import floors
from mercat.lab.bench.load import Load, Result, request
from mercat.lab.bench.report import Report
from mercat.lab.bench.shop import audited, memory_mb, opened, staff
from mercat.promotions import NewPromotion
from mercat.shop import Shop

_BUYERS = 2_000
_OFFERS = 400
_AT_ONCE = 512
_CROWD = 3_000
"""Connections of a crowd that is too large, more than all workers let in; each is somebody else's."""
_LEAD_S = 2
"""Until all connections are busy; not counted."""
_REFILL_PAUSE_S = 0.002


class Buyer(NamedTuple):
    user_id: UserId
    token: str
    address_id: AddressId
    payment_method_id: PaymentMethodId


class PersonalRequest(bytes):
    """A request, and whose it is."""

    person: int


class ShopperPool:
    """People with full carts: who has bought has the cart filled again before coming back, who was sent away
    comes back as they are. Nobody comes twice at once."""

    def __init__(
        self,
        shop: Shop,
        buyers: list[Buyer],
        offers: list[OfferId],
        lines: int = 2,
        *,
        hot: bool = False,
        code: str = "",
    ) -> None:
        """`lines` in a cart; `hot`: the first of them is the same in all; `code`: of a promotion, in each."""
        self._store = shop.host.store
        self._heads = [_head(buyer) for buyer in buyers]
        self._carts = [f"cart:{buyer.user_id}" for buyer in buyers]
        codes = {"codes": codec.text([code])} if code else {}
        baskets = [codes | _basket(offers, n, lines, hot=hot) for n in range(len(offers))]
        self._baskets = itertools.cycle(baskets)
        self._ready: deque[int] = deque()
        self._empty: deque[int] = deque(range(len(buyers)))
        self._keys = itertools.count()

    def requests(self) -> Iterator[bytes]:
        """Yield the next person's purchase, under a new key, for ever."""
        while True:
            if not self._ready:
                self._ready.extend(self._empty)  # nobody is filled: their refusals will be counted
                self._empty.clear()
            person = self._ready.popleft()
            before, after = self._heads[person]
            purchase = PersonalRequest(b"%b%d%b" % (before, next(self._keys), after))
            purchase.person = person
            yield purchase

    def heard(self, purchase: bytes, status: int) -> None:
        assert isinstance(purchase, PersonalRequest)
        (self._ready if status >= 500 else self._empty).append(purchase.person)

    async def run(
        self, port: int, connections: int, seconds: float, rate: float = 0.0, most: int | None = None
    ) -> Result:
        """They come: as they can, or `rate` a second; `most` of them in all."""
        coming = itertools.islice(self.requests(), most)
        return await Load(port, coming, heard=self.heard).run(connections, seconds, rate)

    async def fill(self, most: int = 500) -> int:
        """Fill the carts of those who bought longest ago."""
        people = [self._empty.popleft() for _ in range(min(most, len(self._empty)))]
        if people:
            [server] = await self._store.servers()
            async with server.client.pipeline(transaction=False) as opened:
                pipe: Any = opened
                for person in people:
                    pipe.hset(self._carts[person], mapping=next(self._baskets))
                await pipe.execute()
            self._ready.extend(people)
        return len(people)

    async def keep_filling(self) -> None:
        while True:
            await self.fill()
            await asyncio.sleep(_REFILL_PAUSE_S)


_LINE_OF_ONE = '{"qty":1,"price":1999,"added":"2026-01-01T00:00:00+00:00"}'
_LINE_OF_TWO = '{"qty":2,"price":1999,"added":"2026-01-01T00:00:00+00:00"}'


def _basket(offers: list[OfferId], first: int, lines: int, *, hot: bool) -> dict[str, str]:
    """One of the first line, two of each other."""
    chosen = [offers[(first + n) % len(offers)] for n in range(lines)]
    if hot:
        chosen = [offers[0], *[offer for offer in chosen if offer != offers[0]][: lines - 1]]
    return {str(offer): _LINE_OF_TWO if n else _LINE_OF_ONE for n, offer in enumerate(chosen)}


def _head(buyer: Buyer) -> tuple[bytes, bytes]:
    """Write a purchase as bytes, cut where its key stands."""
    ask = {
        "shipping_address_id": buyer.address_id,
        "payment_method_id": buyer.payment_method_id,
        "shipping_method": "standard",
        "email": "buyer@example.com",
    }
    headers = {"Authorization": f"Bearer {buyer.token}", "Idempotency-Key": "bench-@"}
    before, after = request("POST", "/api/v1/orders/checkout", headers, codec.encode(ask)).split(b"@", 1)
    return before, after


async def checkout(seconds: float, lines: int = 2, *, hot: bool = False, promotions: bool = False) -> Report:
    """Measure the best rate in closed loop, then half, nine tenths and twice of it in open loop."""
    async with opened() as connection, staff(connection) as shop:
        code = await promote(shop) if promotions else ""
        crowd, many = await _crowds(shop, lines, code, hot=hot)
        port = connection.port
        async with asyncio.TaskGroup() as group:
            filling = [group.create_task(each.keep_filling()) for each in (crowd, many)]
            await crowd.run(port, _AT_ONCE, _LEAD_S)
            before = memory_mb()
            best = await crowd.run(port, _AT_ONCE, seconds)
            after, lag = memory_mb(), max(await behind(shop), default=0)
            await drained(shop)  # what is left of the run before is not waiting at this rate
            half = await crowd.run(port, _AT_ONCE, seconds / 3, rate=best.rate / 2)
            await drained(shop)
            high = await crowd.run(port, _AT_ONCE, seconds / 3, rate=best.rate * 0.9)
            until = _LEAD_S + seconds / 3
            over = await many.run(port, _CROWD, until, rate=best.rate * 2)
            for task in filling:
                task.cancel()
        idle = await _idle(port, crowd)
        drained_s = await drained(shop)
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
            "lines": lines,
            "hot": hot,
            "promotions": promotions,
            "orders": best.statuses[201],
            "statuses": _counted(best),
            "rate_by_tenth": best.rates(),
            "memory_mb": [before, after],
            "facts_behind": lag,
            "p99_ms_at_half_rate": round(half.percentile(0.99), 2),
            "histogram_ms_at_half_rate": half.histogram(),
            "p99_ms_at_90_percent": round(high.percentile(0.99), 2),
            "histogram_ms_at_90_percent": high.histogram(),
            "at_twice": {
                "share_of_best": round(over.rate_between(_LEAD_S, until) / best.rate, 3),
                "p99_ms": round(over.percentile(0.99), 2),
                "statuses": _counted(over),
            },
            "idle_ms": round(idle.percentile(0.5), 2),
            "log_drained_s": round(drained_s, 2),
            "broken_laws": [finding.law for finding in findings if finding.violations],
        },
    )


async def _crowds(shop: Shop, lines: int, code: str, *, hot: bool) -> list[ShopperPool]:
    """Invite as many as the shop serves at once, and more than it lets in; all with full carts."""
    offers = await stock_shelves(shop)
    crowds: list[ShopperPool] = []
    for people in (_BUYERS, _CROWD + _CROWD // 2):
        crowds.append(ShopperPool(shop, await invite(shop, people), offers, lines, hot=hot, code=code))
        while await crowds[-1].fill():
            pass
    return crowds


def _counted(result: Result) -> dict[str, int]:
    return {str(status): count for status, count in sorted(result.statuses.items())}


async def stock_shelves(shop: Shop) -> list[OfferId]:
    """List some hundred products of four sellers, with stock that does not run out."""
    offers: list[OfferId] = []
    for n in range(_OFFERS):
        seller_id = await shop.sellers.by_name(f"Seller {n % 4}")
        draft = NewProduct(
            title=f"A product with a title of usual length, number {n}",
            description="Made for measuring.",
            price=1_999,
            currency=shop.settings.currency,
        )
        listed = await shop.catalog.create(seller_id, f"Seller {n % 4}", draft)
        await shop.inventory.receive(f"bench/{n}", [Line(listed.offer_id, 10_000_000)], seller_id)
        offers.append(listed.offer_id)
    return offers


async def promote(shop: Shop) -> str:
    """Set up three promotions that every basket has, and one by a code whose uses are counted; its code."""
    code = "WELCOME10"
    terms: list[dict[str, Any]] = [
        {"then": {"percent": 10}, "when": {"min_subtotal": 1_000}},
        {"then": {"amount": 100}, "when": {"min_quantity": 2}},
        {"then": {"free_shipping": True}},
        {"then": {"percent": 5}, "code": code, "limit": 1_000_000_000},
    ]
    for n, each in enumerate(terms):
        await shop.promotions.add(NewPromotion(name=f"Promotion {n}", **each))
    return code


async def invite(shop: Shop, people: int) -> list[Buyer]:
    places = asyncio.Semaphore(32)

    async def invite(n: int) -> Buyer:
        async with places:
            guest = await shop.accounts.guest()
            address = NewAddress(
                name="Ann Shopper",
                line1=f"{n} Long Street",
                city="Springfield",
                region="OR",
                postal_code="97477",
                country="US",
            )
            address_id = await shop.accounts.add_address(guest.user_id, address)
            method_id = await shop.accounts.add_payment_method(guest.user_id, "tok_visa")
            await shop.cart.basket(guest.user_id)
            return Buyer(guest.user_id, guest.token, address_id, method_id)

    return list(await asyncio.gather(*(invite(n) for n in range(people))))


async def _idle(port: int, crowd: ShopperPool) -> Result:
    """One purchase at a time in a quiet shop."""
    await crowd.fill()
    return await crowd.run(port, 1, 10, most=100)


async def drained(shop: Shop) -> float:
    """Seconds until every follower has read all that was told."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    while any(await behind(shop)) and loop.time() < began + 120:
        await asyncio.sleep(0.1)
    return loop.time() - began


async def behind(shop: Shop) -> list[int]:
    """How many facts each follower has not read."""
    return [row["behind"] for row in await shop.host.lags()]
