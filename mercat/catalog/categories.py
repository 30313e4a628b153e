"""The tree of categories: names from the root, a slug each, and making those that are missing."""

from typing import Any

import asyncpg

from mercat import ids
from mercat.catalog.messages import Category
from mercat.catalog.rules import UNCATEGORISED, alike, free_slug
from mercat.ids import CategoryId
from mercat.kit import sql

queries = sql.load("mercat.catalog")


class Categories:
    """Know categories by slug, by name and by path; what is not known is read again before it is made."""

    def __init__(self, db: asyncpg.Pool) -> None:
        self._db = db
        self._paths: dict[str, tuple[str, ...]] = {}
        self._slugs: dict[tuple[str, ...], str] = {}
        self._by_path: dict[tuple[str, ...], CategoryId] = {}

    async def categories(self) -> list[Category]:
        """List all categories, each path before those below it."""
        return [
            Category(CategoryId(row["category_id"]), row["slug"], row["name"], _category_id(row["parent_id"]))
            for row in await self._db.fetch(queries.categories)
        ]

    async def id_of(self, given: str) -> CategoryId:
        """Find the category of this slug or name; make it, at the root, where there is none."""
        if not given.strip() or given == UNCATEGORISED:
            return CategoryId(0)
        await self._read()
        if path := self._paths.get(given):
            return self._by_path[path]
        for path, category_id in self._by_path.items():
            if alike(path[-1]) == alike(given):
                return category_id
        path = (given.strip(),)
        return (await self.ids_of({path}))[path]

    async def ids_of(self, paths: set[tuple[str, ...]]) -> dict[tuple[str, ...], CategoryId]:
        """Find categories by their names from the root; make those that are missing, parents first."""
        wanted = {path[:depth] for path in paths for depth in range(1, len(path) + 1)}
        if wanted - self._by_path.keys():
            await self._read()
        while missing := sorted(wanted - self._by_path.keys(), key=len):
            depth = len(missing[0])
            rows: list[tuple[Any, ...]] = []
            taken = dict(self._paths)
            for path in (path for path in missing if len(path) == depth):
                slug = free_slug(path, taken)
                taken[slug] = path
                parent = self._by_path.get(path[:-1])
                slugs = [self._slugs[path[:n]] for n in range(1, depth)] + [slug]
                rows.append((ids.new(CategoryId), slug, path[-1], parent, "/".join(slugs), "\x1f".join(path)))
            await self._db.execute(queries.add_categories, *sql.columns(rows))
            await self._read()
        return {path: self._by_path[path] if path else CategoryId(0) for path in paths}

    async def _read(self) -> None:
        rows = await self._db.fetch(queries.categories)
        self._paths = {row["slug"]: tuple(row["names"]) for row in rows}
        self._slugs = {path: slug for slug, path in self._paths.items()}
        self._by_path = {tuple(row["names"]): CategoryId(row["category_id"]) for row in rows}


def _category_id(number: int | None) -> CategoryId | None:
    return None if number is None else CategoryId(number)
