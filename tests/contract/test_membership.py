"""Joining the shop, coming back, becoming a seller: cut off anywhere and asked again, nothing is lost."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import pytest
from both_ways import WAYS, reached
from flash_scene import SALE, Scene
from waiting import until

from mercat.accounts import NewPerson, WrongPassword
from mercat.app import build_shop
from mercat.ids import UserId
from mercat.kit.refusals import NotFound, SignInFirst, Unavailable
from mercat.membership import API, JoinRequest, Membership, SignInRequest
from mercat.sellers import NameTaken

ANN = NewPerson("ann@shop.example", "correct horse", "Ann")


class Killed(BaseException):
    """The process dies here."""


class Mortal:
    """Neighbours of membership, of whose calls the one of this number is the last thing that happens."""

    def __init__(self, dies_at=None, *, answered=False):
        self.calls, self.dies_at, self.answered = 0, dies_at, answered

    def neighbour(self, service) -> Any:
        return _Neighbour(self, service)

    def membership(self, shop):
        asked = shop.cart, shop.checkout, shop.flashsale, shop.reviews, shop.sellers, shop.wishlist
        return Membership(*map(self.neighbour, (shop.accounts, *asked)))


class _Neighbour:
    def __init__(self, mortal, service):
        self._mortal, self._service = mortal, service

    def __getattr__(self, name):
        async def call(*args):
            mortal = self._mortal
            mortal.calls += 1
            if mortal.calls == mortal.dies_at and not mortal.answered:
                raise Killed
            answer = await getattr(self._service, name)(*args)
            if mortal.calls == mortal.dies_at:
                raise Killed
            return answer

        return call


@pytest.fixture
async def scene(settings, db):
    async with AsyncExitStack() as stack:
        yield Scene(await build_shop(settings, stack), settings, db)


class Guest:
    """Somebody with tea in the cart, an address and a place in a queue."""

    def __init__(self, shop, tea):
        self._shop, self._tea = shop, tea

    async def comes(self):
        session = await self._shop.accounts.guest()
        self.token = session.token
        self.caller = await self._shop.accounts.who(self.token)
        await self._shop.cart.add(self.caller.user_id, self._tea, 2)
        await self._shop.flashsale.join(self.caller, SALE)
        return self

    def signs_in(self, membership, person=ANN):
        return membership.sign_in(self.caller, SignInRequest(person.email, person.password, self.token))


async def in_cart(shop, user_id):
    return sum(line.quantity for line in (await shop.cart.basket(user_id)).lines)


async def has_come_along(scene, guest, session):
    shop, user_id = scene.shop, session.user_id
    assert await in_cart(shop, user_id) == 2
    assert await shop.accounts.guests_of(user_id) == [guest.caller.user_id]
    scene.look()
    assert await scene.sales.place(await shop.accounts.who(session.token), SALE)
    assert await shop.accounts.who(guest.token) is None, "the guest's session has ended"


STEPS = [(step, answered) for step in range(1, 10) for answered in (False, True)]


@pytest.mark.parametrize(("step", "answered"), STEPS)
async def test_a_sign_in_that_dies_is_made_good_by_the_next(scene, step, answered):
    await scene.opens()
    shop = scene.shop
    await shop.membership.register(None, ANN)
    guest = await Guest(shop, scene.offer).comes()
    mortal = Mortal(step, answered=answered)
    with pytest.raises(Killed):
        await guest.signs_in(mortal.membership(shop))
    back = await shop.accounts.who(guest.token)
    if (step, answered) == (9, True):  # everything was done but to say so
        assert back is None
        session = await shop.membership.sign_in(None, SignInRequest(ANN.email, ANN.password))
    else:
        assert back == guest.caller, "the guest is still who they were"
        session = await guest.signs_in(shop.membership)
    await has_come_along(scene, guest, session)


async def test_these_are_all_the_steps_of_a_sign_in(scene):
    await scene.opens()
    await scene.shop.membership.register(None, ANN)
    mortal = Mortal()
    guest = await Guest(scene.shop, scene.offer).comes()
    await has_come_along(scene, guest, await guest.signs_in(mortal.membership(scene.shop)))
    assert mortal.calls == len(STEPS) / 2


@pytest.mark.parametrize(("step", "answered"), STEPS[:12])
async def test_a_registration_that_dies_is_made_good_by_signing_in(scene, step, answered):
    await scene.opens()
    shop = scene.shop
    guest = await Guest(shop, scene.offer).comes()
    mortal = Mortal(step, answered=answered)
    with pytest.raises(Killed):
        await mortal.membership(shop).register(guest.caller, ANN)
    await shop.membership.register(guest.caller, ANN)
    await has_come_along(scene, guest, await guest.signs_in(shop.membership))


@pytest.mark.parametrize(("step", "answered"), STEPS)
async def test_a_guest_who_joins_and_is_cut_off_loses_nothing(scene, step, answered):
    await scene.opens()
    shop = scene.shop
    guest = await Guest(shop, scene.offer).comes()
    request = JoinRequest(ANN.email, ANN.password, ANN.name, guest.token)
    with pytest.raises(Killed):
        await Mortal(step, answered=answered).membership(shop).join(guest.caller, request)
    if (step, answered) == (1, False):
        session = await shop.membership.join(guest.caller, request)
    else:
        caller = await shop.accounts.who(guest.token)
        session = await shop.membership.sign_in(caller, SignInRequest(ANN.email, ANN.password, guest.token))
    await has_come_along(scene, guest, session)


async def test_signing_in_twice_at_once_brings_everything_once(scene):
    await scene.opens()
    shop = scene.shop
    await shop.membership.register(None, ANN)
    guest = await Guest(shop, scene.offer).comes()
    sessions = await asyncio.gather(*(guest.signs_in(shop.membership) for _ in range(4)))
    for session in sessions:
        await has_come_along(scene, guest, session)


async def test_a_queue_that_cannot_be_reached_keeps_nobody_out(scene, monkeypatch):
    await scene.opens()
    shop = scene.shop
    await shop.membership.register(None, ANN)
    guest = await Guest(shop, scene.offer).comes()

    async def away(*_):
        raise Unavailable

    with monkeypatch.context() as gone:
        gone.setattr(scene.sales, "adopt", away)
        session = await guest.signs_in(shop.membership)
    assert await in_cart(shop, session.user_id) == 2
    scene.look()
    with pytest.raises(NotFound):
        await scene.sales.place(await shop.accounts.who(session.token), SALE)
    await has_come_along(scene, guest, await guest.signs_in(shop.membership))


async def test_a_wrong_password_changes_nothing(scene):
    await scene.opens()
    shop = scene.shop
    ann = await shop.membership.register(None, ANN)
    guest = await Guest(shop, scene.offer).comes()
    with pytest.raises(WrongPassword):
        await shop.membership.sign_in(guest.caller, SignInRequest(ANN.email, "wrong horse", guest.token))
    assert await shop.accounts.who(guest.token) == guest.caller
    assert (await in_cart(shop, ann), await shop.accounts.guests_of(ann)) == (0, [])


async def test_a_member_who_signs_in_as_another_brings_nothing(scene):
    await scene.opens()
    shop = scene.shop
    bob = NewPerson("bob@shop.example", "battery staple", "Bob")
    await shop.membership.register(None, bob)
    await shop.membership.register(None, ANN)
    first = await shop.membership.sign_in(None, SignInRequest(bob.email, bob.password))
    caller = await shop.accounts.who(first.token)
    await shop.cart.add(caller.user_id, scene.offer, 2)
    second = await shop.membership.sign_in(caller, SignInRequest(ANN.email, ANN.password, first.token))
    assert (await in_cart(shop, caller.user_id), await in_cart(shop, second.user_id)) == (2, 0)
    assert await shop.accounts.who(first.token) == caller, "a member's other session goes on"


# -- sellers


@pytest.mark.parametrize("step", [1, 2])
@pytest.mark.parametrize("answered", [False, True])
async def test_a_seller_who_was_half_made_is_made_by_asking_again(scene, step, answered):
    shop = scene.shop
    await shop.membership.register(None, ANN)
    session = await shop.membership.sign_in(None, SignInRequest(ANN.email, ANN.password))
    caller = await shop.accounts.who(session.token)
    with pytest.raises(Killed):
        await Mortal(step, answered=answered).membership(shop).become_seller(caller, "Ann's tea")
    made = [await shop.membership.become_seller(caller, name) for name in ("Ann's tea", "Tea by Ann")]
    now = await shop.accounts.who(session.token)
    assert (now.seller_id, "seller" in now.roles) == (made[0], True)
    assert made == [now.seller_id] * 2
    assert await scene.db.fetchval("select count(*) from sellers.seller") == 1


@pytest.mark.parametrize("way", WAYS)
async def test_membership_may_live_elsewhere(scene, way):
    await scene.opens()
    shop = scene.shop
    async with reached(way, Membership, API, shop.membership) as membership:
        guest = await Guest(shop, scene.offer).comes()
        ann = await membership.register(guest.caller, ANN)
        session = await guest.signs_in(membership)
        assert session.user_id == ann
        await has_come_along(scene, guest, session)
        seller_id = await membership.become_seller(await shop.accounts.who(session.token), "Ann's")
        assert (await shop.accounts.who(session.token)).seller_id == seller_id
        other = await membership.register(None, NewPerson("bob@shop.example", "battery staple", "Bob"))
        bob = await shop.accounts.begin_session(other)
        with pytest.raises(NameTaken):
            await membership.become_seller(await shop.accounts.who(bob.token), "ANN'S")


async def test_a_guest_becomes_no_seller(scene):
    guest = await scene.shop.accounts.guest()
    with pytest.raises(SignInFirst):
        await scene.shop.membership.become_seller(await scene.shop.accounts.who(guest.token), "Gus")
    assert await scene.db.fetchval("select count(*) from sellers.seller") == 0


_BEGUN = (
    "insert into checkout.checkout (checkout_id, user_id, key, fingerprint, record, begun_at) "
    "values ($1, $2, $3, '', '{}', now())"
)
_WAITS = (
    "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and query like '%checkout.adopt%'"
)


async def test_a_key_that_the_member_uses_at_the_same_moment_stays_theirs(scene, db):
    """A purchase that begins while the same person signs in made that fail, on the key they had both used."""
    guest, member = UserId(1), UserId(2)
    for number, key in ((11, "one"), (12, "two")):
        await db.execute(_BEGUN, number, guest, key)
    async with db.acquire() as other, other.transaction():
        await other.execute(_BEGUN, 21, member, "one")
        adopting = asyncio.create_task(scene.shop.checkout.adopt(guest, member))
        await until(lambda: db.fetchval(_WAITS))
    await adopting
    rows = await db.fetch(
        "select key, user_id from checkout.checkout where checkout_id in (11, 12) order by key"
    )
    assert [tuple(row) for row in rows] == [("one", guest), ("two", member)]
