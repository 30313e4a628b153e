"""A flash sale's own price: asked while the sale lasts, of whoever buys in it, and then no more."""

from datetime import timedelta

import pytest
from flash_scene import OPERATOR, SALE
from flash_scene import scene as scene

from mercat.catalog import InFlashSale, OfferTerms, SalePrice
from mercat.flashsale import Act, NewSale
from mercat.kit import clock
from mercat.kit.refusals import Invalid


async def price_now(scene):
    offer = (await scene.shop.catalog.offers([scene.offer]))[scene.offer]
    return offer.price, offer.was_price


async def test_who_buys_with_a_pass_pays_the_sales_price_and_afterwards_it_is_the_regular_one(scene):
    await scene.opens(price=400)
    sale = await scene.sales.sale(SALE)
    assert (sale.price, sale.was_price, sale.currency) == (4.0, 10.0, "USD")
    assert b'"price":4.0' in (await scene.sales.document(SALE)).body
    assert await price_now(scene) == (400, 1_000)
    ann = scene.person()
    await scene.sales.join(ann, SALE)
    await scene.tick()
    bought = await scene.buys(ann, await scene.pass_of(ann))
    assert bought.status == 201
    [order] = (await scene.shop.orders.list_of([ann.user_id])).orders
    whole = await scene.shop.orders.order(order.order_id, [ann.user_id])
    assert [line.unit_price for line in whole.lines] == [400]
    await scene.sales.act(OPERATOR, SALE, Act("end", "A test."))
    assert await price_now(scene) == (1_000, None)


async def test_it_begins_and_ends_with_the_sale_to_the_second(scene, clock_ahead):
    ends_at = clock.now() + timedelta(seconds=1_200)
    await scene.opens(price=400, starts_in=600, ends_at=ends_at)
    assert await price_now(scene) == (1_000, None)
    clock_ahead(601)
    assert await price_now(scene) == (400, 1_000)
    clock_ahead(1_201)
    assert await price_now(scene) == (1_000, None)
    await scene.tick()
    await scene.tick()
    assert (await scene.sales.sale(SALE)).state == "ended"


async def test_the_sellers_own_sale_waits_and_comes_back(scene, db):
    await scene.opens()
    await scene.sales.act(OPERATOR, SALE, Act("end", "A test."))
    seller = (await scene.shop.catalog.offers([scene.offer]))[scene.offer].seller_id
    own = SalePrice(price=900)
    await scene.shop.catalog.change_offer(seller, scene.offer, terms=OfferTerms(sale=own))
    offer = scene.offer
    sale = NewSale(sale_id="again", offer_id=offer, starts_at=clock.now(), units=5, price=400)
    await scene.sales.create(sale)
    assert await price_now(scene) == (400, 1_000)
    with pytest.raises(InFlashSale):
        await scene.shop.catalog.change_offer(seller, offer, terms=OfferTerms(sale=None))
    with pytest.raises(Invalid):
        await scene.shop.catalog.change_offer(seller, offer, price=300)
    await scene.sales.act(OPERATOR, "again", Act("end", "A test."))
    assert await price_now(scene) == (900, 1_000)


async def test_the_runner_does_what_a_crash_left_out(scene, db):
    await scene.opens(price=400)
    await scene.shop.catalog.end_flash_price(scene.offer, SALE)
    await db.execute("update flashsale.sale set priced = false")
    assert await price_now(scene) == (1_000, None)
    await scene.tick()
    assert await price_now(scene) == (400, 1_000)
    await db.execute("update flashsale.sale set state = 'ended', ended_at = now()")
    await scene.tick()
    assert await price_now(scene) == (1_000, None)


async def test_a_price_that_is_no_reduction_is_refused(scene):
    with pytest.raises(Invalid) as refused:
        await scene.opens(price=1_000)
    assert refused.value.facts["pointer"] == "/price"
