import asyncio
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Annotated

import asyncpg
import structlog

from mercat.events import AccountErased, Event
from mercat.ids import OrderId
from mercat.kit import clock, codec, sql
from mercat.kit.event_log import on
from mercat.kit.refusals import Invalid, NotFound
from mercat.kit.rpc import IN_BODY
from mercat.notifications.letter import write
from mercat.notifications.letters import EVENTS, KINDS
from mercat.notifications.messages import Mail
from mercat.notifications.smtp import DeliveryUnknown, NotSent, ServerUnreachable, SmtpClient
from mercat.settings import Settings

queries = sql.load("mercat.notifications")
log = structlog.get_logger("mercat.notifications")
TRIES_MAX = 8
MAILBOX_MAX = 200
_FIRST_WAIT = timedelta(seconds=30)
_LONGEST_WAIT = timedelta(hours=1)
_HELD_MAX = timedelta(minutes=10)
_UNKNOWN = "It is not known whether this was sent"


class Notifications:
    def __init__(self, db: asyncpg.Pool, settings: Settings) -> None:
        self._db = db
        self._settings = settings
        self._client = SmtpClient(settings.smtp_url) if settings.smtp_url else None
        self._pause_s = 1.0

    async def mailbox(self, limit: int = 50, to: str | None = None) -> list[Mail]:
        """List the newest letters, all or one person's, as they are sent."""
        if not 1 <= limit <= MAILBOX_MAX:
            raise Invalid(f"A mailbox shows 1 to {MAILBOX_MAX} letters.", pointer="/limit")
        if to is None:
            rows = await self._db.fetch(queries.mailbox, limit)
        else:
            rows = await self._db.fetch(queries.mailbox_of, limit, to)
        return [self._mail(row) for row in rows]

    async def orders_of(
        self, email: Annotated[str, IN_BODY], before: OrderId | None = None, limit: int = 50
    ) -> list[OrderId]:
        """Find the orders that were confirmed to an e-mail address, the newest first."""
        rows = await self._db.fetch(queries.orders_of, email.strip(), before or 2**63 - 1, limit)
        return [OrderId(row["order_id"]) for row in rows]

    async def letter(self, mail_id: int) -> Mail:
        """Return one letter; NotFound where there is none."""
        row = await self._db.fetchrow(queries.letter, mail_id)
        if row is None:
            raise NotFound
        return self._mail(row)

    async def of_order(self, order_id: OrderId) -> list[Mail]:
        """List the letters about an order, the newest first."""
        return [self._mail(row) for row in await self._db.fetch(queries.of_order, order_id)]

    async def send_again(self, mail_id: int) -> None:
        """Send a letter once more that was given up."""
        if await self._db.fetchval(queries.send_again, mail_id, clock.now()) is None:
            raise NotFound

    @on(*EVENTS)
    async def write_letters(self, db: asyncpg.Connection, events: list[Event]) -> None:
        """Store the letters that facts ask for, each once; they are put into words when sent or read."""
        rows = [
            (kind.subject_id(fact), name, kind.order_id(fact), kind.email(fact), codec.text(fact))
            for name, kind in KINDS.items()
            for fact in events
            if isinstance(fact, kind.event) and kind.when(fact)
        ]
        sending = self._client is not None
        await db.execute(queries.write, *sql.columns(rows, 5), clock.now(), sending)

    @on(AccountErased)
    async def forget_people(self, db: asyncpg.Connection, events: list[AccountErased]) -> None:
        """Burn the letters to people who are to be forgotten, and those of their orders."""
        for event in events:
            people = [str(person) for person in event.people]
            await db.execute(queries.forget_people, event.email, event.guest, people)

    async def deliver(self) -> None:
        """Send what is due, then rest; longer while the server is away."""
        try:
            await self.send_due()
            self._pause_s = 1.0
        except ServerUnreachable as error:
            self._pause_s = min(self._pause_s * 2, 60)
            log.warning("the mail server is away", reason=str(error), again_in_s=self._pause_s)
        await asyncio.sleep(self._pause_s)

    async def send_due(self) -> int:
        """Send every letter that is due, each at most once; answers how many the server took."""
        if self._client is None:
            return 0
        now = clock.now()
        await self._db.execute(
            queries.mark_lost, now - _HELD_MAX, f"{_UNKNOWN}: the sender stopped meanwhile."
        )
        sent = 0
        while await self._db.fetchval(queries.any_due, now):
            # Before the claim: a server that is away costs no try.
            await asyncio.to_thread(self._client.connect)
            sending = asyncio.create_task(self._send_next(self._client, now))
            try:
                taken = await asyncio.shield(sending)
            except asyncio.CancelledError:
                await sending  # a letter that is claimed is finished and noted before we stop
                raise
            if taken is None:
                break
            sent += taken
        return sent

    async def _send_next(self, client: SmtpClient, now: datetime) -> bool | None:
        """Claim the letter that is due first and send it; None where another sender was there before."""
        row = await self._db.fetchrow(queries.claim, now)
        return None if row is None else await self._send(client, row)

    async def _send(self, client: SmtpClient, row: asyncpg.Record) -> bool:
        sent_at = due_at = failure = None
        try:
            message, recipient = self._message(self._mail(row)), row["recipient"]
            await asyncio.to_thread(client.send, self._settings.mail_from, recipient, message)
            sent_at = clock.now()
        except NotSent as error:
            failure = str(error)
            if not error.final and row["tries"] < TRIES_MAX:
                due_at = clock.now() + min(_FIRST_WAIT * 2 ** (row["tries"] - 1), _LONGEST_WAIT)
        except DeliveryUnknown as error:
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
        message.add_alternative(mail.html, subtype="html")
        return message

    def _mail(self, row: asyncpg.Record) -> Mail:
        kind = row["kind"]
        letter = write(self._settings, kind, KINDS[kind], row["facts"], row["order_facts"])
        return sql.row(Mail, {**row, "subject": letter.subject, "body": letter.body, "html": letter.html})
