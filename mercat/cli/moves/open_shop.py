"""An open shop, as it is found by whoever moves a part of it: the parts, one command at a time, the rows that
say how far each is, and the settings of its workers."""

import contextlib
import fcntl
import os
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

import asyncpg

from mercat import settings
from mercat.cli.checking import environment_of
from mercat.cli.moves.analytics import ReportFacts
from mercat.cli.moves.carts import CartKeys
from mercat.cli.moves.database import ShopDatabase
from mercat.cli.moves.log import FactsLog
from mercat.cli.moves.parts import MovingPart
from mercat.cli.moves.pictures import PictureFiles
from mercat.cli.moves.search import SearchIndex
from mercat.embedded import Connection, Home, Trouble
from mercat.embedded.home import MOVE_LOCK, try_lock
from mercat.embedded.processes import wait_until

PARTS: dict[str, type[MovingPart]] = {
    each.name: each for each in (PictureFiles, SearchIndex, ReportFacts, FactsLog, CartKeys, ShopDatabase)
}
"""In the order in which they move."""
_LOCKED_WITHIN_S = 3


@contextlib.contextmanager
def alone(data: Path) -> Generator[None]:
    """Move one part of a shop at a time. The lock goes with its process, not with a database that moves.

    Whoever looks after a command that died has it for a moment."""
    descriptor = os.open(data / MOVE_LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if not wait_until(lambda: try_lock(descriptor, fcntl.LOCK_EX), _LOCKED_WITHIN_S):
            raise Trouble("Another `mercat move-in` works on this shop. Wait for it.")
        yield
    finally:
        os.close(descriptor)


class MoveRowsOf:
    """The rows of a shop's moves, in its database, wherever that is when they are asked for."""

    def __init__(self, shop: Connection) -> None:
        self._shop = shop

    async def fetch(self, query: str, *given: Any) -> list[Any]:
        db = await asyncpg.connect(**self._now())
        try:
            return await db.fetch(query, *given)
        finally:
            await db.close()

    async def execute(self, query: str, *given: Any) -> Any:
        return await self.fetch(query, *given)

    def _now(self) -> dict[str, Any]:
        engines = Home(self._shop.data).engines() or self._shop
        return engines.where_it_is().postgres()


def told_of(shop: Connection, there: Mapping[str, str]) -> settings.Settings:
    """Return the settings of the shop's workers, with those of a part as if it were there."""
    given = {f"MERCAT_{name.upper()}": value for name, value in there.items()}
    return settings.load({**of_workers(shop), **given, "MERCAT_MOVING": ""})


def of_workers(shop: Connection) -> dict[str, str]:
    """Return the variables of the shop's workers as those have them that start now."""
    return {**(environment_of(Path(shop.data)) or os.environ), **shop.environment()}
