"""A flash sale from the first in line to sold out: joins over HTTP beside a raw ASGI application, look-ups of
a place in the full queue, the draw, a sale of 1,000 units with people who let their turn lapse, and the rush
of a sale without a queue."""

import asyncio
import heapq
import itertools
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from math import ceil
from typing import Any, NamedTuple

import asyncpg
import httpx
import msgspec

from mercat import ids
from mercat.accounts import NewAddress
from mercat.app import certify
from mercat.catalog import NewProduct
from mercat.embedded import Connection
from mercat.flashsale import Act, Certified, NewSale
from mercat.ids import OfferId, SellerId, UserId
from mercat.inventory import Line
from mercat.kit import clock, codec
from mercat.kit.rpc import Caller
from mercat.lab.bench import cache, floors
from mercat.lab.bench.checkout import ShopperPool, invite, stock_shelves
from mercat.lab.bench.load import Load, Result, request
from mercat.lab.bench.report import Report
from mercat.lab.bench.shop import audited, opened, staff
from mercat.shop import Shop

_SALE, _RUSH = "bench", "rush"
_LOOKS_S = 0.44
"""After so long at most somebody at the front looks again, as the waiting page does."""
_OTHERS, _OTHERS_A_SECOND, _MEANWHILE_S = 64, 50.0, 20.0
"""Connections and purchases a second of those who shop for other things, before the sale and amid it."""
_UNITS = 1_000
_RATE = 100
_WINDOW_S = 6
_CONVERSION = 0.8
_GRACE_S = 3
"""A turn lapses within so long after its time: the runner's second look, and its rhythm."""
_PEOPLE_A_SECOND = 10_000
_RUSHING_A_SECOND = 2_000
_RUSHING_MAX = 20_000
_AT_ONCE = 256
_OPERATOR = Caller(UserId(1), frozenset({"operator"}), email="bench@example.com")


class Person(NamedTuple):
    user_id: UserId
    token: str


async def flash(seconds: float, people: int = 0) -> Report:
    people = people or int(_PEOPLE_A_SECOND * seconds)
    async with opened() as connection, staff(connection) as shop:
        owner = await asyncpg.connect(**connection.postgres())
        offer = await _stock(shop, "A lamp that few will have", _UNITS)
        await _make(shop, _SALE, offer, queue=True)
        crowd = await _invite(shop, people)
        joins, memory = await _join(connection, shop, crowd, seconds)
        looks = await _look_up(connection, crowd, seconds / 3)
        polls = await _poll(connection, seconds / 3)
        behind_a_cache = await cache.crowd(connection, _SALE, seconds / 3)
        others = await _others(shop)
        before = await others.run(connection.port, _OTHERS, seconds, _OTHERS_A_SECOND)
        meanwhile = asyncio.create_task(others.run(connection.port, _OTHERS, _MEANWHILE_S, _OTHERS_A_SECOND))
        ran = await _run_through(connection, shop, owner, crowd, offer)
        during = await meanwhile
        rush = await _rush(connection, shop, min(int(_RUSHING_A_SECOND * seconds), _RUSHING_MAX))
        sold = await owner.fetchval("select sold from flashsale.sale where sale_id = $1", _SALE)
        findings = await audited(connection)
        await owner.close()
    floor = await floors.raw_asgi(280, seconds=min(seconds, 4))
    return Report(
        name="flash",
        rate_per_s=joins.rate,
        floor_per_s=floor,
        ratio=joins.rate / floor,
        p50_ms=joins.percentile(0.5),
        p99_ms=joins.percentile(0.99),
        audit_violations=sum(finding.violations for finding in findings),
        more={
            "sold": sold,
            "people": people,
            "joined_over_http": joins.statuses[201],
            "queue_mb_per_million": round(memory / people, 1),
            "document_per_s": round(polls.rate, 1),
            "document_bytes": len(polls.bodies[0].partition(b"\r\n\r\n")[2]) if polls.bodies else 0,
            "place_p50_ms": round(looks.percentile(0.5), 2),
            "place_p99_ms": round(looks.percentile(0.99), 2),
            **behind_a_cache,
            **ran,
            "others_p99_ms": [round(each.percentile(0.99), 1) for each in (before, during)],
            "others_statuses": {str(status): count for status, count in during.statuses.items()},
            **rush,
            "broken_laws": [finding.law for finding in findings if finding.violations],
        },
    )


async def _others(shop: Shop) -> ShopperPool:
    """Shoppers who want nothing of the sale, with full carts for as long as it takes."""
    count = int(_OTHERS_A_SECOND * (_MEANWHILE_S + 30))
    crowd = ShopperPool(shop, await invite(shop, count), await stock_shelves(shop))
    while await crowd.fill():
        pass
    return crowd


class Rehearsal(NamedTuple):
    certified: Certified
    violations: int


async def rehearse(people: int, units: int, rate: float, say: Callable[[str], None]) -> Rehearsal:
    """Play a whole sale with made-up people, in a shop of its own that can be watched."""
    async with opened() as connection, staff(connection) as shop:
        owner = await asyncpg.connect(**connection.postgres())
        await shop.accounts.seed()
        say(f"A shop of its own: http://{connection.host}:{connection.port}/flash/{_SALE}")
        say("The control room, as ops@example.com with the password mercat: /operator/flash")
        offer = await _stock(shop, "A lamp that few will have", units)
        await _make(shop, _SALE, offer, queue=True, units=units, rate=rate)
        sale = await shop.flashsale.sale(_SALE)
        say(f"{units:,} units. The commitment to the draw: {sale.commitment}")
        crowd = await _invite(shop, people)
        await _join(connection, shop, crowd, 5)
        say(f"{people:,} people wait for the start.")
        ran = await _run_through(connection, shop, owner, crowd, offer, say)
        say(f"From the first pass to sold out: {ran['first_pass_to_sold_out_s']} s.")
        verdict = await shop.flashsale.verify(_SALE)
        say("; ".join(verdict.wrong) or f"The draw is right: {verdict.checked:,} places recomputed.")
        await shop.flashsale.act(_OPERATOR, _SALE, Act("end", "The rehearsal is over."))
        certified = await certify(shop, _SALE)
        findings = await audited(connection)
        await owner.close()
    return Rehearsal(certified, sum(finding.violations for finding in findings))


# -- setting the scene


async def _stock(shop: Shop, title: str, units: int) -> OfferId:
    seller_id = ids.new(SellerId)
    draft = NewProduct(
        title=title,
        description="Made for measuring.",
        price=4_999,
        currency=shop.settings.currency,
    )
    listed = await shop.catalog.create(seller_id, "A seller", draft)
    await shop.inventory.receive(f"bench/{listed.offer_id}", [Line(listed.offer_id, units)], seller_id)
    return listed.offer_id


async def _make(
    shop: Shop, sale_id: str, offer: OfferId, *, queue: bool, units: int = _UNITS, rate: float = _RATE
) -> None:
    ahead = timedelta(hours=1) if queue else timedelta()
    sale = NewSale(
        sale_id=sale_id,
        offer_id=offer,
        units=units,
        starts_at=clock.now() + ahead,
        rate=rate,
        ceiling=_UNITS,
        window_s=_WINDOW_S,
        per_card=None,
        per_address=None,
        queue=queue,
    )
    await shop.flashsale.create(sale)


async def _invite(shop: Shop, people: int) -> list[Person]:
    crowd: list[Person] = []
    while len(crowd) < people:
        some = min(2_000, people - len(crowd))
        sessions = await asyncio.gather(*(shop.accounts.guest() for _ in range(some)))
        crowd += [Person(session.user_id, session.token) for session in sessions]
    return crowd


async def _ready(shop: Shop, person: Person, offer: OfferId) -> bytes:
    """With an address, a card and the thing in the cart: what to send to checkout."""
    user_id = person.user_id
    home = NewAddress(
        name="Ann Shopper",
        line1=f"{user_id} Long Street",
        city="Springfield",
        region="OR",
        postal_code="97477",
        country="US",
    )
    address_id, method_id, _ = await asyncio.gather(
        shop.accounts.add_address(user_id, home),
        shop.accounts.add_payment_method(user_id, "tok_visa"),
        shop.cart.add(user_id, offer, 1),
    )
    ask = {
        "shipping_address_id": address_id,
        "payment_method_id": method_id,
        "shipping_method": "standard",
        "email": "buyer@example.com",
    }
    return codec.encode(ask)


# -- the queue


async def _join(
    connection: Connection, shop: Shop, crowd: list[Person], seconds: float
) -> tuple[Result, float]:
    """As many as can over HTTP in that time, the others by the verb; and what the queue weighs in MB."""
    path = f"/api/v1/flash-sales/{_SALE}/queue"
    asked = itertools.count()

    def requests() -> Iterator[bytes]:
        for person in crowd:
            next(asked)
            yield request("POST", path, {"Authorization": f"Bearer {person.token}"})

    joins = await Load(connection.port, requests()).run(_AT_ONCE, seconds)
    first = next(asked)
    for at in range(first, len(crowd), 2_000):
        callers = [Caller(person.user_id) for person in crowd[at : at + 2_000]]
        await asyncio.gather(*(shop.flashsale.join(caller, _SALE) for caller in callers))
    size = await shop.host.store.do("MEMORY", "USAGE", f"flash_queue:{_SALE}", "SAMPLES", 1_000)
    return joins, int(size)


async def _look_up(connection: Connection, crowd: list[Person], seconds: float) -> Result:
    path = f"/api/v1/flash-sales/{_SALE}/queue"
    some = random.sample(crowd, min(len(crowd), 20_000))
    asks = [request("GET", path, {"Authorization": f"Bearer {person.token}"}) for person in some]
    return await Load(connection.port, itertools.cycle(asks)).run(8, seconds)


async def _poll(connection: Connection, seconds: float) -> Result:
    """Measure what one origin answers to those who wait; a cache before it asks once a second in all."""
    ask = request("GET", f"/api/v1/flash-sales/{_SALE}")
    load = Load(connection.port, itertools.repeat(ask), keep_bodies=True)
    return await load.run(32, seconds)


# -- the sale


_NEW_TURNS = "select place, user_id from flashsale.turn where sale_id = $1 and place > $2 order by place"
_LAPSED = "select count(*) from flashsale.turn where sale_id = $1 and state = 'lapsed'"
_LAST_ORDER = """
select extract(epoch from
    (select max(at) from checkout.answer where status = 201) - min(t.released_at))::float8 as ran
from flashsale.turn t where t.sale_id = $1
"""


class _Seen(msgspec.Struct):
    state: str
    left: int
    serving: int


class _Buyers:
    """Those who were let in and buy: a look at their turn, then one checkout each."""

    def __init__(self, shop: Shop, http: httpx.AsyncClient, offer: OfferId) -> None:
        self._shop, self._http, self._offer = shop, http, offer
        self._looks = random.Random(2)
        self._at_once = asyncio.Semaphore(32)
        self._buying: set[asyncio.Task[None]] = set()
        self.took: list[float] = []
        self.statuses: Counter[int] = Counter()

    def let_in(self, person: Person) -> None:
        """Begin this person's purchase."""
        task = asyncio.create_task(self._buy(person))
        self._buying.add(task)
        task.add_done_callback(self._buying.discard)

    async def finish(self) -> None:
        """Wait until everybody has an answer."""
        await asyncio.gather(*self._buying)

    async def _buy(self, person: Person) -> None:
        await asyncio.sleep(self._looks.random() * _LOOKS_S)
        async with self._at_once:
            body = await _ready(self._shop, person, self._offer)
            headers = {"Authorization": f"Bearer {person.token}"}
            place: dict[str, Any] = {"state": "waiting"}
            while place["state"] == "waiting":
                place = (await self._http.get(f"/flash-sales/{_SALE}/queue", headers=headers)).json()
                await asyncio.sleep(0.1)
            headers |= {"Flash-Pass": place.get("pass", ""), "Idempotency-Key": f"flash-{person.user_id}"}
            asked = time.monotonic()
            answer = await self._http.post("/orders/checkout", content=body, headers=headers)
            self.took.append(time.monotonic() - asked)
            self.statuses[answer.status_code] += 1


async def _run_through(
    connection: Connection,
    shop: Shop,
    owner: asyncpg.Connection,
    crowd: list[Person],
    offer: OfferId,
    say: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Run the sale from the start until everybody is told that it is sold out.

    A fifth of those who are let in do nothing."""
    people = {int(person.user_id): person for person in crowd}
    chance = random.Random(1)
    began = time.monotonic()
    await shop.flashsale.act(_OPERATOR, _SALE, Act("start", "The bench begins."))
    drawn = first = told = spoke = 0.0
    seen_turns = 0
    base = f"http://127.0.0.1:{connection.port}/api/v1"
    async with httpx.AsyncClient(base_url=base, timeout=30) as http:
        buyers = _Buyers(shop, http, offer)
        while time.monotonic() < began + 300:
            document = msgspec.json.decode((await http.get(f"/flash-sales/{_SALE}")).content, type=_Seen)
            if not drawn and document.state != "planned":
                drawn = time.monotonic() - began
                say(f"Open, and drawn, after {drawn:.1f} s.")
            rows = await owner.fetch(_NEW_TURNS, _SALE, seen_turns)
            if rows and not first:
                first = time.monotonic()
            for row in rows:
                seen_turns = row["place"]
                if chance.random() < _CONVERSION:
                    buyers.let_in(people[row["user_id"]])
            if time.monotonic() > spoke + 2:
                spoke = time.monotonic()
                say(f"{spoke - began:5.0f} s   served to {document.serving:,}   {document.left:,} left")
            if document.state == "sold_out":
                told = time.monotonic()
                break
            await asyncio.sleep(0.1)
        await buyers.finish()
    since = await owner.fetchrow(_LAST_ORDER, _SALE)
    took = sorted(buyers.took)
    return {
        "drawn_within_s": round(drawn, 2),
        "first_pass_to_sold_out_s": round(told - first, 1) if told else None,
        "rate_and_conversion_allow_s": round(_ideal(_UNITS, _RATE, _CONVERSION), 1),
        "passes": seen_turns,
        "passes_lapsed": await owner.fetchval(_LAPSED, _SALE),
        "checkout_p99_ms": round(took[int(len(took) * 0.99)] * 1_000, 1) if took else None,
        "checkout_statuses": {str(status): count for status, count in buyers.statuses.items()},
        "told_after_last_order_s": round(max(0.0, (told - first) - (since["ran"] if since else 0)), 2),
    }


def _ideal(units: int, rate: float, conversion: float) -> float:
    """How long a sale has to take where those who buy do so at once and the others let their time run out:
    released each second are as many as the rate and the units that nobody holds allow."""
    free, sold, second = float(units), 0.0, 0
    back: list[tuple[int, float]] = []
    while sold < units - 0.5 and second < 3_600:
        while back and back[0][0] <= second:
            free += heapq.heappop(back)[1]
        released = min(rate, free)
        free -= released
        idle = released * (1 - conversion) if released >= 2 else 0.0  # the last few: somebody buys
        sold += released - idle
        if idle:
            heapq.heappush(back, (second + _WINDOW_S + _GRACE_S, idle))
        second += 1
    return second - 1


# -- the worst case


async def _rush(connection: Connection, shop: Shop, attempts: int) -> dict[str, Any]:
    """Measure a sale without a queue: everybody at checkout at once."""
    units = ceil(attempts / 20)
    offer = await _stock(shop, "A chair that few will have", units)
    await _make(shop, _RUSH, offer, queue=False, units=units)
    crowd = await _invite(shop, attempts)
    bodies: list[bytes] = []
    for at in range(0, attempts, 500):
        bodies += await asyncio.gather(*(_ready(shop, person, offer) for person in crowd[at : at + 500]))
    asks = [
        request(
            "POST",
            "/api/v1/orders/checkout",
            {"Authorization": f"Bearer {person.token}", "Idempotency-Key": f"rush-{person.user_id}"},
            body,
        )
        for person, body in zip(crowd, bodies, strict=True)
    ]
    while (await shop.flashsale.sale(_RUSH)).state == "planned":
        await asyncio.sleep(0.1)
    result = await Load(connection.port, iter(asks)).run(_AT_ONCE, 60)
    return {
        "rush_attempts": attempts,
        "rush_units": units,
        "rush_orders": result.statuses[201],
        "rush_statuses": {str(status): count for status, count in result.statuses.items()},
        "rush_attempts_per_s": round(attempts / max(result.ended - result.began, 1e-9)),
        "rush_p99_ms": round(result.percentile(0.99), 1),
    }
