"""Who says what tax is owed is a setting; while that one does not answer, the shop's own rates do."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from aiohttp import web
from house import opened as opened
from trade import WIEN, trading

from mercat.audit import audit
from mercat.ids import OfferId, SellerId, UserId
from mercat.pricing import PartPrice, PricedBasket, PricedLine, Pricing, tax_declaration
from mercat.pricing.rules import TaxRates, is_answer, tax_question, total
from mercat.pricing.tax_provider import TaxAnswer, TaxQuestion
from mercat.pricing.tax_providers.sandbox import SILENT
from mercat.settings import Secret, WrongSetting

BOSTON = {"region": "MA", "postal_code": "02110"}


def basket(*lines: Any, shipping=(500,), currency="USD", **place: Any):
    """Lines of (amount, class), each one unit of a seller, and a part each delivery."""
    return PricedBasket(
        lines=[
            PricedLine(OfferId(n), 1, amount, SellerId(1), kind) for n, (amount, kind) in enumerate(lines)
        ],
        parts=[PartPrice(SellerId(n), amount) for n, amount in enumerate(shipping)],
        currency=currency,
        country="US",
        **{**BOSTON, **place},
    )


def test_gift_cards_are_not_asked_about_and_classes_are_together():
    given = basket((1_000, ""), (2_500, "gift_card"), (500, "food"), (700, ""))
    asked = tax_question(given, TaxRates())
    assert (asked.goods, asked.shipping) == ({"": 1_700, "food": 500}, 500)


@pytest.mark.parametrize("included", [True, False])
@pytest.mark.parametrize("currency", ["USD", "JPY", "KWD"])
def test_what_is_said_is_parted_to_the_last_unit(included, currency):
    given = basket((1_000, ""), (330, "food"), (110, ""), (2_500, "gift_card"), shipping=(490, 310))
    given = msgspec.structs.replace(given, currency=currency)
    said = TaxAnswer({"": 110, "food": 10}, 70)
    totals = total(given, TaxRates(included=included, said=said))
    assert [line.tax for line in totals.lines][3] == 0
    assert sum(line.tax for line in totals.lines) == 120
    assert sum(part.tax for part in totals.parts) == 70
    assert totals.tax == 190
    assert totals.total == totals.subtotal + totals.shipping + (0 if included else 190)


@pytest.mark.parametrize(
    "said", [TaxAnswer({}, 0), TaxAnswer({"": -1}, 0), TaxAnswer({"": 1_001}, 0), TaxAnswer({"": 1}, 501)]
)
def test_what_cannot_be_an_answer_is_none(said):
    assert not is_answer(TaxQuestion({"": 1_000}, 500, "USD", "US", "MA", "02110", False), said)


async def test_the_sandbox_says_it_and_the_order_says_so(opened, db):
    async with opened(tax_provider="sandbox") as house:
        trade = await trading(house)
        await trade.puts(await trade.lists(trade.bob, price=100))
        order = await trade.buys(await trade.lives(**BOSTON))
        assert (order["tax"], order["total"]) == (10.5, 115.49)  # 100 and 4.99 at 10 %
        assert order["tax_note"] == "by_provider"
        seen = await trade.olga.api("GET", f"/operator/orders/{order['order_id']}", 200)
        [placed] = [each for each in seen["decisions"] if each["what"] == "Ordered"]
        assert placed["why"] == "Its tax is what the tax provider said."
        page = await trade.olga.page("/operator/tax")
        assert "is asked of The sandbox" in page
        async with db.acquire() as connection:
            assert [law for law in await audit(connection) if law.violations] == []


async def test_while_it_does_not_answer_the_rates_do_and_that_is_said(opened, db):
    async with opened(tax_provider="sandbox") as house:
        trade = await trading(house)
        await trade.puts(await trade.lists(trade.bob, price=100))
        order = await trade.buys(await trade.lives(**BOSTON | {"postal_code": SILENT}))
        assert order["tax"] == 6.25  # Massachusetts: 6.25 %, delivery free of it
        assert order["tax_note"] == "provider_away"
        page = await trade.olga.page(f"/operator/orders/{order['order_id']}")
        assert "The tax provider did not answer" in page
        async with db.acquire() as connection:
            assert [law for law in await audit(connection) if law.violations] == []


async def test_prices_that_include_their_tax_stay_what_they_are(opened):
    async with opened(tax_provider="sandbox") as house:
        trade = await trading(house)
        await trade.puts(await trade.lists(trade.bob, price=110))
        quote = await trade.quote(await trade.lives(**WIEN))
        assert quote["total"] == quote["subtotal"] + quote["shipping"]
        assert quote["tax"] == pytest.approx(quote["total"] / 11, abs=0.01)


class Counting:
    """A provider that hangs, and counts who asks."""

    def __init__(self):
        self.asked = 0

    async def taxes(self, question) -> TaxAnswer:
        self.asked += 1
        await asyncio.Event().wait()
        raise AssertionError("nobody waits so long")

    async def close(self):
        pass


async def test_one_that_hangs_is_left_alone_after_a_while(pool, settings):
    hangs = Counting()
    quick = msgspec.structs.replace(settings, tax_timeout_s=0.05)
    pricing = Pricing(await pool("pricing"), quick, hangs)
    totals = [await pricing.total(basket((10_000, ""))) for _ in range(9)]
    assert {each.tax_note for each in totals} == {"provider_away"}
    assert {each.tax for each in totals} == {625}
    assert hangs.asked == 5, "the breaker is open"


async def test_who_is_free_of_tax_is_not_asked_about(pool, settings):
    hangs = Counting()
    pricing = Pricing(await pool("pricing"), settings, hangs)
    await pricing.exempt_from_tax(UserId(7), "A school.")
    totals = await pricing.total(msgspec.structs.replace(basket((10_000, "")), user_id=UserId(7)))
    assert (totals.tax, totals.tax_note, hangs.asked) == (0, "exempt", 0)
    nothing = await pricing.total(basket((2_500, "gift_card"), shipping=()))
    assert (nothing.tax, hangs.asked) == (0, 0)


def test_a_provider_that_is_not_known_stops_the_start(settings):
    with pytest.raises(WrongSetting, match="it is tables, sandbox, stripe_tax"):
        tax_declaration(msgspec.structs.replace(settings, tax_provider="acme"))
    with pytest.raises(WrongSetting, match="MERCAT_STRIPE_TAX_KEY"):
        tax_declaration(msgspec.structs.replace(settings, tax_provider="stripe_tax"))
    codes = {"stripe_tax_key": Secret("sk_test_1"), "stripe_tax_codes": Secret("food=tx")}
    with pytest.raises(WrongSetting, match="food=tx"):
        tax_declaration(msgspec.structs.replace(settings, tax_provider="stripe_tax", variables=codes))


class StripeTaxDouble:
    """Answers calculations in the shape of Stripe's API: 8 % of each line and of the delivery, as whole
    amounts, a line at a time where it is told to."""

    def __init__(self):
        self.asked = []
        self.fails = False
        self.a_page = 10

    async def calculate(self, request):
        given = dict(await request.post())
        self.asked.append((request.headers["authorization"], given))
        if self.fails:
            return web.json_response({"error": {"type": "api_error", "message": "oh"}}, status=500)
        return web.json_response(
            {
                "id": "taxcalc_1",
                "object": "tax.calculation",
                "currency": given["currency"],
                "shipping_cost": {
                    "amount": int(given["shipping_cost[amount]"]),
                    "amount_tax": int(given["shipping_cost[amount]"]) * 8 // 100,
                },
                "line_items": {
                    "object": "list",
                    "data": self.lines(given)[: self.a_page],
                    "has_more": len(self.lines(given)) > self.a_page,
                    "url": "/v1/tax/calculations/taxcalc_1/line_items",
                },
            }
        )

    async def more(self, request):
        data = self.lines(self.asked[-1][1])
        return web.json_response({"object": "list", "data": data, "has_more": False, "url": "/"})

    def lines(self, given):
        count = sum(name.endswith("[reference]") for name in given)
        return [
            {
                "id": f"tax_li_{n}",
                "object": "tax.calculation_line_item",
                "amount": int(given[f"line_items[{n}][amount]"]),
                "amount_tax": int(given[f"line_items[{n}][amount]"]) * 8 // 100,
                "reference": given[f"line_items[{n}][reference]"],
            }
            for n in range(count)
        ]


@pytest.fixture
async def double() -> AsyncIterator[tuple[StripeTaxDouble, str]]:
    double = StripeTaxDouble()
    app = web.Application()
    app.router.add_post("/v1/tax/calculations", double.calculate)
    app.router.add_get("/v1/tax/calculations/{id}/line_items", double.more)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    [address] = runner.addresses
    yield double, f"http://127.0.0.1:{address[1]}"
    await runner.cleanup()


def told(settings, url):
    variables = {
        "stripe_tax_key": Secret("sk_test_1"),
        "stripe_tax_codes": Secret("food=txcd_40060003"),
        "stripe_tax_url": Secret(url),
    }
    return msgspec.structs.replace(settings, tax_provider="stripe_tax", variables=variables)


@pytest.mark.parametrize("a_page", [10, 1])
async def test_stripe_tax_is_asked_as_its_api_has_it(pool, settings, double, a_page):
    stripe, url = double
    stripe.a_page = a_page
    declared = tax_declaration(told(settings, url))
    assert declared
    provider = declared.connect()
    pricing = Pricing(await pool("pricing"), settings, provider)
    totals = await pricing.total(basket((10_000, ""), (500, "food"), (2_500, "gift_card")))
    assert (totals.tax_note, totals.tax) == ("by_provider", 800 + 40 + 40)
    assert [line.tax for line in totals.lines] == [800, 40, 0]
    [(authorization, asked)] = stripe.asked
    assert authorization == "Bearer sk_test_1"
    assert asked == {
        "currency": "usd",
        "customer_details[address][country]": "US",
        "customer_details[address][state]": "MA",
        "customer_details[address][postal_code]": "02110",
        "customer_details[address_source]": "shipping",
        "line_items[0][amount]": "10000",
        "line_items[0][reference]": "class-0",
        "line_items[0][tax_behavior]": "exclusive",
        "line_items[0][tax_code]": "txcd_99999999",
        "line_items[1][amount]": "500",
        "line_items[1][reference]": "class-1",
        "line_items[1][tax_behavior]": "exclusive",
        "line_items[1][tax_code]": "txcd_40060003",
        "shipping_cost[amount]": "500",
        "shipping_cost[tax_behavior]": "exclusive",
        "shipping_cost[tax_code]": "txcd_92010001",
        "expand[0]": "line_items",
    }
    stripe.fails = True
    assert (await pricing.total(basket((10_000, "")))).tax_note == "provider_away"
    await provider.close()
