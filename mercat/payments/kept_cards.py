"""Cards as they are charged from now on: attached to a shopper at the provider, or for one purchase."""

import asyncpg

from mercat.events import AccountErased
from mercat.ids import UserId
from mercat.kit import sql
from mercat.kit.event_log import on
from mercat.kit.refusals import Invalid, Unavailable
from mercat.payments.messages import KeptCard
from mercat.payments.provider import Provider, UnknownCustomer, time_limit
from mercat.payments.rules import token_problem
from mercat.settings import Settings

queries = sql.load("mercat.payments")


class KeptCards:
    def __init__(self, db: asyncpg.Pool, provider: Provider, settings: Settings) -> None:
        self._db = db
        self._provider = provider
        self._settings = settings

    async def keep(self, token: str, user_id: UserId | None) -> KeptCard:
        """Return how a card is charged from now on; see `Payments.keep_card`."""
        if problem := token_problem(token, self._provider.token):
            raise Invalid(problem, pointer="/token")
        if user_id is None or not self._provider.single_use:
            return KeptCard(token, single_use=self._provider.single_use)
        try:
            async with time_limit(self._provider, self._settings.provider_timeout_s):
                customer = await self._customer(user_id)
                try:
                    card = await self._provider.attach(customer, token)
                except UnknownCustomer:
                    customer = await self._customer(user_id, lost=customer)
                    card = await self._provider.attach(customer, token)
        except (TimeoutError, UnknownCustomer) as error:
            raise Unavailable("The bank does not answer, so this card was not kept.") from error
        await self._db.execute(queries.keep_card, card.token, user_id, customer)
        return card

    @on(AccountErased)
    async def forget_people(self, db: asyncpg.Connection, events: list[AccountErased]) -> None:
        """Forget the cards of people, and who they are at the provider."""
        await db.execute(queries.forget_people, [person for event in events for person in event.people])

    async def _customer(self, user_id: UserId, lost: str = "") -> str:
        known = await self._db.fetchval(queries.customer_of, user_id)
        if known and known != lost:
            return known
        made = await self._provider.customer(user_id, lost)
        await self._db.execute(queries.keep_customer, user_id, made, lost)
        return await self._db.fetchval(queries.customer_of, user_id)
