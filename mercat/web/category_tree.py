"""The categories of the shop with their counts, read at most every few seconds by a process."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, field

from mercat.catalog import Catalog, Category
from mercat.kit.breaker import Breaker
from mercat.kit.refusals import Refusal
from mercat.search import Search

_FRESH_S = 2.0


@dataclass
class CategoryNode:
    """A category, what it holds with all below it, and what is below it."""

    slug: str
    name: str
    product_count: int
    parent: "CategoryNode | None" = None
    children: list["CategoryNode"] = field(default_factory=list["CategoryNode"])

    @property
    def path(self) -> list["CategoryNode"]:
        """From the root to here."""
        return [*(self.parent.path if self.parent else []), self]


class CategoryTree:
    def __init__(self, catalog: Catalog, search: Search, breaker: Breaker) -> None:
        self._catalog = catalog
        self._search = search
        self._breaker = breaker
        self._known: dict[str, CategoryNode] = {}
        self._read_at = -_FRESH_S
        self._reading: asyncio.Task[None] | None = None

    async def all(self) -> dict[str, CategoryNode]:
        """Every category by slug. Old by seconds at most, or as it last was while nobody can be asked."""
        if asyncio.get_running_loop().time() - self._read_at > _FRESH_S:
            if self._reading is None:
                self._reading = asyncio.create_task(self._read())
            reading: Awaitable[None] = asyncio.shield(self._reading)
            await reading
        return self._known

    async def departments(self) -> list[CategoryNode]:
        """The topmost with something for sale, the fullest first."""
        roots = [node for node in (await self.all()).values() if node.parent is None and node.product_count]
        roots.sort(key=lambda node: (-node.product_count, node.name))
        return roots

    async def _read(self) -> None:
        try:
            none: dict[str, int] = {}
            categories = await self._catalog.categories()
            counts = await self._breaker.ask(self._search.category_counts(), none)
            self._known = _tree(categories, counts)
        except Refusal:
            pass  # the shop goes on with the departments it knew
        finally:
            self._read_at = asyncio.get_running_loop().time()
            self._reading = None


def _tree(categories: list[Category], counts: dict[str, int]) -> dict[str, CategoryNode]:
    by_id = {
        each.category_id: CategoryNode(each.slug, each.name, counts.get(each.slug, 0)) for each in categories
    }
    for each in categories:
        if each.parent_id is not None and (parent := by_id.get(each.parent_id)):
            by_id[each.category_id].parent = parent
            parent.children.append(by_id[each.category_id])
    known = {category.slug: category for category in by_id.values()}
    for category in known.values():
        category.children.sort(key=lambda child: (-child.product_count, child.name))
    if loose := counts.get("uncategorised"):
        known.setdefault("uncategorised", CategoryNode("uncategorised", "Everything else", loose))
    return known
