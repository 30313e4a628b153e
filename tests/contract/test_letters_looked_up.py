"""Letters whose people are looked up, in a whole shop: about reviews, prices, stock; and sellers' letters."""

import asyncio
import re
from datetime import timedelta
from types import SimpleNamespace

import httpx
import msgspec
import pytest
from house import Opened
from house import opened as opened
from journeys.people import Person, Seller, Town, code, ok, until

from mercat.accounts import Contact
from mercat.events import PriceDropped
from mercat.ids import ProductId, UserId, parse
from mercat.kit import clock
from mercat.kit.event_log import deliver
from mercat.kit.refusals import NotFound
from mercat.notifications import Notifications
from mercat.reviews import OldReview
from mercat.web.routes import PREFIX
from mercat.wishlist import PriceSeen, Wishlist, watching


class LettersTown(Town):
    """A town whose letters can be read."""

    def __init__(self, http, house, db):
        super().__init__(http)
        self.db = db
        self.house = house
        self.notifications = house.shop.notifications

    async def letters(self, email: str, kind: str = ""):
        found = await self.notifications.mailbox(200, email)
        return [mail for mail in found if not kind or mail.kind == kind]

    async def letter(self, email: str, kind: str, many: int = 1):
        """The newest letter of a kind to somebody, once there are so many."""

        async def there() -> bool:
            return len(await self.letters(email, kind)) >= many

        await until(there, 30)
        found = await self.letters(email, kind)
        assert len(found) == many
        return found[0]

    async def quiet(self) -> None:
        """Until all that was told is in letters."""
        db = self.db

        query = """select last_id, (select count(*) from notifications.notice) as notices,
            (select min(at) from events.position) as slowest from events.relayed"""
        before = []

        async def settled() -> bool:
            row = await db.fetchrow(query)
            before.append(tuple(row))
            return (
                not row["notices"] and row["slowest"] == row["last_id"] and before[-10:] == [tuple(row)] * 10
            )

        await until(settled, 30)

    async def somebody(self) -> Person:
        return await named(await self.member())

    async def trader(self) -> Seller:
        return await named(await self.seller())


async def named(person):
    person.email = (await person.get("/account"))["email"]
    return person


@pytest.fixture
async def letters(opened: Opened, db):
    async with opened(review_request_days=0, alert_delay_s=0, gather_letters_s=0.2) as house:
        await house.shop.catalog.add_category("Tea")
        door = (await house.visitor()).http._transport
        async with httpx.AsyncClient(transport=door, base_url=f"http://127.0.0.1{PREFIX}") as http:
            yield LettersTown(http, house, db)


async def delivered(seller: Seller, order) -> None:
    await seller.saw(await seller.ships(order["order_id"]), "delivered")


async def bought(letters, *goods) -> tuple[Person, dict]:
    gus = await (await letters.guest()).ready()
    for listing, quantity in goods:
        await gus.puts(listing["offer_id"], quantity)
    return gus, await gus.buys()


async def test_a_seller_is_told_what_to_pack_and_what_is_written_of_it(letters):
    bea = await letters.trader()
    tea = await bea.lists("Tea <b>&", quantity=50, price=10.0)
    _, order = await bought(letters, (tea, 2))
    mail = await letters.letter(bea.email, "order_to_pack")
    assert mail.subject == f"An order to pack: {order['number']}"
    assert f"  2 x Tea <b>&: {order['number']}\n" in mail.body
    assert "Tea &lt;b&gt;&amp;" in mail.html

    ann = await letters.somebody()
    await ann.ready()
    await ann.puts(tea["offer_id"])
    mine = await ann.buys()
    await delivered(bea, mine)
    review = {"stars": 4, "title": "Good", "body": "Green and\n\nfresh."}

    async def may_write() -> bool:
        answer = await ann.ask("POST", f"/products/{tea['product_id']}/reviews", review)
        return answer.status_code == 201

    await until(may_write)
    mail = await letters.letter(bea.email, "review_received")
    assert mail.subject == "4 of 5 stars for Tea <b>&"
    assert '"Green and fresh."' in mail.body


async def test_orders_that_come_together_are_one_letter_and_each_is_in_it_once(letters):
    bea = await letters.trader()
    tea = await bea.lists(quantity=50)
    bought_ = await asyncio.gather(*(bought(letters, (tea, 1)) for _ in range(4)))
    numbers = {order["number"] for _, order in bought_}

    async def all_told() -> bool:
        told = [
            number for mail in await letters.letters(bea.email, "order_to_pack") for number in found(mail)
        ]
        assert len(told) == len(set(told))
        return set(told) == numbers

    def found(mail) -> list[str]:
        return re.findall(r": (M-\d+)\n", mail.body)

    await until(all_told, 30)


async def test_who_keeps_what_they_bought_is_asked_for_reviews_once(letters):
    bea = await letters.trader()
    tea, cup = await bea.lists("Tea", quantity=50), await bea.lists("Cup", quantity=50)
    gus, order = await bought(letters, (tea, 1), (cup, 1))
    by_title = {line["title"]: line["order_line_id"] for line in order["lines"]}
    cup_line = {"order_line_id": by_title["Cup"], "quantity": 1}
    ok(await gus.ask("POST", f"/orders/{order['order_id']}/cancel", {"lines": [cup_line]}))
    tea_line = {"order_line_id": by_title["Tea"], "quantity": 1}
    await bea.saw(await bea.ships(order["order_id"], tea_line), "delivered")
    mail = await letters.letter(gus.email, "review_request")
    assert "  Tea\n" in mail.body
    assert "Cup" not in mail.body
    assert "/unsubscribe/" in mail.body
    assert f"/orders/{order['order_id']}?key=" in mail.body


async def test_nobody_is_asked_about_what_was_paid_back(letters):
    bea = await letters.trader()
    tea = await bea.lists(quantity=50)
    gus, order = await bought(letters, (tea, 1))
    line = order["lines"][0]
    await letters.quiet()
    lookup = letters.house.shop.notifications.notices
    lookup._sources, sources = None, lookup._sources  # the question waits
    await delivered(bea, order)
    refund = {"lines": [{"order_line_id": line["order_line_id"], "quantity": 1}], "reason": "It was broken."}
    path = f"/seller/orders/{order['order_id']}/refunds"
    ok(await bea.ask("POST", path, refund, idempotency_key="once-" + order["order_id"]), 201)

    async def refunded() -> bool:
        return (await gus.order(order["order_id"]))["lines"][0]["refunded"] == 1

    await until(refunded)
    lookup._sources = sources
    await letters.quiet()
    assert await letters.letters(gus.email, "review_request") == []


async def test_who_keeps_a_product_hears_of_a_better_price_once_and_not_of_ups_and_downs(letters):
    bea = await letters.trader()
    tea = await bea.lists("Tea", quantity=50, price=10.0)
    ann, eve = await letters.somebody(), await letters.somebody()
    await ann.ask("PUT", f"/wishlist/{tea['product_id']}")
    gifts = await ann.post("/wishlists", {"name": "Gifts"})
    await ann.ask("PUT", f"/wishlists/{gifts['wishlist_id']}/items/{tea['product_id']}")
    more = await eve.post("/wishlists", {"name": "Tea"})
    await eve.ask("PUT", f"/wishlists/{more['wishlist_id']}/items/{tea['product_id']}")

    async def costs(price: float) -> None:
        ok(await bea.ask("PATCH", f"/seller/offers/{tea['offer_id']}", {"price": price}))

        async def stands() -> bool:
            amount = round(price * 100)
            query = "select price from wishlist.watched where product_id = $1"
            product_id = int(parse(ProductId, tea["product_id"]))
            return await letters.db.fetchval(query, product_id) == amount

        await until(stands)

    await costs(12.0)
    await costs(10.0)
    await letters.quiet()
    assert await letters.letters(ann.email, "price_drop") == []
    await costs(8.0)
    mail = await letters.letter(ann.email, "price_drop")
    assert mail.subject == "Tea costs less now"
    assert "  Tea: $8.00\n  Before: $10.00\n" in mail.body
    await letters.letter(eve.email, "price_drop")
    await costs(9.0)
    await costs(7.0)
    await letters.quiet()
    for person in (ann, eve):
        assert len(await letters.letters(person.email, "price_drop")) == 1


async def test_who_keeps_a_product_hears_that_it_is_there_again_and_who_does_without_does_not(letters):
    bea = await letters.trader()
    tea = await bea.lists("Tea", quantity=2)
    ann, eve = await letters.somebody(), await letters.somebody()
    for person in (ann, eve):
        await person.ask("PUT", f"/wishlist/{tea['product_id']}")
    ok(await eve.ask("PUT", "/account/notifications", {"wanted": {"back_in_stock": False}}))
    await bought(letters, (tea, 2))

    async def gone(there: bool) -> bool:
        query = "select in_stock from wishlist.watched where product_id = $1"
        product_id = int(parse(ProductId, tea["product_id"]))
        return await letters.db.fetchval(query, product_id) is there

    await until(lambda: gone(False))
    shelf = f"/seller/stock/{tea['offer_id']}"
    counted = (await bea.ask("GET", shelf)).headers["etag"]
    ok(await bea.ask("PUT", shelf, {"quantity": 5}, if_match=counted))
    await letters.letter(ann.email, "back_in_stock")
    await letters.quiet()
    assert await letters.letters(eve.email, "back_in_stock") == []


async def test_a_list_can_be_silent(letters):
    bea = await letters.trader()
    tea = await bea.lists("Tea", quantity=50, price=10.0)
    ann, eve = await letters.somebody(), await letters.somebody()
    for person in (ann, eve):
        mine = await person.post("/wishlists", {"name": "Gifts"})
        await person.ask("PUT", f"/wishlists/{mine['wishlist_id']}/items/{tea['product_id']}")
    quiet = f"/wishlists/{mine['wishlist_id']}/alerts"
    assert ok(await eve.ask("PUT", quiet, {"alerts": False}))["alerts"] is False
    assert code(await ann.ask("PUT", quiet, {"alerts": False})) == (404, "not_found")
    ok(await bea.ask("PATCH", f"/seller/offers/{tea['offer_id']}", {"price": 5.0}))
    await letters.letter(ann.email, "price_drop")
    await letters.quiet()
    assert await letters.letters(eve.email, "price_drop") == []


async def test_a_seller_hears_of_few_left_once_a_fall(letters):
    bea = await letters.trader()
    tea = await bea.lists("Tea", quantity=7)
    await bought(letters, (tea, 1))
    await letters.quiet()
    assert await letters.letters(bea.email, "low_stock") == []
    await bought(letters, (tea, 1))
    mail = await letters.letter(bea.email, "low_stock")
    assert mail.subject == "Tea: 5 left"
    await bought(letters, (tea, 5))
    await letters.quiet()
    assert len(await letters.letters(bea.email, "low_stock")) == 1

    shelf = f"/seller/stock/{tea['offer_id']}"
    ok(await bea.ask("PUT", f"{shelf}/low-mark", {"low_mark": 8}))
    counted = (await bea.ask("GET", shelf)).headers["etag"]
    shown = ok(await bea.ask("PUT", shelf, {"quantity": 9}, if_match=counted))
    assert (shown["available"], shown["low_mark"]) == (9, 8)
    await bought(letters, (tea, 1))
    mail = await letters.letter(bea.email, "low_stock", 2)
    assert mail.subject == "Tea: 8 left"


async def test_many_keepers_are_written_to_in_batches_and_each_once(letters, monkeypatch):
    shop = letters.house.shop
    monkeypatch.setattr(watching.Watching.keepers, "__defaults__", (0, 2))
    bea = await letters.trader()
    tea = await bea.lists("Tea", quantity=50, price=10.0)
    keepers = [await letters.somebody() for _ in range(5)]
    for person in keepers:
        await person.ask("PUT", f"/wishlist/{tea['product_id']}")
    batches = []
    contacts = shop.accounts.contacts

    async def counted(user_ids: list[UserId]):
        batches.append(len(user_ids))
        if len(batches) == 2:
            raise NotFound("as a process that dies there")
        return await contacts(user_ids)

    monkeypatch.setattr(shop.accounts, "contacts", counted)
    ok(await bea.ask("PATCH", f"/seller/offers/{tea['offer_id']}", {"price": 5.0}))
    for person in keepers:
        await letters.letter(person.email, "price_drop")
    await letters.quiet()
    assert max(batches) == 2
    for person in keepers:
        assert len(await letters.letters(person.email, "price_drop")) == 1


async def test_reviews_that_were_brought_along_are_no_news(letters):
    bea = await letters.trader()
    tea = await bea.lists("Tea")
    then = clock.now() - timedelta(days=3)
    old = OldReview(
        product_id=parse(ProductId, tea["product_id"]),
        user_id=UserId(1),
        author="Eve",
        stars=5,
        title="",
        body="Good.",
        written_at=then,
    )
    assert await letters.house.shop.reviews.seed([old]) == 1
    await letters.quiet()
    assert await letters.letters(bea.email, "review_received") == []


class Dying:
    """A pool whose connections die before their nth statement from now on, and work again after that."""

    def __init__(self, pool, at: int):
        self._pool = pool
        self.left = at

    def __getattr__(self, name):
        return self._dying(getattr(self._pool, name))

    def _dying(self, method):
        async def ask(*given):
            self.left -= 1
            if self.left == 0:
                raise Died
            return await method(*given)

        return ask

    def acquire(self):
        return Lent(self, self._pool.acquire())


class Died(BaseException):
    """As a process that is killed: nothing is caught, nothing is tidied up."""


class Lent:
    """A connection of such a pool."""

    def __init__(self, dying: Dying, lent):
        self._dying = dying
        self._lent = lent

    async def __aenter__(self):
        self._connection = await self._lent.__aenter__()
        return self

    async def __aexit__(self, *error):
        await self._lent.__aexit__(*error)

    def transaction(self):
        return self._connection.transaction()

    def __getattr__(self, name):
        return self._dying._dying(getattr(self._connection, name))


async def test_who_dies_between_any_two_statements_has_written_each_letter_once(pool, settings, monkeypatch):
    monkeypatch.setattr(watching.Watching.keepers, "__defaults__", (0, 2))
    quick = msgspec.structs.replace(settings, alert_delay_s=0)
    wishlist = Wishlist(await pool("wishlist"), quick)
    people = [UserId(n) for n in range(11, 16)]
    db = await pool("notifications")
    died = 0
    for at in range(1, 40):
        product = ProductId(1_000 + at)
        for person in people:
            await wishlist.put(person, product, PriceSeen(900, True))
        fact = PriceDropped(product_id=product, version=1, price=500, was_price=900, currency="USD")
        sources = SimpleNamespace(wishlist=wishlist, catalog=Cards(), accounts=Cards())
        notifications = Notifications(db, quick, sources)  # type: ignore[arg-type]
        for _ in range(2):  # the fact comes twice
            async with db.acquire() as connection, connection.transaction():
                await deliver(connection, [fact, fact], [notifications])
        notifications.notices._db = Dying(db, at)  # type: ignore[assignment]
        try:
            await notifications.notices.write_due()
        except Died:
            died += 1
        notifications.notices._db = db
        await notifications.notices.write_due()
        async with db.acquire() as connection, connection.transaction():
            await deliver(connection, [fact], [notifications])  # and once more when all is written
        await notifications.notices.write_due()
        query = "select recipient from notifications.mail where subject_id = $1 order by 1"
        written = [row["recipient"] for row in await db.fetch(query, product)]
        assert written == [f"{int(person)}@example.com" for person in people], at
    assert 10 < died < 39  # every statement was died before, and the last rounds had none left


class Cards:
    """A catalogue and accounts in which everything is there."""

    async def cards(self, product_ids):
        return [
            SimpleNamespace(product_id=each, title="Tea", price=500, currency="USD", in_stock=True)
            for each in product_ids
        ]

    async def contacts(self, user_ids):
        return [Contact(each, f"{int(each)}@example.com") for each in user_ids]
