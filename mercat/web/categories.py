"""Categories: how many products each has, and the page of all departments."""

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from mercat.ids import CategoryId
from mercat.kit.http import Answer
from mercat.shop import Shop
from mercat.web.cache import public_answer
from mercat.web.category_tree import CategoryTree
from mercat.web.pages import Pages
from mercat.web.router import Endpoint, PublicRoute


class CategoryShown(Struct, frozen=True):
    category_id: CategoryId
    slug: str
    name: str
    parent_id: CategoryId | None
    product_count: int


class CategoriesShown(Struct, frozen=True):
    categories: list[CategoryShown]


class CategoriesApi:
    """The tree of categories."""

    def __init__(self, tree: CategoryTree) -> None:
        self._tree = tree

    async def categories(self) -> Answer:
        """List all categories, with how many products each has, its descendants' included."""
        shown = [
            CategoryShown(
                node.category_id,
                node.slug,
                node.name,
                node.parent.category_id if node.parent else None,
                node.product_count,
            )
            for node in (await self._tree.all()).values()
            if node.category_id is not None
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


def page_routes(pages: Pages, shop: Shop) -> list[Endpoint]:
    categories = CategoryPages(pages)
    return [
        pages.route("/departments", categories.departments, shared=True),
    ]
