"""How letters go out: each at most once, tried again by the rule for what went wrong."""

import asyncio
from datetime import datetime, timedelta
from email.utils import parseaddr
from typing import NamedTuple

import asyncpg
import structlog
from asyncpg.pool import PoolConnectionProxy

from mercat.ids import OrderId
from mercat.kit import clock, sql, tracing
from mercat.notifications.failed import FailedLetter
from mercat.notifications.notices import FAILED, Notices
from mercat.notifications.smtp import DeliveryUnknown, NotSent, ServerUnreachable, SmtpClient, on_the_wire
from mercat.notifications.wording import Wording
from mercat.settings import Settings

queries = sql.load("mercat.notifications")
log = structlog.get_logger("mercat.notifications")
TRIES_MAX = 8
_FIRST_WAIT = timedelta(seconds=30)
_LONGEST_WAIT = timedelta(hours=1)
_HELD_MAX = timedelta(minutes=10)
_UNKNOWN = "It is not known whether this was sent"


class _Outcome(NamedTuple):
    """What became of a try: sent, to be tried again, or given up."""

    sent_at: datetime | None = None
    due_at: datetime | None = None
    failure: str | None = None


class Outbox:
    """Sends letters over SMTP."""

    def __init__(self, db: asyncpg.Pool, settings: Settings, wording: Wording, notices: Notices) -> None:
        self._db = db
        self._from = parseaddr(settings.mail_from)[1]
        self._wording = wording
        self._notices = notices
        self._client = SmtpClient(settings.smtp_url) if settings.smtp_url else None
        self._pause_s = 1.0

    async def keep_sending(self) -> None:
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
        await self._mark_lost(now - _HELD_MAX)
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

    async def _mark_lost(self, before: datetime) -> None:
        async with self._db.acquire() as db, db.transaction():
            failure = f"{_UNKNOWN}: the sender stopped meanwhile."
            await self._tell(db, await db.fetch(queries.mark_lost, before, failure))

    async def _send_next(self, client: SmtpClient, now: datetime) -> bool | None:
        """Claim the letter that is due first and send it; None where another sender was there before."""
        row = await self._db.fetchrow(queries.claim, now)
        if row is None:
            return None
        about = await tracing.where_made([row["order_id"]] if row["order_id"] else [])
        with tracing.alone("letter", tracing.SpanKind.CLIENT, about, mercat__kind=row["kind"]):
            outcome = await self._try(client, row)
        if outcome.failure:
            log.warning(
                "a letter was not sent", mail=row["mail_id"], tries=row["tries"], again_at=outcome.due_at
            )
        async with self._db.acquire() as db, db.transaction():
            await db.execute(queries.settle, row["mail_id"], *outcome)
            if outcome.failure and outcome.due_at is None:
                await self._tell(db, [row])
        return outcome.sent_at is not None

    async def _try(self, client: SmtpClient, row: asyncpg.Record) -> _Outcome:
        """Try once. What is refused for now is tried again, later and later; what is refused for good, or may
        have gone out, waits for a person."""
        try:
            message = self._wording.message(row)
            sender, recipient = on_the_wire(self._from), on_the_wire(row["recipient"])
            await asyncio.to_thread(client.send, sender, recipient, message)
            return _Outcome(clock.now())
        except NotSent as error:
            wait = min(_FIRST_WAIT * 2 ** (row["tries"] - 1), _LONGEST_WAIT)
            final = error.final or row["tries"] >= TRIES_MAX
            return _Outcome(due_at=None if final else clock.now() + wait, failure=str(error))
        except DeliveryUnknown as error:
            return _Outcome(failure=f"{_UNKNOWN}: {error}")
        except Exception as error:  # a letter that cannot be put into words must not hold up the others
            return _Outcome(failure=repr(error)[:500])

    async def _tell(self, db: PoolConnectionProxy, rows: list[asyncpg.Record]) -> None:
        """Note down for operators which letters were given up; not those to themselves about it."""
        about = [
            FailedLetter(row["mail_id"], row["kind"], OrderId(row["order_id"]) if row["order_id"] else None)
            for row in rows
            if row["kind"] != FAILED
        ]
        if about:
            await self._notices.note_failures(db, about)
