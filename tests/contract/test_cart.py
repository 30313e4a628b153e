"""What the cart promises: nothing put in is lost, what was bought is out, and an id is spent once."""

import asyncio
from contextlib import AsyncExitStack

import pytest
from both_ways import WAYS, reached
from valkeys import forget_all, names_in

from mercat import ids
from mercat.app import build_shop
from mercat.cart import API, Cart, CartFull, Spent, scripts
from mercat.catalog import NewProduct
from mercat.inventory import Line
from mercat.kit.refusals import NotFound, Unavailable

pytestmark = pytest.mark.valkeys

BOB = ids.SellerId(7)


@pytest.fixture
async def shop(settings):
    async with AsyncExitStack() as stack:
        yield await build_shop(settings, stack)


@pytest.fixture
async def goods(shop):
    """Tea, a cup and a pot: their products and offers."""
    listed = []
    for title, price, units in (("Tea", 1_000, 10), ("Cup", 500, 2), ("Pot", 4_000, 0)):
        draft = NewProduct(title=title, description="", price=price, currency="USD")
        listed.append(await shop.catalog.create(BOB, "Bob's", draft))
        if units:
            await shop.inventory.receive(title, [Line(listed[-1].offer_id, units)], BOB)
    return listed


@pytest.fixture(params=WAYS)
async def cart(request, shop):
    async with reached(request.param, Cart, API, shop.cart) as cart:
        yield cart


@pytest.fixture
def ann():
    return ids.new(ids.UserId)


def quantities(basket):
    return {line.offer_id: line.quantity for line in basket.lines}


async def loses_everything(shop):
    await forget_all(shop.host.store)


async def test_adding_adds_to_what_is_there(cart, goods, ann):
    tea, cup, _ = (each.offer_id for each in goods)
    await asyncio.gather(*(cart.add(ann, tea, 1) for _ in range(20)))
    view = await cart.add(ann, cup, 2)
    assert (view.item_count, view.subtotal, view.problems) == (22, 21_000, view.problems)
    assert {item.offer_id: item.line_total for item in view.items} == {tea: 20_000, cup: 1_000}
    assert await cart.count(ann) == 22
    assert (await cart.add(ann, tea, 9_999)).item_count == 9_999 + 2
    with pytest.raises(NotFound):
        await cart.add(ann, ids.OfferId(5), 1)


async def test_what_stands_between_a_cart_and_buying_is_said(cart, goods, ann, shop):
    tea, cup, pot = (each.offer_id for each in goods)
    for offer, quantity in ((tea, 1), (cup, 3), (pot, 1)):
        await cart.add(ann, offer, quantity)
    await shop.catalog.change_offer(BOB, tea, price=900)
    view = await cart.show(ann)
    assert {(each.offer_id, each.code, each.available, each.price) for each in view.problems} == {
        (tea, "price_changed", None, 900),
        (cup, "not_enough", 2, None),
        (pot, "sold_out", 0, None),
    }
    assert [(item.price_at_add, item.price) for item in view.items if item.offer_id == tea] == [(1_000, 900)]


async def test_a_line_is_named_by_its_product_or_its_offer(cart, goods, ann):
    tea, cup, pot = goods
    await cart.add(ann, tea.offer_id, 1)
    await cart.add(ann, cup.offer_id, 1)
    assert (await cart.change(ann, str(tea.product_id), 5)).item_count == 6
    assert (await cart.change(ann, str(tea.offer_id), 2)).item_count == 3
    assert (await cart.change(ann, str(tea.offer_id), 0)).item_count == 1
    assert (await cart.remove(ann, str(cup.product_id))).items == []
    for unknown in (str(pot.product_id), str(pot.offer_id), "off_", "nonsense", "a b/c"):
        with pytest.raises(NotFound):
            await cart.change(ann, unknown, 1)
        with pytest.raises(NotFound):
            await cart.remove(ann, unknown)


async def test_a_cart_has_an_end(shop, goods, ann, monkeypatch):
    monkeypatch.setattr("mercat.cart.service.LINES_MAX", 2)
    tea, cup, pot = (each.offer_id for each in goods)
    await shop.cart.add(ann, tea, 1)
    await shop.cart.add(ann, cup, 1)
    with pytest.raises(CartFull):
        await shop.cart.add(ann, pot, 1)
    assert (await shop.cart.add(ann, tea, 1)).item_count == 3


async def test_a_guests_cart_moves_once(cart, goods, ann):
    tea, cup, _ = (each.offer_id for each in goods)
    guest = ids.new(ids.UserId)
    await cart.add(ann, tea, 1)
    await cart.add(guest, tea, 2)
    await cart.add(guest, cup, 3)
    await asyncio.gather(*(cart.merge(guest, ann) for _ in range(3)))
    assert quantities(await cart.basket(ann)) == {tea: 3, cup: 3}
    assert (await cart.basket(guest)).lines == []
    await cart.add(guest, tea, 9_999)
    await cart.merge(guest, ann)
    assert quantities(await cart.basket(ann)) == {tea: 9_999, cup: 3}


async def test_what_a_guest_bought_is_out_of_the_cart_that_theirs_was_merged_into(cart, goods, ann):
    tea, cup, _ = (each.offer_id for each in goods)
    guest = ids.new(ids.UserId)
    await cart.add(guest, tea, 2)
    await cart.add(ann, tea, 1)
    bought = await cart.basket(guest)
    await cart.merge(guest, ann)  # they signed in while the purchase ran
    await cart.add(guest, cup, 1)
    for _ in range(2):
        await cart.spend_many([Spent(guest, bought.cart_id, [Line(tea, 2), Line(cup, 1)])])
        assert quantities(await cart.basket(ann)) == {tea: 1}
        assert (await cart.basket(guest)).lines == []


async def test_what_was_bought_is_out_and_the_rest_goes_on_under_another_id(cart, goods, ann):
    tea, cup, pot = (each.offer_id for each in goods)
    await cart.add(ann, tea, 3)
    await cart.add(ann, cup, 1)
    before = await cart.basket(ann)
    await cart.add(ann, pot, 1)  # put in while the purchase ran
    for _ in range(2):  # a replay takes nothing more
        await cart.spend_many([Spent(ann, before.cart_id, [Line(tea, 2), Line(cup, 1)])])
        after = await cart.basket(ann)
        assert quantities(after) == {tea: 1, pot: 1}
        assert after.cart_id != before.cart_id


async def test_what_valkey_lost_comes_back_from_its_copy(cart, goods, ann, shop):
    tea, cup, _ = (each.offer_id for each in goods)
    guest = ids.new(ids.UserId)
    await cart.add(ann, tea, 2)
    await cart.add(guest, cup, 1)
    before = await cart.basket(ann)
    assert await shop.cart.copies.copy_changed() == 2
    assert await shop.cart.copies.copy_changed() == 0
    await loses_everything(shop)
    assert await cart.basket(ann) == before
    await loses_everything(shop)
    await cart.add(ann, tea, 1)  # adding before looking brings back what was there
    assert quantities(await cart.basket(ann)) == {tea: 3}
    await loses_everything(shop)
    await cart.merge(guest, ann)
    assert quantities(await cart.basket(ann)) == {tea: 2, cup: 1}


async def test_an_emptied_cart_stays_empty_after_a_loss(shop, goods, ann):
    tea = goods[0].offer_id
    await shop.cart.add(ann, tea, 2)
    await shop.cart.copies.copy_changed()
    await shop.cart.spend_many([Spent(ann, (await shop.cart.basket(ann)).cart_id, [Line(tea, 2)])])
    spent = await shop.cart.basket(ann)
    await shop.cart.copies.copy_changed()
    await loses_everything(shop)
    assert await shop.cart.basket(ann) == spent
    assert spent.lines == []


async def test_a_guests_cart_that_moved_does_not_come_back_after_a_loss(shop, goods, ann):
    tea = goods[0].offer_id
    guest = ids.new(ids.UserId)
    await shop.cart.add(guest, tea, 2)
    await shop.cart.copies.copy_changed()
    await shop.cart.merge(guest, ann)
    await shop.cart.copies.copy_changed()
    await loses_everything(shop)
    await shop.cart.merge(guest, ann)
    assert quantities(await shop.cart.basket(ann)) == {tea: 2}


async def test_an_older_copy_never_replaces_a_newer_one(shop, goods, ann, db):
    tea = goods[0].offer_id
    await shop.cart.add(ann, tea, 2)
    await shop.cart.copies.copy_changed()
    await db.execute("update cart.copy set seq = seq + 1000000000000, lines = '{}'")
    await shop.cart.add(ann, tea, 1)
    await shop.cart.copies.copy_changed()
    assert await db.fetchval("select lines::text from cart.copy") == "{}"


async def test_every_shopper_has_a_cart_of_their_own(cart, goods, ann):
    eve = ids.new(ids.UserId)
    await cart.add(ann, goods[0].offer_id, 1)
    assert (await cart.basket(eve)).lines == []
    assert (await cart.basket(eve)).cart_id != (await cart.basket(ann)).cart_id


@pytest.mark.parametrize(
    ("line", "quantity"),
    [
        ('{"qty":"2","price":"10.00","added":"2026-01-01T00:00:00"}', 2),
        ('{"qty":2.0,"price":19.99,"added":"2026-01-01T00:00:00"}', 2),
        ('{"qty":3,"price":1000}', 3),
        ('{"qty":1.5,"price":1000,"added":""}', None),
        ('{"qty":-1,"price":1000,"added":""}', None),
        ('{"price":1000}', None),
        ('["qty", 1]', None),
        ("not JSON", None),
        ("", None),
    ],
)
async def test_lines_that_something_else_wrote_are_read_or_left_out(shop, goods, ann, line, quantity):
    cart = shop.cart
    tea, cup, _ = (each.offer_id for each in goods)
    await cart.add(ann, cup, 1)
    await shop.host.store.do("HSET", f"cart:{ann}", str(tea), line, "not an offer", "{}")
    expected = {cup: 1} | ({tea: quantity} if quantity else {})
    assert quantities(await cart.basket(ann)) == expected
    assert {item.offer_id: item.quantity for item in (await cart.show(ann)).items} == expected

    assert await cart.copies.copy_changed() == 1
    await loses_everything(shop)
    assert quantities(await cart.basket(ann)) == expected

    await shop.host.store.do("HSET", f"cart:{ann}", str(tea), line)
    await cart.add(ann, tea, 1)
    assert quantities(await cart.basket(ann))[tea] == (quantity or 0) + 1


async def test_what_cannot_be_read_is_neither_merged_nor_left_after_buying(shop, goods, ann):
    cart = shop.cart
    tea, cup, _ = (each.offer_id for each in goods)
    guest = ids.new(ids.UserId)
    await cart.add(guest, cup, 1)
    await shop.host.store.do("HSET", f"cart:{guest}", str(tea), "not JSON")
    await cart.merge(guest, ann)
    basket = await cart.basket(ann)
    assert quantities(basket) == {cup: 1}

    await shop.host.store.do("HSET", f"cart:{ann}", str(tea), "not JSON")
    await cart.spend_many([Spent(ann, basket.cart_id, [Line(cup, 1), Line(tea, 1)])])
    assert await shop.host.store.do("HLEN", f"cart:{ann}") == 0


class Dying:
    """A store whose process dies at its `nth` script: before that is sent, or once it was carried out."""

    def __init__(self, store, nth, carried_out):
        self._store, self._nth, self._carried_out = store, nth, carried_out

    def __getattr__(self, name):
        return getattr(self._store, name)

    async def run_many(self, script, calls):
        self._nth -= 1
        if self._nth == 0:
            if self._carried_out:
                await self._store.run_many(script, calls)
            raise Unavailable
        return await self._store.run_many(script, calls)


@pytest.mark.parametrize("carried_out", [False, True])
@pytest.mark.parametrize("nth", [1, 2, 3, 4])
async def test_a_merge_that_dies_anywhere_is_gone_on_with_and_moves_everything_once(
    shop, goods, ann, monkeypatch, nth, carried_out
):
    cart = shop.cart
    tea, cup, pot = (each.offer_id for each in goods)
    guest = ids.new(ids.UserId)
    await cart.add(ann, tea, 1)
    await cart.add(guest, tea, 2)
    await cart.add(guest, cup, 3)
    await cart.add_code(guest, "SPRING")
    with monkeypatch.context() as dying:
        dying.setattr(cart, "_store", Dying(shop.host.store, nth, carried_out))
        with pytest.raises(Unavailable):
            await cart.merge(guest, ann)
    moved = quantities(await cart.basket(ann)) == {tea: 3, cup: 3}
    assert moved or quantities(await cart.basket(guest)) == {tea: 2, cup: 3}, "something is nowhere"
    await cart.add(guest, pot, 1)
    await cart.merge(guest, ann)
    assert quantities(await cart.basket(ann)) == {tea: 3, cup: 3, pot: 1}
    basket = await cart.basket(guest)
    assert (basket.lines, basket.codes) == ([], [])
    assert (await cart.basket(ann)).codes == ["SPRING"]


class Meanwhile:
    """A store to which something else happens before a script is sent there for the first time."""

    def __init__(self, store, script, happens):
        self._store, self._script, self._happens = store, script, happens

    def __getattr__(self, name):
        return getattr(self._store, name)

    async def run_many(self, script, calls):
        if script is self._script:
            self._script = None
            await self._happens()
        return await self._store.run_many(script, calls)


@pytest.fixture
async def buying_guest(shop, goods, ann):
    """A guest with two teas, both of which are bought, and a cup; Ann has a tea already."""
    tea, cup, _ = (each.offer_id for each in goods)
    guest = ids.new(ids.UserId)
    await shop.cart.add(ann, tea, 1)
    await shop.cart.add(guest, tea, 2)
    await shop.cart.add(guest, cup, 1)
    return guest, [Spent(guest, (await shop.cart.basket(guest)).cart_id, [Line(tea, 2)])]


@pytest.mark.parametrize("script", [scripts.OFFER, scripts.TAKE_IN, scripts.GIVE_AWAY])
async def test_what_is_bought_while_a_cart_moves_is_in_neither(
    shop, goods, ann, buying_guest, monkeypatch, script
):
    cart = shop.cart
    tea, cup, _ = (each.offer_id for each in goods)
    guest, spent = buying_guest
    with monkeypatch.context() as amid:
        store = Meanwhile(shop.host.store, script, lambda: cart.spend_many(spent))
        amid.setattr(cart, "_store", store)
        await cart.merge(guest, ann)
    for _ in range(2):
        assert quantities(await cart.basket(ann)) == {tea: 1, cup: 1}
        assert (await cart.basket(guest)).lines == []
        await cart.spend_many(spent)
        await cart.merge(guest, ann)


@pytest.mark.parametrize("carried_out", [False, True])
@pytest.mark.parametrize("nth", [5, 6, 7])
async def test_what_is_bought_while_a_cart_moves_is_taken_out_once_whoever_dies(
    shop, goods, ann, buying_guest, monkeypatch, nth, carried_out
):
    """Scripts: the three of the merge, the purchase, what takes it out, the end of the offer, the next."""
    cart = shop.cart
    tea, cup, pot = (each.offer_id for each in goods)
    guest, spent = buying_guest
    with monkeypatch.context() as amid:
        store = Meanwhile(shop.host.store, scripts.GIVE_AWAY, lambda: cart.spend_many(spent))
        amid.setattr(cart, "_store", Dying(store, nth, carried_out))
        with pytest.raises(Unavailable):
            await cart.merge(guest, ann)
    await cart.add(ann, tea, 4)
    await cart.add(guest, pot, 1)
    await cart.merge(guest, ann)
    assert quantities(await cart.basket(ann)) == {tea: 5, cup: 1, pot: 1}
    assert (await cart.basket(guest)).lines == []


async def test_what_remembers_that_carts_moved_is_forgotten_soon(shop, goods, ann, buying_guest):
    cart, store = shop.cart, shop.host.store
    tea = goods[0].offer_id
    guest, spent = buying_guest
    await cart.merge(guest, ann)
    await cart.spend_many(spent)
    for _ in range(20):
        other = ids.new(ids.UserId)
        await cart.add(other, tea, 1)
        await cart.merge(other, ann)
    left = await names_in(store, "cart_once:*")
    assert len(left) == 22
    lives = [await store.do("TTL", name) for name in left]
    assert 0 < min(lives) <= max(lives) <= 600
    assert await names_in(store, "cart_offer:*") == []


@pytest.mark.parametrize("carried_out", [False, True])
@pytest.mark.parametrize("nth", [1, 2, 3])
async def test_a_spending_that_dies_anywhere_takes_once_what_was_bought(
    shop, goods, ann, monkeypatch, nth, carried_out
):
    cart = shop.cart
    tea, cup, _ = (each.offer_id for each in goods)
    guest = ids.new(ids.UserId)
    await cart.add(guest, tea, 2)
    await cart.add(guest, cup, 1)
    bought = await cart.basket(guest)
    await cart.merge(guest, ann)
    await cart.add(ann, tea, 5)
    await cart.add(guest, tea, 1)
    spent = [Spent(guest, bought.cart_id, [Line(tea, 2), Line(cup, 1)])]
    with monkeypatch.context() as dying:
        dying.setattr(cart, "_store", Dying(shop.host.store, nth, carried_out))
        with pytest.raises(Unavailable):
            await cart.spend_many(spent)
    for _ in range(2):
        await cart.spend_many(spent)
    after = await cart.basket(guest)
    assert (after.lines, after.cart_id != bought.cart_id) == ([], True)
    assert quantities(await cart.basket(ann)) == {tea: 6}
