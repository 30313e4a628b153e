"""Sellers' money over HTTP: from an order to a payout and its statement, and what operators decide of it."""

import csv
import io
from typing import Any

import pytest
from house import House, Visitor
from house import house as house
from house import opened as opened
from journeys.people import HOME, new_key, until
from papers import pages_of

from mercat.audit import audit
from mercat.web.routes import PREFIX

OLGA = {"email": "olga@example.com", "password": "a desk of one's own", "name": "Olga"}
BOB = {"email": "bob@example.com", "password": "battery staple", "name": "Bob"}
CUP = {
    "title": "A cup",
    "description": "",
    "category": "cups",
    "price": 10,
    "currency": "USD",
    "quantity": 90,
}
CLOSED = {"holder": "Bob", "account": "000111110002", "bank": "BANKUS33"}


class Market:
    """A shop that pays as soon as a parcel has arrived, and its people."""

    def __init__(self, house: House, ann: Visitor, bob: Visitor, olga: Visitor, seller_id: str) -> None:
        self.house, self.ann, self.bob, self.olga, self.seller_id = house, ann, bob, olga, seller_id
        self.offer_id = ""

    async def opens(self) -> "Market":
        self.offer_id = (await self.bob.api("POST", "/seller/products", 201, CUP))["offer_id"]
        card = await self.ann.api("POST", "/payment-methods", 201, {"token": "tok_visa"})
        home = await self.ann.api("POST", "/addresses", 201, HOME)
        self.way = {
            "shipping_address_id": home["address_id"],
            "payment_method_id": card["payment_method_id"],
            "shipping_method": "standard",
        }
        return self

    async def buys(self, quantity: int = 1) -> Any:
        await self.ann.api("POST", "/cart/items", 200, {"offer_id": self.offer_id, "quantity": quantity})
        self.ann.http.headers["idempotency-key"] = new_key()
        bought = await self.ann.api("POST", "/orders/checkout", 201, self.way)
        del self.ann.http.headers["idempotency-key"]
        return await self.ann.api("GET", f"/orders/{bought['order_id']}", 200)

    async def arrives(self, order: Any) -> None:
        line = order["lines"][0]
        units = [{"order_line_id": line["order_line_id"], "quantity": line["quantity"]}]
        parcel = {
            "order_id": order["order_id"],
            "lines": units,
            "carrier": "Post",
            "tracking_number": new_key(),
        }

        async def to_pack() -> bool:
            orders = (await self.bob.api("GET", "/seller/orders", 200))["orders"]
            return any(each["order_id"] == order["order_id"] for each in orders)

        await until(to_pack)
        shipment = await self.bob.api("POST", "/seller/shipments", 201, parcel)
        at = f"/seller/shipments/{shipment['shipment_id']}/events"
        await self.bob.api("POST", at, 201, {"status": "delivered"})

    async def has(self, **amounts: float) -> None:
        """Until the balance is so."""

        async def so() -> bool:
            balance = await self.bob.api("GET", "/seller/balance", 200)
            return all(balance[name] == amount for name, amount in amounts.items())

        await until(so)

    async def earns(self, quantity: int = 1) -> Any:
        order = await self.buys(quantity)
        await self.arrives(order)
        await self.has(available=round(9 * quantity + 4.99, 2))
        return order

    async def runs(self, **ask: Any) -> Any:
        return await self.olga.api("POST", "/operator/payouts/run", 200, ask)


@pytest.fixture
async def market(opened, db):
    async with opened(payout_hold_days=0) as house:
        olga, bob, ann = await house.member(OLGA), await house.member(BOB), await house.member()
        await house.shop.accounts.set_operator(OLGA["email"], given=True)
        seller = await bob.api("POST", "/sellers", 201, {"name": "Bob's"})
        yield await Market(house, ann, bob, olga, seller["seller_id"]).opens()
    async with db.acquire() as reader:
        assert [finding for finding in await audit(reader) if finding.violations] == []


async def test_from_an_order_to_a_statement_that_adds_up(market):
    bob = market.bob
    empty = await bob.api("GET", "/seller/balance", 200)
    assert (empty["pending"], empty["available"], empty["reserved"], empty["currency"]) == (0, 0, 0, "USD")
    order = await market.buys(2)
    await market.has(pending=22.99)
    lines = (await bob.api("GET", "/seller/balance/lines?state=pending", 200))["lines"]
    assert {(line["kind"], line["amount"], line["order_number"]) for line in lines} == {
        ("sale", 20, order["number"]),
        ("commission", -2, order["number"]),
        ("delivery", 4.99, order["number"]),
    }
    await market.arrives(order)
    await market.has(pending=0, available=22.99)
    planned = await market.runs(dry_run=True)
    assert (planned["total"], len(planned["payouts"])) == (22.99, 1)
    assert (await bob.api("GET", "/seller/payouts", 200))["payouts"] == []
    run = await market.runs()
    assert (run["total"], run["payouts"][0]["status"]) == (22.99, "paid")
    assert (await market.runs())["payouts"] == []
    [payout] = (await bob.api("GET", "/seller/payouts?status=paid", 200))["payouts"]
    assert (payout["amount"], payout["account"]) == (22.99, "sandbox")
    at = f"/seller/statements/{payout['payout_id']}"
    statement = await bob.api("GET", at, 200)
    assert round(sum(line["amount"] for line in statement["lines"]), 2) == statement["amount"] == 22.99
    assert statement["totals"] == {"sale": 20, "commission": -2, "delivery": 4.99}
    assert [(line["kind"], line["order_id"]) for line in statement["lines"]] == [
        ("sale", order["order_id"]),
        ("commission", order["order_id"]),
        ("delivery", order["order_id"]),
    ]
    first = await bob.api("GET", f"{at}?limit=1", 200)
    rest = await bob.api("GET", f"{at}?limit=5&cursor={first['next_cursor']}", 200)
    assert [*first["lines"], *rest["lines"]] == statement["lines"]
    await market.has(pending=0, available=0, reserved=0)


async def test_a_statement_is_csv_and_pdf_too(market):
    order = await market.earns()
    [payout] = (await market.runs())["payouts"]
    at = f"{PREFIX}/seller/statements/{payout['payout_id']}"
    as_csv = await market.bob.http.get(at, headers={"accept": "text/csv"})
    assert as_csv.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(as_csv.text)))
    assert round(sum(float(row["amount"]) for row in rows), 2) == payout["amount"] == 13.99
    assert {row["order"] for row in rows} == {order["number"]}
    as_pdf = await market.bob.http.get(at, headers={"accept": "application/pdf"})
    assert as_pdf.headers["content-type"] == "application/pdf"
    [page] = pages_of(as_pdf.content)
    for words in ("Statement of payout", "Bob's", "Commission", "$13.99", order["number"]):
        assert words in page
    wrong = await market.bob.http.get(at, headers={"accept": "image/png"})
    assert wrong.status_code == 406
    for who, path in (
        (market.ann, at),
        (market.olga, f"{PREFIX}/operator/statements/{payout['payout_id']}"),
    ):
        answer = await who.http.get(path)
        assert answer.status_code == (403 if who is market.ann else 200)


async def test_another_seller_s_statement_is_not_there(market):
    await market.earns()
    [payout] = (await market.runs())["payouts"]
    await market.ann.api("POST", "/sellers", 201, {"name": "Ann's"})
    await market.ann.api("GET", f"/seller/statements/{payout['payout_id']}", 404)
    assert (await market.ann.api("GET", "/seller/payouts", 200))["payouts"] == []


async def test_a_return_is_reserved_and_its_refund_is_on_the_next_statement(market):
    order = await market.earns(2)
    line = order["lines"][0]["order_line_id"]
    asked = {"lines": [{"order_line_id": line, "quantity": 1}], "reason": "damaged"}
    back = await market.ann.api("POST", f"/orders/{order['order_id']}/returns", 201, asked)
    await market.has(available=0, reserved=22.99)
    assert (await market.runs())["payouts"] == []
    at = f"/seller/returns/{back['return_id']}"
    await market.bob.api("POST", f"{at}/approve", 200)
    arrived = {"lines": [{"order_line_id": line, "quantity": 1, "condition": "damaged"}]}
    await market.bob.api("POST", f"{at}/receive", 200, arrived)
    await market.has(available=13.99, reserved=0)
    [payout] = (await market.runs())["payouts"]
    statement = await market.bob.api("GET", f"/seller/statements/{payout['payout_id']}", 200)
    assert statement["totals"] == {"sale": 20, "commission": -1, "delivery": 4.99, "refund": -10}
    assert payout["amount"] == 13.99


async def test_a_refused_account_is_told_by_letter_and_named_anew(market):
    shown = await market.bob.api("PUT", "/seller/payout-account", 200, CLOSED)
    assert shown["account"] == "•••• 0002"
    assert "000111110002" not in str(shown)
    await market.earns()
    [payout] = (await market.runs())["payouts"]
    assert (payout["status"], payout["reason"]) == ("failed", "The account is closed.")
    await market.has(available=13.99)

    async def told() -> bool:
        return any("came back" in body or "did not take it" in body for body in await letters())

    async def letters() -> list[str]:
        return await market.house.letters(BOB["email"])

    await until(told)
    assert (await market.bob.api("GET", "/seller/payout-account", 200))["refused"]
    wrong = await market.bob.api(
        "PUT", "/seller/payout-account", 422, {**CLOSED, "account": "DE89370400440532013001"}
    )
    assert wrong["pointer"] == "/account"
    good = {**CLOSED, "account": "DE89370400440532013000"}
    await market.bob.api("PUT", "/seller/payout-account", 200, good)
    assert (await market.runs())["payouts"][0]["status"] == "paid"

    async def paid() -> bool:
        return any("on its way" in body or "paid out" in body for body in await letters())

    await until(paid)


async def test_commission_rules_are_a_list_whose_first_match_holds(market):
    stood = await market.olga.api("GET", "/operator/commissions", 200)
    assert (stood["rules"], stood["default_rate"]) == ([], 0.1)
    rules = [
        {"category": "cups", "seller": market.seller_id, "rate": 0.2, "fee": 0.3},
        {"category": "Cups", "rate": 0.05},
    ]
    new = await market.olga.api("PUT", "/operator/commissions", 200, {"rules": rules})
    assert new["rules"] == [
        {"category": "cups", "seller": market.seller_id, "rate": 0.2, "fee": 0.3},
        {"category": "cups", "seller": None, "rate": 0.05, "fee": 0},
    ]
    preview = await market.bob.api("POST", "/seller/fees/preview", 200, {"category": "cups", "price": 10})
    assert {name: preview[name] for name in ("commission", "fee", "net", "rate", "rule")} == {
        "commission": 2,
        "fee": 0.3,
        "net": 7.7,
        "rate": 0.2,
        "rule": 1,
    }
    elsewhere = await market.bob.api("POST", "/seller/fees/preview", 200, {"price": 10})
    assert (elsewhere["commission"], elsewhere["rule"]) == (1, None)
    unknown = await market.bob.api("POST", "/seller/fees/preview", 422, {"category": "cupz", "price": 1})
    assert (unknown["code"], unknown["closest"]) == ("category_unknown", ["cups"])
    await until(lambda: _kept_so(market))


async def _kept_so(market: Market) -> bool:
    """Whether a purchase of now keeps what the rules say: they are looked up four times a second."""
    order = await market.buys()

    async def booked() -> list[Any]:
        lines = (await market.bob.api("GET", "/seller/balance/lines?limit=100", 200))["lines"]
        return [line for line in lines if line["order_id"] == order["order_id"]]

    await until(booked)
    kept = {line["kind"]: line["amount"] for line in await booked()}
    return kept == {"sale": 10, "commission": -2, "fee": -0.3, "delivery": 4.99}


async def test_what_is_wrong_with_a_rule_is_said_with_its_place(market):
    for rule, pointer in (
        ({"category": "nowhere", "rate": 0.1}, "/rules/0/category"),
        ({"seller": "sel_0000000000001", "rate": 0.1}, "/rules/0/seller"),
        ({"rate": 2}, "/rules/0/rate"),
        ({"rate": 0.1, "fee": 0.001}, "/rules/0/fee"),
    ):
        wrong = await market.olga.api("PUT", "/operator/commissions", 422, {"rules": [rule]})
        assert wrong["pointer"] == pointer
    stale = await market.olga.api("PUT", "/operator/commissions", 409, {"rules": [], "version": 7})
    assert stale["code"] == "rules_changed"
    await market.bob.api("GET", "/operator/commissions", 403)


async def test_a_change_of_the_rules_is_in_the_audit_log_before_and_after(market):
    await market.olga.api("PUT", "/operator/commissions", 200, {"rules": [{"rate": 0.3}]})
    await market.olga.send("/operator/commissions", "/operator/commissions", rate="25", fee="1.50")
    entries = (await market.olga.api("GET", "/operator/audit-log", 200))["entries"]
    by_form, by_api = entries[0], entries[1]
    assert (len(by_api["before"]["rules"]), len(by_api["after"]["rules"])) == (0, 1)
    assert (len(by_form["before"]["rules"]), len(by_form["after"]["rules"])) == (1, 2)
    assert by_form["after"]["rules"][1] == {"category": None, "seller": None, "rate": 0.25, "fee": 1.5}


async def test_a_webhook_hears_of_a_payout(market):
    hook = {"url": "https://93.184.216.34/x", "events": ["payout.paid"]}
    made = await market.bob.api("POST", "/seller/webhooks", 201, hook)
    await market.earns()
    await market.runs()

    async def heard() -> bool:
        at = f"/seller/webhooks/{made['webhook_id']}/deliveries"
        found = (await market.bob.api("GET", at, 200))["deliveries"]
        return [each["event"] for each in found] == ["payout.paid"]

    await until(heard)


async def test_the_desks_show_and_do_the_same(market):
    bob, olga = market.bob, market.olga
    assert "Nothing was paid out yet" in await bob.page("/desk/money")
    assert "Nobody was paid out yet" in await olga.page("/operator/payouts")
    order = await market.earns()
    assert order["number"] in await bob.page("/desk/money/lines")
    assert "Nothing is here" in await bob.page("/desk/money/lines?state=pending")
    assert "Yes" in await olga.page("/operator/payouts?plan=1")
    assert "Saved. The next payout" in await bob.send("/desk/money", "/desk/money/account", **CLOSED)
    wrong = await bob.send("/desk/money", "/desk/money/account", 422, holder="Bob", account="12xyz")
    assert "neither an IBAN nor the number" in wrong
    page = await olga.send("/operator/payouts", "/operator/payouts/run")
    assert "The account is closed." in page
    assert "Try again" in page
    assert "Your account was refused" in await bob.page("/desk/money")
    await bob.send("/desk/money", "/desk/money/account", holder="Bob", account="000123456789", bank="X")
    page = await olga.send("/operator/payouts", "/operator/payouts/run", seller=market.seller_id)
    assert "•••• 6789" in page
    [paid] = (await bob.api("GET", "/seller/payouts?status=paid", 200))["payouts"]
    for desk, who in (("/desk/money", bob), ("/operator/payouts", olga)):
        statement = await who.page(f"{desk}/{paid['payout_id']}")
        assert "Payout that came back" in statement
        for form in ("csv", "pdf"):
            assert (await who.http.get(f"{desk}/{paid['payout_id']}/statement.{form}")).status_code == 200
    assert "$9.00" in await bob.page("/desk/money?amount=10")
    assert 'role="alert"' in await bob.page("/desk/money?amount=-4")
    rows = await olga.http.get("/operator/payouts.csv?status=failed")
    assert "The account is closed." in rows.text


async def test_rules_are_ordered_and_removed_at_the_desk(market):
    olga = market.olga
    rules = [{"rate": 0.1}, {"rate": 0.2, "seller": market.seller_id}]
    await olga.api("PUT", "/operator/commissions", 200, {"rules": rules})

    async def rates() -> list[float]:
        return [each["rate"] for each in (await olga.api("GET", "/operator/commissions", 200))["rules"]]

    page = await olga.send("/operator/commissions", "/operator/commissions", place="1", act="up")
    assert "Bob" in page
    assert await rates() == [0.2, 0.1]
    await olga.send("/operator/commissions", "/operator/commissions", place="0", act="remove")
    assert await rates() == [0.1]
    wrong = await olga.page("/operator/commissions")
    assert "Add a rule" in wrong


async def test_an_account_that_an_operator_names_for_a_seller_is_not_in_the_audit_log(market):
    own = await market.olga.http.get(f"{PREFIX}/seller/balance", headers={"seller": market.seller_id})
    assert own.status_code in (200, 403)
    lonely = str(await market.house.shop.sellers.by_name("Nobody's"))
    answer = await market.olga.http.put(
        f"{PREFIX}/seller/payout-account", json=CLOSED, headers={"seller": lonely}
    )
    assert answer.status_code == 200, answer.text
    log = await market.olga.http.get(f"{PREFIX}/operator/audit-log")
    assert "set_payout_account" in log.text
    assert "000111110002" not in log.text
