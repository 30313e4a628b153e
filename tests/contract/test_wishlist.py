"""What a wishlist promises, whether it lives in this process or behind HTTP."""

import asyncio

import httpx
import pytest
from both_ways import posts_to
from starlette.applications import Starlette

from mercat.ids import ProductId, UserId
from mercat.kit.refusals import Invalid, NotFound
from mercat.kit.signing import seal
from mercat.kit.stand_ins import remote, serve_asks
from mercat.wishlist import (
    API,
    FIRST_NAME,
    ITEMS_MAX,
    FirstWishlist,
    Wishlist,
    WishlistFull,
    WishlistLimit,
)

ANN, BOB = UserId(11), UserId(12)
TEA, CUP = ProductId(1), ProductId(2)


@pytest.fixture
async def local(pool, settings):
    return Wishlist(await pool("wishlist"), settings)


@pytest.fixture
async def http(local):
    app = httpx.ASGITransport(Starlette(routes=serve_asks(API, local)))
    async with httpx.AsyncClient(transport=app, base_url="http://wishlist") as http:
        yield http


@pytest.fixture(params=["in process", "over http"])
def wishlist(request, local, http):
    return local if request.param == "in process" else remote(Wishlist, API, posts_to(http))


async def kept(wishlist, user=ANN):
    return [item.product_id for item in await wishlist.items(user)]


async def test_what_is_kept_is_found_again_the_newest_first(wishlist):
    await wishlist.put(ANN, TEA)
    await wishlist.put(ANN, CUP)
    assert await kept(wishlist) == [CUP, TEA]
    assert await kept(wishlist, BOB) == []


async def test_keeping_and_dropping_again_change_nothing(wishlist):
    await wishlist.put(ANN, TEA)
    [first] = await wishlist.items(ANN)
    await wishlist.put(ANN, TEA)
    assert await wishlist.items(ANN) == [first]

    await wishlist.put(ANN, CUP)
    await wishlist.drop(ANN, TEA)
    await wishlist.drop(ANN, TEA)
    await wishlist.drop(BOB, CUP)
    assert await kept(wishlist) == [CUP]


async def test_a_list_holds_so_many_things_whoever_hurries(wishlist, db):
    fill = "insert into wishlist.item select $1, 1000 + n, now() from generate_series(1, $2) n"
    await db.execute(fill, ANN, ITEMS_MAX - 3)
    await db.execute("insert into wishlist.list values ($1, $2)", ANN, ITEMS_MAX - 3)

    puts = [wishlist.put(ANN, ProductId(number)) for number in range(1, 11)]
    answers = await asyncio.gather(*puts, return_exceptions=True)

    assert sorted(map(str, filter(None, answers))) == [str(WishlistFull())] * 7
    assert len(await kept(wishlist)) == ITEMS_MAX
    in_it = next(iter(await kept(wishlist)))
    await wishlist.put(ANN, in_it)  # is there already, so there is nothing to refuse
    await wishlist.drop(ANN, in_it)
    await wishlist.put(ANN, ProductId(99))
    assert len(await kept(wishlist)) == ITEMS_MAX


async def test_the_count_follows_a_crowd_of_puts_and_drops(wishlist, db):
    await asyncio.gather(
        *(wishlist.put(ANN, ProductId(number % 5 + 1)) for number in range(30)),
        *(wishlist.drop(ANN, ProductId(number % 3 + 1)) for number in range(30)),
    )
    count = "select items from wishlist.list where user_id = $1"
    assert await db.fetchval(count, ANN) == len(await kept(wishlist)) >= 2


async def test_an_id_that_cannot_be_names_nothing(http):
    asked = {"user_id": str(ANN), "product_id": "nonsense"}
    [answer] = (await http.post("/_many/put", json=[asked])).json()
    assert answer["problem"]["code"] == Invalid.code()


async def test_lists_have_names_and_are_their_owners_alone(wishlist):
    gifts = await wishlist.add(ANN, " Gifts ")
    await wishlist.put_into(ANN, gifts.wishlist_id, TEA)
    await wishlist.put_into(ANN, gifts.wishlist_id, TEA)
    first, second = await wishlist.lists(ANN)
    assert (first.name, first.items, second.name, second.items) == (FIRST_NAME, 0, "Gifts", 1)
    for attempt in (
        wishlist.items_of(BOB, gifts.wishlist_id),
        wishlist.put_into(BOB, gifts.wishlist_id, CUP),
        wishlist.drop_from(BOB, gifts.wishlist_id, TEA),
        wishlist.rename(BOB, gifts.wishlist_id, "Mine"),
        wishlist.remove(BOB, gifts.wishlist_id),
        wishlist.items_of(BOB, first.wishlist_id),
    ):
        with pytest.raises(NotFound):
            await attempt
    assert (await wishlist.rename(ANN, gifts.wishlist_id, "Birthday")).name == "Birthday"
    for _ in range(2):
        await wishlist.drop_from(ANN, gifts.wishlist_id, TEA)
    assert (await wishlist.lists(ANN))[1].items == 0
    await wishlist.remove(ANN, gifts.wishlist_id)
    assert [each.name for each in await wishlist.lists(ANN)] == [FIRST_NAME]


async def test_the_first_list_is_the_one_that_everybody_has(wishlist):
    [first] = await wishlist.lists(ANN)
    await wishlist.put_into(ANN, first.wishlist_id, TEA)
    assert [item.product_id for item in await wishlist.items(ANN)] == [TEA]
    assert await wishlist.items_of(ANN, first.wishlist_id) == await wishlist.items(ANN)
    for attempt in (wishlist.rename(ANN, first.wishlist_id, "X"), wishlist.remove(ANN, first.wishlist_id)):
        with pytest.raises(FirstWishlist):
            await attempt
    await wishlist.drop_from(ANN, first.wishlist_id, TEA)
    assert await wishlist.items(ANN) == []


async def test_who_has_the_link_sees_the_list_and_only_that(wishlist):
    gifts = await wishlist.add(ANN, "Gifts")
    await wishlist.put_into(ANN, gifts.wishlist_id, TEA)
    await wishlist.put(ANN, CUP)
    shared = await wishlist.shared(gifts.share_token)
    assert (shared.name, [item.product_id for item in shared.items]) == ("Gifts", [TEA])
    [first, _] = await wishlist.lists(ANN)
    assert [item.product_id for item in (await wishlist.shared(first.share_token)).items] == [CUP]
    forged = gifts.share_token[:-4] + "AAAA"
    for token in (forged, "", "x", str(int(gifts.wishlist_id))):
        with pytest.raises(NotFound):
            await wishlist.shared(token)
    await wishlist.remove(ANN, gifts.wishlist_id)
    with pytest.raises(NotFound):
        await wishlist.shared(gifts.share_token)


async def test_the_link_of_the_first_list_opens_before_anything_is_on_it(wishlist, db):
    [first] = await wishlist.lists(ANN)
    shared = await wishlist.shared(first.share_token)
    assert (shared.name, shared.items) == (FIRST_NAME, [])
    assert await wishlist.lists(ANN) == [first]
    assert await db.fetchval("select count(*) from wishlist.list") == 0, "who looks writes nothing"


async def test_links_that_0_1_0_made_open_the_first_list(wishlist, settings):
    await wishlist.put(ANN, TEA)
    token = seal(settings.key("shared wishlists"), int(ANN))
    assert [item.product_id for item in (await wishlist.shared(token)).items] == [TEA]


async def test_there_are_twenty_lists_however_many_ask_at_once(wishlist):
    asks = [wishlist.add(ANN, f"List {n}") for n in range(24)]
    made = await asyncio.gather(*asks, return_exceptions=True)
    assert sum(isinstance(each, WishlistLimit) for each in made) == 5
    assert len(await wishlist.lists(ANN)) == 20
