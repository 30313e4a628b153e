"""What operators do about people: finding, keeping out, forgetting; and that the shop keeps an operator."""

import asyncio
from typing import Any

import pytest
from house import ANN, House, Visitor, credentials
from house import house as house
from house import opened as opened
from journeys.people import until
from one_scene import one_scene

from mercat import ids
from mercat.accounts import AccountDisabled
from mercat.events import StandingChanged
from mercat.ids import UserId
from mercat.web.routes import PREFIX

OLGA = {"email": "olga@example.com", "password": "a desk of one's own", "name": "Olga Orlova"}
OTTO = {"email": "otto@example.com", "password": "a desk of one's own", "name": "Otto"}
LONG = {"email": "long@example.com", "password": "correct horse", "name": "N" * 200}


async def user_id(visitor: Visitor) -> str:
    return (await visitor.api("GET", "/account", 200))["user_id"]


async def operator(house: House, account: dict[str, str] = OLGA) -> Visitor:
    visitor = await house.member(account)
    await house.shop.accounts.set_operator(account["email"], given=True)
    return visitor


@pytest.fixture
async def olga(house):
    """An operator; among those she finds are Ann Lee and Otto."""
    await house.member(ANN | {"name": "Ann Lee"})
    await house.member(OTTO)
    return await operator(house)


@one_scene("q", ["ann", "ANN@EXAMPLE", "ann@example.com", "lee", "ann lee", " an  le "])
async def test_people_are_found_by_how_name_or_email_begin(olga, q):
    found = (await olga.api("GET", f"/operator/people?q={q}", 200))["people"]
    assert [each["email"] for each in found] == ["ann@example.com"]


@one_scene("q", ["'", "\\", "a'b:*|c", "& | !", "%", "nobody"])
async def test_words_that_mean_something_to_the_engine_find_nobody(olga, q):
    answer = await olga.http.get(f"{PREFIX}/operator/people", params={"q": q})
    assert (answer.status_code, answer.json()["people"]) == (200, [])


async def test_people_come_newest_first_page_by_page_and_by_kind(house):
    olga = await operator(house)
    ann = await house.member()
    await operator(house, OTTO)
    first = await olga.api("GET", "/operator/people?limit=2", 200)
    rest = await olga.api("GET", f"/operator/people?limit=2&cursor={first['next_cursor']}", 200)
    names = [each["name"] for each in [*first["people"], *rest["people"]]]
    assert (names, rest["next_cursor"]) == (["Otto", "Ann", "Olga Orlova"], None)
    found = await olga.api("GET", f"/operator/people?q={await user_id(ann)}", 200)
    assert [each["name"] for each in found["people"]] == ["Ann"]
    await olga.api("POST", f"/operator/people/{await user_id(ann)}/disable", 200)
    for which, who in (("operators", ["Otto", "Olga Orlova"]), ("disabled", ["Ann"]), ("sellers", [])):
        found = await olga.api("GET", f"/operator/people?which={which}", 200)
        assert [each["name"] for each in found["people"]] == who


async def test_a_person_is_shown_with_what_is_theirs_and_no_secret(house):
    olga = await operator(house)
    ann = await house.member()
    shown = await olga.api("GET", f"/operator/people/{await user_id(ann)}", 200)
    assert (shown["email"], shown["status"], shown["sessions"], shown["orders"]) == (
        "ann@example.com",
        "active",
        1,
        [],
    )
    assert "password" not in str(shown)
    await olga.api("GET", "/operator/people/usr_0000000000001", 404)


async def test_who_is_disabled_is_out_at_once_and_told_why_only_with_the_password(house):
    olga, ann, phone = await operator(house), await house.member(), await house.visitor()
    await phone.api("POST", "/sessions", 201, credentials(ANN))
    await ann.api("POST", "/sellers", 201, {"name": "Ann's"})
    key = (await ann.api("POST", "/seller/api-keys", 201, {"name": "k", "scopes": ["orders:read"]}))["key"]
    program = await house.visitor()
    program.http.headers["authorization"] = f"Bearer {key}"
    await program.api("GET", "/seller/orders", 200)
    at = f"/operator/people/{await user_id(ann)}"
    for _ in range(2):  # again is the same
        assert (await olga.api("POST", f"{at}/disable", 200))["status"] == "disabled"
    await ann.api("GET", "/account", 401)
    await phone.api("GET", "/account", 401)
    await program.api("GET", "/seller/orders", 401)
    stranger = await house.visitor()
    said = await stranger.api("POST", "/sessions", 403, credentials(ANN))
    assert said["code"] == "account_disabled"
    wrong = await stranger.api("POST", "/sessions", 401, credentials(ANN) | {"password": "wrong horse"})
    assert wrong["code"] == "wrong_password"
    words = await stranger.send("/signin", "/signin", 403, **credentials(ANN))
    assert "disabled" in words
    assert (await olga.api("GET", at, 200))["sessions"] == 0
    await olga.api("POST", f"{at}/enable", 200)
    await ann.api("POST", "/sessions", 201, credentials(ANN))
    await program.api("GET", "/seller/orders", 401)


async def test_a_guest_who_tries_a_disabled_account_keeps_what_is_theirs(house):
    olga, ann = await operator(house), await house.member()
    await olga.api("POST", f"/operator/people/{await user_id(ann)}/disable", 200)
    guest = await house.visitor()
    await guest.api("POST", "/sessions/guest", 201)
    await guest.api("POST", "/sessions", 403, credentials(ANN))
    await guest.api("POST", "/sessions", 403, credentials(ANN))
    await guest.api("GET", "/cart", 200)


async def test_a_sellers_goods_stay_on_sale_while_they_are_disabled(house):
    olga, bob = await operator(house), await house.member()
    await bob.api("POST", "/sellers", 201, {"name": "Bob's"})
    cup = {
        "title": "Cup",
        "description": "",
        "category": "cups",
        "price": 5,
        "currency": "USD",
        "quantity": 2,
    }
    product_id = (await bob.api("POST", "/seller/products", 201, cup))["product_id"]
    await olga.api("POST", f"/operator/people/{await user_id(bob)}/disable", 200)
    shown = await (await house.visitor()).api("GET", f"/products/{product_id}", 200)
    assert shown["in_stock"]


async def test_a_session_that_begins_in_the_same_moment_does_not_survive(house, monkeypatch):
    """Both orders: disabled before the session is written, and between writing and looking again."""
    accounts, olga = house.shop.accounts, await operator(house)
    ann = await house.member()
    who = ids.parse(UserId, await user_id(ann))
    begin = accounts.running._begin

    async def slow(*given: Any) -> Any:
        session = await begin(*given)
        await olga.api("POST", f"/operator/people/{who}/disable", 200)
        kept.append(session.token)
        return session

    kept: list[str] = []
    monkeypatch.setattr(accounts.running, "_begin", slow)
    with pytest.raises(AccountDisabled):
        await accounts.begin_session(who)
    assert await accounts.who(kept[0]) is None
    with pytest.raises(AccountDisabled):
        await accounts.begin_session(who)


async def test_sessions_end_though_who_disables_dies_after_the_commit(house, monkeypatch):
    accounts, olga = house.shop.accounts, await operator(house)
    ann = await house.member()
    who = ids.parse(UserId, await user_id(ann))
    settle = accounts.running.settle

    async def dies(user_id: UserId) -> None:
        if user_id != who:  # a follower that hears of others
            return await settle(user_id)
        monkeypatch.setattr(accounts.running, "settle", settle)
        raise asyncio.CancelledError

    monkeypatch.setattr(accounts.running, "settle", dies)
    with pytest.raises(asyncio.CancelledError):
        await accounts.disable(who, ids.parse(UserId, await user_id(olga)))

    async def out() -> bool:
        return (await ann.http.get(f"{PREFIX}/account")).status_code == 401

    await until(out, 20)


async def test_an_old_fact_of_who_was_enabled_since_ends_no_session(house):
    accounts, ann = house.shop.accounts, await house.member()
    await accounts.operators.follow_standing([StandingChanged(user_id=ids.parse(UserId, await user_id(ann)))])
    await ann.api("GET", "/account", 200)


async def test_nobody_disables_erases_or_strips_the_last_operator(house):
    olga, ann = await operator(house), await house.member()
    own = f"/operator/people/{await user_id(olga)}"
    assert (await olga.api("POST", f"{own}/disable", 409))["code"] == "about_oneself"
    assert (await olga.api("DELETE", own, 409))["code"] == "about_oneself"
    assert (await olga.api("DELETE", f"{own}/roles/operator", 409))["code"] == "last_operator"
    left = await olga.api("DELETE", "/account", 409, {"current_password": OLGA["password"]})
    assert left["code"] == "last_operator"
    theirs = f"/operator/people/{await user_id(ann)}"
    assert "operator" in (await olga.api("PUT", f"{theirs}/roles/operator", 200))["roles"]
    await ann.api("GET", "/operator/people", 200)
    await olga.api("DELETE", f"{own}/roles/operator", 200)
    await olga.api("GET", "/operator/people", 403)
    await ann.api("PUT", f"{theirs}/roles/owner", 404)


async def test_two_operators_at_once_cannot_take_each_other_away(house):
    accounts = house.shop.accounts
    olga, otto = await operator(house), await operator(house, OTTO)
    one, other = [ids.parse(UserId, await user_id(each)) for each in (olga, otto)]
    for work in (accounts.disable, accounts.erase_person):
        said = await asyncio.gather(work(one, other), work(other, one), return_exceptions=True)
        assert sum(isinstance(each, Exception) for each in said) == 1
        left = await accounts.find_people("", "operators")
        assert any(each.disabled_at is None for each in left)
        for each in left:
            await accounts.enable(each.user_id)


async def test_an_operator_forgets_somebody_as_they_would_themselves(house):
    olga, ann = await operator(house), await house.member()
    at = f"/operator/people/{await user_id(ann)}"
    await olga.api("DELETE", at, 200)
    await ann.api("GET", "/account", 401)
    await olga.api("DELETE", at, 404)
    await house.member()  # the address is free again


async def test_the_log_says_who_did_what_to_whom_without_saying_who_they_are(house, db):
    olga, ann = await operator(house), await house.member()
    at = f"/operator/people/{await user_id(ann)}"
    await olga.api("POST", f"{at}/disable", 200)
    await olga.send(at, f"{at}/enable")
    await olga.api("DELETE", at, 200)
    entries = (await olga.api("GET", f"/operator/audit-log?subject={at}", 200))["entries"]
    assert [each["what"] for each in entries] == ["erase_person", "people_enable", "disable_person"]
    assert (entries[2]["before"]["status"], entries[2]["after"]["status"]) == ("active", "disabled")
    assert (entries[1]["before"]["status"], entries[1]["after"]["status"]) == ("disabled", "active")
    rows = await db.fetch("select e::text as said from auditlog.entry e where subject = $1", at)
    assert len(rows) == 3
    assert not any("ann@example.com" in row["said"] or '"Ann"' in row["said"] for row in rows)


async def test_the_pages_find_show_and_keep_out(house):
    olga, ann = await operator(house), await house.member(LONG)
    at = f"/operator/people/{await user_id(ann)}"
    assert LONG["name"] in await olga.page("/operator/people?q=long")
    assert "Nothing matches" in await olga.page("/operator/people?q=nobody")
    assert "They are out" in await olga.send(at, f"{at}/disable")
    assert "They can sign in again" in await olga.send(at, f"{at}/enable")
    assert "They run the shop too" in await olga.send(at, f"{at}/operator")
    assert "They do not run the shop" in await olga.send(at, f"{at}/no-operator")
    assert "forgotten" in await olga.send(at, f"{at}/erase")
    own = f"/operator/people/{await user_id(olga)}"
    assert "only operator" in await olga.send(own, f"{own}/no-operator", 409)


async def test_who_is_disabled_is_written_to_as_a_seller_alone(house):
    olga, ann, bob = await operator(house), await house.member(), await house.member(OTTO)
    await bob.api("POST", "/sellers", 201, {"name": "Otto's"})
    out = [await user_id(each) for each in (ann, bob)]
    accounts = house.shop.accounts
    everybody = [ids.parse(UserId, each) for each in out]
    assert len(await accounts.contacts(everybody)) == 2
    for each in out:
        await olga.api("POST", f"/operator/people/{each}/disable", 200)
    assert [each.email for each in await accounts.contacts(everybody)] == [OTTO["email"]]
    assert [each.email for each in await accounts.operator_contacts()] == [OLGA["email"]]


_WAITING = """
select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'
"""


async def test_a_role_that_is_taken_while_somebody_renames_themselves_does_not_come_back(
    house, db, monkeypatch
):
    await operator(house)
    otto = await operator(house, OTTO)
    who = ids.parse(UserId, await user_id(otto))
    accounts = house.shop.accounts
    write = accounts.running.update_all

    async def late(caller):
        if caller.user_id != who:  # a follower that hears of others
            return await write(caller)
        monkeypatch.setattr(accounts.running, "update_all", write)
        taken.append(asyncio.create_task(accounts.make_operator(who, given=False)))
        await until(lambda: db.fetchval(_WAITING))
        return await write(caller)

    taken: list[asyncio.Task] = []
    monkeypatch.setattr(accounts.running, "update_all", late)
    await otto.api("PATCH", "/account", 200, {"name": "Otto the Second"})
    await taken[0]
    await otto.api("GET", "/operator/people", 403)


async def test_orders_of_more_people_than_one_can_look_through_are_not_cut_off_in_silence(olga, monkeypatch):
    assert (await olga.api("GET", "/operator/orders?q=otto", 200))["orders"] == []
    monkeypatch.setattr("mercat.web.operator.orders._PEOPLE_MAX", 0)
    refused = await olga.api("GET", "/operator/orders?q=otto", 422)
    assert refused["pointer"] == "/q"
