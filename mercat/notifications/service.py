"""Letters: stored with the facts that ask for them, and read."""

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from mercat.events import AccountErased, Event
from mercat.ids import OrderId
from mercat.kit import clock, codec, sql
from mercat.kit.event_log import on
from mercat.kit.refusals import Invalid, NotFound
from mercat.notifications.letters import EVENTS, KINDS
from mercat.notifications.messages import Mail
from mercat.notifications.notices import Notices
from mercat.notifications.outbox import Outbox
from mercat.notifications.preferences import Preferences
from mercat.notifications.sources import Sources
from mercat.notifications.wording import Wording
from mercat.settings import Settings

queries = sql.load("mercat.notifications")
MAILBOX_MAX = 200


class Notifications:
    """Letters about facts, who does without which, and how they are sent."""

    def __init__(self, db: asyncpg.Pool, settings: Settings, sources: Sources | None = None) -> None:
        """Without `sources` letters whose people are looked up are noted down, and wait."""
        self._db = db
        self._is_sending = bool(settings.smtp_url)
        self.preferences = Preferences(db, settings)
        self.notices = Notices(db, settings, sources)
        self._wording = Wording(settings, self.preferences)
        self.outbox = Outbox(db, settings, self._wording, self.notices)

        self.choices = self.preferences.choices
        self.needed = self.preferences.needed
        self.choose = self.preferences.choose
        self.subscription = self.preferences.subscription
        self.unsubscribe = self.preferences.unsubscribe
        self.send_due = self.outbox.send_due

    async def mailbox(self, limit: int = 50, to: str | None = None) -> list[Mail]:
        """List the newest letters, all or one person's, as they are sent."""
        if not 1 <= limit <= MAILBOX_MAX:
            raise Invalid(f"A mailbox shows 1 to {MAILBOX_MAX} letters.", pointer="/limit")
        if to is None:
            rows = await self._db.fetch(queries.mailbox, limit)
        else:
            rows = await self._db.fetch(queries.mailbox_of, limit, to)
        return [self._wording.shown(row) for row in rows]

    async def orders_of(self, email: str, before: OrderId | None = None, limit: int = 50) -> list[OrderId]:
        """Find the orders that were confirmed to an e-mail address, the newest first."""
        rows = await self._db.fetch(queries.orders_of, email.strip(), before or 2**63 - 1, limit)
        return [OrderId(row["order_id"]) for row in rows]

    async def letter(self, mail_id: int) -> Mail:
        """Return one letter; NotFound where there is none."""
        row = await self._db.fetchrow(queries.letter, mail_id)
        if row is None:
            raise NotFound
        return self._wording.mail(row)

    async def of_order(self, order_id: OrderId) -> list[Mail]:
        """List the letters about an order, the newest first."""
        return [self._wording.shown(row) for row in await self._db.fetch(queries.of_order, order_id)]

    async def undelivered(self, order_id: OrderId) -> list[str]:
        """List the addresses that letters about an order could not be delivered to."""
        rows = await self._db.fetch(queries.undelivered, order_id)
        return [row["recipient"] for row in rows]

    async def failed(self, before: int | None = None, limit: int = 50) -> list[Mail]:
        """List letters that were given up, the newest first."""
        rows = await self._db.fetch(queries.failed, before or 2**63 - 1, limit)
        return [self._wording.shown(row) for row in rows]

    async def send_again(self, mail_id: int) -> None:
        """Send a letter once more that was given up."""
        if await self._db.fetchval(queries.send_again, mail_id, clock.now()) is None:
            raise NotFound

    async def send_of_order_again(self, order_id: OrderId, mail_id: int) -> None:
        """Send a letter about an order once more; NotFound for another's, and for one that is on its way."""
        asked = mail_id, order_id, clock.now(), self._is_sending
        if await self._db.fetchval(queries.send_of_order_again, *asked) is None:
            raise NotFound("There is no such letter to send.")

    @on(*EVENTS)
    async def write_letters(self, db: PoolConnectionProxy, events: list[Event]) -> None:
        """Store the letters that facts ask for, each once, and note down those whose people are looked up;
        they are put into words when sent or read."""
        rows = [
            (
                int(kind.subject_id(fact)),
                name,
                "mail",
                kind.order_id(fact),
                kind.email(fact),
                None,
                codec.inner_text(fact),
            )
            for name, kind in KINDS.items()
            for fact in events
            if kind.event and isinstance(fact, kind.event) and kind.lookup is None and kind.when(fact)
        ]
        written = await db.fetch(queries.write, *sql.columns(rows, 7), clock.now(), self._is_sending)
        new = {(row["kind"], row["subject_id"]) for row in written}
        await self.notices.note(db, events, new)

    @on(AccountErased)
    async def forget_people(self, db: asyncpg.Connection, events: list[AccountErased]) -> None:
        """Burn the letters to people who are to be forgotten, and those of their orders."""
        await db.execute(queries.alone)
        for event in events:
            numbers = [int(person) for person in event.people]
            people = [*map(str, event.people), *map(str, numbers)]  # as letters and notices have them
            await db.execute(queries.forget_people, event.email, event.guest, people, numbers)
