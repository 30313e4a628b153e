"""Promotions on pages: the code field of cart and checkout, and the desks of operators and sellers."""

import pytest
from contract.test_web_forms import OURS, Visitor

from mercat.web.routes import PREFIX

TEN = {"name": "Ten off", "does": "percent", "percent": "10", "priority": "0"}


@pytest.fixture
async def offer(people):
    product = {
        "title": "A cup",
        "description": "",
        "category": "kitchen",
        "price": 12.5,
        "currency": "USD",
        "quantity": 9,
    }
    return (await people.seller.post(f"{PREFIX}/seller/products", json=product)).json()["offer_id"]


async def test_a_code_is_given_and_taken_out_on_the_page_and_says_why_not(people, offer):
    terms = {"name": "Ten off", "then": {"percent": 10}, "code": "TEN", "when": {"min_quantity": 2}}
    assert (await people.operator.post(f"{PREFIX}/operator/promotions", json=terms)).status_code == 201
    free = {"name": "Sent", "then": {"free_shipping": True}, "when": {"min_subtotal": 30}}
    assert (await people.operator.post(f"{PREFIX}/operator/promotions", json=free)).status_code == 201
    ann = Visitor(people.shopper)
    body = {"offer_id": offer, "quantity": "1"}
    assert (await people.shopper.post("/cart/items", data=body, headers=OURS)).status_code == 303
    for page in ("/cart", "/checkout"):
        await ann.see(page)
        assert (await ann.send("/cart/codes", code=" ten ")).headers["location"] == page
        shown = (await people.shopper.get(page)).text
        assert "TEN" in shown
        assert "There is not enough in your cart for it yet." in shown
        assert "$17.50</b> more for free delivery" in shown
        await ann.see(page)
        assert (await ann.send("/cart/codes/remove")).headers["location"] == page
        assert "There is not enough" not in (await people.shopper.get(page)).text
    await people.shopper.post("/cart/items", data=body, headers=OURS)
    await ann.see("/cart")
    await ann.send("/cart/codes", code="TEN")
    shown = (await people.shopper.get("/cart")).text
    assert "because of TEN" in shown
    assert "$2.50" in shown
    assert "$22.50" in shown


@pytest.mark.parametrize(
    ("who", "path"), [("operator", "/operator/promotions"), ("seller", "/desk/promotions")]
)
async def test_a_promotion_is_set_up_changed_and_removed_with_a_form(people, who, path, offer):
    client = getattr(people, who)
    desk = Visitor(client)
    await desk.see(f"{path}/new")
    wrong = await desk.send(f"{path}/new", **(TEN | {"percent": "", "name": ""}))
    assert wrong.status_code == 422
    assert "name" in desk.page.wrong
    wrong = await desk.send(f"{path}/new", **(TEN | {"percent": ""}))
    assert (wrong.status_code, "percent" in desk.page.wrong) == (422, True)
    typed = TEN | {"category": "Kitchen", "min_subtotal": "12.50", "limit": "5", "ends_on": "2090-05-01"}
    saved = await desk.send(f"{path}/new", **typed)
    assert saved.status_code == 303, saved.text
    one = saved.headers["location"].partition("?")[0]
    page = await desk.see(one)
    kept = page.forms[one]
    assert (kept["category"], kept["min_subtotal"], kept["ends_on"]) == ("kitchen", "12.50", "2090-05-01")
    assert (await desk.send(one, percent="20")).status_code == 303
    assert "20 % off" in (await client.get(path)).text
    await people.shopper.post("/cart/items", data={"offer_id": offer, "quantity": "1"}, headers=OURS)
    assert (await people.shopper.get(f"{PREFIX}/cart")).json()["discount"] == 2.5
    await desk.see(f"{path}/preview")
    tried = await desk.send(f"{path}/preview", offers=f"{offer}\n{offer}", country="US")
    assert "took 5.0 USD off" in tried.text
    await desk.see(one)
    assert (await desk.send(f"{one}/codes", count="3", prefix="A")).status_code == 303
    file = (await client.get(f"{one}/codes.csv")).text.splitlines()
    assert (file[0], len(file), {line.partition(",")[2] for line in file[1:]}) == ("code,state", 4, {"free"})
    await desk.see(one)
    assert (await desk.send(f"{one}/remove")).status_code == 303
    assert (await client.get(one)).status_code == 404


async def test_a_last_day_at_the_end_of_the_calendar_is_refused_at_its_field(people):
    desk = Visitor(people.operator)
    await desk.see("/operator/promotions/new")
    wrong = await desk.send("/operator/promotions/new", **(TEN | {"ends_on": "9999-12-31"}))
    assert (wrong.status_code, "ends_on" in desk.page.wrong) == (422, True)


async def test_a_sellers_desk_shows_no_promotion_of_others(people):
    terms = {"name": "The shop's", "then": {"percent": 10}}
    made = (await people.operator.post(f"{PREFIX}/operator/promotions", json=terms)).json()
    assert "The shop's" not in (await people.seller.get("/desk/promotions")).text
    one = f"/desk/promotions/{made['promotion_id']}"
    assert (await people.seller.get(one)).status_code == 404
    assert (await people.shopper.get("/operator/promotions")).status_code in (303, 403)


async def test_what_operators_do_is_in_the_audit_log_without_codes_for_a_single_use(people):
    terms = {
        "name": "Logged",
        "then": {"percent": 10},
        "code": "SPRING",
        "codes": {"count": 1, "prefix": "ONE"},
    }
    await people.operator.post(f"{PREFIX}/operator/promotions", json=terms)
    entries = (await people.operator.get(f"{PREFIX}/operator/audit-log")).json()["entries"]
    assert entries[0]["what"] == "add_promotion"
    assert "SPRING" in str(entries[0])
    assert "ONE" not in str(entries[0])
