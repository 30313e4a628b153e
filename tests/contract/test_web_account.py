"""What an account promises over HTTP, by the API and by its pages."""

import re

import pytest
from house import ANN, House, credentials
from house import house as house
from house import opened as opened
from journeys.people import until
from one_scene import one_scene

from mercat import ids
from mercat.ids import UserId
from mercat.settings import Secret

# -- what only a shop in test mode shows


async def test_demo_logins_and_test_cards_are_shown_in_test_mode_alone(opened):
    for dev_pages in (True, False):
        async with opened(dev_pages=dev_pages) as house:
            ann = await house.visitor()
            assert ("ops@example.com" in await ann.page("/signin")) == dev_pages
            account = {**ANN, "email": f"{dev_pages}@example.com"}
            await ann.api("POST", "/accounts", 201, account)
            await ann.api("POST", "/sessions", 201, credentials(account))
            assert ("tok_visa" in await ann.page("/account")) == dev_pages


async def test_there_is_no_mailbox_outside_of_test_mode(opened):
    async with opened(dev_pages=False) as house:
        await (await house.visitor()).page("/dev/mail", 404)


@pytest.mark.parametrize("reachable", [{"host": "0.0.0.0"}, {"public_url": "https://shop.example"}])
async def test_where_others_reach_the_shop_only_operators_read_letters(opened, reachable):
    async with opened(**reachable) as house:
        await (await house.visitor()).page("/dev/mail", 404)
        ann = await house.member()
        await ann.page("/dev/mail", 404)
        user_id = (await ann.api("GET", "/sessions/current", 200))["user_id"]
        await house.shop.accounts.grant(ids.parse(UserId, user_id), "operator")
        await ann.page("/dev/mail")


async def test_the_mailbox_shows_letters_newest_first_with_their_links(house):
    ann = await house.visitor()
    for name in ("Ann", "Bea"):
        await ann.api("POST", "/accounts", 201, {**ANN, "email": f"{name}@example.com", "name": name})

        async def arrived(to: str = f"{name}@example.com") -> list[str]:
            return await house.letters(to)

        await until(arrived, 30)
    articles = re.findall(r"<article>.*?</article>", await ann.page("/dev/mail"), re.DOTALL)
    assert [re.findall(r"(Ann|Bea)@example.com", each)[0] for each in articles] == ["Bea", "Ann"]
    [article] = re.findall(
        r"<article>.*?</article>", await ann.page("/dev/mail?to=ann@example.com"), re.DOTALL
    )
    address = house.shop.settings.link("/account")
    assert "Hello Ann" in article
    assert f'<a href="{address}">{address}</a>' in article


async def test_the_sandbox_banks_pages_exist_with_the_sandbox_alone(opened):
    async with opened() as house:
        assert "/sandbox/3ds" not in await (await house.visitor()).page("/sandbox/3ds/nothing", 404)
    keys = {"stripe_key": "sk_test_1", "stripe_publishable_key": "pk_test_1", "stripe_webhook_secret": "w"}
    variables = {name: Secret(value) for name, value in keys.items()}
    async with opened(payment_provider="stripe", variables=variables) as house:
        answer = await (await house.visitor()).http.get("/sandbox/3ds/nothing")
        assert (answer.status_code, "nothing at this address" in answer.text) == (404, True)


# -- passwords


@one_scene(
    "password",
    [
        *(
            "seven77",
            " " * 9,
            "password1",
            "QWERTYUIOP",
            ANN["email"],
            "password password",
            "Passw\u00f6rd2024!",
        ),
        *("\uff50\uff41\uff53\uff53\uff57\uff4f\uff52\uff44", "abababababab", "234567890123", "zyxwvutsrq"),
    ],
)
async def test_an_easy_password_is_refused_with_why(house, db, password):
    ann = await house.visitor()
    refused = await ann.api("POST", "/accounts", 422, {**ANN, "password": password})
    assert refused["pointer"] == "/password"
    assert "password" in refused["detail"].lower() or "at least" in refused["detail"]
    page = await ann.send("/register", "/register", 422, **{**ANN, "password": password})
    assert "password" in page
    assert await ann.http.get("/account")
    assert await db.fetchval("select count(*) from accounts.person") == 0


@pytest.mark.parametrize(
    "password", ["Zo\u00eb Q. Lindenbaum", "zoe q. lindenbaum", "LINDENBAUM", "lindenbaum77", "z.lindenbaum!"]
)
async def test_ones_own_name_and_e_mail_are_no_password(house, password):
    zoe = await house.visitor()
    who = {"email": "Z.Lindenbaum@example.com", "name": "Zo\u00eb Q. Lindenbaum"}
    refused = await zoe.api("POST", "/accounts", 422, {**who, "password": password})
    assert refused["pointer"] == "/password"
    assert "name or e-mail" in refused["detail"]
    good = "three blue herons"
    await zoe.api("POST", "/accounts", 201, {**who, "password": good})
    await zoe.api("POST", "/sessions", 201, {"email": who["email"], "password": good})
    change = {"password": password, "current_password": good}
    assert (await zoe.api("PATCH", "/account", 422, change))["pointer"] == "/password"
    await zoe.api("POST", "/accounts/password-reset", 202, {"email": who["email"]})
    token = await house.link(who["email"], "reset")
    refused = await zoe.api("POST", f"/accounts/password-reset/{token}", 422, {"password": password})
    assert refused["pointer"] == "/password"


async def test_the_demos_own_password_still_signs_in(house):
    await house.shop.accounts.seed()
    ann = await house.visitor()
    await ann.api("POST", "/sessions", 201, {"email": "ann@example.com", "password": "mercat"})


# -- a forgotten password


async def until_another(house: House, to: str, path: str, token: str) -> str:
    async def there() -> bool:
        return await house.link(to, path) != token

    await until(there, 30)
    return await house.link(to, path)


async def test_a_forgotten_password_is_set_anew_once_within_an_hour(house, clock_ahead, db):
    ann, thief = await house.member(), await house.visitor()
    await thief.api("POST", "/sessions", 201, credentials(ANN))
    somebody = await house.visitor()
    said = await somebody.api("POST", "/accounts/password-reset", 202, {"email": "ANN@example.com"})
    nobody = await somebody.api("POST", "/accounts/password-reset", 202, {"email": "nobody@example.com"})
    assert said == nobody
    token = await house.link(ANN["email"], "reset")
    assert token not in str(await db.fetch("select * from accounts.link")), "no token is kept"
    refused = await somebody.api("POST", f"/accounts/password-reset/{token}", 422, {"password": "password1"})
    assert refused["pointer"] == "/password"
    new = {**ANN, "password": "another horse"}
    await somebody.api("POST", f"/accounts/password-reset/{token}", 200, {"password": new["password"]})
    for visitor in (ann, thief):
        await visitor.api("GET", "/account", 401)
    await somebody.api("POST", "/sessions", 401, credentials(ANN))
    await somebody.api("POST", "/sessions", 201, credentials(new))
    assert (await somebody.api("GET", "/account", 200))["email_verified"]
    third = {"password": "a third horse"}
    gone = await somebody.api("POST", f"/accounts/password-reset/{token}", 404, third)
    assert gone["code"] == "link_expired"
    for other in ("nonsense", token[:5] + "AAAA" + token[9:]):
        await somebody.api("POST", f"/accounts/password-reset/{other}", 404, third)
    await somebody.api("POST", "/accounts/password-reset", 202, {"email": ANN["email"]})
    late = await until_another(house, ANN["email"], "reset", token)
    clock_ahead(3_601)
    await somebody.api("POST", f"/accounts/password-reset/{late}", 404, third)


async def test_a_reset_by_the_pages(house):
    ann = await house.visitor()
    await ann.api("POST", "/accounts", 201, ANN)
    assert "/forgot" in await ann.page("/signin")
    assert "on its way" in await ann.send("/forgot", "/forgot", email=ANN["email"])
    path = f"/reset/{await house.link(ANN['email'], 'reset')}"
    assert "easy to guess" in await ann.send(path, path, 422, password=ANN["email"])
    assert "holds from now on" in await ann.send(path, path, password="another horse")
    ended = await ann.page(path, 404)
    assert "used before or is too old" in ended
    assert 'password"' not in ended, "who has no good link is asked for no password"
    assert "Sign out" in await ann.send("/signin", "/signin", email=ANN["email"], password="another horse")


async def test_asking_for_a_reset_writes_alike_whoever_has_the_address(house, db):
    ann = await house.member()
    for email in (ANN["email"], "nobody@example.com"):
        await ann.api("POST", "/accounts/password-reset", 202, {"email": email})
    rows = await db.fetch("select email, user_id is null as nobody from accounts.link where kind = 'reset'")
    owners = {(row["email"], row["nobody"]) for row in rows}
    assert owners == {(ANN["email"], False), ("nobody@example.com", True)}


# -- one's own account


async def test_an_account_is_shown_and_its_address_confirmed(house):
    ann = await house.member()
    shown = await ann.api("GET", "/account", 200)
    assert shown.keys() >= {"user_id", "email", "email_verified", "name", "created_at", "two_factor"}
    assert (shown["email"], shown["email_verified"], shown["two_factor"]) == (ANN["email"], False, False)
    token = await house.link(ANN["email"], "verify")
    await ann.api("POST", "/accounts/verify", 202)
    again = await until_another(house, ANN["email"], "verify", token)
    path = f"/verify/{again}"
    assert "is confirmed" in await (await house.visitor()).send(path, path)
    assert (await ann.api("GET", "/account", 200))["email_verified"]
    await ann.api("POST", f"/accounts/verify/{again}", 404)
    await (await house.visitor()).api("GET", "/account", 401)


async def test_a_new_email_holds_once_its_link_was_followed_and_the_old_one_is_told(house):
    ann = await house.member()
    new = {"email": "new@example.com"}
    refused = await ann.api("PATCH", "/account", 422, new)
    assert refused["pointer"] == "/current_password"
    refused = await ann.api("PATCH", "/account", 401, {**new, "current_password": "wrong horse"})
    assert (refused["code"], refused["pointer"]) == ("wrong_password", "/current_password")
    shown = await ann.api("PATCH", "/account", 200, {**new, "current_password": ANN["password"]})
    assert shown["email"] == ANN["email"]
    token = await house.link(new["email"], "verify")

    async def old_one_told() -> bool:
        return any("new@example.com" in body for body in await house.letters(ANN["email"]))

    await until(old_one_told, 30)
    confirmed = await (await house.visitor()).api("POST", f"/accounts/verify/{token}", 200)
    assert confirmed["email"] == new["email"]
    shown = await ann.api("GET", "/account", 200)
    assert (shown["email"], shown["email_verified"]) == (new["email"], True)
    assert (await ann.api("GET", "/sessions/current", 200))["email"] == new["email"]
    await (await house.visitor()).api("POST", "/sessions", 401, credentials(ANN))
    await (await house.visitor()).api("POST", "/sessions", 201, credentials({**ANN, **new}))


async def test_moving_to_an_address_that_is_taken_says_nothing_and_tells_its_owner(house):
    ann = await house.member()
    bea = {**ANN, "email": "bea@example.com", "name": "Bea"}
    await house.member(bea)
    await ann.api("PATCH", "/account", 200, {"email": bea["email"], "current_password": ANN["password"]})

    async def told() -> bool:
        return any("You have one already" in body for body in await house.letters(bea["email"]))

    await until(told, 30)


async def test_a_new_password_ends_all_other_sessions(house):
    here, there = await house.member(), await house.visitor()
    await there.api("POST", "/sessions", 201, credentials(ANN))
    new = {"password": "another horse", "current_password": ANN["password"]}
    await here.api("PATCH", "/account", 200, new)
    await here.api("GET", "/account", 200)
    await there.api("GET", "/account", 401)
    await there.api("POST", "/sessions", 401, credentials(ANN))
    await there.api("POST", "/sessions", 201, credentials({**ANN, "password": "another horse"}))


async def test_the_account_page_changes_name_email_and_password(house):
    ann = await house.member()
    assert "Anne" in await ann.send("/account", "/account/name", name="Anne")
    assert (await ann.api("GET", "/sessions/current", 200))["name"] == "Anne"
    wrong = {"password": "another horse", "current_password": "wrong horse"}
    page = await ann.send("/account", "/account/password", 422, **wrong)
    assert "present password is wrong" in page
    assert "horse" not in page, "no password is shown"
    right = {**wrong, "current_password": ANN["password"]}
    assert "is changed" in await ann.send("/account", "/account/password", **right)
    move = {"email": "new@example.com", "current_password": "another horse"}
    assert "on its way" in await ann.send("/account", "/account/email", **move)
    assert "on its way again" in await ann.send("/account", "/account/verify")


# -- an address that has an account already


async def test_registering_with_a_known_email_says_nothing_and_the_owner_is_told(house):
    ann = await house.visitor()
    first = await ann.api("POST", "/accounts", 201, ANN)
    again = await ann.api("POST", "/accounts", 201, {**ANN, "password": "somebody else", "name": "Eve"})
    assert again.keys() == first.keys()

    async def told() -> bool:
        return any("You have one already" in body for body in await house.letters(ANN["email"]))

    await until(told, 30)
    await ann.api("POST", "/sessions", 401, credentials({**ANN, "password": "somebody else"}))
    page = await ann.send("/register", "/register", **{**ANN, "password": "somebody else"})
    assert "we have written to" in page
    assert "Sign out" in await ann.send("/register", "/register", **ANN), "it was the owner"
