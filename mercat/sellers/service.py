from typing import Annotated

import asyncpg

from mercat import ids
from mercat.ids import SellerId, UserId
from mercat.kit import sql
from mercat.kit.refusals import Invalid, NotFound
from mercat.kit.rpc import IN_BODY
from mercat.kit.text import normal_text
from mercat.sellers.messages import SELLER_NAME_MAX, NameTaken, Seller

queries = sql.load("mercat.sellers")


class Sellers:
    def __init__(self, db: asyncpg.Pool) -> None:
        self._db = db

    async def register(self, user_id: UserId, name: str) -> SellerId:
        """Make a person a seller; asked again, they are the seller they are already."""
        name = _checked(name)
        if standing := await self.of_user(user_id):
            return standing.seller_id
        made = await self._db.fetchrow(queries.register, ids.new(SellerId), user_id, name)
        if made:
            return SellerId(made["seller_id"])
        if standing := await self.of_user(user_id):
            return standing.seller_id
        raise NameTaken(pointer="/name")

    async def by_name(self, name: Annotated[str, IN_BODY], user_id: UserId | None = None) -> SellerId:
        """Return the seller of this name, made if there is none: for imports, which know no person.

        With a person, a seller that nobody has becomes theirs; NameTaken for another's."""
        name = _checked(name)
        made = await self._db.fetchrow(queries.register, ids.new(SellerId), user_id, name)
        if made:
            return SellerId(made["seller_id"])
        standing = await self._db.fetchrow(queries.by_name, name)
        if standing and (user_id is None or standing["user_id"] == user_id):
            return SellerId(standing["seller_id"])
        if standing and await self._db.fetchrow(queries.adopt, standing["seller_id"], user_id):
            return SellerId(standing["seller_id"])
        raise NameTaken(pointer="/name")

    async def of_user(self, user_id: UserId) -> Seller | None:
        row = await self._db.fetchrow(queries.of_user, user_id)
        return sql.row(Seller, row) if row else None

    async def seller(self, seller_id: SellerId) -> Seller:
        rows = await self._db.fetch(queries.sellers, [seller_id])
        if not rows:
            raise NotFound("There is no such seller.")
        return sql.row(Seller, rows[0])

    async def names(self, seller_ids: list[SellerId]) -> dict[SellerId, str]:
        rows = await self._db.fetch(queries.sellers, seller_ids)
        return {SellerId(row["seller_id"]): row["name"] for row in rows}


def _checked(name: str) -> str:
    """Bring a name into normal form, each run of white space one space."""
    name = " ".join(normal_text(name).split())
    if not 1 <= len(name) <= SELLER_NAME_MAX:
        raise Invalid(f"A seller's name has 1 to {SELLER_NAME_MAX} characters.", pointer="/name")
    return name
