"""How products are found from outside: the map of the site, and addresses that lead here from elsewhere."""

from typing import Any

import asyncpg

from mercat.catalog.messages import FormerPath, MappedProduct
from mercat.ids import ProductId
from mercat.kit import codec, sql

queries = sql.load("mercat.catalog")


class Outside:
    """Read what is for sale by id, and where it stood before."""

    def __init__(self, db: asyncpg.Pool) -> None:
        self._db = db

    async def site_marks(self, every: int) -> list[ProductId]:
        """Answer each so many-th product by id: where the parts of the site's map begin."""
        return [ProductId(row["product_id"]) for row in await self._db.fetch(queries.site_marks, every)]

    async def site_map(
        self, first: ProductId, before: ProductId | None = None, limit: int = 1_000
    ) -> list[MappedProduct]:
        """Answer what is for sale by id, from the first and before another, a page at a time."""
        rows: list[Any] = await self._db.fetch(queries.site_map, first, before, limit)
        return [
            sql.row(MappedProduct, {**row, "images": codec.decode(row["images"], list[str])}) for row in rows
        ]

    async def former_address(self, path: FormerPath) -> ProductId | None:
        """Find the product that had this path in the shop that it was imported from."""
        found = await self._db.fetchval(queries.former_address, path)
        return None if found is None else ProductId(found)
