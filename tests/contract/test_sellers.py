"""What sellers promise: one seller a person, one name a seller."""

import asyncio
from typing import Any, cast

import pytest
from both_ways import WAYS, reached

from mercat import ids
from mercat.kit.refusals import Invalid, NotFound
from mercat.sellers import API, NameTaken, Sellers

ANN, BOB = ids.UserId(1), ids.UserId(2)


@pytest.fixture(params=WAYS)
async def sellers(request, pool, settings):
    nobody = cast(Any, None)  # neither catalogue nor inventory is asked by what is tested here
    alone = Sellers(await pool("sellers"), nobody, nobody, settings)
    async with reached(request.param, Sellers, API, alone) as sellers:
        yield sellers


async def test_a_person_becomes_one_seller_whose_name_is_theirs(sellers, told):
    many = await asyncio.gather(*(sellers.register(BOB, "  Bob's   Teas ") for _ in range(5)))
    assert len(set(many)) == 1
    seller = await sellers.seller(many[0])
    assert (seller.name, seller.user_id) == ("Bob's Teas", BOB)
    assert await sellers.of_user(BOB) == seller
    assert await sellers.of_user(ANN) is None
    assert await sellers.register(BOB, "Another name") == many[0]
    with pytest.raises(NameTaken):
        await sellers.register(ANN, "Bob's Teas")
    assert await sellers.names([many[0], ids.SellerId(5)]) == {many[0]: "Bob's Teas"}
    [fact] = await told()
    assert (fact.seller_id, fact.user_id, fact.name) == (many[0], BOB, "Bob's Teas")


async def test_an_imported_seller_can_become_somebodys(sellers):
    made = await sellers.by_name("Harbour & Hill / Best")
    assert await sellers.by_name("Harbour & Hill / Best") == made
    assert await sellers.by_name("Harbour & Hill / Best", BOB) == made
    assert (await sellers.of_user(BOB)).seller_id == made
    with pytest.raises(NameTaken):
        await sellers.by_name("Harbour & Hill / Best", ANN)
    assert await sellers.of_user(ANN) is None


@pytest.mark.parametrize("name", ["", "   ", "n" * 101])
async def test_a_name_is_a_name(sellers, name):
    with pytest.raises(Invalid) as refused:
        await sellers.register(BOB, name)
    assert refused.value.facts["pointer"] == "/name"


async def test_an_unknown_seller_is_not_there(sellers):
    with pytest.raises(NotFound):
        await sellers.seller(ids.SellerId(5))
