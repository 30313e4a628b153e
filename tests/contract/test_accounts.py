"""What accounts promise: one account an e-mail, sessions that end, and of a card only its token."""

import asyncio
import time
from datetime import timedelta
from hashlib import sha256

import msgspec
import pytest
from both_ways import WAYS, at_the_other_end, reached
from valkeys import forget_all, names_in

from mercat import ids
from mercat.accounts import (
    API,
    Accounts,
    AddressAndCard,
    CardLabel,
    Credentials,
    EmailTaken,
    NewAddress,
    NewPerson,
    PasswordReset,
    PersonChange,
    ResetAsk,
    TooMany,
    WayToBuy,
    WrongPassword,
)
from mercat.accounts.rules import _signed_guest, account_problem, guest_of, guest_token
from mercat.events import AccountOpened, AccountOpenedAgain
from mercat.ids import AddressId, LinkId, PaymentMethodId, SellerId, UserId
from mercat.kit import clock, codec
from mercat.kit.refusals import Invalid, NotFound, SignInFirst, TooManyRequests
from mercat.kit.signing import seal

pytestmark = pytest.mark.valkeys

ANN = NewPerson("ann@shop.example", "correct horse", "Ann")
BOB = NewPerson("bob@shop.example", "battery staple", "Bob")
HOME = NewAddress(
    name="Ann",
    line1="1 Elm St",
    line2="Flat 2",
    city="Boston",
    region="Massachusetts",
    postal_code="02101",
    country="us",
)
TEST_CARDS = {"tok_visa": CardLabel("Visa", "4242", "Visa that pays")}
DAY_S = 24 * 3_600
MONTH = timedelta(days=30)


@pytest.fixture
async def local(pool, store, settings):
    return Accounts(await pool("accounts"), store, settings, TEST_CARDS)


@pytest.fixture(params=WAYS)
async def accounts(request, local):
    async with reached(request.param, Accounts, API, local) as accounts:
        yield accounts


def key(token):
    return "session:" + sha256(token.encode()).hexdigest()


async def sign_in(accounts, person=ANN):
    user_id = await accounts.verify(Credentials(person.email, person.password))
    return await accounts.begin_session(user_id)


async def bought_with(accounts, user_id, token="tok_visa"):
    return await accounts.add_address(user_id, HOME), await accounts.add_payment_method(user_id, token)


# -- opening an account


async def test_an_account_is_opened_once_and_told(accounts, told):
    ann = await accounts.register(ANN)
    for email in (ANN.email, "Ann@SHOP.example", f"  {ANN.email} "):
        with pytest.raises(EmailTaken) as taken:
            await accounts.register(msgspec.structs.replace(ANN, email=email))
        assert (taken.value.status, taken.value.facts["pointer"]) == (409, "/email")
    opened, *others = await told()
    assert opened == AccountOpened(user_id=ann, email=ANN.email, name="Ann", link_id=opened.link_id)
    assert [(type(each), each.user_id) for each in others] == [(AccountOpenedAgain, ann)] * 3


async def test_of_a_crowd_with_one_email_one_gets_it(accounts, told):
    answers = await asyncio.gather(*(accounts.register(ANN) for _ in range(6)), return_exceptions=True)
    assert [type(answer) for answer in answers if isinstance(answer, Exception)] == [EmailTaken] * 5
    assert [type(each) for each in await told()].count(AccountOpened) == 1


async def test_an_email_typed_composed_or_decomposed_is_one_account(accounts, told):
    composed, decomposed = "jos\u00e9@shop.example", "jose\u0301@shop.example"
    jose = await accounts.register(NewPerson(decomposed, "correct horse", " Jose\u0301\u200b"))
    with pytest.raises(EmailTaken):
        await accounts.register(NewPerson(composed, "correct horse", "Jos\u00e9"))
    for email in (composed, decomposed.upper()):
        assert await accounts.verify(Credentials(email, "correct horse")) == jose
    [opened] = [each for each in await told() if isinstance(each, AccountOpened)]
    assert (opened.user_id, opened.email, opened.name) == (jose, composed, "Jos\u00e9")


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"email": "ann"}, "/email"),
        ({"email": "ann@localhost"}, "/email"),
        ({"email": "a b@shop.example"}, "/email"),
        ({"email": "a" * 250 + "@b.cd"}, "/email"),
        ({"password": "seven77"}, "/password"),
        ({"password": " " * 8}, "/password"),
        ({"password": "Password1"}, "/password"),
        ({"password": "12345678"}, "/password"),
        ({"password": "ANN@shop.example"}, "/password"),
        ({"email": "elizabeth.porter@shop.example", "password": "Elizabeth.Porter"}, "/password"),
        ({"password": "x" * 201}, "/password"),
        ({"name": "  "}, "/name"),
        ({"name": "\u200b\u2060 \u3164"}, "/name"),
        ({"name": "x" * 201}, "/name"),
    ],
)
async def test_what_makes_no_account_is_refused_by_field(local, told, change, pointer):
    with pytest.raises(Invalid) as refused:
        await local.register(msgspec.structs.replace(ANN, **change))
    assert refused.value.facts["pointer"] == pointer
    assert ANN.password not in str(refused.value)
    assert await told() == []


async def test_a_password_typed_composed_or_decomposed_is_the_same(accounts):
    ann = await accounts.register(msgspec.structs.replace(ANN, password="cafe\u0301 au lait"))
    for password in ("caf\u00e9 au lait", "cafe\u0301 au lait"):
        assert await accounts.verify(Credentials(ANN.email, password)) == ann


async def test_a_password_is_kept_as_an_argon2id_hash_alone(local, db):
    await local.register(ANN)
    row = str(dict(await db.fetchrow("select * from accounts.person")))
    assert "$argon2id$" in row
    assert ANN.password not in row


# -- sessions


async def test_who_signed_in_is_known_by_the_token(accounts):
    ann = await accounts.register(ANN)
    assert await accounts.verify(Credentials(" ANN@shop.EXAMPLE ", ANN.password)) == ann
    session = await accounts.begin_session(ann)
    caller = await accounts.who(session.token)
    assert (caller.user_id, caller.email, caller.name, caller.roles) == (
        ann,
        ANN.email,
        "Ann",
        frozenset({"shopper"}),
    )
    assert not caller.guest
    assert session.user_id == ann
    assert abs(session.expires_at - clock.now() - MONTH) < timedelta(minutes=1)
    other = await sign_in(accounts)
    assert other.token != session.token
    assert len(session.token) >= 43  # 256 bits in base 64


async def test_the_token_itself_is_kept_nowhere(local, store):
    await local.register(ANN)
    session = await sign_in(local)
    kept = [await store.do("DUMP", name) for name in await names_in(store, "*")]
    assert session.token.encode() not in b"".join([*kept, *await names_in(store, "*")])
    assert 0 < await store.do("TTL", key(session.token)) <= MONTH.total_seconds()


@pytest.mark.parametrize("token", ["", "nonsense", "a/b", "../x?y=1#z", "ä ö"])
async def test_a_token_of_nobody_is_nobody(accounts, token):
    assert await accounts.who(token) is None
    await accounts.sign_out(token)


async def test_signing_out_ends_this_session_only(accounts, store):
    ann = await accounts.register(ANN)
    here, there = await sign_in(accounts), await sign_in(accounts)
    for _ in range(2):
        await accounts.sign_out(here.token)
    assert await accounts.who(here.token) is None
    assert (await accounts.who(there.token)).user_id == ann
    assert await store.do("SMEMBERS", f"sessions:{ann}") == [key(there.token).encode()]


async def test_a_wrong_password_and_an_unknown_email_are_refused_alike(accounts):
    await accounts.register(ANN)
    said = []
    for email in (ANN.email, "nobody@shop.example"):
        with pytest.raises(WrongPassword) as refused:
            await accounts.verify(Credentials(email, "wrong password"))
        said.append((refused.value.status, str(refused.value), refused.value.facts))
    assert said[0] == said[1]
    assert said[0][0] == 401


async def test_an_unknown_email_takes_as_long_as_a_wrong_password(local):
    await local.register(ANN)

    async def seconds(email):
        began = time.perf_counter()
        with pytest.raises(WrongPassword):
            await local.verify(Credentials(email, "wrong password"))
        return time.perf_counter() - began

    known, unknown = [], []
    for n in range(9):
        known.append(await seconds(ANN.email))
        unknown.append(await seconds(f"nobody{n}@shop.example"))
    # Without the hash of nobody an unknown e-mail is answered in a tenth of the time.
    # The quickest of each: others wait for a processor.
    assert min(unknown) > min(known) / 3


async def test_guessing_a_password_is_slowed_down_for_that_email_alone(accounts):
    await accounts.register(ANN)
    await accounts.register(BOB)
    guesses = [Credentials(" " * (n % 7) + "Ann@shop.example", f"guess {n}") for n in range(40)]
    answers = await asyncio.gather(*map(accounts.verify, guesses), return_exceptions=True)
    assert {type(answer) for answer in answers} == {WrongPassword, TooManyRequests}
    slowed = [answer for answer in answers if isinstance(answer, TooManyRequests)]
    assert all(answer.facts["retry_after"] >= 1 for answer in slowed)
    with pytest.raises(TooManyRequests):
        await sign_in(accounts)
    assert (await sign_in(accounts, BOB)).token


async def test_a_role_reaches_running_sessions_at_once(accounts):
    ann = await accounts.register(ANN)
    first, second = await sign_in(accounts), await sign_in(accounts)
    for _ in range(2):
        await accounts.grant(ann, "seller", SellerId(7))
    for session in (first, second, await sign_in(accounts)):
        caller = await accounts.who(session.token)
        assert (caller.roles, caller.seller_id) == (frozenset({"shopper", "seller"}), SellerId(7))
    await accounts.grant(ann, "operator")
    caller = await accounts.who(first.token)
    assert (caller.roles, caller.seller_id) == (frozenset({"shopper", "seller", "operator"}), SellerId(7))


async def test_a_role_brings_no_ended_session_back(accounts, store):
    ann = await accounts.register(ANN)
    ended, lost, running = await sign_in(accounts), await sign_in(accounts), await sign_in(accounts)
    await accounts.sign_out(ended.token)
    await store.do("DEL", key(lost.token))  # as when its time was over
    await store.do("EXPIRE", key(running.token), 100)
    await accounts.grant(ann, "operator")
    assert await accounts.who(ended.token) is None
    assert await accounts.who(lost.token) is None
    assert await store.do("TTL", key(running.token)) <= 100
    assert await store.do("SMEMBERS", f"sessions:{ann}") == [key(running.token).encode()]


async def test_a_role_granted_while_somebody_signs_in_is_not_missed(local):
    ann = await local.register(ANN)
    sessions = [asyncio.create_task(sign_in(local)) for _ in range(4)]
    while not any(session.done() for session in sessions):
        await asyncio.sleep(0)
    await local.grant(ann, "operator")
    for session in await asyncio.gather(*sessions):
        assert "operator" in (await local.who(session.token)).roles


async def test_who_has_no_account_gets_no_role(accounts):
    guest = await accounts.guest()
    with pytest.raises(SignInFirst):
        await accounts.grant(guest.user_id, "seller", SellerId(7))


# -- guests


async def test_a_guest_is_somebody_without_a_row(accounts, db):
    one, two = await accounts.guest(), await accounts.guest()
    assert one.user_id != two.user_id
    caller = await accounts.who(one.token)
    assert (caller.user_id, caller.guest, caller.email) == (one.user_id, True, None)
    assert await db.fetchval("select count(*) from accounts.person") == 0
    await accounts.sign_out(one.token)
    assert await accounts.who(one.token) is None


async def test_a_guest_whom_the_store_lost_comes_back(accounts, store, clock_ahead):
    guest, gone, claimed = await accounts.guest(), await accounts.guest(), await accounts.guest()
    await accounts.claim(claimed.user_id, await accounts.register(ANN))
    await forget_all(store)
    await accounts.sign_out(gone.token)
    caller = await accounts.who(guest.token)
    assert (caller.user_id, caller.guest, caller.email) == (guest.user_id, True, None)
    assert await store.do("TTL", key(guest.token)) > 29 * DAY_S
    assert await accounts.who(gone.token) is None, "signed out"
    assert await accounts.who(claimed.token) is None, "has an account"
    for n in (8, 20, 40, len(guest.token) - 1):
        other = "A" if guest.token[n] != "A" else "B"
        assert await accounts.who(guest.token[:n] + other + guest.token[n + 1 :]) is None, "not made by us"
    assert await accounts.who("guest.") is None
    assert await accounts.who("guest.é") is None
    await forget_all(store)
    clock_ahead(31 * DAY_S)
    assert await accounts.who(guest.token) is None, "too long ago"


def test_a_members_token_is_not_kept_in_memory():
    before = _signed_guest.cache_info().currsize
    token = guest_token(UserId(7), b"key")
    assert (guest_of(token, b"key"), guest_of("a member's secret", b"key")) == (UserId(7), None)
    assert _signed_guest.cache_info().currsize == before + 1


async def test_a_guest_who_keeps_coming_stays_known(accounts, store, clock_ahead):
    guest = await accounts.guest()
    await store.do("EXPIRE", key(guest.token), 1_000)
    clock_ahead(2 * DAY_S)
    assert (await accounts.who(guest.token)).user_id == guest.user_id
    assert await store.do("TTL", key(guest.token)) > 29 * DAY_S


async def test_a_members_session_ends_when_it_said(accounts, store, clock_ahead):
    await accounts.register(ANN)
    session = await sign_in(accounts)
    await store.do("EXPIRE", key(session.token), 1_000)
    clock_ahead(2 * DAY_S)
    assert await accounts.who(session.token)
    assert await store.do("TTL", key(session.token)) <= 1_000


async def test_what_a_guest_kept_becomes_the_members(accounts):
    first, second = await accounts.guest(), await accounts.guest()
    at_home, visa = await bought_with(accounts, first.user_id)
    at_work, late = await bought_with(accounts, second.user_id, "tok_3ds")

    ann = await accounts.register(ANN)
    for guest in (first, second, second):
        await accounts.claim(guest.user_id, ann)
    assert set(await accounts.guests_of(ann)) == {first.user_id, second.user_id}

    assert {address.address_id for address in await accounts.addresses(ann)} == {at_home, at_work}
    assert {method.payment_method_id for method in await accounts.payment_methods(ann)} == {visa, late}
    [way] = await accounts.addresses_and_cards([WayToBuy(ann, at_home, late)])
    assert (way.address.address_id, way.card) == (at_home, "tok_3ds")
    assert (await accounts.address(ann, at_work)).address_id == at_work


async def test_a_guest_is_claimed_by_one_person(accounts):
    guest = await accounts.guest()
    at_home, visa = await bought_with(accounts, guest.user_id)
    ann, bob = await accounts.register(ANN), await accounts.register(BOB)
    await accounts.claim(guest.user_id, ann)
    await accounts.claim(guest.user_id, bob)
    assert (await accounts.guests_of(ann), await accounts.guests_of(bob)) == ([guest.user_id], [])
    assert await accounts.addresses(bob) == []
    assert await accounts.addresses_and_cards([WayToBuy(bob, at_home, visa)]) == [AddressAndCard(None, None)]


async def test_nobody_without_an_account_has_a_members_session(accounts):
    with pytest.raises(SignInFirst):
        await accounts.begin_session((await accounts.guest()).user_id)


# -- addresses and ways to pay


async def test_an_address_is_read_back_as_it_was_given(accounts):
    user = ids.new(UserId)
    address_id = await accounts.add_address(user, HOME)
    assert address_id.bucket == user.bucket
    [address] = await accounts.addresses(user)
    assert address == msgspec.structs.replace(await accounts.address(user, address_id), default=True)
    assert (address.address_id, address.country) == (address_id, "US")
    assert (address.name, address.line1, address.line2, address.city, address.postal_code) == (
        HOME.name,
        HOME.line1,
        HOME.line2,
        HOME.city,
        HOME.postal_code,
    )
    assert (address.region, address.phone, address.default) == ("MA", None, True)
    assert await accounts.addresses(ids.new(UserId)) == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("line1", "x" * 201),
        ("city", ""),
        ("postal_code", "x" * 21),
        ("country", "USA"),
        ("country", "U1"),
        ("phone", "1" * 41),
    ],
)
async def test_an_address_has_limits_and_the_refusal_names_the_field(local, field, value):
    user = ids.new(UserId)
    asked = {"user_id": user, "address": {**msgspec.structs.asdict(HOME), field: value}}
    async with at_the_other_end(API, local) as http:
        [answer] = (await http.post("/_many/add_address", content=codec.encode([asked]))).json()
    assert (answer["problem"]["code"], answer["problem"]["pointer"]) == ("invalid", f"/{field}")
    assert await local.addresses(user) == []


async def test_a_way_to_pay_is_shown_by_brand_and_last_four(accounts):
    user = ids.new(UserId)
    await accounts.add_payment_method(user, "tok_visa")
    await accounts.add_payment_method(user, "pm_1", "Mastercard", "3155")
    await accounts.add_payment_method(user, "pm_2")
    shown = [(each.brand, each.last4, each.label) for each in await accounts.payment_methods(user)]
    assert shown == [
        ("Visa", "4242", "Visa that pays"),
        ("Mastercard", "3155", "Mastercard ending in 3155"),
        ("Card", "", "pm_2"),
    ]


def test_people_are_asked_for_no_more_than_is_needed():
    assert account_problem("a@b.c", "eight in", "A") is None
    assert account_problem("ä+tag@b.example", ("a short sentence, " * 20)[:200], "x" * 200) is None


async def test_where_and_how_for_many_at_once(accounts):
    people = [ids.new(UserId) for _ in range(40)]
    kept = [await bought_with(accounts, person) for person in people]
    ways = [WayToBuy(person, *ours) for person, ours in zip(people, kept, strict=True)]
    answers = await accounts.addresses_and_cards(ways)
    assert [answer.address.address_id for answer in answers] == [address_id for address_id, _ in kept]
    assert {answer.card for answer in answers} == {"tok_visa"}


async def test_anothers_address_or_card_is_not_there(accounts):
    ann, bob = ids.new(UserId), ids.new(UserId)
    (at_ann, anns), (at_bob, bobs) = await bought_with(accounts, ann), await bought_with(accounts, bob)
    ways = [(at_bob, anns), (at_ann, bobs), (ids.new(AddressId), anns), (at_ann, ids.new(PaymentMethodId))]
    answers = await accounts.addresses_and_cards([WayToBuy(ann, *way) for way in [*ways, (at_ann, anns)]])
    there = [(answer.address is not None, answer.card is not None) for answer in answers]
    assert there == [(False, True), (True, False), (False, True), (True, False), (True, True)]
    with pytest.raises(NotFound) as refused:
        await accounts.address(ann, at_bob)
    assert refused.value.facts["pointer"] == "/shipping_address_id"


async def test_fifty_of_each_is_the_most_whoever_hurries(accounts):
    crowd, alone = ids.new(UserId), ids.new(UserId)
    adding = [accounts.add_address(crowd, HOME) for _ in range(60)]
    adding += [accounts.add_payment_method(crowd, "tok_visa") for _ in range(60)]
    adding += [accounts.add_address(alone, HOME)]
    *answers, one = await asyncio.gather(*adding, return_exceptions=True)

    refused = [answer for answer in answers if isinstance(answer, Exception)]
    assert {type(answer) for answer in refused} == {TooMany}
    assert len(refused) == 20
    assert len(await accounts.addresses(crowd)) == len(await accounts.payment_methods(crowd)) == 50
    assert {address.address_id for address in await accounts.addresses(crowd)} <= set(answers)
    assert [address.address_id for address in await accounts.addresses(alone)] == [one]


# -- the demo's people


async def test_the_people_of_the_demo_come_once(local, told):
    people = await local.seed()
    assert await local.seed() == people
    assert set(people) == {"ann@example.com", "bob@example.com", "ops@example.com"}
    assert len(await told()) == 3
    roles = {}
    for email in people:
        assert await local.verify(Credentials(email, "mercat")) == people[email]
        session = await local.begin_session(people[email])
        roles[email] = (await local.who(session.token)).roles
    assert "operator" in roles["ops@example.com"]
    assert "operator" not in roles["ann@example.com"] | roles["bob@example.com"]


@pytest.mark.parametrize("way", ["reset", "change"])
async def test_a_process_that_dies_after_a_new_password_leaves_no_session_of_the_old_one(
    way, local, settings, db, monkeypatch
):
    user_id = await local.register(ANN)
    thief = await local.begin_session(user_id)
    await local.ask_reset(ResetAsk(ANN.email))
    former = await db.fetchval("select password from accounts.person where user_id = $1", user_id)
    end_all = local.running.end_all

    async def dies_once_it_is_changed(*sessions):
        if await db.fetchval("select password from accounts.person where user_id = $1", user_id) != former:
            raise asyncio.CancelledError
        await end_all(*sessions)

    monkeypatch.setattr(local.running, "end_all", dies_once_it_is_changed)
    if way == "reset":
        link_id = LinkId(await db.fetchval("select link_id from accounts.link where kind = 'reset'"))
        token = seal(settings.key("links"), link_id)
        changing = local.reset_password(PasswordReset(token, "another horse"))
    else:
        change = PersonChange(password="another horse", current_password=ANN.password)
        changing = local.change(user_id, change)
    with pytest.raises(asyncio.CancelledError):
        await changing
    assert await local.who(thief.token) is None
