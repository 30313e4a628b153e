"""The categories of the shop with their counts, read at most every few seconds by a process."""

import asyncio
from dataclasses import dataclass, field

from mercat.catalog import Category
from mercat.ids import CategoryId
from mercat.kit.refusals import NotFound
from mercat.kit.snapshot import Snapshot
from mercat.shop import Shop
from mercat.web.optional import unless_away

_FRESH_S = 2.0
UNCATEGORISED = "uncategorised"


class CategoryMoved(Exception):
    """The category has another slug by now."""

    def __init__(self, slug: str) -> None:
        super().__init__(slug)
        self.slug = slug


@dataclass
class CategoryNode:
    """A category, how many products it has with all below it, and what is below it.

    What belongs nowhere is a category without an id."""

    slug: str
    name: str
    product_count: int
    category_id: CategoryId | None = None
    parent: "CategoryNode | None" = None
    children: list["CategoryNode"] = field(default_factory=list["CategoryNode"])

    @property
    def path(self) -> list["CategoryNode"]:
        """From the root to here."""
        return [*(self.parent.path if self.parent else []), self]


class CategoryTree:
    """Every category by slug: old by seconds at most, or as it was while nobody can be asked."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._known = Snapshot(self._read, _FRESH_S)

    async def all(self) -> dict[str, CategoryNode]:
        """Return every category by its slug."""
        return await self._known.get()

    async def find(self, slug: str) -> CategoryNode:
        """Find a category, also one that was made this moment; raise CategoryMoved where its
        slug is another by now, and NotFound where there is none."""
        if found := (await self.all()).get(slug):
            return found
        now = (await self._shop.catalog.current_slugs([slug])).get(slug)
        if now == slug:  # made this moment
            self.forget()
            if found := (await self.all()).get(slug):
                return found
        if now is None or now == slug:
            raise NotFound("There is no such category.", pointer="/category")
        raise CategoryMoved(now)

    async def current(self, slugs: list[str]) -> list[str]:
        """Say what categories are called now; what none was ever called stays, and so does all while the
        catalogue is away."""
        if not slugs:
            return []
        known = await unless_away(self.all()) or {}
        unknown = sorted({*slugs} - known.keys())
        now = (await unless_away(self._shop.catalog.current_slugs(unknown)) or {}) if unknown else {}
        return [now.get(each, each) for each in slugs]

    def forget(self) -> None:
        """Read the tree again: it was changed here."""
        self._known.forget()

    async def departments(self) -> list[CategoryNode]:
        """List the topmost with something for sale, the fullest first."""
        roots = [node for node in (await self.all()).values() if node.parent is None and node.product_count]
        roots.sort(key=lambda node: (-node.product_count, node.name))
        return roots

    async def _read(self) -> dict[str, CategoryNode]:
        none: dict[str, int] = {}
        categories, counts = await asyncio.gather(
            self._shop.catalog.categories(),
            self._shop.breakers["search"].ask(self._shop.search.category_counts(), none),
        )
        return _tree(categories, counts)


def _tree(categories: list[Category], counts: dict[str, int]) -> dict[str, CategoryNode]:
    by_id = {
        each.category_id: CategoryNode(each.slug, each.name, counts.get(each.slug, 0), each.category_id)
        for each in categories
    }
    for each in categories:
        if each.parent_id is not None and (parent := by_id.get(each.parent_id)):
            by_id[each.category_id].parent = parent
            parent.children.append(by_id[each.category_id])
    known = {node.slug: node for node in by_id.values()}
    for node in known.values():
        node.children.sort(key=lambda child: (-child.product_count, child.name))
    if loose := counts.get(UNCATEGORISED):
        known.setdefault(UNCATEGORISED, CategoryNode(UNCATEGORISED, "Everything else", loose))
    return known
