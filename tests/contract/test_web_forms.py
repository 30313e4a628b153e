"""Forms as people send them: what is wrong is said at once and beside its field, what was typed stays, and a
page takes what the API takes."""

import uuid
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import httpx
import msgspec
import pytest

from mercat import ids
from mercat.kit import codec
from mercat.web.openapi import document
from mercat.web.routes import PREFIX, TABLE

OURS = {"sec-fetch-site": "same-origin"}
HOME = {
    "name": "Ann Porter",
    "line1": "14 Mill Lane",
    "city": "Springfield",
    "region": "IL",
    "postal_code": "62701",
    "country": "US",
}


class Html(HTMLParser):
    """The forms of a page by their action, its ids, and its texts by id."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.forms: dict[str, dict[str, str]] = {}
        self.inputs: dict[str, dict[str, str]] = {}
        self.ids: dict[str, dict[str, str]] = {}
        self.texts: dict[str, str] = {}
        self.links: list[str] = []
        self._form: dict[str, str] = {}
        self._open: list[str] = []
        self._area = ""
        self._select = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if "id" in given:
            self.ids[given["id"]] = given
        if tag == "form":
            self._form = self.forms.setdefault(given.get("action", ""), {})
        elif tag == "a":
            self.links.append(given.get("href", ""))
        name = given.get("name", "")
        if tag in ("input", "textarea", "select") and name:
            self.inputs[name] = given
            ticked = given.get("type") not in ("radio", "checkbox") or "checked" in given
            if tag == "input" and ticked:
                self._form[name] = given.get("value", "")
            self._area = name if tag == "textarea" else ""
            self._select = name if tag == "select" else ""
        if tag == "option" and self._select and ("selected" in given or self._select not in self._form):
            self._form[self._select] = given.get("value", "")
        if tag in ("span", "div", "p", "textarea"):
            self._open.append(given.get("id", ""))

    def handle_endtag(self, tag: str) -> None:
        if tag in ("span", "div", "p", "textarea") and self._open:
            self._open.pop()
        if tag == "textarea":
            self._area = ""

    def handle_data(self, data: str) -> None:
        for each in filter(None, self._open):
            self.texts[each] = self.texts.get(each, "") + data
        if self._area:
            self._form[self._area] = self._form.get(self._area, "") + data.removeprefix("\n")

    @property
    def wrong(self) -> dict[str, str]:
        return {each.removeprefix("w-"): words for each, words in self.texts.items() if each.startswith("w-")}


class Visitor:
    """Somebody with a browser."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client
        self.page = Html("")

    async def see(self, path: str) -> Html:
        self.page = Html((await self.client.get(path, headers={"accept": "text/html"})).text)
        return self.page

    async def send(self, action: str, **typed: str) -> httpx.Response:
        """Fill in the form that was seen, and press its button."""
        answer = await self.client.post(action, data=self.page.forms[action] | typed, headers=OURS)
        if answer.status_code != 303:
            self.page = Html(answer.text)
        return answer


@pytest.fixture
def visitor(people: Any) -> Callable[[str], Visitor]:
    return lambda who: Visitor(getattr(people, who))


@pytest.fixture
async def cup(people: Any) -> dict[str, Any]:
    product = {
        "title": "A cup",
        "description": "Holds tea.",
        "category": "kitchen",
        "price": 12.5,
        "currency": "USD",
        "quantity": 100,
    }
    listed = await people.seller.post(f"{PREFIX}/seller/products", json=product)
    assert listed.status_code == 201
    for _ in range(500):  # until its page has been told of the stock
        if (await people.nobody.get(f"{PREFIX}/products/{listed.json()['product_id']}")).json()["in_stock"]:
            break
    return listed.json()


async def in_checkout(guest: Visitor, cup: dict[str, Any]) -> str:
    """Put the cup into the cart and open checkout; the form's key."""
    added = await guest.client.post(
        "/cart/items", data={"offer_id": cup["offer_id"], "quantity": "1"}, headers=OURS
    )
    assert added.status_code == 303
    await guest.see("/checkout")
    return guest.page.forms["/checkout"]["key"]


async def test_an_address_that_checkout_refuses_is_mended_on_the_page_under_the_same_key(visitor, cup):
    guest = visitor("nobody")
    key = await in_checkout(guest, cup)
    refused = await guest.send("/checkout", email="ann@localhost", **HOME)
    assert refused.status_code == 422
    assert guest.page.wrong == {"email": "Write an e-mail address, such as ann@example.com."}
    assert "regex" not in refused.text
    assert guest.page.forms["/checkout"] | HOME == guest.page.forms["/checkout"], "what was typed stays"
    assert guest.page.forms["/checkout"]["key"] == key
    assert (await guest.send("/checkout", email="ann@example.com")).status_code in (200, 303)
    bought = await guest.send("/checkout") if guest.page.forms.get("/checkout") else None
    assert bought is not None
    assert bought.headers["location"].startswith("/orders/ord_")


async def test_what_an_earlier_release_remembered_and_no_checkout_takes_is_forgotten(people, visitor, cup):
    guest = visitor("nobody")
    key = await in_checkout(guest, cup)
    await guest.send("/checkout", email="ann@localhost", **HOME)
    who = codec.decode((await guest.client.get(f"{PREFIX}/sessions/current")).content, dict[str, Any])
    user_id = ids.parse(ids.UserId, who["user_id"])
    spoilt = {
        "shipping_address_id": "adr_0000000000001",
        "payment_method_id": "pm_0000000000001",
        "shipping_method": "standard",
        "email": "ann@localhost",
    }
    await people.shop.host.store.do("SET", f"ask:{user_id}:{key}", msgspec.json.encode(spoilt))
    assert (await guest.client.get(f"/checkout?after={key}")).status_code == 200
    answer = await guest.send("/checkout", email="ann@example.com")
    if answer.status_code == 200:  # the total was not seen before
        answer = await guest.send("/checkout")
    assert answer.status_code == 303, answer.text


async def test_a_refusal_that_began_nothing_is_not_kept_under_the_forms_key(visitor, cup):
    guest = visitor("nobody")
    key = await in_checkout(guest, cup)
    typed = guest.page.forms["/checkout"] | HOME | {"email": "ann@example.com", "seen_total": "1750"}
    refused = await guest.client.post("/checkout", data=typed | {"method": "by-balloon"}, headers=OURS)
    assert 400 <= refused.status_code < 500
    mended = await guest.client.post("/checkout", data=typed | {"key": key}, headers=OURS)
    assert mended.status_code in (303, 409), mended.text
    assert "by-balloon" not in mended.text
    if mended.status_code == 409:
        assert "The total has changed" in mended.text


async def at_the_bank(guest: Visitor, cup: dict[str, Any]) -> str:
    """Buy the cup with a card whose bank asks first; the address of the bank's page."""
    await in_checkout(guest, cup)
    typed = HOME | {"email": "ann@example.com", "card": "tok_3ds"}
    answer = await guest.send("/checkout", **typed)
    if answer.status_code != 303:  # the total was not seen before
        answer = await guest.send("/checkout", card="tok_3ds")
    assert answer.status_code == 303, guest.page.texts
    return answer.headers["location"]


async def test_who_closes_the_banks_page_is_led_back_to_it_or_cancels_the_payment(visitor, cup):
    guest = visitor("nobody")
    bank = await at_the_bank(guest, cup)
    for path in ("/cart", "/checkout"):
        page = await guest.see(path)
        [waits] = [link for link in page.links if link.startswith("/checkout/pending/")]
    page = await guest.see(waits)
    assert bank.partition("?")[0] in {link.partition("?")[0] for link in page.links}
    answer = await guest.send(f"{waits}/abandon")
    assert answer.status_code == 303
    text = (await guest.client.get(answer.headers["location"])).text
    assert "The payment was not approved" in text
    assert "Nothing was charged." in text
    page = await guest.see("/cart")
    assert not any(link.startswith("/checkout/pending/") for link in page.links)


async def test_the_banks_page_says_what_is_asked_and_leads_on_once_it_was_answered(visitor, cup):
    guest = visitor("nobody")
    bank = await at_the_bank(guest, cup)
    text = (await guest.client.get(bank)).text
    assert "Mastercard ending in 3155" in text
    await guest.see(bank)
    action = bank.partition("?")[0]
    done = await guest.send(action, outcome="approve")
    order = done.headers["location"]
    assert order.startswith("/orders/ord_")
    [bought] = (await guest.client.get(f"{PREFIX}/orders")).json()["orders"]
    assert f"${bought['total']:.2f}" in text
    back = await guest.client.get(bank)  # by the browser's arrow
    assert (back.status_code, back.headers["location"]) == (303, order)
    page = await guest.client.get("/cart")
    assert "You ordered this" in page.text
    assert order.partition("?")[0] in page.text


async def test_who_refuses_at_the_bank_is_told_so(visitor, cup):
    guest = visitor("nobody")
    bank = await at_the_bank(guest, cup)
    await guest.see(bank)
    answer = await guest.send(bank.partition("?")[0], outcome="fail")
    for _ in range(3):
        if answer.status_code == 303:
            answer = await guest.client.get(answer.headers["location"])
    assert "The payment was not approved" in answer.text
    assert "You or your bank did not approve this payment." in answer.text


async def test_all_that_is_wrong_with_a_new_product_is_said_at_once(visitor):
    bob = visitor("seller")
    await bob.see("/desk/new")
    answer = await bob.send("/desk/new", price="cheap", quantity="many", brand="Porter")
    assert answer.status_code == 422
    assert set(bob.page.wrong) == {"title", "description", "price", "quantity", "category"}
    assert bob.page.forms["/desk/new"]["brand"] == "Porter"
    assert bob.page.forms["/desk/new"]["price"] == "cheap"


async def test_the_summary_has_the_focus_and_leads_to_each_field(visitor):
    bob = visitor("seller")
    await bob.see("/desk/new")
    await bob.send("/desk/new", price="cheap", quantity="many")
    summary = bob.page.ids["errors"]
    assert "autofocus" in summary
    assert (summary["role"], summary["tabindex"]) == ("alert", "-1")
    for name in bob.page.wrong:
        assert f"#f-{name}" in bob.page.links
        field = bob.page.ids[f"f-{name}"]
        assert field["aria-invalid"] == "true"
        assert f"w-{name}" in field["aria-describedby"].split()
        assert all(each in bob.page.ids for each in field["aria-describedby"].split())


async def test_a_page_takes_as_many_as_the_api_takes_and_says_that_it_worked(people, visitor, cup):
    bob = visitor("seller")
    await bob.see("/desk/new")
    title = f"Nails {uuid.uuid4().hex[:8]}"
    typed = {
        "title": title,
        "description": "Long ones.",
        "category": "kitchen",
        "price": "0.02",
        "quantity": "2000000",
    }
    answer = await bob.send("/desk/new", **typed)
    assert answer.status_code == 303, bob.page.wrong
    page = await bob.client.get(answer.headers["location"])
    assert "It is on sale." in page.text
    assert title in page.text
    offers = (await bob.client.get(f"{PREFIX}/seller/offers?limit=100")).json()["offers"]
    assert [each["quantity"] for each in offers if each["title"] == title] == [2_000_000]


async def test_a_new_product_sent_twice_is_listed_once(visitor):
    bob = visitor("seller")
    await bob.see("/desk/new")
    title = f"Screws {uuid.uuid4().hex[:8]}"
    typed = {"title": title, "description": "Short.", "category": "kitchen", "price": "1", "quantity": "5"}
    assert (await bob.send("/desk/new", **typed | {"price": "cheap"})).status_code == 422
    for _ in range(2):
        assert (await bob.send("/desk/new", **typed)).status_code == 303, bob.page.wrong
    changed = await bob.send("/desk/new", **typed | {"price": "2"})  # after a step back in the browser
    assert "listed from this page already" in changed.text
    assert (await bob.send("/desk/new")).status_code == 303
    offers = (await bob.client.get(f"{PREFIX}/seller/offers?limit=100")).json()["offers"]
    assert sorted(each["price"] for each in offers if each["title"] == title) == [1, 2]


async def test_a_product_with_many_details_and_pictures_is_saved_on_the_desk(people, visitor, cup):
    many = {f"Detail {n}": str(n) for n in range(150)}
    pictures = [f"https://shop.example/{n}.png" for n in range(30)]
    change = {"attributes": many, "images": pictures}
    path = f"{PREFIX}/seller/products/{cup['product_id']}"
    assert (await people.seller.patch(path, json=change)).status_code == 200
    bob = visitor("seller")
    action = f"/desk/products/{cup['product_id']}"
    await bob.see(action)
    assert (await bob.send(action, title="A better cup")).status_code == 303, bob.page.wrong
    product = (await people.nobody.get(f"{PREFIX}/products/{cup['product_id']}")).json()
    assert product["title"] == "A better cup"
    assert product["attributes"] == many
    assert len(product["images"]) == 30


@pytest.mark.parametrize("length", [100, 101])
async def test_a_sellers_name_is_as_long_here_as_there(people, visitor, length):
    ann = visitor("shopper")
    name = "n" * length
    await ann.see("/sell")
    assert ann.page.inputs["name"]["maxlength"] == "100"
    page = await ann.send("/sell", name=name)
    olga = await people.operator.post(f"{PREFIX}/sellers", json={"name": name[:-1] + "m"})
    assert (page.status_code == 303) is (olga.status_code == 201) is (length <= 100)


async def test_the_document_of_the_api_and_the_pages_show_the_same_limits(visitor, cup):
    schemas = document(TABLE, PREFIX)["components"]["schemas"]
    olga, nobody = visitor("operator"), visitor("nobody")
    for who, path, fields in (
        (nobody, "/register", {"NewAccount": ("email", "password", "name")}),
        (visitor("seller"), "/desk/new", {"ListingRequest": ("title", "description", "brand", "quantity")}),
        (olga, "/account", {"AddressRequest": ("name", "line1", "postal_code", "phone")}),
        (nobody, f"/p/{cup['product_id']}", {"AddItem": ("quantity",)}),
        (olga, f"/p/{cup['product_id']}/review", {"NewReview": ("title", "body")}),
    ):
        page = await who.see(path)
        for kind, names in fields.items():
            for name in names:
                shown = page.inputs[name]
                schema = schemas[kind]["properties"][name]
                schema = next((each for each in schema.get("anyOf", []) if "maxLength" in each), schema)
                for html, json in (("maxlength", "maxLength"), ("min", "minimum"), ("max", "maximum")):
                    assert shown.get(html) == (str(schema[json]) if json in schema else None), (
                        kind,
                        name,
                        html,
                    )


async def test_a_word_that_is_too_long_or_missing_is_said_in_every_form(visitor, cup):
    ann, olga = visitor("shopper"), visitor("operator")
    for who, path, action, typed, wrong in (
        (
            ann,
            "/account",
            "/account/addresses",
            {"phone": "1" * 41},
            {"name", "line1", "city", "phone"},
        ),
        (ann, "/sell", "/sell", {"name": " "}, {"name"}),
        (
            ann,
            f"/p/{cup['product_id']}/review",
            f"/p/{cup['product_id']}/review",
            {"title": "x" * 201, "body": ""},
            {"stars", "title", "body"},
        ),
        (
            olga,
            "/operator/search/new?kind=pin",
            "",
            {"place": "21", "product_id": "x"},
            {"words", "place", "product_id"},
        ),
        (olga, "/operator/search/new?kind=boost", "", {"factor": "0"}, {"factor"}),
        (
            olga,
            "/operator/search/new?kind=synonym",
            "",
            {"starts_on": "soon"},
            {"words", "other", "starts_on"},
        ),
    ):
        page = await who.see(path)
        to = action or next(each for each in page.forms if each.startswith("/operator/search/"))
        answer = await who.send(to, **typed)
        assert answer.status_code == 422, (path, answer.text)
        assert set(who.page.wrong) == wrong, path
        assert "errors" in who.page.ids


async def test_a_price_and_a_stock_are_mended_in_their_row(visitor, cup):
    bob = visitor("seller")
    await bob.see("/desk")
    price, stock = f"/desk/offers/{cup['offer_id']}", f"/desk/stock/{cup['offer_id']}"
    assert (await bob.send(price, price="12.505")).status_code == 422
    assert set(bob.page.wrong) == {f"price-{cup['offer_id']}"}
    assert bob.page.forms[price]["price"] == "12.505"
    await bob.see("/desk")
    assert (await bob.send(stock, quantity="-1")).status_code == 422
    assert set(bob.page.wrong) == {f"quantity-{cup['offer_id']}"}
    assert (await bob.send(stock, quantity="7")).status_code == 303


async def test_a_quantity_nobody_can_buy_is_said_in_the_cart(visitor, cup):
    guest = visitor("nobody")
    added = {"offer_id": cup["offer_id"], "quantity": "10000"}
    answer = await guest.client.post("/cart/items", data=added, headers=OURS)
    assert answer.status_code == 422
    assert "A whole number from 1 to 9,999." in answer.text
    script = await guest.client.post("/cart/items", data=added, headers=OURS | {"hx-request": "true"})
    assert script.status_code == 422
    assert "<html" not in script.text
    await in_checkout(guest, cup)
    await guest.see("/cart")
    answer = await guest.send(f"/cart/items/{cup['offer_id']}", quantity="10000")
    assert answer.status_code == 422
    assert guest.page.forms[f"/cart/items/{cup['offer_id']}"]["quantity"] in ("10000", "0")
    assert guest.page.wrong == {f"quantity-{cup['offer_id']}": "A whole number from 0 to 9,999."}


async def test_what_was_taken_out_of_the_cart_is_put_back_by_one_press(people, visitor, cup):
    guest = visitor("nobody")
    offer_id = cup["offer_id"]
    await guest.client.post("/cart/items", data={"offer_id": offer_id, "quantity": "3"}, headers=OURS)
    await guest.see("/cart")
    gone = await guest.send(f"/cart/items/{offer_id}", quantity="0")
    link = gone.headers["location"]
    assert link.startswith("/cart?removed=")
    page = await guest.see(link)
    assert f"/cart/items/{offer_id}" not in page.forms
    assert page.forms["/cart/items"] | {"offer_id": offer_id, "quantity": "3"} == page.forms["/cart/items"]
    assert (await guest.send("/cart/items")).headers["location"] == "/cart"
    [line] = (await guest.client.get(f"{PREFIX}/cart")).json()["items"]
    assert (line["offer_id"], line["quantity"]) == (offer_id, 3)
    for nonsense in ("x", f"{offer_id}&quantity=3", f"{link.partition('=')[2]}x"):
        answer = await guest.client.get(f"/cart?removed={nonsense}")
        assert (answer.status_code, "You took out" in answer.text) == (200, False), nonsense
    assert "You took out" in (await guest.client.get(link)).text
    other = await people.seller.get(link)
    assert (other.status_code, "You took out" in other.text) == (200, False), "another's link claims nothing"
    hidden = {"status": "draft"}
    assert (await people.seller.patch(f"{PREFIX}/seller/offers/{offer_id}", json=hidden)).status_code == 200
    assert "You took out" not in (await guest.client.get(link)).text, "what is not for sale is not named"


async def test_a_parcel_names_everything_that_is_missing(people, visitor, cup):
    guest, bob = visitor("nobody"), visitor("seller")
    await in_checkout(guest, cup)
    await guest.send("/checkout", email="ann@example.com", **HOME)
    bought = await guest.send("/checkout")
    order_id = bought.headers["location"].removeprefix("/orders/").partition("?")[0]
    ship = f"/desk/orders/{order_id}/ship"
    for _ in range(200):
        if ship in (await bob.see("/desk/orders")).forms:
            break
    [line] = [name for name in bob.page.forms[ship] if name.startswith("q-")]
    answer = await bob.send(ship, **{line: "0", "carrier": "x" * 200})
    assert answer.status_code == 422
    assert set(bob.page.wrong) == {f"carrier-{order_id}", f"tracking_number-{order_id}"}
    assert "Pack at least one thing." in answer.text
    assert bob.page.forms[ship]["carrier"] == "x" * 200
    assert (await bob.send(ship, **{line: "1", "carrier": "UPS", "tracking_number": "1Z"})).status_code == 303
    [order] = (await people.seller.get(f"{PREFIX}/seller/orders")).json()["orders"]
    arrived = f"{PREFIX}/seller/shipments/{order['shipments'][0]['shipment_id']}/events"
    assert (await people.seller.post(arrived, json={"status": "delivered"})).status_code in (200, 201)
    back = f"/orders/{order_id}/return"
    await guest.see(back)
    assert guest.page.forms[back][line] == "1", "it is the only unit that can go back"
    answer = await guest.send(back, step="preview", **{line: "0", "comment": "x" * 1_001})
    assert answer.status_code == 422
    assert guest.page.wrong == {"reason": "Fill this in.", "comment": "At most 1,000 characters."}
    chosen = {line: "1", "reason": "damaged", "comment": "Chipped."}
    assert (await guest.send(back, step="preview", **chosen)).status_code == 200
    assert (await guest.send(back, step="ask")).status_code == 303


SHOPPING = ("/signin", "/register", "/account", "/cart", "/checkout", "/sell", "/p/{cup}", "/p/{cup}/review")
DESK = ("/desk", "/desk/new", "/desk/orders")
OPERATOR = ("/operator/money", *(f"/operator/search/new?kind={kind}" for kind in ("pin", "boost", "synonym")))


@pytest.mark.parametrize("typed", ["", "x" * 70_000, "-1", "😀", "null"])
async def test_no_form_breaks_whatever_is_typed(visitor, cup, typed):
    for who, paths in (("nobody", SHOPPING), ("shopper", SHOPPING), ("seller", DESK), ("operator", OPERATOR)):
        person = visitor(who)
        await in_checkout(person, cup)
        for path in paths:
            page = await person.see(path.format(cup=cup["product_id"]))
            for action, fields in list(page.forms.items()):
                kept = {name: value for name, value in fields.items() if name in ("csrf", "key", "kind")}
                everything = dict.fromkeys([*fields, *page.inputs], typed) | kept
                answer = await person.client.post(action, data=everything, headers=OURS)
                assert answer.status_code < 500, (path, action, answer.text)
                assert "Expected `" not in answer.text, (path, action, answer.text)
