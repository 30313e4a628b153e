"""Everybody's products, for operators: found, taken off sale, moved to another category."""

from datetime import datetime
from typing import TypeVar, cast, get_args

from msgspec import UNSET, Struct, UnsetType
from starlette.requests import Request
from starlette.responses import Response

from mercat import money
from mercat.catalog import (
    AnyProduct,
    AnyProductStatus,
    CategoryName,
    HidingReason,
    HidingWhy,
    Moderation,
    TitleWords,
)
from mercat.ids import ProductId, SellerId
from mercat.kit.refusals import Refusal
from mercat.kit.rpc import Caller
from mercat.shop import Shop
from mercat.web import rendering
from mercat.web.errors import message_of
from mercat.web.forms import Form, FormErrors, errors_of, id_of, read_form
from mercat.web.operator.page import operator_page
from mercat.web.pages import Pages
from mercat.web.router import Endpoint, PublicRoute
from mercat.web.schemas import Amount, PageLimit
from mercat.web.session import with_role
from mercat.web.table_query import CHOICE_MAX, choice, link, tabs

Asked = TypeVar("Asked", bound=Struct)
_A_PAGE = 50
_ASKED: dict[str, tuple[str, ...]] = {
    "status": ("all", *get_args(AnyProductStatus)),
    "q": (),
    "seller": (),
    "before": (),
}
_TABS = {
    "all": "All",
    **{each: rendering.state(each) for each in get_args(AnyProductStatus)},
    "hidden": "Hidden",
}
_DONE = {
    "hidden": "It is off sale everywhere. Its seller reads why.",
    "shown": "It is on sale again, as its sellers offer it.",
    "moved": "It is in its new category.",
}


class AnyProductShown(Struct, frozen=True, kw_only=True):
    product_id: ProductId
    title: str
    brand: str | None
    external_id: str | None
    category: str
    seller_id: SellerId
    seller_name: str
    status: AnyProductStatus
    price: Amount | None
    currency: str | None
    image_url: str
    created_at: datetime
    hidden_at: datetime | None
    hidden_because: str


class AnyProductsShown(Struct, frozen=True):
    products: list[AnyProductShown]
    next_cursor: ProductId | None


class ModerationAsk(Struct, frozen=True, kw_only=True):
    """What changes; what is not sent stays. `hidden`: true takes it off sale, with a `reason` that its seller
    reads; false shows it again. `category`: a slug, a name or a path."""

    hidden: bool | UnsetType = UNSET
    reason: HidingReason = ""
    category: CategoryName | UnsetType = UNSET


class EverybodysProductsApi:
    """Everybody's products."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    async def any_products(
        self,
        caller: Caller,
        q: TitleWords = "",
        status: AnyProductStatus | None = None,
        seller: SellerId | None = None,
        limit: PageLimit = 50,
        cursor: ProductId | None = None,
    ) -> AnyProductsShown:
        """Find products, the newest first: by words of the title, an id or an external id; of a status or a
        seller."""
        found = await self._shop.catalog.find_products(q, status, seller, cursor, limit)
        following = found[-1].product_id if len(found) == limit else None
        return AnyProductsShown([_shown(each) for each in found], following)

    async def any_product(self, caller: Caller, product_id: ProductId) -> AnyProductShown:
        """Show a product, whatever became of it."""
        return _shown(await self._shop.catalog.found_product(product_id))

    async def moderate_product(
        self, caller: Caller, product_id: ProductId, change: ModerationAsk
    ) -> AnyProductShown:
        """Take a product off sale everywhere, show it again, or move it to another category: at once."""
        moderation = Moderation(hidden=change.hidden, reason=change.reason.strip(), category=change.category)
        return _shown(await self._shop.catalog.moderate(product_id, moderation))


def _shown(product: AnyProduct) -> AnyProductShown:
    priced = product.price is not None and product.currency is not None
    return AnyProductShown(
        product_id=product.product_id,
        title=product.title,
        brand=product.brand,
        external_id=product.external_id,
        category=product.category,
        seller_id=product.seller_id,
        seller_name=product.seller_name,
        status=product.status,
        price=money.shown(product.price, product.currency) if priced else None,  # type: ignore[arg-type]
        currency=product.currency,
        image_url=product.image_url,
        created_at=product.created_at,
        hidden_at=product.hidden_at,
        hidden_because=product.hidden_because,
    )


_PATH = "/operator/products/{product_id}"
API = [
    PublicRoute(
        "GET",
        "/operator/products",
        EverybodysProductsApi.any_products,
        tag="Running the shop",
        needs="operator",
    ),
    PublicRoute("GET", _PATH, EverybodysProductsApi.any_product, tag="Running the shop", needs="operator"),
    PublicRoute(
        "PATCH",
        _PATH,
        EverybodysProductsApi.moderate_product,
        tag="Running the shop",
        needs="operator",
        refuses=["category_unknown", "not_found"],
    ),
]


class HideForm(Struct, frozen=True):
    reason: HidingWhy


class MoveProductForm(Struct, frozen=True):
    category: CategoryName


_FORMS = (HideForm, MoveProductForm)


class EverybodysProductsPages:
    """Everybody's products as a table, and one with what can be done."""

    def __init__(self, pages: Pages, shop: Shop) -> None:
        self._pages = pages
        self._categories = pages.categories
        self._shop = shop

    async def products(self, request: Request) -> Response:
        await with_role(request, "operator")
        chosen = choice(request.query_params, _ASKED)
        before = chosen.pop("before", "")
        status, seller = chosen.get("status"), chosen.get("seller")
        found = await self._shop.catalog.find_products(
            chosen.get("q", ""),
            cast(AnyProductStatus, status) if status and status != "all" else None,
            id_of(seller, SellerId) if seller else None,
            id_of(before, ProductId) if before else None,
            _A_PAGE,
        )
        last = found[-1].product_id if len(found) == _A_PAGE else None
        counts = {"hidden": await self._shop.catalog.count_hidden()}
        return await operator_page(
            self._pages,
            request,
            "products",
            "operator_products.html",
            products=found,
            chosen=chosen,
            words_max=CHOICE_MAX,
            tabs=tabs("/operator/products", chosen, "status", _TABS, counts),
            more=link("/operator/products", chosen, before=last) if last else None,
        )

    async def product(
        self, request: Request, form: Form | None = None, refused: Refusal | None = None
    ) -> Response:
        await with_role(request, "operator")
        product_id = id_of(request.path_params["product_id"], ProductId)
        product = await self._shop.catalog.found_product(product_id)
        form = form or Form(_FORMS)
        categories = (await self._categories.all()).values()
        return await operator_page(
            self._pages,
            request,
            "products",
            "operator_product.html",
            status=refused.status if refused else (422 if form.errors else 200),
            product=product,
            form=form,
            categories=sorted(((each.slug, each.name) for each in categories), key=lambda each: each[1]),
            said=_DONE.get(request.query_params.get("said", "")),
            refused=message_of(refused) if refused and not form.errors else None,
        )

    async def hide(self, request: Request) -> Response:
        asked = await self._asked(request, HideForm)
        if isinstance(asked, Response):
            return asked
        return await self._moderate(request, Moderation(hidden=True, reason=asked.reason), "hidden")

    async def show(self, request: Request) -> Response:
        await self._pages.form(request)
        await with_role(request, "operator")
        return await self._moderate(request, Moderation(hidden=False), "shown")

    async def move(self, request: Request) -> Response:
        asked = await self._asked(request, MoveProductForm)
        if isinstance(asked, Response):
            return asked
        return await self._moderate(request, Moderation(category=asked.category), "moved")

    async def _asked(self, request: Request, kind: type[Asked]) -> Asked | Response:
        form = await self._pages.form(request)
        await with_role(request, "operator")
        asked = read_form(form, kind)
        return (
            await self.product(request, Form(_FORMS, form, asked)) if isinstance(asked, FormErrors) else asked
        )

    async def _moderate(self, request: Request, change: Moderation, said: str) -> Response:
        product_id = id_of(request.path_params["product_id"], ProductId)
        try:
            await self._shop.catalog.moderate(product_id, change)
        except Refusal as refused:
            return await self.product(request, Form(_FORMS, {}, errors_of(refused)), refused)
        return self._pages.redirect(request, f"/operator/products/{product_id}?said={said}")


def page_routes(pages: Pages, shop: Shop) -> list[Endpoint]:
    desk = EverybodysProductsPages(pages, shop)
    return [
        pages.route("/operator/products", desk.products),
        pages.route("/operator/products/{product_id}", desk.product),
        pages.route("/operator/products/{product_id}/hide", desk.hide, "POST"),
        pages.route("/operator/products/{product_id}/show", desk.show, "POST"),
        pages.route("/operator/products/{product_id}/move", desk.move, "POST"),
    ]
