"""Sellers when names are odd, when people hurry, and when a seller already is somebody's."""

import asyncio
from typing import Any, cast

import pytest
from both_ways import WAYS, reached

from mercat import ids
from mercat.events import SellerRegistered
from mercat.ids import SellerId, UserId
from mercat.sellers import API, NameTaken, Sellers

ANN, BOB = UserId(11), UserId(12)


@pytest.fixture(params=WAYS)
async def sellers(request, pool, settings):
    nobody = cast(Any, None)  # neither catalogue nor inventory is asked by what is tested here
    alone = Sellers(await pool("sellers"), nobody, nobody, settings)
    async with reached(request.param, Sellers, API, alone) as sellers:
        yield sellers


async def test_a_person_who_asks_for_many_names_at_once_is_one_seller(sellers, told):
    answers = await asyncio.gather(*(sellers.register(BOB, f"Name {n}") for n in range(12)))
    assert len(set(answers)) == 1
    assert len(await told()) == 1


async def test_a_name_is_one_sellers_however_it_is_written(sellers):
    await sellers.register(BOB, "Teas & Co")
    await sellers.by_name("Imported")
    for name in ("TEAS & CO", "imported"):  # nobody takes what was imported by merely naming it
        with pytest.raises(NameTaken) as taken:
            await sellers.register(ANN, name)
        assert taken.value.facts["pointer"] == "/name"
    assert await sellers.of_user(ANN) is None


@pytest.mark.parametrize("name", ["Plain", "Ä/B & Söhne?", "100 % tea #1", "../up"])
async def test_an_import_finds_or_makes_the_seller_of_any_name(sellers, told, name):
    made = await sellers.by_name(name)
    assert await sellers.by_name(f" {name.upper()} ") == made
    assert (await sellers.seller(made)).user_id is None
    assert await told() == []  # nobody has it, so nobody became a seller


async def test_imports_that_meet_make_a_seller_once(sellers):
    assert len(set(await asyncio.gather(*(sellers.by_name("Teas") for _ in range(12))))) == 1


async def test_a_seller_that_becomes_a_persons_is_told_once(sellers, told):
    free = await sellers.by_name("Teas")
    for _ in range(2):
        assert await sellers.by_name("Teas", BOB) == free
    assert await told() == [SellerRegistered(seller_id=free, user_id=BOB, name="Teas")]


async def test_nobody_gets_another_persons_seller_nor_a_second_one(sellers):
    bobs = await sellers.register(BOB, "Teas")
    free = await sellers.by_name("Cups")
    for name, person in (("Teas", ANN), ("Cups", BOB), ("Saucers", BOB)):
        with pytest.raises(NameTaken):
            await sellers.by_name(name, person)
    assert (await sellers.seller(bobs)).user_id == BOB
    assert (await sellers.seller(free)).user_id is None


async def test_names_of_many_and_none_for_who_is_not_there(sellers):
    tea, cup = await sellers.by_name("Teas"), await sellers.by_name("Cups")
    assert await sellers.names([cup, ids.new(SellerId), tea, tea]) == {tea: "Teas", cup: "Cups"}
    assert await sellers.names([]) == {}
