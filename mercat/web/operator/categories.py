"""The tree of categories on the operator's desk: made, renamed, moved and merged, and what files ask for."""

from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType
from starlette.requests import Request
from starlette.responses import Response

from mercat.catalog import (
    AskedCategory,
    Category,
    CategoryChange,
    CategoryDecision,
    CategoryPath,
    CategoryTitle,
)
from mercat.ids import CategoryId, SellerId
from mercat.kit.refusals import Refusal
from mercat.shop import Shop
from mercat.web.category_tree import CategoryNode, CategoryTree
from mercat.web.errors import message_of
from mercat.web.forms import Form, FormErrors, errors_of, id_of, read_form
from mercat.web.operator.page import operator_page
from mercat.web.pages import Pages
from mercat.web.router import Endpoint, PublicRoute
from mercat.web.session import with_role

_DONE = {
    "added": "The category is there.",
    "changed": "Done. Products and counts follow within a moment; old addresses lead on.",
    "removed": "The category is gone.",
    "decided": "Decided. Files find it so from now on.",
}
_INDENT = "\u2003"


class NewCategory(Struct, frozen=True):
    name: CategoryTitle
    parent_id: CategoryId | None = None


class CategoryAnswer(Struct, frozen=True):
    """A category as operators are told."""

    category_id: CategoryId
    slug: str
    name: str
    parent_id: CategoryId | None


class CategoryGone(Struct, frozen=True):
    category_id: CategoryId


class AskedCategories(Struct, frozen=True):
    asked: list[AskedCategory]


class CategoryDecided(Struct, frozen=True):
    names: list[str]


class OperatorCategoriesApi:
    """The tree of categories, which is the operator's."""

    def __init__(self, shop: Shop, tree: CategoryTree) -> None:
        self._shop = shop
        self._tree = tree

    async def add_category(self, category: NewCategory) -> CategoryAnswer:
        """Make a category, below another or at the root."""
        made = await self._shop.catalog.add_category(category.name, category.parent_id)
        self._tree.forget()
        return _answer(made)

    async def change_category(self, category_id: CategoryId, change: CategoryChange) -> CategoryAnswer:
        """Rename a category, move it (`parent_id` null: to the root) or merge it into another. Products and
        counts follow; old slugs lead on."""
        changed = await self._shop.catalog.change_category(category_id, change)
        self._tree.forget()
        return _answer(changed)

    async def remove_category(self, category_id: CategoryId) -> CategoryGone:
        """Remove a category that has nothing in it."""
        await self._shop.catalog.remove_category(category_id)
        self._tree.forget()
        return CategoryGone(category_id)

    async def asked_categories(self) -> AskedCategories:
        """List the categories that sellers' files bring and the shop does not have, the latest first."""
        return AskedCategories(await self._shop.catalog.asked_categories())

    async def decide_category(self, decision: CategoryDecision) -> CategoryDecided:
        """Decide such a category: `map` it to one that is there, `create` it, or `refuse` it."""
        await self._shop.catalog.decide_category(decision)
        self._tree.forget()
        return CategoryDecided(decision.names)


def _answer(category: Category) -> CategoryAnswer:
    return CategoryAnswer(category.category_id, category.slug, category.name, category.parent_id)


API = [
    PublicRoute(
        "POST",
        "/operator/categories",
        OperatorCategoriesApi.add_category,
        tag="Merchandising",
        needs="operator",
        refuses=["category_exists"],
    ),
    PublicRoute(
        "PATCH",
        "/operator/categories/{category_id}",
        OperatorCategoriesApi.change_category,
        tag="Merchandising",
        needs="operator",
        refuses=["category_exists", "not_found"],
    ),
    PublicRoute(
        "DELETE",
        "/operator/categories/{category_id}",
        OperatorCategoriesApi.remove_category,
        tag="Merchandising",
        needs="operator",
        refuses=["category_not_empty", "not_found"],
    ),
    PublicRoute(
        "GET",
        "/operator/asked-categories",
        OperatorCategoriesApi.asked_categories,
        tag="Merchandising",
        needs="operator",
    ),
    PublicRoute(
        "POST",
        "/operator/asked-categories",
        OperatorCategoriesApi.decide_category,
        tag="Merchandising",
        needs="operator",
        status=200,
        refuses=["not_found"],
    ),
]


class AddCategoryForm(Struct, frozen=True):
    name: CategoryTitle
    parent_id: CategoryId | None = None


class RenameForm(Struct, frozen=True):
    name: CategoryTitle


class MoveForm(Struct, frozen=True):
    """Where it goes; nothing is the root."""

    parent_id: CategoryId | None = None


class MergeForm(Struct, frozen=True):
    merge_into: CategoryId


class DecisionForm(Struct, frozen=True):
    """What is decided of a path, whose names are sent one a line."""

    names: CategoryPath
    verdict: Literal["map", "create", "refuse"]
    category_id: CategoryId | None = None


_FORMS: dict[str, type[Any]] = {"rename": RenameForm, "move": MoveForm, "merge": MergeForm}


_CHANGES = (RenameForm, MoveForm, MergeForm)


class OperatorCategoryPages:
    """The tree of categories, and the names that wait."""

    def __init__(self, pages: Pages, shop: Shop) -> None:
        self._pages = pages
        self._shop = shop

    async def categories(
        self, request: Request, form: Form | None = None, refused: Refusal | None = None
    ) -> Response:
        await with_role(request, "operator")
        nodes = _in_order((await self._pages.categories.all()).values())
        asked = await self._shop.catalog.asked_categories()
        sellers = await self._shop.sellers.names(list({each.seller_id for each in asked})) if asked else {}
        return await operator_page(
            self._pages,
            request,
            "categories",
            "operator_categories.html",
            status=refused.status if refused else (422 if form and form.errors else 200),
            nodes=nodes,
            places=_places(nodes),
            asked=[(each, _named(sellers, each.seller_id)) for each in asked],
            form=form or Form(AddCategoryForm),
            said=_DONE.get(request.query_params.get("said", "")),
            refused=message_of(refused) if refused and not (form and form.errors) else None,
        )

    async def category(
        self, request: Request, form: Form | None = None, refused: Refusal | None = None
    ) -> Response:
        """Show the forms of one category."""
        await with_role(request, "operator")
        category_id = id_of(request.path_params["category_id"], CategoryId)
        nodes = _in_order((await self._pages.categories.all()).values())
        node = next((each for each in nodes if each.category_id == category_id and category_id), None)
        if node is None:
            return self._pages.redirect(request, "/operator/categories")
        elsewhere = [each for each in nodes if node not in each.path]
        return await operator_page(
            self._pages,
            request,
            "categories",
            "operator_category.html",
            status=refused.status if refused else (422 if form and form.errors else 200),
            node=node,
            places=_places(elsewhere),
            form=form or Form(_CHANGES),
            refused=message_of(refused) if refused and not (form and form.errors) else None,
        )

    async def add(self, request: Request) -> Response:
        form = await self._pages.form(request)
        await with_role(request, "operator")
        asked = read_form(form, AddCategoryForm)
        if isinstance(asked, FormErrors):
            return await self.categories(request, Form(AddCategoryForm, form, asked))
        try:
            await self._shop.catalog.add_category(asked.name, asked.parent_id)
        except Refusal as refused:
            return await self.categories(request, Form(AddCategoryForm, form, errors_of(refused)), refused)
        return self._done(request, "added")

    async def change(self, request: Request) -> Response:
        form = await self._pages.form(request)
        await with_role(request, "operator")
        category_id = id_of(request.path_params["category_id"], CategoryId)
        kind = _FORMS.get(form.get("what", ""), RenameForm)
        asked = read_form(form, kind)
        if isinstance(asked, FormErrors):
            return await self.category(request, Form(_CHANGES, form, asked))
        try:
            await self._shop.catalog.change_category(category_id, _change(asked))
        except Refusal as refused:
            shown = Form(_CHANGES, form, errors_of(refused))
            return await self.category(request, shown, refused)
        return self._done(request, "changed")

    async def remove(self, request: Request) -> Response:
        await self._pages.form(request)
        await with_role(request, "operator")
        try:
            await self._shop.catalog.remove_category(id_of(request.path_params["category_id"], CategoryId))
        except Refusal as refused:
            return await self.category(request, None, refused)
        return self._done(request, "removed")

    async def decide(self, request: Request) -> Response:
        form = await self._pages.form(request)
        await with_role(request, "operator")
        asked = read_form(form, DecisionForm)
        if isinstance(asked, FormErrors):
            return await self.categories(request, None, None)
        try:
            decision = CategoryDecision(asked.names, asked.verdict, asked.category_id)
            await self._shop.catalog.decide_category(decision)
        except Refusal as refused:
            return await self.categories(request, None, refused)
        return self._done(request, "decided")

    def _done(self, request: Request, said: str) -> Response:
        self._pages.categories.forget()
        return self._pages.redirect(request, f"/operator/categories?said={said}")


def _change(asked: Any) -> CategoryChange:
    none: UnsetType = UNSET
    match asked:
        case RenameForm():
            return CategoryChange(name=asked.name)
        case MoveForm():
            return CategoryChange(parent_id=asked.parent_id)
        case MergeForm():
            return CategoryChange(merge_into=asked.merge_into)
        case _:
            return CategoryChange(name=none)


def _in_order(nodes: Any) -> list[CategoryNode]:
    """Order the tree as it is read: each category, then what is below it."""
    known: list[CategoryNode] = [each for each in nodes if each.category_id]
    return sorted(known, key=lambda node: [each.name.casefold() for each in node.path])


def _places(nodes: list[CategoryNode]) -> list[tuple[str, str]]:
    return [(str(each.category_id), _INDENT * (len(each.path) - 1) + each.name) for each in nodes]


def _named(sellers: dict[SellerId, str], seller_id: SellerId) -> str:
    return sellers.get(seller_id, "a seller")


def page_routes(pages: Pages, shop: Shop) -> list[Endpoint]:
    categories = OperatorCategoryPages(pages, shop)
    return [
        pages.route("/operator/categories", categories.categories),
        pages.route("/operator/categories", categories.add, "POST"),
        pages.route("/operator/categories/asked", categories.decide, "POST"),
        pages.route("/operator/categories/{category_id}", categories.category),
        pages.route("/operator/categories/{category_id}", categories.change, "POST"),
        pages.route("/operator/categories/{category_id}/remove", categories.remove, "POST"),
    ]
