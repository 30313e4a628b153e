"""Who does without which kind of letter: chosen in the account, or by the link in a letter."""

import asyncpg

from mercat.ids import UserId
from mercat.kit import sql
from mercat.kit.refusals import Conflict, Invalid, NotFound
from mercat.kit.signing import seal, unseal
from mercat.notifications.letters import KINDS
from mercat.notifications.messages import Choices, Choosing, Subscription
from mercat.settings import Settings

queries = sql.load("mercat.notifications")


class NotificationNeeded(Conflict):
    """Letters about orders, money and signing in cannot be turned off."""


class Preferences:
    """Who does without which kind of letter."""

    def __init__(self, db: asyncpg.Pool, settings: Settings) -> None:
        self._db = db
        self._settings = settings
        self._key = settings.key("unsubscribe")

    async def choices(self, user_id: UserId, email: str) -> list[Choices]:
        """List the kinds of letters that one can do without, and which of them a person gets."""
        rows = await self._db.fetch(queries.unwanted, [str(int(user_id)), email.lower()])
        unwanted = {row["kind"] for row in rows}
        found = [
            Choices(name, kind.optional.words, kind.optional.role, name not in unwanted)
            for name, kind in KINDS.items()
            if kind.optional
        ]
        return sorted(found, key=lambda each: (each.role, each.words))

    async def needed(self) -> list[str]:
        """List the kinds of letters that nobody can do without."""
        return [name for name, kind in KINDS.items() if not kind.optional]

    async def choose(self, user_id: UserId, choosing: Choosing) -> None:
        """Say which kinds a person gets; those that are not named stay. NotificationNeeded for a kind that
        nobody can do without, Invalid for one that there is not."""
        for name, wanted in choosing.wanted.items():
            if name not in KINDS:
                raise Invalid(f"There is no kind of letter called {name}.", pointer=f"/wanted/{name}")
            if not KINDS[name].optional and not wanted:
                raise NotificationNeeded(pointer=f"/wanted/{name}")
        kinds = [name for name in choosing.wanted if KINDS[name].optional]
        wanted = [choosing.wanted[name] for name in kinds]
        await self._db.execute(queries.choose, str(int(user_id)), choosing.email.lower(), kinds, wanted)

    async def subscription(self, token: str) -> Subscription:
        """Say what a letter's link ends; NotFound for one that is none of ours."""
        row = await self._db.fetchrow(queries.subscription, self._mail_id(token))
        kind = KINDS.get(row["kind"]) if row else None
        if row is None or kind is None or not kind.optional:
            raise NotFound("This link is none of ours, or the letter is forgotten already.")
        return Subscription(row["kind"], kind.optional.words, row["wanted"])

    async def unsubscribe(self, token: str, back: bool = False) -> Subscription:
        """End letters of the kind of this link's letter to its address, at once; `back`: begin again."""
        subscription = await self.subscription(token)
        statement = queries.resubscribe if back else queries.unsubscribe
        await self._db.execute(statement, self._mail_id(token))
        return Subscription(subscription.kind, subscription.words, back)

    def link(self, mail_id: int) -> str:
        """Return the address that ends letters of a letter's kind to its address."""
        return self._settings.link(f"/unsubscribe/{seal(self._key, mail_id)}")

    def _mail_id(self, token: str) -> int:
        mail_id = unseal(self._key, token, int)
        if mail_id is None:
            raise NotFound("This link is none of ours.")
        return mail_id
