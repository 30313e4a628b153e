"""What notifications promise, whether they live in this process or behind HTTP, and to a real SMTP server."""

import asyncio
import email
import email.policy
import json
import socket
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import httpx
import msgspec
import pytest
from aiosmtpd.controller import Controller
from both_ways import posts_to
from starlette.applications import Starlette

from mercat import ids
from mercat.accounts import Contact
from mercat.events import (
    AccountOpened,
    OrderCancelled,
    OrderLine,
    OrderNotPlaced,
    OrderPlaced,
    ParcelMoved,
    PaymentNotConfirmed,
    ShipmentLine,
)
from mercat.ids import LineId, OrderId, ShipmentId, UserId
from mercat.kit import clock, codec
from mercat.kit.event_log import deliver
from mercat.kit.refusals import Invalid, NotFound
from mercat.kit.stand_ins import remote, serve_asks
from mercat.notifications import API, Notifications
from mercat.notifications.letters._wished import WishedProduct
from mercat.notifications.smtp import ServerUnreachable

ANN = UserId(11)
ORDER, OTHER = OrderId(1), OrderId(2)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def shop(settings):
    return msgspec.structs.replace(settings, public_url="https://shop.example")


@pytest.fixture
async def local(pool, shop):
    return Notifications(await pool("notifications"), shop)


@pytest.fixture(params=["in process", "over http"])
async def notifications(request, local):
    if request.param == "in process":
        yield local
    else:
        app = httpx.ASGITransport(Starlette(routes=serve_asks(API, local)))
        async with httpx.AsyncClient(transport=app, base_url="http://notifications") as http:
            yield remote(Notifications, API, posts_to(http))


@pytest.fixture
async def hear(pool):
    mine = await pool("notifications")

    async def hear(service, *events):
        async with mine.acquire() as connection, connection.transaction():
            await deliver(connection, events, [service])

    return hear


def line(number, title, quantity=1):
    return OrderLine(
        order_line_id=LineId(number),
        product_id=ids.ProductId(number),
        offer_id=ids.OfferId(number),
        seller_id=ids.SellerId(1),
        title=title,
        quantity=quantity,
        unit_price=799,
        total=799 * quantity,
    )


def placed(order=ORDER, to="ann@example.com"):
    return OrderPlaced(
        order_id=order,
        checkout_id=ids.CheckoutId(1),
        cart_id=ids.CartId(1),
        user_id=ANN,
        email=to,
        subtotal=2_397,
        shipping=500,
        tax=203,
        total=3_100,
        currency="USD",
        lines=[line(1, "Tea & <milk>", 2), line(2, "Tasse à thé")],
        placed_at=NOON,
        estimated_delivery="2026-03-05",
        address={
            "name": "Ann Lee",
            "line1": "1 Main St",
            "city": "Springfield",
            "region": "IL",
            "postal_code": "62701",
            "country": "US",
        },
    )


def cancelled(order=ORDER, **more):
    return OrderCancelled(order_id=order, user_id=ANN, **more)


def moved(status, order=ORDER, lines=((2, 1),), **more):
    return ParcelMoved(
        shipment_id=ShipmentId(7),
        order_id=order,
        user_id=ANN,
        seller_id=ids.SellerId(1),
        version=1,
        status=status,
        at=NOON,
        carrier="Post",
        tracking_number="TR-1",
        lines=[ShipmentLine(LineId(number), quantity) for number, quantity in lines],
        **more,
    )


async def test_an_order_is_confirmed_once_however_often_it_is_told(notifications, local, hear):
    await hear(local, placed(), placed())
    await hear(local, placed())

    [mail] = await notifications.mailbox()
    assert (mail.kind, mail.recipient) == ("order_confirmed", "ann@example.com")
    assert mail.subject == f"Your order {ORDER} is confirmed"
    assert "  2 x Tea & <milk>: $15.98\n  1 x Tasse à thé: $7.99\n" in mail.body
    assert "  Shipping: $5.00\n  Tax: $2.03\n  Total: $31.00\n" in mail.body
    assert "Discount" not in mail.body
    assert "Expected by Thursday, 5 March." in mail.body
    assert "  Ann Lee\n  1 Main St\n  Springfield, IL 62701\n  United States\n" in mail.body
    assert f"https://shop.example/orders/{ORDER}" in mail.body
    assert "\n\n\n" not in mail.body
    assert mail.sent_at is not None  # the mailbox is where it goes


async def test_a_cancellation_goes_to_whoever_ordered(notifications, local, hear):
    await hear(local, placed(), cancelled())
    await hear(local, cancelled(OTHER, email="bob@example.com", total=500))
    await hear(local, cancelled(OrderId(3)))  # nobody knows whose it was

    bob, ann, _ = await notifications.mailbox()
    assert (ann.kind, ann.recipient) == ("order_cancelled", "ann@example.com")
    assert "$31.00 goes back" in ann.body
    assert "2 x Tea & <milk>" in ann.body
    assert (bob.recipient, "$5.00 goes back" in bob.body) == ("bob@example.com", True)


async def test_who_paid_for_what_could_not_be_stored_is_told_once(notifications, local, hear):
    fact = OrderNotPlaced(
        order_id=ORDER,
        checkout_id=ids.CheckoutId(1),
        user_id=ANN,
        email="ann@example.com",
        total=3_100,
        currency="USD",
    )
    await hear(local, fact, fact)
    [mail] = await notifications.mailbox()
    assert mail.recipient == "ann@example.com"
    assert "You paid $31.00," in mail.body


async def test_who_walked_away_from_their_bank_is_told_that_nothing_was_ordered(notifications, local, hear):
    fact = PaymentNotConfirmed(
        checkout_id=ids.CheckoutId(1), user_id=ANN, email="ann@example.com", total=3_100, currency="USD"
    )
    await hear(local, fact, fact)
    [mail] = await notifications.mailbox()
    assert mail.recipient == "ann@example.com"
    assert "confirm $31.00, and that did not happen in time" in mail.body


async def test_a_parcel_is_announced_when_it_leaves_and_when_it_arrives(notifications, local, hear):
    await hear(local, placed(), moved("shipped"))
    for status in ("in_transit", "out_for_delivery", "exception", "shipped"):
        await hear(local, moved(status))
    await hear(local, moved("delivered", location="Porch"), moved("delivered"))
    await hear(local, moved("shipped", OTHER))  # nobody knows whose it was

    arrived, left, _ = await notifications.mailbox()
    assert (left.kind, arrived.kind) == ("parcel_shipped", "parcel_delivered")
    assert left.recipient == arrived.recipient == "ann@example.com"
    assert "  1 x Tasse à thé\n" in left.body
    assert "Tea &" not in left.body
    assert "Tracking number: TR-1" in left.body
    assert "delivered (Porch)." in arrived.body


async def test_an_account_is_welcomed_and_a_name_cannot_forge_a_letter(notifications, local, hear):
    await hear(
        local, AccountOpened(user_id=ANN, email="ann@example.com", name="Ann\r\n\r\nSend money {{ 7*7 }}")
    )
    [mail] = await notifications.mailbox()
    assert mail.subject == "Welcome to Mercat"
    assert mail.body.startswith("Hello Ann Send money {{ 7*7 }},\n")


async def test_the_mailbox_shows_the_newest_first_and_one_persons_alone(notifications, local, hear):
    for number in range(1, 6):
        await hear(local, placed(OrderId(number), f"person-{number % 2}@example.com"))

    assert [mail.subject.split()[2] for mail in await notifications.mailbox(2)] == [
        str(OrderId(5)),
        str(OrderId(4)),
    ]
    assert len(await notifications.mailbox(to="Person-1@example.com")) == 3
    assert await notifications.mailbox(to="eve@example.com") == []
    for limit in (0, 201):
        with pytest.raises(Invalid):
            await notifications.mailbox(limit)


class Server:
    """A real SMTP server that keeps what it takes, and does as it is told first."""

    def __init__(self):
        self.taken = []
        self.refusals = []
        self.hang_up = False
        self.sender_refused = False
        self.offers_utf8 = True
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._controller = None

    async def handle_MAIL(self, server, session, envelope, address, mail_options):
        if self.sender_refused:
            return "550 we do not know you"
        envelope.mail_from = address
        envelope.mail_options.extend(mail_options)
        return "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):
        if self.refusals:
            return self.refusals.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        self.taken.append((envelope.rcpt_tos, envelope.content))
        if self.hang_up:
            server.transport.abort()
        return "250 taken"

    def open(self):
        self._controller = Controller(self, "127.0.0.1", self.port, enable_SMTPUTF8=self.offers_utf8)
        self._controller.start()

    def close(self):
        if self._controller:
            self._controller.stop()
            self._controller = None

    def read(self, number=0):
        return email.message_from_bytes(self.taken[number][1], policy=email.policy.default)


@pytest.fixture
def server():
    server = Server()
    server.open()
    yield server
    server.close()


@pytest.fixture
async def sender(pool, shop, server):
    url = f"smtp://127.0.0.1:{server.port}"
    return Notifications(await pool("notifications"), msgspec.structs.replace(shop, smtp_url=url))


@pytest.fixture
def later():
    """`later(minutes=5)`: the clock goes on."""
    at = [NOON]
    clock.clock.drive(lambda: at[0])

    def later(**much):
        at[0] += timedelta(**much)

    yield later
    clock.clock.drive(None)


async def test_letters_go_out_by_smtp(sender, server, hear):
    await hear(sender, placed())
    assert (await sender.mailbox())[0].sent_at is None
    assert await sender.send_due() == 1
    assert await sender.send_due() == 0

    assert server.taken[0][0] == ["ann@example.com"]
    message = server.read()
    assert message["To"] == "ann@example.com"
    assert message["From"] == "shop@mercat.example"
    assert message["Subject"] == f"Your order {ORDER} is confirmed"
    [mail] = await sender.mailbox()
    plain, html = message.iter_parts()
    assert message.get_content_type() == "multipart/alternative"
    assert plain.get_content().replace("\r\n", "\n") == mail.body
    assert html.get_content().replace("\r\n", "\n") == mail.html
    assert mail.sent_at is not None
    assert (mail.tries, mail.failure) == (1, None)


async def test_two_senders_never_send_the_same_letter(sender, server, hear, pool, shop):
    url = f"smtp://127.0.0.1:{server.port}"
    other = Notifications(await pool("notifications"), msgspec.structs.replace(shop, smtp_url=url))
    await hear(sender, *(placed(OrderId(number)) for number in range(1, 31)))

    assert sum(await asyncio.gather(sender.send_due(), other.send_due())) == 30
    subjects = {server.read(number)["Subject"] for number in range(len(server.taken))}
    assert len(subjects) == len(server.taken) == 30


async def test_what_is_refused_for_now_is_tried_again_later_and_later(sender, server, hear, later):
    server.refusals = ["451 busy", "451 busy"]
    await hear(sender, placed())
    assert await sender.send_due() == 0
    assert await sender.send_due() == 0  # not yet
    [mail] = await sender.mailbox()
    assert (mail.tries, "451" in mail.failure) == (1, True)

    later(seconds=30)
    assert await sender.send_due() == 0
    later(seconds=59)
    assert await sender.send_due() == 0
    assert len(server.refusals) == 0
    later(seconds=1)
    assert await sender.send_due() == 1
    [mail] = await sender.mailbox()
    assert (mail.tries, mail.failure) == (3, None)


async def test_trying_ends(sender, server, hear, later):
    server.refusals = ["451 busy"] * 100
    await hear(sender, placed())
    for _ in range(20):
        await sender.send_due()
        later(hours=1)
    [mail] = await sender.mailbox()
    assert mail.tries == 100 - len(server.refusals) == 8


async def test_what_is_refused_for_good_waits_for_a_person(sender, server, hear, later):
    server.refusals = ["550 no such user"]
    await hear(sender, placed(), placed(OTHER, "bob@example.com"))
    assert await sender.send_due() == 1  # the other one
    later(days=1)
    assert await sender.send_due() == 0
    failed = [mail for mail in await sender.mailbox() if mail.failure]
    assert [("550" in mail.failure, mail.sent_at) for mail in failed] == [(True, None)]

    await sender.send_again(failed[0].mail_id)
    assert await sender.send_due() == 1
    with pytest.raises(NotFound):
        await sender.send_again(failed[0].mail_id)  # it is sent


async def test_a_letter_that_cannot_be_written_holds_nobody_up(sender, server, hear):
    await hear(sender, placed(to="ann@exämple\u2028.com"), placed(OTHER))
    assert await sender.send_due() == 1
    assert [mail.failure is None for mail in await sender.mailbox()] == [True, False]


async def test_while_the_server_is_away_nothing_is_spent(sender, server, hear):
    await hear(sender, placed())
    server.close()
    for _ in range(3):
        with pytest.raises(ServerUnreachable):
            await sender.send_due()
    assert (await sender.mailbox())[0].tries == 0
    server.open()
    assert await sender.send_due() == 1


async def test_a_line_that_was_closed_meanwhile_is_opened_again(sender, server, hear):
    await hear(sender, placed())
    await sender.send_due()
    server.close()
    server.open()
    await hear(sender, placed(OTHER))
    assert await sender.send_due() == 1


async def test_what_may_have_gone_out_is_never_sent_again_by_itself(sender, server, hear, later):
    server.hang_up = True
    await hear(sender, placed())
    assert await sender.send_due() == 0
    server.hang_up = False
    later(days=1)
    assert await sender.send_due() == 0
    assert len(server.taken) == 1
    [mail] = await sender.mailbox()
    assert mail.failure.startswith("It is not known whether this was sent")


async def test_a_sender_that_died_with_a_letter_in_hand_is_noticed(sender, server, hear, db, later):
    await hear(sender, placed())
    claimed = "update notifications.mail set due_at = null, claimed_at = $1, tries = 1"
    await db.execute(claimed, clock.now())

    later(minutes=9)
    assert await sender.send_due() == 0
    assert (await sender.mailbox())[0].failure is None
    later(minutes=2)
    assert await sender.send_due() == 0
    assert "not known" in (await sender.mailbox())[0].failure
    assert server.taken == []
    await sender.send_again((await sender.mailbox())[0].mail_id)
    assert await sender.send_due() == 1


async def test_who_is_stopped_finishes_the_letter_in_hand(sender, server, hear):
    await hear(sender, *(placed(OrderId(number)) for number in range(1, 41)))
    sending = asyncio.create_task(sender.send_due())
    async with asyncio.timeout(10):
        while not any(mail.tries for mail in await sender.mailbox()):
            await asyncio.sleep(0)  # and no longer: it must still be sending
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    mails = await sender.mailbox()
    assert sum(mail.sent_at is not None for mail in mails) == sum(mail.tries for mail in mails)
    assert len(server.taken) == sum(mail.tries for mail in mails)


@pytest.mark.parametrize("typed", ["kaeufer@müller.example", "kaeufer@xn--mller-kva.example"])
async def test_a_domain_with_an_umlaut_is_written_to(sender, server, hear, typed):
    await hear(sender, placed(to=typed))
    assert await sender.send_due() == 1
    assert server.taken[0][0] == ["kaeufer@xn--mller-kva.example"]
    assert server.read()["To"] == "kaeufer@xn--mller-kva.example"


async def test_a_name_with_an_umlaut_is_written_to_where_the_server_takes_it(sender, server, hear, later):
    await hear(sender, placed(to="käufer@müller.example"))
    assert await sender.send_due() == 1
    assert server.taken[0][0] == ["käufer@xn--mller-kva.example"]
    await hear(sender, placed(OTHER))
    assert await sender.send_due() == 1  # on the same line

    server.close()
    server.offers_utf8 = False
    server.open()
    await hear(sender, placed(OrderId(3), "käufer@müller.example"))
    assert await sender.send_due() == 0
    mail = (await sender.mailbox())[0]
    assert "takes no address with such letters" in mail.failure
    later(days=1)
    assert await sender.send_due() == 0
    assert (await sender.mailbox())[0].tries == 1


async def test_who_refuses_the_shop_refuses_no_letter_for_good(sender, server, hear, later):
    server.sender_refused = True
    await hear(sender, placed())
    assert await sender.send_due() == 0
    server.sender_refused = False
    later(seconds=31)
    assert await sender.send_due() == 1


async def test_a_letter_one_can_do_without_says_how_to_mail_programs(sender, server, db):
    facts = codec.text(WishedProduct(ids.ProductId(1), "Tea", 500, "USD", 900))
    await db.execute(
        """insert into notifications.mail (subject_id, kind, channel, recipient, facts, made_at, due_at)
           values (1, 'price_drop', 'mail/1/x', 'ann@example.com', $1, $2, $2)""",
        facts,
        NOON,
    )
    assert await sender.send_due() == 1
    message = server.read()
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    link = message["List-Unsubscribe"].strip().removeprefix("<").removesuffix(">")
    assert link.startswith("https://shop.example/unsubscribe/")
    assert "ann" not in link
    for part in message.iter_parts():
        assert link in part.get_content()


async def test_a_title_cannot_add_a_header_or_an_address(sender, server, db):
    title = "Tea\r\nBcc: eve@example.com\nX: 1\r\n\r\nBuy \u2028this: " + "ü" * 300
    facts = codec.text(WishedProduct(ids.ProductId(1), title, 500, "USD", 900))
    await db.execute(
        """insert into notifications.mail (subject_id, kind, channel, recipient, facts, made_at, due_at)
           values (1, 'price_drop', 'mail/1/x', 'ann@example.com', $1, $2, $2)""",
        facts,
        NOON,
    )
    assert await sender.send_due() == 1
    message = server.read()
    assert server.taken[0][0] == ["ann@example.com"]
    assert message["Bcc"] is message["X"] is None
    assert message["Subject"].startswith("Tea Bcc: eve@example.com X: 1 Buy this: üüü")
    assert len(list(message.iter_parts())) == 2


async def test_what_is_needed_has_no_such_link(sender, server, hear):
    await hear(sender, placed())
    await sender.send_due()
    assert server.read()["List-Unsubscribe"] is None
    assert b"unsubscribe" not in server.taken[0][1]


class Operators:
    """An operator, and no seller that has people."""

    async def operator_contacts(self):
        return [Contact(UserId(5), "olga@example.com")]

    async def seller(self, seller_id):
        raise NotFound


async def test_operators_are_told_once_of_what_cannot_be_delivered(sender, server, hear, later, db):
    sender.notices._sources = SimpleNamespace(accounts=Operators(), sellers=Operators())
    server.refusals = ["550 no such user", "550 no such user"]
    await hear(sender, placed(), placed(OTHER, "bob@example.com"))
    assert await sender.send_due() == 0
    assert await sender.undelivered(ORDER) == ["ann@example.com"]
    assert [mail.recipient for mail in await sender.failed()] == ["bob@example.com", "ann@example.com"]

    assert await sender.notices.write_due() == 0  # what fails meanwhile is the same letter
    later(seconds=11)
    assert await sender.notices.write_due() == 2  # the other one is its seller's, who is nobody
    assert await sender.notices.write_due() == 0
    server.refusals = ["550 nor is she"]
    assert await sender.send_due() == 0
    [mail] = await sender.mailbox(to="olga@example.com")
    assert mail.subject == "2 letters could not be delivered"
    assert "ann@example.com" not in mail.body
    assert "https://shop.example/operator/letters" in mail.body
    later(seconds=11)
    assert await sender.notices.write_due() == 0  # none about that one
    assert not await db.fetchval("select count(*) from notifications.notice")

    await sender.send_again((await sender.failed())[-1].mail_id)
    assert await sender.send_due() == 1
    assert await sender.undelivered(ORDER) == []


async def test_a_sender_that_died_is_told_to_operators_too(sender, hear, db, later):
    await hear(sender, placed())
    await db.execute("update notifications.mail set due_at = null, claimed_at = $1, tries = 1", clock.now())
    later(minutes=11)
    await sender.send_due()
    await sender.send_due()
    told = "select facts_count from notifications.notice where kind = 'letter_undeliverable'"
    assert await db.fetchval(told) == 1


async def test_an_order_that_is_told_twice_is_packed_once(local, hear, db):
    await hear(local, placed(), placed(), placed(OTHER))
    await hear(local, placed())
    await hear(local, placed(OrderId(3)))
    facts, count = await db.fetchrow("select facts, facts_count from notifications.notice")
    assert [each["order_id"] for each in json.loads(facts)] == [ORDER, OTHER, 3]
    assert count == 3


async def test_a_letter_without_words_hides_none_of_the_others(sender, server, hear, db):
    """As after a kind of letter is gone, or when an old fact cannot be read any more."""
    server.refusals = ["550 no such user"] * 2
    await hear(sender, placed(), placed(OTHER))
    await db.execute("update notifications.mail set facts = '{}' where subject_id = $1", int(ORDER))
    await sender.send_due()
    await sender.send_due()
    failed = {mail.subject: mail.body for mail in await sender.failed()}
    assert failed.pop("(order_confirmed)") == ""
    [(subject, body)] = failed.items()
    assert "confirmed" in subject
    assert body
    assert len(await sender.of_order(ORDER)) == 1
