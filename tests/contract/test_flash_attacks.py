"""What people try in a flash sale who want more than their turn: each finds nothing."""

import asyncio
from contextlib import AsyncExitStack

import httpx
import msgspec
import pytest
from flash_scene import HOME, SALE
from flash_scene import scene as scene

from mercat import app, ids
from mercat.app import build_shop
from mercat.flashsale import (
    Claim,
    FlashPassExpired,
    FlashPassInvalid,
)
from mercat.flashsale.messages import Pass
from mercat.kit import signing
from mercat.kit.limits import Limit
from mercat.kit.refusals import TooManyRequests

pytestmark = pytest.mark.valkeys

QUEUE = f"/flash-sales/{SALE}/queue"


async def test_a_pass_buys_once(scene):
    await scene.opens()
    ann = scene.person()
    await scene.sales.join(ann, SALE)
    await scene.tick()
    pass_ = await scene.pass_of(ann)
    await scene.buys(ann, pass_)
    with pytest.raises(FlashPassInvalid):
        await scene.buys(ann, pass_)
    await scene.tick()
    with pytest.raises(FlashPassInvalid):
        await scene.buys(ann, pass_)
    assert await scene.sold() == 1


async def test_a_pass_in_many_tabs_at_once_buys_once(scene):
    await scene.opens(stock=50)
    ann = scene.person()
    await scene.sales.join(ann, SALE)
    await scene.tick()
    pass_ = await scene.pass_of(ann)
    await scene.shop.cart.add(ann.user_id, scene.offer, 1)
    said = await asyncio.gather(*(scene.buys(ann, pass_) for _ in range(12)), return_exceptions=True)
    bought = [each for each in said if not isinstance(each, BaseException) and each.status == 201]
    orders = await scene.db.fetchval("select count(*) from orders.orders where status = 'confirmed'")
    assert (len({each.body for each in bought}), orders) == (1, 1)
    await scene.tick()
    assert await scene.sold() == 1


@pytest.mark.parametrize("trick", ["user", "sale", "place", "later", "bent"])
async def test_a_forged_pass_opens_nothing(scene, trick):
    await scene.opens()
    ann, eve = scene.person(), scene.person()
    for each in (ann, eve):
        await scene.sales.join(each, SALE)
    await scene.tick()
    key = scene.settings.key("flash sales")
    own = signing.unseal(key, await scene.pass_of(eve), Pass)
    assert own
    pass_ = {
        "user": await scene.pass_of(ann),
        "sale": signing.seal(key, msgspec.structs.replace(own, sale="other")),
        "place": signing.seal(b"guessed", msgspec.structs.replace(own, place=1)),
        "later": signing.seal(b"guessed", msgspec.structs.replace(own, until=own.until + 3_600)),
        "bent": signing.seal(key, own)[:-3] + "AAA",
    }
    with pytest.raises(FlashPassInvalid):
        await scene.buys(eve, pass_[trick])


async def test_a_later_time_under_our_own_seal_would_not_help_either(scene, clock_ahead):
    """The pass is only paper: whose turn it is, and until when, PostgreSQL says."""
    await scene.opens(window_s=300)
    ann = scene.person()
    await scene.sales.join(ann, SALE)
    await scene.tick()
    key = scene.settings.key("flash sales")
    own = signing.unseal(key, await scene.pass_of(ann), Pass)
    assert own
    longer = signing.seal(key, msgspec.structs.replace(own, until=own.until + 10_000))
    clock_ahead(301)
    with pytest.raises(FlashPassExpired):
        await scene.buys(ann, longer)


@pytest.mark.parametrize("limit", ["per_card", "per_address"])
async def test_many_accounts_of_one_buyer_are_one_buyer(scene, limit):
    await scene.opens(**{limit: 2})
    people, _ = await scene.crowd(6)
    await scene.tick()
    passes = [await scene.pass_of(each) for each in people]
    homes = [
        HOME if limit == "per_address" else msgspec.structs.replace(HOME, line1=f"{n} Lane") for n in range(6)
    ]
    homes[1] = msgspec.structs.replace(homes[1], line1=homes[1].line1.upper() + ",")
    said = await asyncio.gather(
        *(
            scene.buys(each, pass_, home=home)
            for each, pass_, home in zip(people, passes, homes, strict=True)
        ),
        return_exceptions=True,
    )
    assert sorted(type(each).__name__ for each in said) == ["BuyerLimit"] * 4 + ["CheckoutAnswer"] * 2


async def test_one_neighbourhood_cannot_fill_the_line(scene):
    await scene.opens(rate=0)
    scene.sales._room._neighbourhood = Limit(rate=0.01, burst=20)
    for n in range(20):
        await scene.sales.join(scene.person(), SALE, f"203.0.113.{n}")
    with pytest.raises(TooManyRequests) as refused:
        await scene.sales.join(scene.person(), SALE, "203.0.113.99")
    assert refused.value.facts["retry_after"] > 0
    assert (await scene.sales.join(scene.person(), SALE, "198.51.100.7")).number == 21
    for n in range(20):
        await scene.sales.join(scene.person(), SALE, f"2001:db8:1:{n}::1")
    with pytest.raises(TooManyRequests):
        await scene.sales.join(scene.person(), SALE, "2001:db8:1:ffff::1")


async def test_ten_thousand_accounts_with_one_card_are_one_buyer(scene):
    """As many turns as they like; the till lets one card buy what one card may."""
    await scene.opens(stock=300, per_card=1, per_address=1, rate=10_000)
    people = [scene.person() for _ in range(10_000)]
    for at in range(0, len(people), 500):
        await asyncio.gather(*(scene.sales.join(each, SALE) for each in people[at : at + 500]))
    await scene.tick()
    let_in = [each for each in people[:20] if (await scene.stands(each)).state == "your_turn"][:12]
    assert len(let_in) == 12
    said = await asyncio.gather(
        *[scene.buys(each, await scene.pass_of(each)) for each in let_in], return_exceptions=True
    )
    assert sorted(type(each).__name__ for each in said) == ["BuyerLimit"] * 11 + ["CheckoutAnswer"]
    await scene.tick()
    assert await scene.sold() == 1


@pytest.fixture
async def http(scene):
    """The shop's door; each guest of it has a token."""
    door = await app.public_app(scene.shop)
    transport = httpx.ASGITransport(door, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://shop/api/v1", timeout=30) as client:
        yield client


class Guest:
    """Somebody at the door, with the thing in the cart and a way to pay."""

    def __init__(self, http, session):
        self.http, self.user_id, self.token = http, session.user_id, session.token
        self.way = {}

    async def ask(self, verb, path, body=None, **headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        self.http.cookies.clear()
        who = {"authorization": f"Bearer {self.token}"}
        return await self.http.request(verb, path, json=body, headers=who | headers)

    async def joins(self, **headers):
        return await self.ask("POST", QUEUE, **headers)

    async def pass_of(self):
        return (await self.ask("GET", QUEUE)).json().get("pass")

    async def buys(self, pass_="", key="k"):
        headers = {"flash_pass": pass_} if pass_ else {}
        return await self.ask("POST", "/orders/checkout", self.way, idempotency_key=key, **headers)


async def guests(scene, http, n):
    made = [Guest(http, await scene.shop.accounts.guest()) for _ in range(n)]
    for nth, each in enumerate(made):
        home = msgspec.structs.replace(HOME, line1=f"{nth} Lane")
        address = await scene.shop.accounts.add_address(each.user_id, home)
        method = await scene.shop.accounts.add_payment_method(each.user_id, "tok_visa")
        await scene.shop.cart.add(each.user_id, scene.offer, 1)
        each.way = {
            "shipping_address_id": str(address),
            "payment_method_id": str(method),
            "shipping_method": "standard",
            "email": "guest@example.org",
        }
    return made


def refused(answer):
    return answer.status_code, answer.json()["code"]


async def test_at_the_door_a_pass_that_was_used_or_is_anothers_opens_nothing(scene, http):
    await scene.opens()
    ann, eve = await guests(scene, http, 2)
    await ann.joins()
    await scene.tick()
    pass_ = await ann.pass_of()
    assert refused(await eve.buys(pass_)) == (403, "flash_pass_invalid")
    assert refused(await eve.buys()) == (403, "flash_pass_required")
    assert (await ann.buys(pass_)).status_code == 201
    await scene.shop.cart.add(ann.user_id, scene.offer, 1)
    assert refused(await ann.buys(pass_, key="again")) == (403, "flash_pass_invalid")
    await scene.tick()
    assert await scene.sold() == 1


async def test_at_the_door_a_pass_that_lapsed_opens_nothing(scene, http, clock_ahead):
    await scene.opens(window_s=300)
    [ann] = await guests(scene, http, 1)
    await ann.joins()
    await scene.tick()
    pass_ = await ann.pass_of()
    clock_ahead(310)
    for _ in range(2):  # before the runner has taken it back, and after
        assert refused(await ann.buys(pass_)) == (403, "flash_pass_expired")
        await scene.tick()
    assert await scene.sold() == 0


async def test_fifty_tabs_join_once_and_buy_once(scene, http):
    await scene.opens()
    [ann] = await guests(scene, http, 1)
    joined = await asyncio.gather(*(ann.joins() for _ in range(50)))
    assert {each.json()["ticket"] for each in joined} == {f"{SALE}/1"}
    assert sorted(each.status_code for each in joined) == [200] * 49 + [201]
    await scene.tick()
    pass_ = await ann.pass_of()
    said = await asyncio.gather(*(ann.buys(pass_, key=f"tab-{n}") for n in range(50)))
    assert all(each.status_code in (201, 202, 403, 409) for each in said)
    assert len({each.json()["order_id"] for each in said if each.status_code == 201}) == 1
    await scene.tick()
    assert await scene.sold() == 1


async def test_a_time_that_a_client_tells_is_not_listened_to(scene, http):
    await scene.opens(rate=0)
    ann, eve = await guests(scene, http, 2)
    await ann.joins()
    past = {"number": 0, "place": 1, "joined_at": "2000-01-01T00:00:00Z", "user_id": str(ann.user_id)}
    said = await eve.ask("POST", QUEUE + "?joined_at=0&number=1", past, date="Sat, 01 Jan 2000 00:00:00 GMT")
    assert said.status_code in (201, 422)
    await eve.joins()
    assert (await eve.ask("GET", QUEUE)).json()["number"] == 2
    assert (await ann.ask("GET", QUEUE)).json()["number"] == 1


async def test_before_the_start_nobody_buys_and_coming_first_is_no_better(scene, http):
    await scene.opens(starts_in=600)
    [ann] = await guests(scene, http, 1)
    assert (await ann.joins()).json()["state"] == "drawing"
    assert await ann.pass_of() is None
    assert refused(await ann.buys("v1.not.mine")) == (403, "not_started")


async def test_a_new_name_is_a_new_place_at_the_end(scene):
    """Who signs in with a place has the guest's, or keeps their own; never both."""
    await scene.opens(rate=0)
    [member, guest], _ = await scene.crowd(2)
    await scene.sales.adopt(guest.user_id, member.user_id)
    assert (await scene.stands(member)).number == 1
    await scene.sales.adopt(member.user_id, guest.user_id)
    assert (await scene.stands(member)).number == 1
    assert (await scene.sales.join(scene.person(), SALE)).number == 3


async def test_two_processes_claim_a_turn_once(scene):
    await scene.opens()
    ann = scene.person()
    await scene.sales.join(ann, SALE)
    await scene.tick()
    pass_ = await scene.pass_of(ann)
    async with AsyncExitStack() as stack:
        other = (await build_shop(scene.settings, stack)).flashsale
        claims = [
            (sales, Claim(SALE, 0, ann.user_id, ids.CheckoutId(1_000 + n), 1, "card", "home"))
            for n, sales in enumerate([scene.sales, other] * 10)
        ]
        said = await asyncio.gather(*(s.claim(c, pass_) for s, c in claims), return_exceptions=True)
    assert [each for each in said if isinstance(each, str)] == [f"{SALE}/1"]
    [winner] = [claim for (_, claim), each in zip(claims, said, strict=True) if isinstance(each, str)]
    await scene.sales.give_back(f"{SALE}/1", winner.checkout_id)


async def test_a_cancelled_order_is_no_second_turn(scene, http):
    await scene.opens()
    [ann] = await guests(scene, http, 1)
    await ann.joins()
    await scene.tick()
    pass_ = await ann.pass_of()
    order = (await ann.buys(pass_)).json()["order_id"]
    await scene.tick()
    gone = await ann.ask(
        "POST", f"/orders/{order}/cancel", {"reason": "Changed my mind."}, idempotency_key="c"
    )
    assert gone.status_code < 300, gone.text
    await scene.tick()
    await scene.shop.cart.add(ann.user_id, scene.offer, 1)
    assert refused(await ann.buys(pass_, key="again")) == (403, "flash_pass_invalid")
    again = await ann.joins()
    assert again.status_code != 201
    assert await ann.pass_of() is None
