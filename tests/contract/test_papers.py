"""Papers of a whole shop: issued by following the log, the same for ever, without who was forgotten."""

from typing import Any

import pytest
from house import House, Visitor
from house import opened as opened
from journeys.people import HOME, new_key
from papers import after, pages_of
from waiting import until

from mercat.audit.audit import audit, laws
from mercat.ids import OrderId, parse
from mercat.invoices import Paper
from mercat.web.routes import PREFIX

ANN = {"email": "ann@example.com", "password": "correct horse", "name": "Ann"}
TOKYO = {"country": "JP", "region": "13", "city": "Minato", "postal_code": "105-0011", "line1": "1-1 Shiba"}


async def seller_of(house: House, name: str = "Cups") -> Visitor:
    seller = await house.member(ANN | {"email": f"{new_key()[:8]}@example.com"})
    await seller.api("POST", "/sellers", 201, {"name": name})
    return seller


async def lists(seller: Visitor, title: str, **more: Any) -> str:
    product = {"title": title, "description": "It is.", "category": "cups", "price": 12, "currency": "USD"}
    return (await seller.api("POST", "/seller/products", 201, product | {"quantity": 50} | more))["offer_id"]


async def buys(ann: Visitor, *offers: str, address: dict[str, str] = HOME, **more: str) -> str:
    for offer_id in offers:
        await ann.api("POST", "/cart/items", 200, {"offer_id": offer_id, "quantity": 1})
    way = {
        "shipping_address_id": (await ann.api("POST", "/addresses", 201, address))["address_id"],
        "payment_method_id": (await ann.api("POST", "/payment-methods", 201, {"token": "tok_visa"}))[
            "payment_method_id"
        ],
        "shipping_method": "standard",
    }
    answer = await ann.http.post(
        PREFIX + "/orders/checkout", json=way | more, headers={"idempotency-key": new_key()}
    )
    assert answer.status_code == 201, answer.text
    return answer.json()["order_id"]


async def printed(who: Visitor, path: str) -> bytes:
    answer = await who.http.get(PREFIX + path)
    assert answer.status_code == 200, answer.text
    return answer.content


async def followed(db: Any, papers: int) -> None:
    """The log has been followed until there are so many papers: nobody asked for one."""

    async def there() -> bool:
        return await db.fetchval("select count(*) from invoices.paper") == papers

    await until(there, 30)


async def laws_hold(db: Any, *, checked: int = 4) -> None:
    """The laws of invoices hold, also of what was paid this moment, once so many of them have something to
    check."""
    mine = [law for law in laws() if "invoice" in law.name or "credit note" in law.name]
    now = [law._replace(text=law.text.replace("'1 minute'", "'0'")) for law in mine]
    assert len(now) == 4

    async def found() -> bool:
        async with db.acquire() as reader:
            findings = await audit(reader, now)
        assert [each.law for each in findings if each.violations] == []
        return sum(each.checked > 0 for each in findings) >= checked

    await until(found, 30)


async def test_invoices_and_credit_notes_follow_the_log(opened, db):
    async with opened() as house:
        bob, sue = await seller_of(house, "Bob's"), await seller_of(house, "Sue's")
        cup, mug = await lists(bob, "Cup"), await lists(sue, "Mug", price=7.35)
        ann = await house.member(ANN)
        first = await buys(ann, cup, mug)
        await followed(db, 2)
        second = await buys(ann, cup)
        await followed(db, 3)
        rows = await db.fetch("select * from invoices.paper order by issued_at, order_id")
        order = await ann.api("GET", f"/orders/{first}", 200)
        bill = await house.shop.orders.bill(parse(OrderId, first))
        told = {row["seller_id"]: row for row in rows if row["order_id"] == parse(OrderId, first)}
        for part in bill.parts:
            row = told[part.seller_id]
            assert (row["price"], row["discount"], row["tax"], row["shipping"]) == (
                part.price,
                part.discount,
                part.tax,
                part.shipping,
            )
        assert sum(part.amount for part in bill.parts) == round(order["total"] * 100)
        await ann.api("POST", f"/orders/{second}/cancel", 200)
        await bob.api("POST", f"/seller/orders/{first}/cancel", 200)
        await followed(db, 5)
        numbers = await db.fetch("select kind, number from invoices.paper order by seller_id, kind, number")
        assert [tuple(row) for row in numbers] == [
            ("credit_note", 1),
            ("credit_note", 2),
            ("invoice", 1),
            ("invoice", 2),
            ("invoice", 1),
        ]
        await laws_hold(db)
        await printed(ann, f"/orders/{first}/invoice")
        assert await db.fetchval("select count(*) from invoices.paper") == 5


async def test_an_invoice_says_the_same_after_all_else_has_changed(opened, db):
    async with opened() as house:
        bob = await seller_of(house, "Bob's")
        cup = await lists(bob, "Cup")
        ann = await house.member(ANN)
        order_id = await buys(ann, cup)
        before = await printed(ann, f"/orders/{order_id}/invoice")
        [address] = (await ann.api("GET", "/addresses", 200))["addresses"]
        changed = {"line1": "9 Elsewhere", "name": "Ann Newname"}
        await ann.api("PATCH", f"/addresses/{address['address_id']}", 200, changed)
        await db.execute("update sellers.seller set name = 'Robert & Sons'")
        await db.execute("update catalog.product set title = 'A goblet'")
        assert await printed(ann, f"/orders/{order_id}/invoice") == before
        [page] = pages_of(before)
        assert "Bob's" in page
        again = await buys(ann, cup)
        assert "Robert & Sons" in pages_of(await printed(ann, f"/orders/{again}/invoice"))[0]
        assert (await db.fetchval("select count(*) from invoices.paper")) == 2


async def test_who_was_erased_is_on_no_invoice_once_the_legal_term_has_passed(opened, db):
    async with opened(legal_term_days=0) as house:
        bob = await seller_of(house)
        ann = await house.member(ANN)
        order_id = await buys(ann, await lists(bob, "Cup"))
        before = pages_of(await printed(bob, f"/seller/orders/{order_id}/invoice"))[0]
        assert HOME["name"] in before
        await ann.api("DELETE", "/account", 200, {"current_password": ANN["password"]})

        async def forgotten() -> bool:
            await house.shop.orders.forgetting.forget_due()
            return await db.fetchval("select email from orders.orders") == ""

        await until(forgotten, 30)
        page = pages_of(await printed(bob, f"/seller/orders/{order_id}/invoice"))[0]
        slip = pages_of(await printed(bob, f"/seller/orders/{order_id}/packing-slip"))[0]
        for said in (page, slip):
            assert not any(HOME[name] in said for name in ("name", "line1", "postal_code"))
            assert "Name and address were erased." in said
        assert after(page, "Goods", "Tax") == after(before, "Goods", "Tax")
        kept = await db.fetchval("select string_agg(p::text, ' ') from invoices.paper p")
        assert not any(HOME[name] in kept for name in ("name", "line1", "postal_code"))


async def test_an_invoice_in_yen_has_no_decimals_and_adds_up(opened, db):
    async with opened(currency="JPY") as house:
        bob = await seller_of(house, "山田商店")
        offers = [await lists(bob, f"湯呑み {n}", price=1_001, currency="JPY") for n in range(3)]
        ann = await house.member(ANN)
        order_id = await buys(ann, *offers, address=HOME | TOKYO)
        order = await ann.api("GET", f"/orders/{order_id}", 200)
        one = {"order_line_id": order["lines"][1]["order_line_id"], "quantity": 1}
        await ann.api("POST", f"/orders/{order_id}/cancel", 200, {"lines": [one]})
        invoice, credit = pages_of(await printed(ann, f"/orders/{order_id}/invoice"))
        assert "山田商店" in invoice
        assert "湯呑み 0 1 ¥1,001 ¥1,001" in " ".join(invoice.split())
        assert f"¥{order['total']:,}" in invoice
        refunded = (await ann.api("GET", f"/orders/{order_id}", 200))["refunds"][0]["amount"]
        assert after(credit, "Goods", "Paid back") == ["¥910", f"¥{refunded:,}"]
        assert "." not in "".join(line for line in (invoice + credit).splitlines() if line.startswith("¥"))


@pytest.mark.long
async def test_two_hundred_lines_go_on_page_after_page_with_their_headings(opened, db):
    async with opened() as house:
        bob = await seller_of(house)
        name = "A cup with a name that is so long that it does not fit into one line of the table, number "
        offers = [await lists(bob, f"{name}{n}", price=1) for n in range(200)]
        ann = await house.member(ANN)
        order_id = await buys(ann, *offers)
        pages = pages_of(await printed(ann, f"/orders/{order_id}/invoice"))
        slips = pages_of(await printed(bob, f"/seller/orders/{order_id}/packing-slip"))
        assert len(pages) > 5
        for n, page in enumerate(pages, 1):
            assert "What\nQuantity\nPrice\nAmount" in page
            assert f"Page {n} of {len(pages)}" in page
        assert all("What\nQuantity" in page for page in slips)
        flat = " ".join(" ".join(pages).split())
        assert all(f"number {n} 1 $1.00 $1.00" in flat for n in range(200))
        assert after(pages[-1], "Goods") == ["$200.00"]


async def test_an_order_from_before_there_were_invoices_gets_its_papers_when_asked(opened, db):
    async with opened() as house:
        bob = await seller_of(house)
        ann = await house.member(ANN)
        order_id = await buys(ann, await lists(bob, "Cup"))
        await ann.api("POST", f"/orders/{order_id}/cancel", 200)
        await followed(db, 2)
        async with db.acquire() as owner, owner.transaction():
            await owner.execute("set local session_replication_role = replica")
            await owner.execute("delete from invoices.paper; delete from invoices.issuer")
        papers: list[Paper] = await house.shop.invoices.papers_of(parse(OrderId, order_id))
        assert [(paper.kind, paper.number) for paper in papers] == [("invoice", 1), ("credit_note", 1)]
        await laws_hold(db, checked=3)


async def test_an_invoice_says_of_its_seller_what_the_seller_wants(opened, db):
    async with opened() as house:
        bob = await seller_of(house, "Bob's")
        assert await bob.api("GET", "/seller/invoice-details", 200) == {"details": ""}
        legal = "Bob's Bazaar Ltd\n1 Market Row\nVAT GB 123456789"
        page = await bob.send("/desk/invoices", "/desk/invoices", details=legal)
        assert "It stands on the invoices" in page
        assert await bob.api("GET", "/seller/invoice-details", 200) == {"details": legal}
        for wrong in ("x" * 1_001, "\u200b"):
            refused = await bob.api("PUT", "/seller/invoice-details", 422, {"details": wrong})
            assert refused["pointer"] == "/details"
            await bob.send("/desk/invoices", "/desk/invoices", 422, details=wrong)
        ann = await house.member(ANN)
        order_id = await buys(ann, await lists(bob, "Cup"))
        [invoice] = pages_of(await printed(ann, f"/orders/{order_id}/invoice"))
        assert f"Sold by\nBob's\n{legal}\non Mercat" in invoice
        await bob.api("PUT", "/seller/invoice-details", 200, {"details": None})
        assert pages_of(await printed(ann, f"/orders/{order_id}/invoice")) == [invoice]
        await ann.api("GET", "/seller/invoice-details", 403)
