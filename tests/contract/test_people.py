"""What people are promised over HTTP: sessions they see and end, a second step, an account that can be taken
along and forgotten."""

import asyncio
import json
import re
import time

import pytest
from contract.test_exports import PNG
from house import ANN, House, Visitor, credentials
from house import house as house
from house import opened as opened
from journeys.people import HOME, new_key, until
from one_scene import one_scene
from pyotp.totp import TOTP
from valkeys import forget_all

from mercat import ids
from mercat.accounts import Credentials
from mercat.events import AccountErased
from mercat.fulfilment import SHOP, DeliveryRate, DeliveryZone, PickupPoint, ShippingProfile
from mercat.ids import UserId
from mercat.kit.limits import Limits
from mercat.kit.refusals import Unavailable
from mercat.web.routes import PREFIX

BOB = {"email": "bob@example.com", "password": "battery staple", "name": "Bob"}


async def again(house: House, account=ANN, **who: str) -> Visitor:
    """The same person on another device."""
    visitor = await house.visitor(**who)
    await visitor.api("POST", "/sessions", 201, credentials(account))
    return visitor


# -- sessions


async def test_sessions_are_listed_with_where_they_were_begun(house):
    laptop = await house.member(agent="Mozilla/5.0 (X11; Linux) Firefox/140.0")
    phone = await again(house, agent="Mozilla/5.0 (iPhone) Safari/605")
    listed = (await phone.api("GET", "/sessions", 200))["sessions"]
    assert [(each["agent"], each["current"]) for each in listed] == [
        ("Mozilla/5.0 (iPhone) Safari/605", True),
        ("Mozilla/5.0 (X11; Linux) Firefox/140.0", False),
    ]
    assert all(each["session_id"].startswith("ses_") for each in listed)
    assert all(each["created_at"] <= each["last_seen_at"] for each in listed)
    [other] = [each for each in (await laptop.api("GET", "/sessions", 200))["sessions"] if each["current"]]
    assert other["session_id"] == listed[1]["session_id"]


async def test_a_session_is_ended_from_another_device(house):
    laptop, bob = await house.member(), await house.member(BOB)
    phone = await again(house)
    [on_laptop] = [s for s in (await phone.api("GET", "/sessions", 200))["sessions"] if not s["current"]]
    path = f"/sessions/{on_laptop['session_id']}"
    await bob.api("DELETE", path, 404)
    await phone.api("DELETE", path, 200)
    await laptop.api("GET", "/account", 401)
    await phone.api("DELETE", path, 404)
    assert len((await phone.api("GET", "/sessions", 200))["sessions"]) == 1


async def test_all_other_sessions_end_at_once(house):
    ann, others = await house.member(), [await again(house) for _ in range(3)]
    await ann.api("DELETE", "/sessions", 200)
    for each in others:
        await each.api("GET", "/account", 401)
    [left] = (await ann.api("GET", "/sessions", 200))["sessions"]
    assert left["current"]


async def test_sessions_that_the_last_release_began_are_listed_too(house):
    ann = await house.member()
    [key] = await house.shop.host.store.do("KEYS", "devices:*")
    await house.shop.host.store.do("DEL", key)
    [first] = (await ann.api("GET", "/sessions", 200))["sessions"]
    [second] = (await ann.api("GET", "/sessions", 200))["sessions"]
    assert first["session_id"] == second["session_id"]
    assert (first["agent"], first["current"]) == ("", True)


async def test_a_guest_has_no_list_of_sessions(house):
    guest = await house.visitor()
    await guest.api("POST", "/sessions/guest", 201)
    await guest.api("GET", "/sessions", 401)


# -- the second step


class App:
    """An authenticator app whose clock is where a test puts it."""

    def __init__(self, secret: str) -> None:
        self._totp = TOTP(secret)
        self.steps = 0

    def code(self) -> str:
        """The next code that is not used yet: the clock may be a step ahead."""
        self.steps += 1
        return self._totp.at(int(time.time()) + (self.steps - 2) * 30)


async def with_two_steps(house: House, account=ANN) -> tuple[Visitor, App, list[str]]:
    ann = await house.member(account)
    started = await ann.api("POST", "/account/two-factor", 201)
    app = App(started["secret"])
    await ann.api("POST", "/account/two-factor/confirm", 200, {"code": app.code()})
    return ann, app, started["recovery_codes"]


async def test_two_steps_are_set_up_and_asked_for(house):
    ann = await house.member()
    started = await ann.api("POST", "/account/two-factor", 201)
    assert started["otpauth_url"].startswith("otpauth://totp/")
    assert f"secret={started['secret']}" in started["otpauth_url"]
    assert len(set(started["recovery_codes"])) == 10
    assert not (await ann.api("GET", "/account", 200))["two_factor"], "it is not confirmed yet"
    await (await house.visitor()).api("POST", "/sessions", 201, credentials(ANN))
    assert (await ann.api("POST", "/account/two-factor/confirm", 401, {"code": "000000"}))[
        "code"
    ] == "wrong_code"
    app = App(started["secret"])
    await ann.api("POST", "/account/two-factor/confirm", 200, {"code": app.code()})
    assert (await ann.api("GET", "/account", 200))["two_factor"]

    phone = await house.visitor()
    refused = await phone.api("POST", "/sessions", 401, credentials(ANN))
    assert (refused["code"], "ticket" in refused) == ("two_factor_required", False)
    wrong = {**credentials(ANN), "code": "000000"}
    assert (await phone.api("POST", "/sessions", 401, wrong))["code"] == "wrong_code"
    code = app.code()
    await phone.api("POST", "/sessions", 201, {**credentials(ANN), "code": code})
    once = await phone.api("POST", "/sessions", 401, {**credentials(ANN), "code": code})
    assert once["code"] == "wrong_code", "a code is good once"


async def test_right_codes_are_no_guesses(house):
    _, _, codes = await with_two_steps(house)
    for code in codes[:7]:
        await (await house.visitor()).api("POST", "/sessions", 201, {**credentials(ANN), "code": code})
    wrong = {**credentials(ANN), "code": "000000"}
    for status in (401, 401, 401, 401, 401, 429):
        await (await house.visitor()).api("POST", "/sessions", status, wrong)


async def test_a_right_code_lets_in_though_nobody_can_say_that_it_was_no_guess(house, monkeypatch):
    _, _, codes = await with_two_steps(house)
    give_back = Limits.give_back

    async def away(self, *buckets):
        if buckets[0][0].startswith("code:"):
            raise Unavailable
        await give_back(self, *buckets)

    monkeypatch.setattr(Limits, "give_back", away)
    await (await house.visitor()).api("POST", "/sessions", 201, {**credentials(ANN), "code": codes[0]})


async def test_an_account_of_before_with_many_letters_before_the_at_stays_good(house, db):
    ann = await house.member()
    long = f"{'a' * 70}@shop.example"
    await db.execute("update accounts.person set email = $1", long)
    await (await house.visitor()).api("POST", "/sessions", 201, credentials({**ANN, "email": long}))
    await (await house.visitor()).api("POST", "/accounts/password-reset", 202, {"email": long})
    changed = await ann.api("PATCH", "/account", 200, {"email": long, "name": "Anna"})
    assert (changed["email"], changed["name"]) == (long, "Anna")
    refused = await ann.api("PATCH", "/account", 422, {"email": f"a{long}"})
    assert refused["pointer"] == "/email"


async def test_who_does_not_know_the_password_is_not_told_of_two_steps(house):
    await with_two_steps(house)
    wrong = {**credentials(ANN), "password": "wrong horse"}
    refused = await (await house.visitor()).api("POST", "/sessions", 401, wrong)
    assert refused["code"] == "wrong_password"


async def test_a_recovery_code_signs_in_once(house, db):
    _, _, codes = await with_two_steps(house)
    kept = await db.fetch("select digest from accounts.recovery_code")
    assert len(kept) == 10
    assert all(code.encode() not in row["digest"] for code in codes for row in kept)
    asked = {**credentials(ANN), "code": codes[0].upper().replace("-", " ")}
    await (await house.visitor()).api("POST", "/sessions", 201, asked)
    await (await house.visitor()).api("POST", "/sessions", 401, asked)
    answers = await asyncio.gather(
        *(
            house.shop.accounts.verify(Credentials(*credentials(ANN).values(), code=codes[1]))
            for _ in range(3)
        ),
        return_exceptions=True,
    )
    assert sum(not isinstance(answer, Exception) for answer in answers) == 1


async def test_the_secret_is_not_in_the_database(house, db):
    ann = await house.member()
    secret = (await ann.api("POST", "/account/two-factor", 201))["secret"]
    row = dict(await db.fetchrow("select * from accounts.second_step"))
    assert secret not in str(row)
    assert TOTP(secret).byte_secret() != row["nonce"]


async def test_two_steps_are_switched_off_by_a_code_alone(house):
    ann, app, _ = await with_two_steps(house)
    await ann.api("POST", "/account/two-factor", 409)
    assert (await ann.api("DELETE", "/account/two-factor", 401, {"code": "123456"}))["code"] == "wrong_code"
    await ann.api("DELETE", "/account/two-factor", 200, {"code": app.code()})
    assert not (await ann.api("GET", "/account", 200))["two_factor"]
    await ann.api("DELETE", "/account/two-factor", 409, {"code": app.code()})
    phone = await again(house)
    await phone.api("GET", "/account", 200)

    async def told() -> bool:
        return any("authenticator app any more" in body for body in await house.letters(ANN["email"]))

    await until(told, 30)


async def test_guessing_a_second_step_is_bounded(house):
    await with_two_steps(house)
    said = []
    for n in range(12):
        thief = await house.visitor()
        answer = await thief.http.post(f"{PREFIX}/sessions", json={**credentials(ANN), "code": f"{n:06}"})
        said.append(answer.json()["code"])
    assert said[-1] == "too_many_requests"
    assert said.index("too_many_requests") <= 6


async def test_the_page_asks_for_the_code_after_the_password(house):
    _, app, _ = await with_two_steps(house)
    phone = await house.visitor()
    page = await phone.send("/signin", "/signin", **credentials(ANN))
    hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page))
    assert 'action="/signin/code"' in page
    assert ANN["password"] not in page
    wrong = await phone.http.post("/signin/code", data={**hidden, "code": "000000"})
    assert (wrong.status_code, "The code is wrong" in wrong.text) == (422, True)
    page = await phone.http.post("/signin/code", data={**hidden, "code": app.code()}, follow_redirects=True)
    assert "Sign out" in page.text
    stolen = {**hidden, "ticket": hidden["ticket"][:-2] + "AA", "code": app.code()}
    forged = await (await house.visitor()).http.post("/signin/code", data=stolen)
    assert forged.status_code in (401, 403)


# -- taking along, and being forgotten


async def buys(house: House, ann: Visitor, **more: str) -> str:
    """Somebody with a session buys a cup; the order's id."""
    if not house.cup:
        seller = await house.member({**BOB, "email": f"seller-{new_key()[:6]}@example.com"})
        await seller.api("POST", "/sellers", 201, {"name": "Cups"})
        cup = {
            "title": "Cup",
            "description": "A cup.",
            "category": "cups",
            "price": 12,
            "currency": "USD",
            "quantity": 50,
        }
        house.cup = await seller.api("POST", "/seller/products", 201, cup)
        house.seller_id = (await seller.api("GET", "/account", 200))["user_id"]
        house.seller = seller
    await ann.api("POST", "/cart/items", 200, {"offer_id": house.cup["offer_id"], "quantity": 1})
    way = {
        "shipping_address_id": (await ann.api("POST", "/addresses", 201, HOME))["address_id"],
        "payment_method_id": (await ann.api("POST", "/payment-methods", 201, {"token": "tok_visa"}))[
            "payment_method_id"
        ],
        "shipping_method": "standard",
        **more,
    }
    headers = {"idempotency-key": new_key()}
    answer = await ann.http.post(f"{PREFIX}/orders/checkout", json=way, headers=headers)
    assert answer.status_code == 201, answer.text
    return answer.json()["order_id"]


async def arrives(house: House, order_id: str) -> None:
    """The seller sends an order, and it is delivered."""
    seller = house.seller
    assert seller

    async def to_pack() -> bool:
        orders = (await seller.api("GET", "/seller/orders", 200))["orders"]
        return order_id in [order["order_id"] for order in orders]

    await until(to_pack, 30)
    orders = (await seller.api("GET", "/seller/orders", 200))["orders"]
    [order] = [each for each in orders if each["order_id"] == order_id]
    lines = [
        {"order_line_id": line["order_line_id"], "quantity": line["quantity"]} for line in order["lines"]
    ]
    parcel = {"order_id": order_id, "lines": lines, "carrier": "Post", "tracking_number": "P1"}
    sent = await seller.api("POST", "/seller/shipments", 201, parcel)
    await seller.api("POST", f"/seller/shipments/{sent['shipment_id']}/events", 201, {"status": "delivered"})


async def test_the_export_has_all_that_is_kept(house):
    ann = await house.member()
    order_id = await buys(house, ann)
    await ann.api("PUT", f"/wishlist/{house.cup['product_id']}", 200)
    await ann.api("POST", "/cart/items", 200, {"offer_id": house.cup["offer_id"], "quantity": 2})

    await arrives(house, order_id)

    async def reviewed() -> bool:
        answer = await ann.http.post(
            f"{PREFIX}/products/{house.cup['product_id']}/reviews", json={"stars": 5, "body": "Holds tea."}
        )
        return answer.status_code == 201

    await until(reviewed, 30)
    found = await ann.api("GET", "/account/export", 200)
    assert found["account"]["email"] == ANN["email"]
    assert [order["order_id"] for order in found["orders"]] == [order_id]
    assert found["orders"][0]["lines"][0]["title"] == "Cup"
    assert found["addresses"][0]["line1"] == HOME["line1"]
    assert found["payment_methods"][0]["last4"] == "4242"
    assert found["reviews"][0]["body"] == "Holds tea."
    assert found["wishlist"][0]["product_id"] == house.cup["product_id"]
    assert found["cart"]["item_count"] == 2
    assert found["sessions"][0]["current"]
    assert "password" not in json.dumps(found["account"])
    bobs = await house.member(BOB)
    assert (await bobs.api("GET", "/account/export", 200))["orders"] == []


async def test_leaving_needs_the_password(house):
    ann = await house.member()
    refused = await ann.api("DELETE", "/account", 401, {"current_password": "wrong horse"})
    assert (refused["code"], refused["pointer"]) == ("wrong_password", "/current_password")
    await ann.api("DELETE", "/account", 422, {})
    await ann.api("GET", "/account", 200)


async def test_who_leaves_is_gone_at_once_and_the_books_stay(house, db, told):
    ann = await house.visitor()
    await ann.api("POST", "/sessions/guest", 201)
    order_id = await buys(house, ann, email=ANN["email"])
    await ann.api("POST", "/accounts", 201, ANN)
    await ann.api("POST", "/sessions", 201, credentials(ANN))
    user_id = (await ann.api("GET", "/account", 200))["user_id"]
    await ann.api("PUT", f"/wishlist/{house.cup['product_id']}", 200)
    await ann.api("POST", "/cart/items", 200, {"offer_id": house.cup["offer_id"], "quantity": 2})

    await arrives(house, order_id)

    async def reviewed() -> bool:
        answer = await ann.http.post(
            f"{PREFIX}/products/{house.cup['product_id']}/reviews", json={"stars": 5, "body": "Holds tea."}
        )
        return answer.status_code == 201

    await until(reviewed, 30)
    phone = await again(house)
    await until(lambda: house.letters(ANN["email"]), 30)

    await ann.api("DELETE", "/account", 200, {"current_password": ANN["password"]})
    for each in (ann, phone):
        await each.api("GET", "/account", 401)
    await (await house.visitor()).api("POST", "/sessions", 401, credentials(ANN))
    for table in ("address", "payment_method", "person"):
        kept = await db.fetch(f"select user_id from accounts.{table}")
        assert {str(UserId(row["user_id"])) for row in kept} <= {str(house.seller_id)}
    [erased] = [each for each in await told() if isinstance(each, AccountErased)]
    assert str(erased.user_id) == user_id
    assert len(erased.people) == 2, "the guest she was too"

    async def forgotten() -> bool:
        reviews = await (await house.visitor()).api(
            "GET", f"/products/{house.cup['product_id']}/reviews", 200
        )
        return (
            reviews["reviews"][0]["author"] == ""
            and await db.fetchval("select count(*) from wishlist.item") == 0
            and not await house.letters(ANN["email"])
            and not await house.shop.host.store.do("KEYS", f"cart:{user_id}")
            and await db.fetchval("select count(*) from orders.erased") == 2
        )

    await until(forgotten, 30)
    row = await db.fetchrow("select email, total, tax, address from orders.orders")
    assert (row["email"], row["total"] > 0) == (ANN["email"], True), "until the legal term has passed"
    assert order_id
    await (await house.visitor()).api("POST", "/accounts", 201, ANN)
    back = await again(house)
    assert (await back.api("GET", "/orders", 200))["orders"] == []


async def test_orders_lose_the_person_after_the_legal_term(opened, db):
    async with opened(legal_term_days=0) as house:
        point = PickupPoint("Corner shop", "1 High St")
        rate = DeliveryRate(code="standard", name="Pickup", price=0, days=1, pickup=point)
        zones = [DeliveryZone(name="Here", countries=["US"], methods=[rate])]
        await house.shop.fulfilment.set_shipping_profile(SHOP, ShippingProfile(zones=zones))
        ann = await house.member()
        await buys(house, ann)
        stays = await house.member(BOB)
        await buys(house, stays)
        await ann.api("DELETE", "/account", 200, {"current_password": ANN["password"]})

        async def forgotten() -> bool:
            await house.shop.orders.forgetting.forget_due()
            emails = {row["email"] for row in await db.fetch("select email from orders.orders")}
            addresses = [
                row["address"] for row in await db.fetch("select address from fulfilment.seller_order")
            ]
            return emails == {"", BOB["email"]} and "{}" in addresses

        await until(forgotten, 30)
        gone = await db.fetchrow("select * from orders.orders where email = ''")
        assert (gone["address"], gone["total"] > gone["tax"] > 0) == ("{}", True)
        kept = await db.fetchrow("select * from orders.orders where email <> ''")
        assert ["Corner shop" in each["parts"] for each in (gone, kept)] == [False, True]
        assert [part.keys() for part in json.loads(gone["parts"])] == [
            part.keys() - {"pickup_name", "pickup_address"} for part in json.loads(kept["parts"])
        ]
        record = await db.fetchval(
            "select record::text from checkout.checkout where checkout_id = $1", gone["checkout_id"]
        )

        async def also_there() -> bool:
            record = await db.fetchval(
                "select record::text from checkout.checkout where checkout_id = $1", gone["checkout_id"]
            )
            return not any(
                each in record for each in (HOME["line1"], ANN["email"], point.name, point.address)
            )

        assert record
        await until(also_there, 30)


async def test_a_process_that_dies_while_somebody_leaves_loses_nothing(house, db, told, monkeypatch):
    """The account and the news of it are one commit: dying after it, all that follows still follows."""
    ann = await house.member()
    user_id = ids.parse(UserId, (await ann.api("GET", "/account", 200))["user_id"])

    async def dies(*_):
        raise asyncio.CancelledError

    monkeypatch.setattr(house.shop.accounts.running, "end_all", dies)
    with pytest.raises(asyncio.CancelledError):
        await house.shop.accounts.leave(user_id, ANN["password"])
    assert [type(each) for each in await told()].count(AccountErased) == 1
    assert await db.fetchval("select count(*) from accounts.person where user_id = $1", user_id) == 0
    await ann.api("GET", "/account", 401)


async def test_a_guests_token_brings_nothing_back_of_who_left(house):
    guest = await house.visitor()
    token = (await guest.api("POST", "/sessions/guest", 201))["token"]
    await guest.api("POST", "/accounts", 201, ANN)
    await guest.api("POST", "/sessions", 201, credentials(ANN))
    await guest.api("DELETE", "/account", 200, {"current_password": ANN["password"]})
    await forget_all(house.shop.host.store)
    assert await house.shop.accounts.who(token) is None


# -- pages


@pytest.fixture
async def ann(house: House) -> Visitor:
    return await house.member()


async def test_the_account_page_lists_and_ends_sessions(house, ann):
    phone = await again(house, agent="Mozilla/5.0 (iPhone) Safari/605")
    page = await ann.page("/account")
    assert "Safari on iPhone" in page
    assert "This device" in page
    [action] = re.findall(r'action="(/account/sessions/ses_\w+/end)"', page)
    assert "Signed out there" in await ann.send("/account", action)
    await phone.api("GET", "/account", 401)


async def test_addresses_are_changed_and_removed_by_pages(ann):
    home = {**HOME, "region": "Texas", "postal_code": "75001"}
    page = await ann.send("/account", "/account/addresses", **home)
    assert "Boston, TX 75001" in page
    [edit] = re.findall(r'href="(/account/addresses/adr_\w+)"', page)
    wrong = await ann.send(edit, edit, 422, **{**home, "region": "Atlantis"})
    assert "Choose a region" in wrong
    page = await ann.send(edit, edit, **{**home, "line1": "9 Other Lane"})
    assert "9 Other Lane" in page
    assert "None yet" in (await ann.send("/account", f"{edit}/remove")).partition("Payment methods")[0]


async def test_a_wrong_region_is_said_beside_its_field(ann):
    page = await ann.send("/account", "/account/addresses", 422, **{**HOME, "region": "Calif."})
    assert "Choose a region of this country" in page
    assert 'value="Calif."' in page


async def test_two_steps_are_set_up_by_pages(ann):
    page = await ann.send("/account/two-factor", "/account/two-factor")
    secret = re.search(r'class="mono secret">(\w+)<', page)
    assert secret
    assert "<svg" in page
    assert len(re.findall(r"<li>\w{5}-\w{5}</li>", page)) == 10
    hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page))
    app = App(secret[1])
    wrong = await ann.http.post("/account/two-factor/confirm", data={**hidden, "code": "000000"})
    assert "The code is wrong" in wrong.text
    done = await ann.http.post(
        "/account/two-factor/confirm", data={**hidden, "code": app.code()}, follow_redirects=True
    )
    assert "second step from now on" in done.text
    assert "Signing in has one step again" in await ann.send(
        "/account/two-factor", "/account/two-factor/end", code=app.code()
    )


async def test_an_account_is_deleted_by_its_page(house, ann):
    assert json.loads(await ann.page("/account/export"))["account"]["email"] == ANN["email"]
    wrong = await ann.send("/account", "/account/leave", 422, current_password="wrong horse")
    assert "present password is wrong" in wrong
    page = await ann.send("/account", "/account/leave", current_password=ANN["password"])
    assert "You are forgotten" in page
    assert "Sign in" in await ann.page("/account")


# -- keys of programs


async def with_key(house: House, seller: Visitor, *scopes: str) -> tuple[Visitor, dict]:
    asked = {"name": "warehouse", "scopes": list(scopes)}
    made = await seller.api("POST", "/seller/api-keys", 201, asked)
    program = await house.visitor("python")
    program.http.headers["authorization"] = f"Bearer {made['key']}"
    return program, made


@pytest.fixture
async def seller(house: House) -> Visitor:
    bob = await house.member(BOB)
    await bob.api("POST", "/sellers", 201, {"name": "Bob's"})
    return bob


async def test_a_key_is_shown_once_and_kept_as_a_hash(house, seller, db):
    _, made = await with_key(house, seller, "catalog:read")
    assert made["key"].startswith("mk_")
    assert made["key"].startswith(made["prefix"])
    assert len(made["prefix"]) < 15
    [listed] = (await seller.api("GET", "/seller/api-keys", 200))["api_keys"]
    assert listed == {
        "api_key_id": made["api_key_id"],
        "name": "warehouse",
        "prefix": made["prefix"],
        "scopes": ["catalog:read"],
        "created_at": listed["created_at"],
        "last_used_at": None,
    }
    assert made["key"] not in str(dict(await db.fetchrow("select * from accounts.api_key")))


async def test_a_key_may_do_what_its_scopes_say_and_nothing_else(house, seller):
    program, _ = await with_key(house, seller, "catalog:write")
    cup = {
        "title": "Cup",
        "description": "",
        "category": "cups",
        "price": 12,
        "currency": "USD",
        "quantity": 5,
    }
    listed = await program.api("POST", "/seller/products", 201, cup)
    await program.api("GET", "/seller/offers", 200)  # who may write may read
    picture = await program.http.post(f"{PREFIX}/media", files={"file": ("a.png", PNG)})
    assert picture.status_code == 201, picture.text
    pictured = await program.api(
        "PATCH", f"/seller/products/{listed['product_id']}", 200, {"media": [picture.json()["media_id"]]}
    )
    assert pictured["images"] == [picture.json()["url"]]
    for verb, path, body in (
        ("GET", "/seller/orders", None),
        ("PUT", f"/seller/stock/{listed['offer_id']}", {"quantity": 1}),
        ("POST", "/seller/shipments", {}),
        ("GET", "/seller/api-keys", None),
        ("POST", "/seller/api-keys", {"name": "more", "scopes": ["orders:read"]}),
    ):
        refused = await program.api(verb, path, 403, body)
        assert refused["code"] == "scope_missing"
    stock, _ = await with_key(house, seller, "stock:write")
    answer = await stock.http.get(f"{PREFIX}/seller/stock/{listed['offer_id']}")
    counted = await stock.http.put(
        f"{PREFIX}/seller/stock/{listed['offer_id']}",
        json={"quantity": 7},
        headers={"if-match": answer.headers["etag"]},
    )
    assert counted.status_code == 200
    await stock.api("GET", "/seller/offers", 403)
    picture = await stock.http.post(f"{PREFIX}/media", files={"file": ("a.png", PNG)})
    assert (picture.status_code, picture.json()["code"]) == (403, "scope_missing")


async def test_a_key_is_never_a_shopper_nor_an_operator(house, seller):
    user = (await seller.api("GET", "/account", 200))["user_id"]
    await house.shop.accounts.grant(ids.parse(UserId, user), "operator")
    program, _ = await with_key(
        house, seller, "catalog:write", "orders:write", "stock:write", "webhooks", "orders:read"
    )
    for verb, path, body in (
        ("GET", "/account", None),
        ("GET", "/cart", None),
        ("GET", "/orders", None),
        ("GET", "/addresses", None),
        ("GET", "/sessions", None),
        ("GET", "/sessions/current", None),
        ("DELETE", "/sessions", None),
        ("GET", "/wishlist", None),
        ("GET", "/search/rules", None),
        ("POST", "/cart/items", {"product_id": "prod_0000000000001", "quantity": 1}),
    ):
        assert (await program.api(verb, path, 403, body))["code"] == "scope_missing", path
    await program.api("GET", "/products", 200)
    page = await program.http.get("/desk", follow_redirects=False)
    assert page.status_code == 303, "pages know no keys"
    assert "Account" in await program.page("/account", 200)


async def test_a_key_says_when_it_was_used_and_ends_at_once(house, seller):
    program, made = await with_key(house, seller, "catalog:read")
    await program.api("GET", "/seller/offers", 200)
    [listed] = (await seller.api("GET", "/seller/api-keys", 200))["api_keys"]
    assert listed["last_used_at"] >= listed["created_at"]
    other = await house.member({**BOB, "email": "eve@example.com"})
    await other.api("POST", "/sellers", 201, {"name": "Eve's"})
    await other.api("DELETE", f"/seller/api-keys/{made['api_key_id']}", 404)
    await seller.api("DELETE", f"/seller/api-keys/{made['api_key_id']}", 200)
    await program.api("GET", "/seller/offers", 401)
    assert (await seller.api("GET", "/seller/api-keys", 200))["api_keys"] == []


@one_scene(
    ("body", "pointer"),
    [
        ({"name": "x", "scopes": []}, "/scopes"),
        ({"name": "x", "scopes": ["everything"]}, "/scopes/0"),
        ({"name": "", "scopes": ["webhooks"]}, "/name"),
        ({"scopes": ["webhooks"]}, "/name"),
    ],
)
async def test_what_makes_no_key_is_refused_by_field(seller, body, pointer):
    refused = await seller.api("POST", "/seller/api-keys", 422, body)
    assert refused["pointer"].startswith(pointer.rpartition("/0")[0] or pointer)


async def test_a_key_goes_with_who_made_it(house, seller):
    program, _ = await with_key(house, seller, "catalog:read")
    await seller.api("DELETE", "/account", 200, {"current_password": BOB["password"]})
    await program.api("GET", "/seller/offers", 401)


async def test_keys_are_made_and_ended_by_pages(seller):
    wrong = await seller.send("/desk/keys", "/desk/keys", 422, name="warehouse")
    assert "Tick at least one" in wrong
    page = await seller.send("/desk/keys", "/desk/keys", name="warehouse", **{"scope-orders:read": "yes"})
    assert re.search(r'class="mono secret">mk_[\w-]+<', page)
    page = await seller.page("/desk/keys")
    assert "mk_" in page
    assert "secret" not in page
    [action] = re.findall(r'action="(/desk/keys/key_\w+/end)"', page)
    assert "No keys yet" in await seller.send("/desk/keys", action)


# -- guesses


async def wrong_guess(visitor: Visitor, email: str) -> int:
    given = {"email": email, "password": "wrong horse"}
    return (await visitor.http.post(f"{PREFIX}/sessions", json=given)).status_code


async def test_nobody_locks_another_out(house):
    await house.member()
    thief = await house.visitor(address="203.0.113.7")
    said = [await wrong_guess(thief, ANN["email"]) for _ in range(25)]
    assert (said[0], said[-1]) == (401, 429)
    owner = await house.visitor(address="198.51.100.9")
    await owner.api("POST", "/sessions", 201, credentials(ANN))
    refused = await thief.http.post(f"{PREFIX}/sessions", json=credentials(ANN))
    assert (refused.status_code, int(refused.headers["retry-after"]) > 0) == (429, True)


@pytest.mark.parametrize("address", ["203.0.113.7", "127.0.0.1"])
async def test_one_network_tries_few_accounts(house, address):
    thief = await house.visitor(address=address)
    said = [await wrong_guess(thief, f"victim{n}@example.com") for n in range(40)]
    assert (said[0], said[-1]) == (401, 429)
    other = await house.visitor(address="198.51.100.9")
    assert await wrong_guess(other, "victim99@example.com") == 401


async def test_who_knows_the_password_uses_up_no_guesses(house):
    await house.member()
    office = [await house.visitor(address="203.0.113.7") for _ in range(45)]
    for each in office:
        await each.api("POST", "/sessions", 201, credentials(ANN))


async def test_one_network_registers_few_people(house):
    crowd = await house.visitor(address="203.0.113.7")
    said = [
        (await crowd.http.post(f"{PREFIX}/accounts", json={**ANN, "email": f"n{n}@example.com"})).status_code
        for n in range(35)
    ]
    assert (said[0], said[-1]) == (201, 429)
    said = await crowd.http.post(f"{PREFIX}/accounts/password-reset", json={"email": "n1@example.com"})
    assert said.status_code == 429
    await (await house.visitor(address="198.51.100.9")).api("POST", "/accounts", 201, ANN)


async def test_hashing_waits_in_a_line_that_has_an_end(house):
    await house.member()
    visitors = [await house.visitor(address=f"203.0.113.{n}") for n in range(90)]
    said = await asyncio.gather(*(wrong_guess(each, f"v{n}@example.com") for n, each in enumerate(visitors)))
    assert 401 in said
    assert set(said) <= {401, 503}, "who waits too long is told so, and nobody waits without end"
    assert await wrong_guess(visitors[0], "later@example.com") == 401


# -- names and addresses that are one


@one_scene("name", ["\u200b", "\u3164 \u2800", "Ann\u202eeilA", "An\x07n", "Ann\nBob", "\u2066Ann"])
async def test_a_name_can_be_seen_and_is_what_it_seems(house, ann, name):
    visitor = await house.visitor()
    refused = await visitor.api("POST", "/accounts", 422, {**ANN, "name": name})
    assert refused["pointer"] == "/name"
    assert "matching regex" not in refused["detail"]
    assert (await ann.api("PATCH", "/account", 422, {"name": name}))["pointer"] == "/name"
    seller = await ann.api("POST", "/sellers", 422, {"name": name})
    assert seller["pointer"] == "/name"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("kaeufer@müller.example", "kaeufer@xn--mller-kva.example"),
        ("KAEUFER@MÜLLER.example", "kaeufer@mu\u0308ller.EXAMPLE"),
        ("\u00e9lise@shop.example", "E\u0301LISE@shop.example"),
    ],
)
async def test_one_mailbox_is_one_account(house, first, second):
    ann = await house.visitor()
    await ann.api("POST", "/accounts", 201, {**ANN, "email": first})
    await ann.api("POST", "/accounts", 201, {**ANN, "email": second, "password": "another horse"})
    await ann.api("POST", "/sessions", 401, {"email": second, "password": "another horse"})
    await ann.api("POST", "/sessions", 201, {"email": second, "password": ANN["password"]})


@one_scene(
    "email", ["a..b@shop.example", ".a@shop.example", "a@-shop.example", "Ann <ann@shop.example>", "a@b@c.d"]
)
async def test_a_malformed_address_is_none(house, email):
    refused = await (await house.visitor()).api("POST", "/accounts", 422, {**ANN, "email": email})
    assert refused["pointer"] == "/email"


@pytest.fixture
async def bazaar(house: House) -> None:
    """A shop called Bob's Bazaar."""
    bob = await house.member(BOB)
    await bob.api("POST", "/sellers", 201, {"name": "Bob's Bazaar"})


@one_scene(
    "name",
    [
        "Bob\u2019s Bazaar",
        "\u0412ob's Bazaar",
        "BOB'S  BAZAAR",
        "Bob's\u200b Bazaar",
        "\uff22ob's Bazaar",
        "B\u043eb's B\u0430zaar",
        "Mercat",
        "M\u0435rcat",
        "rnercat",
    ],
)
async def test_a_name_that_looks_like_anothers_is_taken(bazaar, ann, name):
    refused = await ann.api("POST", "/sellers", 409, {"name": name})
    assert (refused["code"], refused["pointer"]) == ("name_taken", "/name")


async def test_a_name_that_looks_like_nobodys_is_free(bazaar, ann):
    await ann.api("POST", "/sellers", 201, {"name": "Eve's Bazaar"})


# -- a guest who becomes a member keeps all they were


@pytest.mark.parametrize("way", ["register", "sign in"])
async def test_a_guest_who_becomes_a_member_keeps_all_they_were(house, way):
    if way == "sign in":
        await house.member()
    guest = await house.visitor()
    token = (await guest.api("POST", "/sessions/guest", 201))["token"]
    order_id = await buys(house, guest, email="guest@example.com")
    cup = house.cup["product_id"]
    await guest.api("PUT", f"/wishlist/{cup}", 200)
    await guest.api("POST", "/cart/items", 200, {"offer_id": house.cup["offer_id"], "quantity": 2})
    if way == "register":
        await guest.api("POST", "/accounts", 201, ANN)
    await guest.api("POST", "/sessions", 201, credentials(ANN))
    assert [order["order_id"] for order in (await guest.api("GET", "/orders", 200))["orders"]] == [order_id]
    assert [each["product_id"] for each in (await guest.api("GET", "/wishlist", 200))["items"]] == [cup]
    assert (await guest.api("GET", "/cart", 200))["item_count"] == 2
    assert len((await guest.api("GET", "/addresses", 200))["addresses"]) == 1
    assert await house.shop.accounts.who(token) is None, "the guest's token has ended"

    await arrives(house, order_id)

    async def reviewed() -> bool:
        answer = await guest.http.post(
            f"{PREFIX}/products/{cup}/reviews", json={"stars": 5, "body": "Holds tea."}
        )
        assert answer.status_code in (201, 403, 429)  # it asks quickly
        return answer.status_code == 201

    await until(reviewed, 30)


async def test_a_review_of_what_shows_nothing_is_none(house):
    ann = await house.member()
    await buys(house, ann)
    path = f"/products/{house.cup['product_id']}/reviews"
    assert (await ann.api("POST", path, 422, {"stars": 5, "body": "\u200b"}))["pointer"] == "/body"
    given = {"stars": 5, "body": "Good\u202e", "title": ""}
    assert (await ann.api("POST", path, 422, given))["pointer"] == "/body"
    given = {"stars": 5, "body": "Good", "title": "a\x07"}
    assert (await ann.api("POST", path, 422, given))["pointer"] == "/title"
