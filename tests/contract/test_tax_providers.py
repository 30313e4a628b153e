"""Who says what tax is owed is a setting; while that one does not answer, the shop's own rates do."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from aiohttp import web
from house import opened as opened
from journeys.people import until
from trade import WIEN, trading

from mercat.audit import audit
from mercat.events import OrderLine, OrderPlaced, RefundPaid
from mercat.ids import CartId, CheckoutId, LineId, OfferId, OrderId, ProductId, RefundId, SellerId, UserId
from mercat.kit import clock
from mercat.kit.event_log import deliver
from mercat.pricing import PartPrice, PricedBasket, PricedLine, Pricing, tax_declaration
from mercat.pricing.rules import TaxRates, is_answer, tax_question, total
from mercat.pricing.tax_provider import TaxAnswer, TaxQuestion, TaxRefused, TaxTransaction, TaxUnreachable
from mercat.pricing.tax_providers.sandbox import REFUSES, SILENT
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

    async def record(self, key, question) -> TaxTransaction:
        raise TaxUnreachable

    async def reverse(self, key, reference, amount, currency, *, whole) -> str:
        raise TaxUnreachable

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


async def test_what_it_said_is_remembered_for_the_same_goods_and_address(pool, settings):
    asked = []

    class Saying(Counting):
        async def taxes(self, question) -> TaxAnswer:
            asked.append(question)
            return TaxAnswer(dict.fromkeys(question.goods, 7), 0)

    pricing = Pricing(await pool("pricing"), settings, Saying())
    for _ in range(3):
        assert (await pricing.total(basket((10_000, "")))).tax == 7
    assert len(asked) == 1
    await pricing.total(basket((10_001, "")))
    await pricing.total(basket((10_000, ""), postal_code="02111"))
    await pricing.total(basket((10_000, ""), shipping=(499,)))
    assert len(asked) == 4


class StripeTaxDouble:
    """Answers calculations in the shape of Stripe's API: 8 % of each line and of the delivery, as whole
    amounts, a line at a time where it is told to. What is made of one it keeps by its reference, once."""

    def __init__(self):
        self.asked = []
        self.fails = False
        self.a_page = 10
        self.made = {}
        self.answers = {}

    async def transact(self, request):
        """Take a reference once; the same idempotency key again is answered as it was."""
        given, key = dict(await request.post()), request.headers["idempotency-key"]
        if key in self.answers:
            return web.json_response(self.answers[key])
        if given["reference"] in self.made or self.fails:
            error = {"type": "invalid_request_error", "message": "no", "code": "taken"}
            return web.json_response({"error": error}, status=400)
        self.made[given["reference"]] = given
        self.answers[key] = {"id": f"tax_{len(self.made)}", "object": "tax.transaction"}
        return web.json_response(self.answers[key])

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
    app.router.add_post("/v1/tax/transactions/create_from_calculation", double.transact)
    app.router.add_post("/v1/tax/transactions/create_reversal", double.transact)
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


async def test_stripe_tax_takes_a_sale_once_and_what_is_paid_back_of_it(settings, double):
    stripe, url = double
    declared = tax_declaration(told(settings, url))
    assert declared
    provider = declared.connect()
    sold = TaxQuestion({"": 1_000}, 500, "USD", "US", "MA", "02110", False)
    first, again = [await provider.record("ord_1", sold) for _ in range(2)]
    assert first == again == ("tax_1", 120)
    assert await provider.reverse("ref_1", "tax_1", 700, "USD", whole=False) == "tax_2"
    assert await provider.reverse("ref_2", "tax_1", 0, "USD", whole=True) == "tax_3"
    assert stripe.made == {
        "ord_1": {"calculation": "taxcalc_1", "reference": "ord_1"},
        "ref_1": {
            "original_transaction": "tax_1",
            "reference": "ref_1",
            "mode": "partial",
            "flat_amount": "-700",
        },
        "ref_2": {"original_transaction": "tax_1", "reference": "ref_2", "mode": "full"},
    }
    stripe.fails = True
    with pytest.raises(TaxRefused, match="Stripe: no"):
        await provider.reverse("ref_3", "tax_1", 1, "USD", whole=False)
    await provider.close()


async def records_of(trade, status="recorded", count=1):
    """What the provider was told, once there is so much of it, the oldest first."""
    found = []

    async def told_all():
        shown = await trade.olga.api("GET", f"/operator/tax-records?status={status}", 200)
        found[:] = reversed(shown["records"])
        return len(found) == count

    await until(told_all)
    return found


async def test_a_sale_is_recorded_once_and_reversed_when_it_is_cancelled(opened):
    async with opened(tax_provider="sandbox") as house:
        trade = await trading(house)
        await trade.puts(await trade.lists(trade.bob, price=100))
        order = await trade.buys(await trade.lives(**BOSTON))
        [sale] = await records_of(trade)
        assert (sale["key"], sale["reference"]) == (order["order_id"], f"tax_{order['order_id']}")
        assert (sale["amount"], sale["tax"], sale["said_tax"]) == (115.49, 10.5, 10.5)
        await trade.ann.api("POST", f"/orders/{order['order_id']}/cancel", 200)
        _, reversal = await records_of(trade, count=2)
        assert (reversal["kind"], reversal["amount"]) == ("reversal", 115.49)
        assert reversal["reference"] == f"tax_{reversal['key']}"


async def test_what_it_refuses_is_seen_and_tried_again_and_what_was_paid_back_waits(opened, pool):
    async with opened(tax_provider="sandbox") as house:
        trade = await trading(house)
        await trade.puts(await trade.lists(trade.bob, price=100))
        order = await trade.buys(await trade.lives(**BOSTON | {"postal_code": REFUSES}))
        [sale] = await records_of(trade, "refused")
        assert "records nothing" in sale["failure"]
        await trade.ann.api("POST", f"/orders/{order['order_id']}/cancel", 200)
        await records_of(trade, "waiting")
        page = await trade.olga.page("/operator/tax")
        assert "Not recorded by The sandbox" in page
        db = await pool("pricing")
        await db.execute(
            """update pricing.tax_record set asked = jsonb_set(asked, '{5}', '"02110"') where kind = 'sale'"""
        )
        await trade.olga.send("/operator/tax", "/operator/tax/recorded")
        assert [each["kind"] for each in await records_of(trade, count=2)] == ["sale", "reversal"]
        await trade.olga.api("POST", f"/operator/tax-records/{sale['key']}/retry", 404)


async def test_one_that_does_not_answer_is_asked_again_later_and_never_told_twice(pool, settings):
    class Deaf(Counting):
        answers = False

        async def record(self, key, question):
            self.asked += 1
            if not self.answers:
                raise TaxUnreachable
            return TaxTransaction("tax_9", 11)

    deaf, db = Deaf(), await pool("pricing")
    pricing = Pricing(db, settings, deaf)
    placed = an_order()
    for _ in range(2):
        await deliver(db, [placed], [pricing])
    assert await pricing.records.record_due() == 1
    assert await pricing.records.record_due() == 0, "not before a minute has passed"
    [waiting] = await pricing.tax_records("waiting")
    assert (waiting.tries, waiting.failure) == (1, "no answer: TaxUnreachable()")
    deaf.answers = True
    await db.execute("update pricing.tax_record set due_at = now()")
    assert await pricing.records.record_due() == 1
    [recorded] = await pricing.tax_records()
    assert (recorded.status, recorded.reference, recorded.said_tax, deaf.asked) == (
        "recorded",
        "tax_9",
        11,
        2,
    )
    await deliver(db, [placed], [pricing])
    assert await pricing.records.record_due() == 0


async def test_no_more_is_reversed_than_was_recorded_and_in_the_order_of_the_refunds(pool, settings):
    reversed_ = []

    class Taking(Counting):
        async def record(self, key, question):
            return TaxTransaction("tax_1", 10)

        async def reverse(self, key, reference, amount, currency, *, whole):
            reversed_.append((reference, amount, whole))
            return f"tax_{amount}"

    db = await pool("pricing")
    pricing = Pricing(db, settings, Taking())
    refunds = [a_refund(1, 50), a_refund(2, 100), a_refund(3, 5)]  # of 110: a gift card was among the goods
    await deliver(db, [*refunds, an_order()], [pricing])
    while await pricing.records.record_due():
        pass
    assert reversed_ == [("tax_1", 50, False), ("tax_1", 60, False)]
    assert {each.status for each in await pricing.tax_records()} == {"recorded"}
    await deliver(db, [msgspec.structs.replace(refunds[0], order_id=OrderId(2))], [pricing])
    assert len(await pricing.tax_records()) == 4, "nothing is known of that order"


async def test_with_the_shops_own_rates_nobody_is_told_anything(pool, settings):
    db = await pool("pricing")
    pricing = Pricing(db, settings)
    await deliver(db, [an_order(), a_refund(1, 50)], [pricing])
    assert (await pricing.records.record_due(), await pricing.tax_records()) == (0, [])


def a_refund(n: int, amount: int) -> RefundPaid:
    return RefundPaid(
        refund_id=RefundId(n),
        order_id=OrderId(1),
        amount=amount,
        currency="USD",
        reference=f"refund/{n}",
        seller_ids=[],
    )


def an_order() -> OrderPlaced:
    line = OrderLine(
        order_line_id=LineId(1),
        product_id=ProductId(1),
        offer_id=OfferId(1),
        seller_id=SellerId(1),
        title="Cup",
        quantity=1,
        unit_price=100,
        total=100,
    )
    return OrderPlaced(
        order_id=OrderId(1),
        checkout_id=CheckoutId(1),
        cart_id=CartId(1),
        user_id=UserId(1),
        email="ann@example.com",
        total=110,
        currency="USD",
        lines=[line],
        placed_at=clock.now(),
        tax=10,
        address={"country": "US", "region": "MA", "postal_code": "02110"},
        tax_note="by_provider",
    )
