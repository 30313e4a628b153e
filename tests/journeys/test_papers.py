"""What is printed of an order: invoices, credit notes and packing slips, for who may see them."""

import re
from io import BytesIO

from journeys.people import Person, code, new_key, ok, until
from papers import after, pages_of
from pypdf import PdfReader


async def _order_of_two(town, bea, **address):
    """Three tins of Bea's at 10.00 and a cup of Cal's at 5.00: 35.00, twice 4.99, and a tax of 2.19."""
    cal = await town.seller()
    tea, cup = await bea.lists(price=10.0), await cal.lists("A cup", price=5.0)
    gus = await (await town.guest()).ready(**address)
    await gus.puts(tea["offer_id"], 3)
    await gus.puts(cup["offer_id"], 1)
    return gus, cal, await gus.buys()


async def _printed(who, path):
    answer = await who.ask("GET", path)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/pdf"), answer.text
    assert answer.headers["cache-control"] == "private, no-store"
    return pages_of(answer.content)


def _units(order, title, quantity):
    line = next(line for line in order["lines"] if line["title"] == title)
    return {"lines": [{"order_line_id": line["order_line_id"], "quantity": quantity}]}


def _total(pages):
    """What all invoices less all credit notes come to, in cents."""
    said = re.findall(r"(Total, paid on [^\n]*|Paid back)\n\$([\d,]+\.\d\d)", "\n".join(pages))
    signed = [(1 if name.startswith("Total") else -1, amount.replace(",", "")) for name, amount in said]
    return sum(sign * round(float(amount) * 100) for sign, amount in signed)


async def test_an_order_has_one_invoice_a_seller_with_its_totals(town, bea):
    gus, cal, order = await _order_of_two(town, bea)
    beas, cals = await _printed(gus, f"/orders/{order['order_id']}/invoice")
    assert order["parts"][0]["seller"]["name"] in beas
    assert order["parts"][1]["seller"]["name"] in cals
    for page in (beas, cals):
        assert "Number INV-000001" in page
        assert f"Order {order['number']}" in page
        assert "Ann Porter\n14 Mill Lane\nBoston, MA 02110\nUnited States" in page
    assert "A tin of tea\n3\n$10.00\n$30.00" in beas
    assert after(beas, "Goods", "Delivery", "Tax") == ["$30.00", "$4.99", "$1.88"]
    assert after(cals, "Goods", "Delivery", "Tax") == ["$5.00", "$4.99", "$0.31"]
    assert _total([beas, cals]) == round(order["total"] * 100) == 4_717
    assert "A cup" not in beas

    [own] = await _printed(cal, f"/seller/orders/{order['order_id']}/invoice")
    assert own == cals
    seller_id = order["parts"][0]["seller"]["seller_id"]
    assert await _printed(gus, f"/orders/{order['order_id']}/invoice?seller={seller_id}") == [beas]


async def test_each_refund_has_its_credit_note_and_what_is_left_is_what_was_kept(town, bea):
    gus, cal, order = await _order_of_two(town, bea)
    path = f"/orders/{order['order_id']}"
    await _printed(gus, f"{path}/invoice")
    ok(await gus.ask("POST", f"{path}/cancel", _units(order, "A tin of tea", 1)))
    ok(await cal.ask("POST", f"/seller{path}/cancel"))
    late = {"amount": 1.5, "reason": "Late."}
    ok(await bea.ask("POST", f"/seller{path}/refunds", late, idempotency_key=new_key()), 201)
    now = await gus.order(order["order_id"])
    pages = await _printed(gus, f"{path}/invoice")
    assert [page.splitlines()[0] for page in pages] == [
        "Invoice",
        "Credit note",
        "Credit note",
        "Invoice",
        "Credit note",
    ]
    assert "For what was cancelled before it was sent." in pages[1]
    assert "A tin of tea\n1" in pages[1]
    assert after(pages[1], "Goods", "Tax", "Paid back") == ["$10.00", "$0.62", "$10.62"]
    assert "For money that was paid back without goods." in pages[2]
    assert after(pages[2], "Paid back") == ["$1.50"]
    assert after(pages[4], "Delivery", "Paid back") == ["$4.99", "$10.30"]
    assert ["CN-000001" in pages[1], "CN-000002" in pages[2], "CN-000001" in pages[4]] == [True] * 3
    for page in (pages[1], pages[2], pages[4]):
        assert "To invoice INV-000001" in page
    refunded = sum(round(refund["amount"] * 100) for refund in now["refunds"])
    assert _total(pages) == round(order["total"] * 100) - refunded
    for refund in now["refunds"]:
        [credit] = await _printed(gus, f"{path}/invoice?refund={refund['refund_id']}")
        assert round(refund["amount"] * 100) == -_total([credit])
    none = await gus.ask("GET", f"{path}/invoice?refund=ref_0000000000001")
    assert code(none) == (404, "not_found")


async def test_what_is_anothers_is_not_there(town, bea):
    gus, _cal, order = await _order_of_two(town, bea)
    gone, path = (404, "not_found"), f"/orders/{order['order_id']}"
    eve, dan = await (await town.member()).ready(), await town.seller()
    ops = await town.signed_in("ops@example.com")
    assert code(await eve.ask("GET", f"{path}/invoice")) == gone
    assert code(await town.nobody.ask("GET", f"{path}/invoice")) == (401, "sign_in_first")
    assert code(await town.nobody.ask("GET", f"{path}/invoice?key=wrong")) == (401, "sign_in_first")
    for paper in ("invoice", "packing-slip"):
        assert code(await dan.ask("GET", f"/seller{path}/{paper}")) == gone
        assert code(await gus.ask("GET", f"/seller{path}/{paper}")) == (403, "forbidden")
    assert code(await dan.ask("GET", f"/operator{path}/invoice")) == (403, "forbidden")
    assert code(await gus.ask("GET", "/orders/ord_0000000000001/invoice")) == gone
    stranger = order["parts"][0]["seller"]["seller_id"].replace("sel_0", "sel_1")
    assert code(await gus.ask("GET", f"{path}/invoice?seller={stranger}")) == gone
    assert len(await _printed(ops, f"/operator{path}/invoice")) == 2
    mine = await _printed(bea, f"/seller{path}/invoice")
    assert ["A tin of tea" in page for page in mine] == [True]
    assert not any("A cup" in page for page in mine)


async def test_the_key_of_a_letter_prints_the_invoice_anywhere(town, bea):
    gus, _cal, order = await _order_of_two(town, bea)
    found: list[str] = []

    async def written() -> bool:
        page = await town.http.get(
            str(town.http.base_url.copy_with(path="/dev/mail")), params={"to": gus.email}
        )
        found[:] = re.findall(rf"/orders/{order['order_id']}\?key=([\w-]+)", page.text)
        return bool(found)

    await until(written)
    pages = await _printed(Person(town.http), f"/orders/{order['order_id']}/invoice?key={found[0]}")
    assert len(pages) == 2
    page = await town.http.get(
        str(town.http.base_url.copy_with(path=f"/orders/{order['order_id']}/invoice")),
        params={"key": found[0]},
    )
    assert pages_of(page.content) == pages
    assert f"{order['number']}-invoice.pdf" in page.headers["content-disposition"]
    looks = await town.http.get(
        str(town.http.base_url.copy_with(path=f"/orders/{order['order_id']}")), params={"key": found[0]}
    )
    assert f'href="/orders/{order["order_id"]}/invoice?key={found[0]}"' in looks.text


async def test_a_packing_slip_says_what_is_left_to_pack_and_no_prices(town, bea):
    _gus, cal, order = await _order_of_two(town, bea)
    line = next(line for line in order["lines"] if line["title"] == "A tin of tea")
    await bea.ships(order["order_id"], {**line, "quantity": 1})
    slip, *more = await _printed(bea, f"/seller/orders/{order['order_id']}/packing-slip")
    assert more == []
    assert f"Order {order['number']}" in slip
    assert "Ann Porter\n14 Mill Lane\nBoston, MA 02110" in slip
    assert "To pack\nWhat\nQuantity\nA tin of tea\n2\nSent already\nWhat\nQuantity\nA tin of tea\n1" in slip
    assert "$" not in slip
    assert "A cup" not in slip
    [cals] = await _printed(cal, f"/seller/orders/{order['order_id']}/packing-slip")
    assert "A cup\n1" in cals
    assert "Sent already" not in cals


async def test_names_in_any_writing_are_printed_and_none_fails(town, bea):
    name = "Ζωή Иван 山田太郎 김철수 محمد علي שלום สวัสดี 😀"
    gus, _cal, order = await _order_of_two(town, bea, name=name, line1="x" * 100)
    page, _ = await _printed(gus, f"/orders/{order['order_id']}/invoice")
    for seen in ("Ζωή", "Иван", "山田太郎", "김철수", "محمد علي"):
        assert seen in page
    assert "slvm" in page, "what no font has is written in Latin letters"
    assert page.count("x" * 20) >= 2, "a word that is too long for its line is broken"
    answer = await gus.ask("GET", f"/orders/{order['order_id']}/invoice")
    read = PdfReader(BytesIO(answer.content))
    assert read.metadata
    assert read.metadata.title == f"Invoice of order {order['number']}"
    assert read.root_object["/Lang"] == "en"
    again = await gus.ask("GET", f"/orders/{order['order_id']}/invoice")
    assert again.content == answer.content, "the same paper is the same bytes"
    refused = await gus.ask("GET", f"/orders/{order['order_id']}/invoice", accept="application/xml")
    assert refused.status_code == 406
    assert (await gus.ask("GET", f"/orders/{order['order_id']}/invoice", accept="application/pdf")).is_success
