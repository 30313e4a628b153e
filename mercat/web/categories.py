"""Categories: how many products each has, and the page of all departments."""

import asyncio
import time

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mercat.catalog import Category
from mercat.ids import CategoryId
from mercat.kit.refusals import NotFound
from mercat.kit.rpc import Answer
from mercat.shop import Shop
from mercat.web.cache import public_answer
from mercat.web.pages import Pages
from mercat.web.router import PublicRoute

UNCATEGORISED = "uncategorised"
_CATEGORIES_FRESH_S = 5.0


class CategoryShown(Struct, frozen=True):
    category_id: CategoryId
    slug: str
    name: str
    parent_id: CategoryId | None
    product_count: int


class CategoriesShown(Struct, frozen=True):
    categories: list[CategoryShown]


class KnownCategories:
    """The categories of the catalogue, at most a few seconds old."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._categories: list[Category] = []
        self._categories_until = 0.0

    async def all(self) -> list[Category]:
        now = time.monotonic()
        if now >= self._categories_until:
            self._categories = await self._shop.catalog.categories()
            self._categories_until = now + _CATEGORIES_FRESH_S
        return self._categories

    async def check(self, slug: str) -> None:
        if slug == UNCATEGORISED or any(slug == category.slug for category in await self.all()):
            return
        self._categories_until = 0.0  # it may have been made this moment
        if all(slug != category.slug for category in await self.all()):
            raise NotFound("There is no such category.", pointer="/category")


class CategoriesApi:
    """The tree of categories."""

    def __init__(self, shop: Shop, categories: KnownCategories) -> None:
        self._shop = shop
        self._categories = categories

    async def categories(self) -> Answer:
        """All categories, with how many products each has, its descendants' included."""
        nothing: dict[str, int] = {}
        known, counts = await asyncio.gather(
            self._categories.all(),
            self._shop.breakers["search"].ask(self._shop.search.category_counts(), nothing),
        )
        shown = [
            CategoryShown(
                category.category_id,
                category.slug,
                category.name,
                category.parent_id,
                counts.get(category.slug, 0),
            )
            for category in known
        ]
        return public_answer(CategoriesShown(shown), "categories")


API = [
    PublicRoute("GET", "/categories", CategoriesApi.categories, tag="Browsing", shows=CategoriesShown),
]


class CategoryPages:
    """All departments on one page."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages

    async def departments(self, request: Request) -> Response:
        tree = await self._pages.categories.departments()
        return await self._pages.public(
            request, "departments.html", ["categories"], tree=tree, department="*"
        )


def page_routes(pages: Pages) -> list[Route]:
    categories = CategoryPages(pages)
    return [
        pages.route("/departments", categories.departments, shared=True),
    ]
