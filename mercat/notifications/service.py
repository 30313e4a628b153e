import asyncio
from collections.abc import Iterable
from datetime import timedelta
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any

import asyncpg
import structlog

from mercat.events import AccountOpened, Event, OrderCancelled, OrderPlaced, ParcelMoved
from mercat.ids import Id, OrderId
from mercat.kit import clock, codec, sql
from mercat.kit.event_log import on
from mercat.kit.refusals import Invalid, NotFound
from mercat.notifications import letters
from mercat.notifications.messages import Mail
from mercat.notifications.smtp import Away, NotSent, Post, Unknown
from mercat.settings import Settings

queries = sql.load("mercat.notifications")
log = structlog.get_logger("mercat.notifications")
TRIES_MAX = 8
_FIRST_WAIT = timedelta(seconds=30)
_LONGEST_WAIT = timedelta(hours=1)
_HELD_MAX = timedelta(minutes=10)
_UNKNOWN = "It is not known whether this was sent"
_PARCELS = {"shipped": "parcel_shipped", "delivered": "parcel_delivered"}
Told = tuple[Id, str, OrderId | None, str, Event]  # about whom or what, kind, order, address if known, fact


class Notifications:
    def __init__(self, db: asyncpg.Pool, settings: Settings) -> None:
        self._db = db
        self._settings = settings
        self._post = Post(settings.smtp_url) if settings.smtp_url else None
        self._pause_s = 1.0

    async def mailbox(self, limit: int = 50, to: str | None = None) -> list[Mail]:
        """The newest letters, all or one person's, as they are sent."""
        if not 1 <= limit <= 200:
            raise Invalid("A mailbox shows 1 to 200 letters.", pointer="/limit")
        if to is None:
            rows = await self._db.fetch(queries.mailbox, limit)
        else:
            rows = await self._db.fetch(queries.mailbox_of, limit, to)
        return [self._mail(row) for row in rows]

    async def again(self, mail_id: int) -> None:
        """Has a letter that was given up sent once more."""
        if await self._db.fetchval(queries.again, mail_id, clock.now()) is None:
            raise NotFound

    @on(OrderPlaced)
    async def confirm_orders(self, db: asyncpg.Connection, events: list[OrderPlaced]) -> None:
        await self._write(db, ((it.order_id, "order_confirmed", it.order_id, it.email, it) for it in events))

    @on(OrderCancelled)
    async def confirm_cancellations(self, db: asyncpg.Connection, events: list[OrderCancelled]) -> None:
        await self._write(db, ((it.order_id, "order_cancelled", it.order_id, it.email, it) for it in events))

    @on(ParcelMoved)
    async def announce_parcels(self, db: asyncpg.Connection, events: list[ParcelMoved]) -> None:
        told = [it for it in events if it.status in _PARCELS]
        await self._write(db, ((it.shipment_id, _PARCELS[it.status], it.order_id, "", it) for it in told))

    @on(AccountOpened)
    async def welcome(self, db: asyncpg.Connection, events: list[AccountOpened]) -> None:
        await self._write(db, ((it.user_id, "welcome", None, it.email, it) for it in events))

    async def deliver(self) -> None:
        """A duty of the back process: sends what is due, then rests; longer while nobody answers."""
        try:
            await self.send_due()
            self._pause_s = 1.0
        except Away as error:
            self._pause_s = min(self._pause_s * 2, 60)
            log.warning("the mail server is away", reason=str(error), again_in_s=self._pause_s)
        await asyncio.sleep(self._pause_s)

    async def send_due(self) -> int:
        """Sends every letter that is due, each at most once; answers how many were taken."""
        if self._post is None:
            return 0
        now = clock.now()
        await self._db.execute(queries.lose, now - _HELD_MAX, f"{_UNKNOWN}: the sender stopped meanwhile.")
        sent = 0
        while await self._db.fetchval(queries.any_due, now):
            await asyncio.to_thread(
                self._post.connect
            )  # before the claim: a server that is away costs no try
            row = await self._db.fetchrow(queries.claim, now)
            if row is None:
                break
            sending = asyncio.create_task(self._send(self._post, row))
            try:
                sent += await asyncio.shield(sending)
            except asyncio.CancelledError:
                await sending  # the letter in hand is finished and noted before we stop
                raise
        return sent

    async def _send(self, post: Post, row: asyncpg.Record) -> bool:
        sent_at = due_at = failure = None
        try:
            message, recipient = self._message(self._mail(row)), row["recipient"]
            await asyncio.to_thread(post.send, self._settings.mail_from, recipient, message)
            sent_at = clock.now()
        except NotSent as error:
            failure = str(error)
            if not error.final and row["tries"] < TRIES_MAX:
                due_at = clock.now() + min(_FIRST_WAIT * 2 ** (row["tries"] - 1), _LONGEST_WAIT)
        except Unknown as error:
            failure = f"{_UNKNOWN}: {error}"
        except Exception as error:  # a letter that cannot be put into words must not hold up the others
            failure = repr(error)[:500]
        if failure:
            log.warning("a letter was not sent", mail=row["mail_id"], tries=row["tries"], again_at=due_at)
        await self._db.execute(queries.settle, row["mail_id"], sent_at, due_at, failure)
        return sent_at is not None

    def _message(self, mail: Mail) -> EmailMessage:
        message = EmailMessage()
        message["From"] = self._settings.mail_from
        message["To"] = mail.recipient
        message["Subject"] = mail.subject
        message["Date"] = format_datetime(mail.at)
        message["Message-ID"] = f"<{mail.mail_id}.{mail.kind}@{self._settings.mail_from.rpartition('@')[2]}>"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(mail.body)
        return message

    def _mail(self, row: asyncpg.Record) -> Mail:
        letter = letters.write(self._settings, row["kind"], row["facts"], row["order_facts"])
        return sql.row(Mail, {**row, "subject": letter.subject, "body": letter.body})

    async def _write(self, db: asyncpg.Connection, told: Iterable[Told]) -> None:
        rows = [(subject, kind, order, email, codec.text(fact)) for subject, kind, order, email, fact in told]
        given: list[Any] = [*sql.columns(rows, 5), clock.now(), self._post is not None]
        await db.execute(queries.write, *given)
