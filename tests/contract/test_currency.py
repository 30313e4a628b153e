"""The shop's own currency: kept, known to every tool, and money of another one is never added."""

from contextlib import AsyncExitStack

import asyncpg
import msgspec
import pytest

from mercat.app import build_shop
from mercat.audit import audit, prove
from mercat.catalog import Columns, ImportBatch, NewProduct, recognise
from mercat.fulfilment.rules import price as delivery_price
from mercat.ids import SellerId, UserId, new
from mercat.kit.refusals import Invalid, OtherCurrency
from mercat.search import price_ranges
from mercat.settings import WrongSetting
from mercat.web.desk.products import PriceForm
from mercat.web.forms import FormErrors, read_form


@pytest.fixture
async def open_in(settings):
    """`await open_in("EUR")`: the shop, opened by somebody who says so; without a currency by a tool that
    knows nothing but where the shop is."""
    async with AsyncExitStack() as stack:

        async def opened(currency=None):
            told = msgspec.structs.replace(settings, currency=currency) if currency else settings
            return await build_shop(told, stack)

        yield opened


async def test_a_tool_that_is_told_no_currency_knows_the_shops(open_in):
    """Fault 4.1: `mercat import e.csv --data D` from a shell without MERCAT_CURRENCY."""
    assert (await open_in("EUR")).settings.currency == "EUR"
    tool = await open_in()
    assert tool.settings.currency == "EUR"
    seller = await tool.sellers.by_name("Feeder")
    row = {"external_id": "e1", "title": "Mug", "price": "8", "quantity": "3"}
    read = recognise([row]).read(Columns(row, shop_currency=tool.settings.currency))
    await tool.sellers.list_many(seller, ImportBatch(rows=[read]))
    async for page in every(tool):
        [document] = [each.document for each in page if each.document]
        assert (document.price, document.currency) == (800, "EUR")


def every(shop):
    from mercat.shop import every_product

    return every_product(shop.catalog)


async def test_opening_a_shop_under_another_currency_is_refused_with_both_names(open_in):
    await open_in("EUR")
    with pytest.raises(WrongSetting) as refused:
        await open_in("JPY")
    assert "EUR" in str(refused.value)
    assert "JPY" in str(refused.value)


async def test_a_variable_that_says_the_default_is_said_too(open_in, monkeypatch):
    await open_in("EUR")
    monkeypatch.setenv("MERCAT_CURRENCY", "USD")
    with pytest.raises(WrongSetting, match=r"EUR.*USD"):
        await open_in()


async def test_a_shop_that_has_goods_already_sells_in_their_currency(open_in, db):
    shop = await open_in("EUR")
    draft = NewProduct(title="Tea", price=1_000, currency="EUR")
    await shop.catalog.create(new(SellerId), "Bob's", draft)
    await db.execute("delete from catalog.shop")
    assert (await open_in()).settings.currency == "EUR"


async def test_what_is_priced_in_another_currency_is_refused_with_both_names(open_in, db):
    shop = await open_in("EUR")
    seller = new(SellerId)
    for status in ("active", "draft"):
        tea = NewProduct(title="Tea", price=1_000, currency="USD", status=status)
        if status == "active":
            with pytest.raises(Invalid, match=r"EUR.*USD"):
                await shop.catalog.create(seller, "Bob's", tea)
            continue
        listed = await shop.catalog.create(seller, "Bob's", tea)
        with pytest.raises(Invalid, match=r"EUR.*USD"):
            await shop.catalog.change_offer(seller, listed.offer_id, status="active")
        await db.execute("update catalog.offer set status = 'paused'")
        with pytest.raises(OtherCurrency, match=r"USD.*EUR") as refused:
            await shop.cart.add(new(UserId), listed.offer_id, 1)
        assert refused.value.facts["pointer"] == "/offer_id"
        with pytest.raises(asyncpg.CheckViolationError, match=r"USD.*EUR"):
            await db.execute("update catalog.offer set status = 'active'")


async def test_the_audit_notices_an_amount_of_another_currency(open_in, db):
    await open_in("EUR")
    law = "all that is sold and paid is in the shop's own currency"
    async with db.acquire() as owner:
        assert [each.violations for each in await audit(owner) if each.law == law] == [0]
        assert [each.violations for each in await prove(owner) if each.law == law] == [1]


@pytest.mark.parametrize(
    ("currency", "delivery", "lowest", "example"),
    [
        ("USD", 499, 25, "12.50"),
        ("EUR", 499, 25, "12.50"),
        ("JPY", 499, 2_500, "1250"),
        ("KWD", 4_990, 25, "12.500"),
        ("SEK", 4_990, 250, "125.00"),
    ],
)
def test_delivery_ranges_and_examples_follow_the_currencys_magnitude(currency, delivery, lowest, example):
    """Fault 4.6: delivery for ¥19, ranges of ¥25."""
    assert delivery_price(499, currency) == delivery
    assert price_ranges(currency)[0].high == lowest
    errors = read_form({"price": "x"}, PriceForm, currency=currency)
    assert isinstance(errors, FormErrors)
    assert example in errors["price"]
