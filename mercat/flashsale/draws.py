"""The draw of a sale: the list of those who came before the start, and the order that follows from it."""

from hashlib import sha256
from typing import Any

import asyncpg

from mercat.flashsale import rules
from mercat.kit import sql

queries = sql.load("mercat.flashsale")
_PAGE = 5_000


class Draws:
    """Hash lists and remember draws: both stay once a sale has begun."""

    def __init__(self, db: asyncpg.Pool) -> None:
        self._db = db
        self._draws: dict[str, rules.Draw] = {}

    def draw(self, sale: Any) -> rules.Draw:
        """Answer who has which place of a sale that was drawn; made once."""
        if sale["sale_id"] not in self._draws:
            self._draws[sale["sale_id"]] = rules.Draw(sale["seed"], sale["roll"], sale["drawn"])
        return self._draws[sale["sale_id"]]

    async def roll(self, sale_id: str, joined: int) -> bytes:
        """Hash the list of those who joined before the start: lines of `number:user`."""
        hashed = sha256()
        after = 0
        while page := await self._db.fetch(queries.tickets, sale_id, after, _PAGE):
            for row in page:
                if row["number"] > joined:
                    return hashed.digest()
                hashed.update(b"%d:%d\n" % (row["number"], row["user_id"]))
            after = page[-1]["number"]
        return hashed.digest()
