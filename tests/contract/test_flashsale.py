"""What a flash sale promises: one place a person, one order a pass, no unit twice, no place lost."""

import asyncio

import msgspec
import pytest
from both_ways import WAYS, reached
from flash_scene import OPERATOR, SALE
from flash_scene import scene as scene
from valkeys import forget_all

from mercat import app, ids
from mercat.checkout import Buy, CheckoutInProgress, NotAdmitted
from mercat.flashsale import (
    API,
    Act,
    BuyerLimit,
    CheckoutGate,
    Claim,
    FlashPassExpired,
    FlashPassInvalid,
    FlashPassRequired,
    FlashSales,
    NewSale,
    SaleExists,
    SaleOver,
    SoldOut,
    canonical,
    genuine,
)
from mercat.flashsale.messages import NotPossible, NotStarted
from mercat.flashsale.rules import Draw
from mercat.flashsale.sale_store import SaleStore
from mercat.kit import clock, codec
from mercat.kit.refusals import Invalid, NotFound, SignInFirst, Unavailable
from mercat.kit.rpc import Caller

pytestmark = pytest.mark.valkeys

# -- the queue


async def test_a_person_has_one_place_however_often_they_ask(scene):
    await scene.opens(rate=0)
    ann = scene.person()
    places = await asyncio.gather(*(scene.sales.join(ann, SALE) for _ in range(20)))
    assert {place.number for place in places} == {1}
    assert sum(place.joined_now for place in places) == 1
    assert (await scene.stands(ann)).position == 1
    assert await scene.shop.host.store.do("ZCARD", f"flash_queue:{SALE}") == 1


async def test_first_come_first_served(scene):
    await scene.opens(rate=3)
    people, places = await scene.crowd(5)
    assert [place.place for place in places] == [1, 2, 3, 4, 5]
    await scene.tick()
    states = [(await scene.stands(each)).state for each in people]
    assert states == ["your_turn"] * 3 + ["waiting"] * 2
    fifth = await scene.stands(people[4])
    assert (fifth.position, fifth.ahead) == (2, 1)


async def test_who_comes_early_is_drawn_and_the_draw_can_be_recomputed(scene, clock_ahead):
    await scene.opens(starts_in=60, rate=0)
    people, places = await scene.crowd(30)
    assert {(place.state, place.position) for place in places} == {("drawing", None)}
    before = await scene.sales.sale(SALE)
    assert (before.seed, before.state) == (None, "planned")
    clock_ahead(61)
    await scene.tick()
    late = await scene.sales.join(scene.person(), SALE)
    after = await scene.sales.sale(SALE)
    assert (after.commitment, after.drawn) == (before.commitment, 30)
    assert late.place == 31
    stands = [await scene.stands(each) for each in people]
    assert sorted(each.place for each in stands) == list(range(1, 31))
    draw = Draw(bytes.fromhex(after.seed), bytes.fromhex(after.roll), after.drawn)
    assert [draw.place_of(each.number) for each in stands] == [each.place for each in stands]
    assert [each.place for each in stands] != list(range(1, 31))


async def test_people_are_let_in_in_the_order_of_the_draw(scene, clock_ahead):
    await scene.opens(starts_in=60, rate=7)
    people, _ = await scene.crowd(20)
    clock_ahead(61)
    await scene.tick()
    await scene.tick()
    stands = [await scene.stands(each) for each in people]
    assert sorted(each.place for each in stands if each.pass_) == list(range(1, 8))


async def test_nobody_waits_in_a_sale_that_is_over_or_not_there(scene):
    await scene.opens()
    with pytest.raises(NotFound):
        await scene.sales.join(scene.person(), "nothing")
    await scene.sales.act(OPERATOR, SALE, Act("end", "A test."))
    scene.look()
    with pytest.raises(SaleOver):
        await scene.sales.join(scene.person(), SALE)


async def test_a_sale_may_be_for_members(scene):
    await scene.opens(members_only=True)
    with pytest.raises(SignInFirst):
        await scene.sales.join(scene.person(), SALE)
    member = Caller(ids.new(ids.UserId), frozenset({"shopper"}), email="m@example.org")
    assert (await scene.sales.join(member, SALE)).number == 1


# -- what is lost, and what is not


async def test_a_line_that_valkey_lost_comes_back(scene):
    await scene.opens(rate=2)
    people, _ = await scene.crowd(6)
    await scene.tick()
    before = [(await scene.stands(each)).place for each in people]
    await forget_all(scene.shop.host.store)
    with pytest.raises(Unavailable):
        await scene.sales.join(scene.person(), SALE)
    with pytest.raises(Unavailable):
        await scene.stands(people[5])
    await scene.tick()
    assert [(await scene.stands(each)).place for each in people] == before
    assert (await scene.sales.join(scene.person(), SALE)).place == 7


async def test_a_line_whose_end_valkey_lost_gives_no_number_twice(scene):
    await scene.opens(rate=0)
    people, _ = await scene.crowd(4)
    await scene.tick()
    store = scene.shop.host.store
    await store.do("SET", SaleStore(store).numbers_key(SALE), 2)
    await store.do("ZREM", f"flash_queue:{SALE}", int(people[2].user_id), int(people[3].user_id))
    await scene.tick()
    assert [(await scene.stands(each)).number for each in people] == [1, 2, 3, 4]
    assert (await scene.sales.join(scene.person(), SALE)).number == 5


async def test_two_runners_let_nobody_in_twice(scene):
    await scene.opens(rate=5)
    await scene.crowd(20)
    await scene.tick()
    scene.runner._ticked_at.clear()
    await asyncio.gather(*(scene.runner.tick() for _ in range(6)))
    turns = await scene.db.fetch("select place from flashsale.turn order by place")
    assert [row["place"] for row in turns] == list(range(1, len(turns) + 1))
    assert await scene.db.fetchval("select taken from flashsale.sale") == len(turns)


# -- passes


async def test_what_is_on_sale_is_sold_with_a_pass_alone(scene):
    await scene.opens()
    ann = scene.person()
    with pytest.raises(FlashPassRequired):
        await scene.buys(ann)
    await scene.sales.join(ann, SALE)
    await scene.tick()
    assert (await scene.buys(ann, await scene.pass_of(ann))).status == 201
    await scene.tick()
    assert (await scene.stands(ann)).state == "bought"
    assert await scene.sold() == 1


async def test_other_goods_are_sold_as_ever(scene):
    await scene.opens()
    scene.offer = await scene.lists()
    assert (await scene.buys(scene.person())).status == 201


async def test_the_same_key_has_the_same_answer_though_the_pass_is_used(scene):
    await scene.opens()
    ann = scene.person()
    await scene.sales.join(ann, SALE)
    await scene.tick()
    pass_ = await scene.pass_of(ann)
    first = await scene.buys(ann, pass_, key="k")
    again = await scene.shop.checkout.buy(ann, "k", await _same_ask(scene, ann))
    assert (first.body, again.replayed) == (again.body, True)


async def _same_ask(scene, person):
    record = await scene.db.fetchval(
        "select record from checkout.checkout where user_id = $1", person.user_id
    )
    assert record
    address = (await scene.shop.accounts.addresses(person.user_id))[0]
    method = (await scene.shop.accounts.payment_methods(person.user_id))[0]
    return Buy(address.address_id, method.payment_method_id, "standard")


async def test_a_turn_that_is_not_used_goes_to_the_next_once(scene, clock_ahead):
    await scene.opens(stock=2)
    people, _ = await scene.crowd(3)
    await scene.tick()
    lapsed = [await scene.pass_of(each) for each in people[:2]]
    assert (await scene.stands(people[2])).state == "waiting"
    clock_ahead(310)
    await asyncio.gather(scene.runner.tick(), scene.runner.tick())
    await scene.tick()
    assert (await scene.stands(people[2])).state == "your_turn"
    with pytest.raises(FlashPassExpired):
        await scene.buys(people[0], lapsed[0])
    assert await scene.db.fetchval("select taken from flashsale.sale") == 1
    assert (await scene.stands(people[0])).state == "lapsed"
    again = await scene.sales.join(people[0], SALE)
    assert (again.joined_now, again.number) == (True, 4)


async def test_a_declined_card_leaves_the_turn_to_its_owner(scene):
    await scene.opens(stock=1)
    ann = scene.person()
    await scene.sales.join(ann, SALE)
    await scene.tick()
    pass_ = await scene.pass_of(ann)
    assert (await scene.buys(ann, pass_, token="tok_declined")).status == 402
    assert (await scene.buys(ann, pass_)).status == 201  # at once, before the runner has looked
    await scene.tick()
    assert await scene.sold() == 1


async def test_a_claim_whose_process_died_is_given_back(scene, clock_ahead):
    await scene.opens(stock=1)
    ann = scene.person()
    await scene.sales.join(ann, SALE)
    await scene.tick()
    pass_ = await scene.pass_of(ann)
    await scene.db.execute(
        "update flashsale.turn set state = 'claimed', checkout_id = 77, quantity = 1, claimed_at = now()"
    )
    with pytest.raises(CheckoutInProgress):
        await scene.buys(ann, pass_)
    clock_ahead(40)
    await scene.tick()
    assert (await scene.buys(ann, await scene.pass_of(ann))).status == 201
    await scene.tick()


async def test_a_claim_whose_process_died_costs_none_of_ones_time(scene, clock_ahead):
    await scene.opens(stock=1)
    ann, ben = scene.person(), scene.person()
    for person in (ann, ben):
        await scene.sales.join(person, SALE)
    await scene.tick()
    await scene.db.execute(
        "update flashsale.turn set state = 'claimed', checkout_id = 77, quantity = 1, claimed_at = now(),"
        " until = now() + interval '9 seconds'"
    )
    clock_ahead(40)
    await scene.tick()
    shopper = ann if (await scene.sales.place(ann, SALE)).state == "your_turn" else ben
    place = await scene.sales.place(shopper, SALE)
    assert 7 <= (place.pass_until - clock.now()).total_seconds() <= 9
    await scene.tick()
    assert (await scene.buys(shopper, place.pass_)).status == 201


async def test_a_purchase_that_slept_does_not_begin_once_its_turn_was_given_back(scene, clock_ahead):
    """Found by the simulator: both bought, and there was one unit."""
    await scene.opens(stock=1)
    ann, ben = scene.person(), scene.person()
    for person in (ann, ben):
        await scene.sales.join(person, SALE)
    await scene.tick()
    purchases, wakes = scene.shop.checkout.purchases, asyncio.Event()
    begin, purchases._begin_many = purchases._begin_many, _Sleeper(purchases._begin_many, wakes)
    late = asyncio.create_task(scene.buys(ann, await scene.pass_of(ann)))
    await purchases._begin_many.asleep.wait()
    purchases._begin_many = begin
    for ahead in (400, 710):  # its turn is given back; then it lapses, and the next is let in
        clock_ahead(ahead)
        await scene.tick()
        await scene.tick()
    assert (await scene.buys(ben, await scene.pass_of(ben))).status == 201
    wakes.set()
    with pytest.raises(CheckoutInProgress):
        await late
    await scene.tick()
    assert await scene.sold() == 1


class _Sleeper:
    def __init__(self, begin, wakes):
        self._begin, self._wakes, self.asleep = begin, wakes, asyncio.Event()

    async def __call__(self, ask):
        self.asleep.set()
        await self._wakes.wait()
        return await self._begin(ask)


async def test_who_has_to_ask_the_bank_is_told_so_again(scene):
    await scene.opens(stock=1)
    ann = scene.person()
    await scene.sales.join(ann, SALE)
    await scene.tick()
    pass_ = await scene.pass_of(ann)
    first = await scene.buys(ann, pass_, key="k", token="tok_3ds")
    same = msgspec.structs.replace(await _same_ask(scene, ann), flash_pass=pass_)
    assert first.status == 202
    assert (await scene.shop.checkout.buy(ann, "k", same)).body == first.body


async def test_a_key_that_was_used_before_takes_no_turn(scene):
    await scene.opens(stock=1)
    ann = scene.person()
    tea, scene.offer = scene.offer, await scene.lists()
    first = await scene.buys(ann, key="k")
    scene.offer = tea
    await scene.sales.join(ann, SALE)
    await scene.tick()
    pass_ = await scene.pass_of(ann)
    await scene.shop.cart.add(ann.user_id, tea, 1)
    same = await _same_ask(scene, ann)
    again = await scene.shop.checkout.buy(ann, "k", msgspec.structs.replace(same, flash_pass=pass_))
    assert (again.body, again.replayed) == (first.body, True)
    assert (await scene.buys(ann, pass_)).status == 201
    await scene.tick()
    assert await scene.sold() == 1


# -- units and limits


async def test_exactly_as_many_are_sold_as_there_are_and_everybody_is_told(scene):
    await scene.opens(stock=5, rate=1_000)
    people, _ = await scene.crowd(12)
    sold = 0
    for _ in range(4):
        await scene.tick()
        for each in people:
            stands = await scene.stands(each)
            if stands.state == "your_turn":
                sold += (await scene.buys(each, stands.pass_)).status == 201
    assert (sold, await scene.sold()) == (5, 5)
    assert (await scene.sales.sale(SALE)).state == "sold_out"
    assert (await scene.stands(people[11])).state == "sold_out"
    with pytest.raises(SoldOut):
        await scene.sales.join(scene.person(), SALE)
    with pytest.raises(SoldOut):
        await scene.buys(scene.person())


async def test_a_pass_is_never_promised_without_a_unit(scene):
    await scene.opens(stock=3, rate=1_000, per_person=2)
    people, _ = await scene.crowd(5)
    await scene.tick()
    stands = [await scene.stands(each) for each in people]
    assert [each.state for each in stands] == ["your_turn"] * 2 + ["waiting"] * 3
    assert (await scene.buys(people[0], stands[0].pass_, quantity=2)).status == 201
    with pytest.raises(BuyerLimit):
        await scene.buys(people[1], stands[1].pass_, quantity=2)


async def test_a_rush_without_a_queue_sells_each_unit_once(scene):
    await scene.opens(stock=10, queue=False)
    people = [scene.person() for _ in range(40)]
    said = await asyncio.gather(*(scene.buys(each) for each in people), return_exceptions=True)
    assert sum(not isinstance(each, BaseException) and each.status == 201 for each in said) == 10
    assert all(isinstance(each, SoldOut) for each in said if isinstance(each, Exception))
    await scene.tick()
    assert await scene.sold() == 10


async def test_a_rush_has_no_queue_to_join(scene):
    await scene.opens(queue=False)
    with pytest.raises(NotPossible):
        await scene.sales.join(scene.person(), SALE)


async def test_the_gate_is_not_believed_where_it_lets_too_many_in(scene):
    await scene.opens(stock=2, queue=False)
    await scene.shop.host.store.do("SET", f"flash_gate:{SALE}", 1_000)
    said = await asyncio.gather(*(scene.buys(scene.person()) for _ in range(8)), return_exceptions=True)
    assert sum(not isinstance(each, BaseException) and each.status == 201 for each in said) == 2


async def test_nothing_is_sold_before_the_start(scene):
    await scene.opens(starts_in=60)
    with pytest.raises((NotStarted, FlashPassRequired)):
        await scene.buys(scene.person())


# -- the operator


async def test_a_sale_needs_what_it_offers(scene):
    offer = await scene.lists(5)
    sale = NewSale(sale_id=SALE, offer_id=offer, units=6, starts_at=clock.now())
    with pytest.raises(Invalid):
        await scene.sales.create(sale)
    await scene.sales.create(msgspec.structs.replace(sale, units=5))
    with pytest.raises(SaleExists):
        await scene.sales.create(msgspec.structs.replace(sale, sale_id="other", units=5))


async def test_pause_resume_rate_units_and_end_are_recorded(scene):
    await scene.opens(stock=20, units=10, rate=0)
    await scene.crowd(3)
    act = scene.sales.act
    await act(OPERATOR, SALE, Act("rate", "They wait.", 50))
    paused = await act(OPERATOR, SALE, Act("pause", "Payments look odd."))
    assert (paused.state, paused.rate) == ("paused", 50)
    await scene.tick()
    assert (await scene.sales.sale(SALE)).serving == 0
    await act(OPERATOR, SALE, Act("resume", "All is well."))
    await scene.tick()
    assert (await scene.sales.sale(SALE)).serving == 3
    assert (await act(OPERATOR, SALE, Act("units", "More came in.", 10))).units == 20
    with pytest.raises(NotPossible):
        await act(OPERATOR, SALE, Act("units", "Greed.", 1))
    with pytest.raises(NotPossible):
        await act(OPERATOR, SALE, Act("resume", "Again."))
    with pytest.raises(FlashPassRequired):
        await scene.buys(scene.person())
    await act(OPERATOR, SALE, Act("end", "Done."))
    done = await scene.sales.acts(SALE)
    assert [each.what for each in done] == ["end", "units", "resume", "pause", "rate"]
    assert {each.who for each in done} == {"ops@example.com"}
    assert (
        await scene.buys(scene.person())
    ).status == 201  # the rest is sold as ever, though the gate has not looked


async def test_a_sale_that_nobody_can_serve_delays_no_other(scene):
    await scene.opens(rate=10)
    other = await scene.lists()
    await scene.sales.create(NewSale(sale_id="a", offer_id=other, units=1, starts_at=clock.now()))
    await scene.shop.host.store.do("SET", "flash_queue:a", "not a sorted set")
    await scene.shop.host.store.do("SET", SaleStore(scene.shop.host.store).numbers_key("a"), 5)
    await scene.crowd(2)
    await scene.tick()
    assert (await scene.sales.sale(SALE)).serving == 2


def test_every_refusal_of_the_till_is_one():
    assert all(
        issubclass(each, NotAdmitted) for each in (FlashPassRequired, FlashPassInvalid, BuyerLimit, SoldOut)
    )
    assert codec.encode(SoldOut().problem())


# -- what anybody can check


async def test_the_document_and_the_certificate_are_signed(scene):
    await scene.opens(stock=1, starts_in=-1)
    people, _ = await scene.crowd(2)
    await scene.tick()
    await scene.buys(people[0], await scene.pass_of(people[0]))
    await scene.tick()
    signed = await scene.sales.document(SALE)
    assert genuine(signed.key, signed.signature, signed.body)
    assert not genuine(signed.key, signed.signature, signed.body.replace(b'"left":0', b'"left":1'))
    assert not (await scene.sales.verify(SALE)).wrong
    await app.certify(scene.shop, SALE)
    scene.look()
    said = msgspec.json.decode(codec.encode(await scene.sales.certificate(SALE)))
    assert genuine(said["key"], said["signature"], canonical(said["certificate"]))
    assert (said["certificate"]["sold"], said["certificate"]["used"]) == (1, 1)
    assert said["certificate"]["laws"]
    said["certificate"]["sold"] = 2
    assert not genuine(said["key"], said["signature"], canonical(said["certificate"]))


@pytest.mark.parametrize(
    "damage",
    [
        "update flashsale.ticket set user_id = 1 where number = 3",
        "delete from flashsale.ticket where number = 3",
        "update flashsale.sale set roll = sha256('x')",
        "alter table flashsale.sale drop constraint sale_check1; update flashsale.sale set seed = 'y'",
        "update flashsale.turn set number = number % 10 + 1 where place = 2",
    ],
)
async def test_a_draw_that_was_tampered_with_is_noticed(scene, clock_ahead, damage):
    await scene.opens(starts_in=60, rate=3)
    await scene.crowd(10)
    clock_ahead(61)
    await scene.tick()
    await scene.tick()
    assert not (await scene.sales.verify(SALE)).wrong
    damage = damage.replace("sale_check1", await _seed_check(scene))
    async with scene.db.acquire() as owner:
        harm = owner.transaction()
        await harm.start()
        await owner.execute(damage)
        for part in (scene.sales._certificates, scene.sales._draws):
            part._db = _Only(owner)
        assert (await scene.sales.verify(SALE)).wrong
        await harm.rollback()


class _Only:
    """One connection as a pool: it sees what its transaction did."""

    def __init__(self, connection):
        self.fetch, self.fetchrow, self.fetchval = connection.fetch, connection.fetchrow, connection.fetchval


async def _seed_check(scene):
    return await scene.db.fetchval(
        "select conname from pg_constraint where conrelid = 'flashsale.sale'::regclass"
        " and pg_get_constraintdef(oid) like '%sha256%'"
    )


async def test_what_is_switched_off_for_a_sale_is_on_again_afterwards(scene):
    await scene.opens()
    await scene.sales.switch_off(OPERATOR, SALE, ["reviews", "wishlist"])
    assert await scene.sales.switched_off() == ["reviews", "wishlist"]
    await scene.sales.act(OPERATOR, SALE, Act("end", "Done."))
    assert await scene.sales.switched_off() == []
    assert "reviews" in [each.why for each in await scene.sales.acts(SALE)][1]


async def test_a_guest_who_signs_in_keeps_the_place(scene):
    await scene.opens(rate=1)
    [guest, next_in_line], _ = await scene.crowd(2)
    await scene.tick()
    member, other = scene.person(), scene.person()
    await scene.sales.adopt(guest.user_id, member.user_id)
    await scene.sales.adopt(next_in_line.user_id, other.user_id)
    await forget_all(scene.shop.host.store)
    await scene.tick()
    scene.look()
    stands = await scene.stands(member)
    assert (stands.state, stands.place) == ("your_turn", 1)
    assert (await scene.buys(member, stands.pass_)).status == 201
    assert (await scene.stands(other)).place == 2
    with pytest.raises(NotFound):
        await scene.stands(next_in_line)
    await scene.tick()
    assert not (await scene.sales.verify(SALE)).wrong


@pytest.mark.parametrize("way", WAYS)
async def test_queue_and_till_work_from_another_process_too(scene, way):
    await scene.opens()
    async with reached(way, FlashSales, API, scene.sales) as far:
        scene.shop.checkout.gate = CheckoutGate(far)
        ann = scene.person()
        with pytest.raises(FlashPassRequired):
            await scene.buys(ann)
        assert (await far.join(ann, SALE)).number == 1
        await scene.tick()
        place = await far.place(ann, SALE)
        assert (await scene.buys(ann, place.pass_)).status == 201
        with pytest.raises(FlashPassInvalid):
            await scene.buys(ann, place.pass_)
        signed = await far.document(SALE)
        assert genuine(signed.key, signed.signature, signed.body)
        assert (await far.act(OPERATOR, SALE, Act("pause", "A look."))).state == "paused"
        assert (await far.overview(SALE)).acts[0].why == "A look."
        await scene.tick()


# -- ten thousand accounts


async def test_a_lapse_that_valkey_was_not_told_of_does_not_shut_anybody_out(scene, clock_ahead):
    """The runner may die between the two."""
    await scene.opens(stock=1)
    [ann, bob], _ = await scene.crowd(2)
    await scene.tick()
    await scene.db.execute("update flashsale.turn set state = 'lapsed', settled_at = now()")
    await scene.db.execute("update flashsale.sale set taken = 0")
    assert (await scene.stands(ann)).state == "lapsed"
    again = await scene.sales.join(ann, SALE)
    assert (again.joined_now, again.number) == (True, 3)
    await scene.tick()
    assert (await scene.stands(bob)).state == "your_turn"
    clock_ahead(310)
    await scene.tick()
    await scene.tick()
    assert (await scene.stands(ann)).state == "your_turn"


async def test_people_are_let_in_slower_while_checkout_is_slow(scene):
    await scene.opens(rate=10)
    await scene.crowd(30)
    await scene.tick()
    assert (await scene.sales.sale(SALE)).rate == 10
    made = [int(ids.new(ids.CheckoutId)) for _ in range(40)]
    await scene.db.execute(
        "insert into checkout.checkout (checkout_id, user_id, key, fingerprint, record, begun_at)"
        " select c, c, 'k', '', '{}', now() - interval '4 seconds' from unnest($1::bigint[]) c",
        made,
    )
    await scene.db.execute(
        "insert into checkout.answer (checkout_id, status, body, at)"
        ' select c, 402, \'{"code":"payment_declined"}\', now() from unnest($1::bigint[]) c',
        made,
    )
    await scene.tick()
    room = await scene.sales.overview(SALE)
    assert room.sale.rate < room.rate
    assert room.health.p99_s > 3
    before = room.sale.rate
    await scene.tick()
    assert (await scene.sales.sale(SALE)).rate < before
    await scene.db.execute("delete from checkout.answer where checkout_id = any($1::bigint[])", made)
    await scene.db.execute("delete from checkout.checkout where checkout_id = any($1::bigint[])", made)
    before = (await scene.sales.sale(SALE)).rate
    await scene.tick()
    assert (await scene.sales.sale(SALE)).rate > before


async def test_all_who_are_refused_in_a_rush_cost_one_look(scene):
    """Whoever comes too late is told why with all others of the same moment."""
    await scene.opens(stock=2, queue=False, per_person=1)
    people = [scene.person() for _ in range(40)]
    bought = [await scene.buys(each) for each in people[:2]]
    assert [each.status for each in bought] == [201, 201]
    passes = scene.sales._passes
    looks = _Counting(passes._db)
    passes._db = looks
    claims = [
        Claim(SALE, 0, each.user_id, ids.new(ids.CheckoutId), 1, f"c{each.user_id}", "a") for each in people
    ]
    said = await passes._claim_many(claims)
    assert [type(each) for each in said] == [BuyerLimit] * 2 + [SoldOut] * 38
    assert looks.asked == 1
    await scene.tick()


class _Counting:
    """The pool, and how often it was asked beside transactions."""

    def __init__(self, pool):
        self.pool, self.asked = pool, 0
        self.acquire = pool.acquire

    async def fetch(self, *arguments):
        self.asked += 1
        return await self.pool.fetch(*arguments)

    fetchrow = fetch


async def test_a_sale_without_an_end_lets_go_of_its_switches_after_a_day(scene, clock_ahead):
    await scene.opens(starts_in=3_600)
    await scene.sales.switch_off(OPERATOR, SALE, ["reviews"])
    assert await scene.sales.switched_off() == ["reviews"], "prepared before it begins"
    clock_ahead(24 * 3_600)
    assert await scene.sales.switched_off() == ["reviews"]
    clock_ahead(25 * 3_600 + 60)
    assert await scene.sales.switched_off() == []


async def test_a_sale_that_is_sold_out_lets_go_of_its_switches(scene):
    await scene.opens()
    await scene.sales.switch_off(OPERATOR, SALE, ["reviews"])
    await scene.db.execute("update flashsale.sale set sold = units, taken = units")
    scene.look()
    assert await scene.sales.switched_off() == []
    await scene.db.execute("update flashsale.sale set sold = 0, taken = 0")  # nobody has really bought
