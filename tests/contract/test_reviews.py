"""What reviews promises, whether it lives in this process or behind HTTP."""

import asyncio
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from both_ways import at_the_other_end, posts_to
from starlette.applications import Starlette
from waiting import until

from mercat import ids
from mercat.audit import audit
from mercat.events import (
    AccountErased,
    OrderCancelled,
    OrderDelivered,
    OrderLine,
    OrderPlaced,
    PartChanged,
    ProductsArrived,
    ProductsRefunded,
    RatingChanged,
    ReviewWritten,
)
from mercat.ids import OrderId, ProductId, ReviewId, UserId
from mercat.kit import codec
from mercat.kit.event_log import deliver
from mercat.kit.refusals import Invalid, NotFound
from mercat.kit.rpc import Caller
from mercat.kit.stand_ins import remote, serve_asks
from mercat.reviews import (
    API,
    AlreadyReviewed,
    NewReview,
    NotABuyer,
    OldReview,
    OwnReview,
    Rating,
    Reply,
    ReviewChange,
    ReviewReport,
    Reviews,
    Start,
    Votes,
)

TEA, CUP = ProductId(1), ProductId(2)
ANN = Caller(UserId(11), frozenset({"shopper"}), name="Ann")
BOB = Caller(UserId(12), frozenset({"shopper"}), name="Bob")
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
async def local(pool):
    return Reviews(await pool("reviews"))


@pytest.fixture(params=["in process", "over http"])
async def reviews(request, local):
    if request.param == "in process":
        yield local
    else:
        app = httpx.ASGITransport(Starlette(routes=serve_asks(API, local)))
        async with httpx.AsyncClient(transport=app, base_url="http://reviews") as http:
            yield remote(Reviews, API, posts_to(http))


def placed(order, buyer, *products):
    lines = [
        OrderLine(
            order_line_id=ids.LineId(number),
            product_id=product,
            offer_id=ids.OfferId(product),
            seller_id=ids.SellerId(1),
            title="Tea",
            quantity=1,
            unit_price=500,
            total=500,
        )
        for number, product in enumerate(products)
    ]
    return OrderPlaced(
        order_id=OrderId(order),
        checkout_id=ids.CheckoutId(order),
        cart_id=ids.CartId(order),
        user_id=buyer.user_id,
        email="ann@example.com",
        total=500 * len(lines),
        currency="USD",
        lines=lines,
        placed_at=NOON,
    )


def cancelled(order, buyer):
    return OrderCancelled(order_id=OrderId(order), user_id=buyer.user_id)


def delivered(order, buyer, *products):
    return OrderDelivered(order_id=OrderId(order), user_id=buyer.user_id, product_ids=list(products))


def erased(person):
    return AccountErased(user_id=person.user_id, people=[person.user_id])


def old(number, stars=5, product=TEA, at=NOON, **more):
    return OldReview(product, UserId(1_000 + number), f"Reader {number}", stars, "Fine.", at, **more)


@pytest.fixture
def heard(db, local):
    async def heard(*events):
        for event in events:
            await deliver(db, [event], [local])

    return heard


@pytest.fixture
async def bought(heard):
    """Ann and Bob have both bought the tea, and it was delivered."""
    await heard(placed(1, ANN, TEA), placed(2, BOB, TEA))
    await heard(delivered(1, ANN, TEA), delivered(2, BOB, TEA))


async def test_a_review_is_read_back_as_it_was_written(reviews, bought):
    written = await reviews.write(ANN, TEA, NewReview(stars=4, title=" Lovely ", body="Hot & good."))

    page = await reviews.newest(TEA)
    assert page.reviews == [written]
    assert (page.total, page.next) == (1, None)
    assert (written.author, written.title, written.stars, written.verified) == ("Ann", "Lovely", 4, True)
    assert await reviews.rating(TEA) == Rating(4.0, 1, [0, 0, 0, 1, 0], 1)
    assert (await reviews.newest(CUP)).reviews == []
    assert await reviews.rating(CUP) == Rating()


async def test_only_buyers_write(reviews, bought):
    with pytest.raises(NotABuyer, match="bought this product"):
        await reviews.write(ANN, CUP, NewReview(stars=5, body="Never had it."))
    assert (await reviews.newest(CUP)).total == 0


async def test_a_buyer_reviews_a_product_once(reviews, bought):
    await reviews.write(ANN, TEA, NewReview(stars=5, body="Lovely."))
    with pytest.raises(AlreadyReviewed):
        await reviews.write(ANN, TEA, NewReview(stars=1, body="Changed my mind."))
    assert await reviews.rating(TEA) == Rating(5.0, 1, [0, 0, 0, 0, 1], 1)


async def test_a_cancelled_order_takes_the_right_back_unless_another_gives_it(reviews, heard):
    await heard(placed(1, ANN, TEA), placed(2, BOB, TEA), placed(3, BOB, TEA))
    await heard(cancelled(1, ANN), cancelled(2, BOB), placed(1, ANN, TEA))  # heard again: still cancelled
    await heard(delivered(3, BOB, TEA))

    with pytest.raises(NotABuyer):
        await reviews.write(ANN, TEA, NewReview(stars=5, body="Lovely."))
    await reviews.write(BOB, TEA, NewReview(stars=5, body="Lovely."))


async def test_a_buyer_writes_once_it_is_delivered_though_the_rest_is_on_its_way(reviews, heard):
    await heard(placed(1, ANN, TEA, CUP))
    with pytest.raises(NotABuyer, match="once it was delivered"):
        await reviews.write(ANN, TEA, NewReview(stars=5, body="It will be lovely."))
    arrived = PartChanged(
        order_id=OrderId(1),
        user_id=ANN.user_id,
        seller_id=ids.SellerId(1),
        status="delivered",
        product_ids=[TEA],
    )
    await heard(arrived, arrived)
    assert (await reviews.write(ANN, TEA, NewReview(stars=5, body="It was lovely."))).verified
    with pytest.raises(NotABuyer):
        await reviews.write(ANN, CUP, NewReview(stars=5, body="It will be lovely."))


async def test_a_buyer_writes_once_a_first_unit_is_delivered_though_more_are_to_come(reviews, heard):
    await heard(placed(1, ANN, TEA, CUP))
    arrived = ProductsArrived(order_id=OrderId(1), user_id=ANN.user_id, product_ids=[TEA])
    await heard(arrived, arrived)
    assert (await reviews.write(ANN, TEA, NewReview(stars=5, body="It was lovely."))).verified
    with pytest.raises(NotABuyer):
        await reviews.write(ANN, CUP, NewReview(stars=5, body="It will be lovely."))


async def test_who_sells_a_product_does_not_review_it(reviews, bought):
    with pytest.raises(NotABuyer, match="You sell"):
        await reviews.write(ANN, TEA, NewReview(stars=5, body="The best there is."), sells=True)


def refunded(order, buyer, *products):
    return ProductsRefunded(order_id=OrderId(order), user_id=buyer.user_id, product_ids=list(products))


async def test_a_review_goes_with_a_purchase_that_was_paid_back_whole(reviews, heard, bought, db):
    await reviews.write(ANN, TEA, NewReview(stars=5, body="Lovely."))
    bobs = await reviews.write(BOB, TEA, NewReview(stars=1, body="Bitter."))
    await reviews.helpful(ANN, bobs.review_id)
    await heard(placed(3, ANN, TEA), delivered(3, ANN, TEA))
    await heard(refunded(1, ANN, TEA))
    assert (await reviews.newest(TEA)).total == 2, "another purchase stands behind it"
    await heard(refunded(3, ANN, TEA), refunded(3, ANN, TEA), refunded(2, BOB, TEA))
    assert (await reviews.newest(TEA)).total == 0
    rating = await reviews.rating(TEA)
    assert (rating.review_count, rating.histogram) == (0, [0] * 5)
    await heard(delivered(1, ANN, TEA))  # told again, late
    with pytest.raises(NotABuyer):
        await reviews.write(ANN, TEA, NewReview(stars=5, body="Lovely."))


async def test_a_review_is_shown_again_once_another_purchase_is_here(reviews, heard, bought, db):
    mine = await reviews.write(ANN, TEA, NewReview(stars=5, body="Lovely."))
    await reviews.helpful(BOB, mine.review_id)
    await reviews.reply(mine.review_id, Reply("Thank you."))
    await heard(placed(3, ANN, TEA), refunded(1, ANN, TEA), refunded(1, ANN, TEA), delivered(1, ANN, TEA))
    assert (await reviews.newest(TEA)).total == 0
    with pytest.raises(NotABuyer):
        await reviews.write(ANN, TEA, NewReview(stars=1, body="Again."))
    [hidden] = (await reviews.to_moderate("hidden")).reviews
    assert hidden.hidden_because == "Its purchase was paid back."
    async with db.acquire() as connection:
        assert [law for law in await audit(connection) if law.violations] == []
    await heard(delivered(3, ANN, TEA), delivered(3, ANN, TEA))
    [shown] = (await reviews.newest(TEA)).reviews
    assert (shown.review_id, shown.helpful, shown.reply) == (mine.review_id, 1, "Thank you.")
    assert (await reviews.rating(TEA)).histogram == [0, 0, 0, 0, 1]


async def test_what_an_operator_hid_no_purchase_shows_again(reviews, heard, bought):
    mine = await reviews.write(ANN, TEA, NewReview(stars=5, body="Buy elsewhere!"))
    await reviews.hide(mine.review_id, "")
    await heard(refunded(1, ANN, TEA), delivered(3, ANN, TEA))
    assert (await reviews.rating(TEA)).review_count == 0


async def test_who_is_erased_leaves_no_hidden_review_behind(reviews, heard, bought, db):
    mine = await reviews.write(ANN, TEA, NewReview(stars=5, body="Lovely."))
    await reviews.helpful(BOB, mine.review_id)
    await heard(refunded(1, ANN, TEA), erased(ANN))
    assert await db.fetchval("select count(*) from reviews.review") == 0
    assert await db.fetchval("select count(*) from reviews.vote") == 0


async def test_a_review_is_changed_and_deleted_by_its_writer_alone(reviews, bought):
    mine = await reviews.write(ANN, TEA, NewReview(stars=5, title="Oh", body="Lovely."))
    await reviews.write(BOB, TEA, NewReview(stars=1, body="Bitter."))
    for attempt in (
        reviews.edit(BOB, mine.review_id, ReviewChange(stars=1)),
        reviews.remove(BOB, mine.review_id),
    ):
        with pytest.raises(NotFound):
            await attempt
    changed = await reviews.edit(ANN, mine.review_id, ReviewChange(stars=3))
    assert (changed.stars, changed.title, changed.body) == (3, "Oh", "Lovely.")
    assert changed.edited_at is not None
    assert (await reviews.rating(TEA)).histogram == [1, 0, 1, 0, 0]
    assert await reviews.remove(ANN, mine.review_id) == TEA
    assert (await reviews.rating(TEA)).histogram == [1, 0, 0, 0, 0]
    await reviews.write(ANN, TEA, NewReview(stars=4, body="Better than I thought."))


async def test_what_is_reported_is_looked_at_hidden_and_shown_again(reviews, bought):
    mine = await reviews.write(ANN, TEA, NewReview(stars=5, body="Buy at elsewhere.example!"))
    with pytest.raises(OwnReview):
        await reviews.report(ANN, mine.review_id, ReviewReport("Me"))
    for _ in range(2):
        await reviews.report(BOB, mine.review_id, ReviewReport("It is an advertisement."))
    [seen] = (await reviews.to_moderate("reported")).reviews
    assert (seen.review_id, seen.reports, seen.why) == (mine.review_id, 1, ["It is an advertisement."])
    for _ in range(2):
        assert (await reviews.hide(mine.review_id, "Spam")).hidden_because == "Spam"
    assert ((await reviews.newest(TEA)).reviews, (await reviews.newest(TEA)).total) == ([], 0)
    assert (await reviews.rating(TEA)).review_count == 0
    with pytest.raises(NotFound):
        await reviews.one(mine.review_id)
    await reviews.edit(ANN, mine.review_id, ReviewChange(stars=2))  # no stars of it are counted meanwhile
    assert (await reviews.rating(TEA)).review_count == 0
    assert [each.review_id for each in (await reviews.to_moderate("hidden")).reviews] == [mine.review_id]
    for _ in range(2):
        await reviews.show(mine.review_id)
    assert (await reviews.rating(TEA)).histogram == [0, 1, 0, 0, 0]
    assert (await reviews.to_moderate("reported")).reviews == []


async def test_a_reply_stands_beside_the_review(reviews, bought):
    mine = await reviews.write(ANN, TEA, NewReview(stars=2, body="It came late."))
    await reviews.reply(mine.review_id, Reply(" We are sorry. "))
    [shown] = (await reviews.newest(TEA)).reviews
    assert shown.reply == "We are sorry."
    with pytest.raises(NotFound):
        await reviews.reply(ReviewId(1), Reply("Nobody"))


async def test_a_purchase_that_is_not_here_yet_writes_no_row(reviews, heard, db):
    """A shop has many orders, and few of their buyers write."""
    await heard(placed(1, ANN, TEA, CUP))
    assert await db.fetchval("select count(*) from reviews.bought") == 0
    await heard(delivered(1, ANN, TEA))
    assert (await reviews.write(ANN, TEA, NewReview(stars=5, body="Lovely."))).verified
    with pytest.raises(NotABuyer):
        await reviews.write(ANN, CUP, NewReview(stars=5, body="Lovely."))


async def test_who_is_erased_in_the_batch_of_an_arrival_has_bought_nothing(local, db):
    order_id, user_id, seller_id = OrderId(1), ANN.user_id, ids.SellerId(1)
    batch = [
        PartChanged(
            order_id=order_id, user_id=user_id, seller_id=seller_id, status="delivered", product_ids=[TEA]
        ),
        ProductsArrived(order_id=order_id, user_id=user_id, product_ids=[TEA]),
        refunded(1, ANN, CUP),
        delivered(1, ANN, TEA),
        erased(ANN),
    ]
    await deliver(db, batch, [local])
    assert await db.fetchval("select count(*) from reviews.bought") == 0


async def test_writing_waits_for_a_refund_that_is_being_heard(reviews, local, db, heard):
    await heard(placed(1, ANN, TEA), delivered(1, ANN, TEA))
    async with db.acquire() as follower:
        hearing = follower.transaction()
        await hearing.start()
        await deliver(follower, [refunded(1, ANN, TEA)], [local])
        writing = asyncio.create_task(reviews.write(ANN, TEA, NewReview(stars=5, body="Lovely.")))
        await until(lambda: db.fetchval("select exists (select from pg_locks where not granted)"))
        await hearing.commit()
    with pytest.raises(NotABuyer):
        await writing


async def test_writing_tells_the_review_and_what_all_come_to(reviews, bought, told):
    await reviews.start([Start(TEA, [1, 0, 0, 0, 1])])
    first = await reviews.write(ANN, TEA, NewReview(stars=5, body="Lovely."))
    with pytest.raises(AlreadyReviewed):
        await reviews.write(ANN, TEA, NewReview(stars=5, body="Lovely."))
    second = await reviews.write(BOB, TEA, NewReview(stars=2, body="Cold."))

    heard = await told()
    assert [fact for fact in heard if isinstance(fact, ReviewWritten)] == [
        ReviewWritten(
            review_id=review.review_id,
            product_id=TEA,
            user_id=who.user_id,
            stars=review.stars,
            verified=True,
            written_at=review.written_at,
        )
        for review, who in ((first, ANN), (second, BOB))
    ]
    assert [fact for fact in heard if isinstance(fact, RatingChanged)] == [
        RatingChanged(product_id=TEA, version=1, rating=11 / 3, review_count=3, histogram=[1, 0, 0, 0, 2]),
        RatingChanged(product_id=TEA, version=2, rating=13 / 4, review_count=4, histogram=[1, 1, 0, 0, 2]),
    ]


async def test_a_start_can_be_set_again_and_is_told_only_where_people_wrote(reviews, bought, told):
    start = [Start(TEA, [1, 2, 3, 4, 5]), Start(CUP, [0, 0, 0, 0, 0])]
    await reviews.start(start)
    await reviews.start(start)
    assert await told() == []
    assert await reviews.rating(TEA) == Rating(55 / 15, 15, [1, 2, 3, 4, 5], 0)

    await reviews.write(ANN, TEA, NewReview(stars=1, body="Cold."))
    await reviews.start(start)
    await reviews.start([Start(TEA, [0, 0, 0, 0, 1])])
    ratings = [fact for fact in await told() if isinstance(fact, RatingChanged)]
    assert [(fact.version, fact.histogram) for fact in ratings] == [
        (1, [2, 2, 3, 4, 5]),
        (2, [1, 0, 0, 0, 1]),
    ]


async def test_old_reviews_are_brought_along_once(reviews, told):
    brought = [old(1, 5, helpful=[UserId(1), UserId(2)]), old(2, 3, unhelpful=[UserId(1)]), old(3, 4, CUP)]
    assert await reviews.seed(brought) == 3
    assert await reviews.seed(brought) == 0

    assert await reviews.rating(TEA) == Rating(4.0, 2, [0, 0, 1, 0, 1], 1)
    by_name = {review.author: review for review in (await reviews.newest(TEA)).reviews}
    assert (by_name["Reader 1"].helpful, by_name["Reader 1"].unhelpful) == (2, 0)
    assert (by_name["Reader 2"].helpful, by_name["Reader 2"].unhelpful) == (0, 1)
    assert by_name["Reader 1"].verified
    assert by_name["Reader 1"].written_at == NOON
    facts = [type(fact).__name__ for fact in await told()]
    assert (facts.count("ReviewWritten"), facts.count("RatingChanged")) == (3, 2)


async def test_a_person_has_one_voice_and_may_change_their_mind(reviews, bought):
    review = await reviews.write(ANN, TEA, NewReview(stars=5, body="Lovely."))

    assert await reviews.helpful(BOB, review.review_id) == Votes(1, 0)
    assert await reviews.helpful(BOB, review.review_id) == Votes(1, 0)
    assert await reviews.helpful(BOB, review.review_id, yes=False) == Votes(0, 1)
    with pytest.raises(OwnReview):
        await reviews.helpful(ANN, review.review_id)
    with pytest.raises(NotFound):
        await reviews.helpful(BOB, ReviewId(99))
    [read] = (await reviews.newest(TEA)).reviews
    assert (read.helpful, read.unhelpful) == (0, 1)


async def test_a_crowd_of_voters_is_counted_exactly(reviews, bought):
    review = await reviews.write(ANN, TEA, NewReview(stars=5, body="Lovely."))
    crowd = [Caller(UserId(100 + number % 20)) for number in range(60)]
    await asyncio.gather(*(reviews.helpful(voter, review.review_id) for voter in crowd))
    assert (await reviews.newest(TEA)).reviews[0].helpful == 20


async def walk(reviews, sort):
    after, seen = None, []
    while True:
        page = await reviews.newest(TEA, 3, after, sort)
        assert page.total == 10
        seen += page.reviews
        if page.next is None:
            return seen
        after = page.next


async def test_every_sort_pages_through_all_reviews(reviews):
    def people(count, first):
        return [UserId(first + number) for number in range(count)]

    # The share of those it helped counts, and how many there were: 6 of 6 beats 1 of 1 and 60 of 100.
    votes = {2: (6, 0), 5: (60, 40), 7: (1, 0), 8: (0, 3)}
    await reviews.seed(
        [
            old(
                number,
                1 + number % 5,
                at=NOON + timedelta(days=number // 2),
                helpful=people(votes.get(number, (0, 0))[0], 1),
                unhelpful=people(votes.get(number, (0, 0))[1], 500),
            )
            for number in range(10)
        ]
    )
    newest = await walk(reviews, "newest")
    assert len({review.review_id for review in newest}) == 10
    assert [review.written_at for review in newest] == sorted((r.written_at for r in newest), reverse=True)

    stars = [review.stars for review in await walk(reviews, "stars")]
    assert stars == [5, 5, 4, 4, 3, 3, 2, 2, 1, 1]

    helpful = [review.author for review in await walk(reviews, "helpful")]
    assert helpful[:3] == ["Reader 2", "Reader 5", "Reader 7"]
    assert len(set(helpful)) == 10


@pytest.mark.parametrize("limit", [0, 101, -1])
async def test_a_page_of_another_size_is_refused(reviews, limit):
    with pytest.raises(Invalid):
        await reviews.newest(TEA, limit)


async def test_a_crowd_is_answered_in_a_few_statements(reviews, local, heard, monkeypatch):
    buyers = [Caller(UserId(100 + number)) for number in range(90)]
    await heard(*(placed(number, buyer, TEA) for number, buyer in enumerate(buyers)))
    await heard(*(delivered(number, buyer, TEA) for number, buyer in enumerate(buyers)))
    batches = []
    flush = local._write._flush
    monkeypatch.setattr(local._write, "_flush", lambda asks: batches.append(len(asks)) or flush(asks))

    asks = [reviews.write(buyers[n % 90], TEA, NewReview(stars=3, body="Well.")) for n in range(100)]
    stranger = reviews.write(ANN, TEA, NewReview(stars=1, body="Bad."))
    answers = await asyncio.gather(*asks, stranger, return_exceptions=True)

    assert sum(batches) == 101
    assert len(batches) <= 5
    assert sum(isinstance(answer, AlreadyReviewed) for answer in answers) == 10
    assert isinstance(answers[-1], NotABuyer)
    assert await reviews.rating(TEA) == Rating(3.0, 90, [0, 0, 90, 0, 0], (await reviews.rating(TEA)).version)


@pytest.mark.parametrize(
    ("review", "pointer"),
    [
        (b'{"stars": 6, "body": "x"}', "/stars"),
        (b'{"stars": true, "body": "x"}', "/stars"),
        (b'{"stars": 4.5, "body": "x"}', "/stars"),
        (b'{"stars": 5}', "/body"),
        (b'{"stars": 5, "body": "  "}', "/body"),
        (b'{"stars": 5, "body": "%s"}' % (b"x" * 5_001), "/body"),
        (b'{"stars": 5, "body": "x", "title": "%s"}' % (b"x" * 201), "/title"),
        (b'{"stars": 5, "body": "\\u0000x"}', None),
    ],
)
async def test_nonsense_gets_a_problem_and_writes_nothing(local, bought, review, pointer):
    asked = b'[{"caller": %s, "product_id": %s, "review": %s}]'
    async with at_the_other_end(API, local) as http:
        content = asked % (codec.encode(ANN), codec.encode(TEA), review)
        [answer] = (await http.post("/_many/write", content=content)).json()
    assert answer["problem"]["code"] == "invalid"
    assert pointer in (None, answer["problem"]["pointer"])
    assert (await local.newest(TEA)).reviews == []


async def test_sorting_by_nonsense_is_refused(local):
    async with at_the_other_end(API, local) as http:
        asked = [{"product_id": str(TEA), "sort": "loudest"}]
        [answer] = (await http.post("/_many/newest", json=asked)).json()
    assert answer["problem"]["code"] == "invalid"
