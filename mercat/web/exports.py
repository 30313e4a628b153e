"""Taking a shop out as files: a seller's goods and orders, and for operators everything."""

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from mercat.ids import SellerId
from mercat.kit.refusals import NotFound
from mercat.kit.rpc import Caller, Filters
from mercat.shop import Shop
from mercat.web.desk.page import desk_page, seller_of
from mercat.web.desk.products import seller_id_of
from mercat.web.exported import export_of
from mercat.web.operator.page import operator_page
from mercat.web.pages import Pages
from mercat.web.router import Endpoint, PublicRoute
from mercat.web.session import with_role

_CSV, _JSON_LINES = "text/csv", "application/jsonl"


class ProductFile(Filters):
    """Which form of a file of products is wanted: `csv` or `shopify`."""

    format: str = "csv"


class ExportsApi:
    """Files of what a seller or the whole shop has."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    async def seller_products_csv(self, caller: Caller, asked: ProductFile) -> Response:
        """Take out one's products as CSV, or with `format=shopify` as Shopify has them. Sent in again it
        changes nothing."""
        return _file(self._shop, "products", asked.format, seller_id_of(caller))

    async def seller_products_jsonl(self, caller: Caller) -> Response:
        """Take out one's products as JSON lines, with all that there is to say of them."""
        return _file(self._shop, "products", "jsonl", seller_id_of(caller))

    async def seller_stock_csv(self, caller: Caller) -> Response:
        """Take out one's stock as CSV. With other quantities it can be sent in again."""
        return _file(self._shop, "stock", "csv", seller_id_of(caller))

    async def seller_stock_jsonl(self, caller: Caller) -> Response:
        """Take out one's stock as JSON lines."""
        return _file(self._shop, "stock", "jsonl", seller_id_of(caller))

    async def seller_orders_csv(self, caller: Caller) -> Response:
        """Take out one's orders as CSV, a row a line of one."""
        return _file(self._shop, "orders", "csv", seller_id_of(caller))

    async def seller_orders_jsonl(self, caller: Caller) -> Response:
        """Take out one's orders as JSON lines."""
        return _file(self._shop, "orders", "jsonl", seller_id_of(caller))

    async def all_products_csv(self, caller: Caller, asked: ProductFile) -> Response:
        """Take out everybody's products as CSV, or with `format=shopify` as Shopify has them."""
        return _file(self._shop, "products", asked.format)

    async def all_products_jsonl(self, caller: Caller) -> Response:
        """Take out everybody's products as JSON lines."""
        return _file(self._shop, "products", "jsonl")

    async def all_orders_csv(self, caller: Caller) -> Response:
        """Take out everybody's orders as CSV, a row a line of one."""
        return _file(self._shop, "orders", "csv")

    async def all_orders_jsonl(self, caller: Caller) -> Response:
        """Take out everybody's orders as JSON lines."""
        return _file(self._shop, "orders", "jsonl")

    async def all_people_csv(self, caller: Caller) -> Response:
        """Take out all people with their addresses as CSV."""
        return _file(self._shop, "people", "csv")

    async def all_people_jsonl(self, caller: Caller) -> Response:
        """Take out all people with their addresses as JSON lines."""
        return _file(self._shop, "people", "jsonl")

    async def all_stock_csv(self, caller: Caller) -> Response:
        """Take out everybody's stock as CSV."""
        return _file(self._shop, "stock", "csv")

    async def all_stock_jsonl(self, caller: Caller) -> Response:
        """Take out everybody's stock as JSON lines."""
        return _file(self._shop, "stock", "jsonl")


def _file(shop: Shop, noun: str, form: str, seller_id: SellerId | None = None) -> Response:
    """Stream a file; it is never kept by caches."""
    file = export_of(noun, form)
    ending = "jsonl" if form == "jsonl" else "csv"
    headers = {
        "Content-Disposition": f'attachment; filename="{noun}.{ending}"',
        "Cache-Control": "private, no-store",
    }
    return StreamingResponse(file.write(shop, seller_id), headers=headers, media_type=file.media_type)


API = [
    *(
        PublicRoute(
            "GET",
            f"/seller/exports/{noun}.{ending}",
            getattr(ExportsApi, f"seller_{noun}_{ending}"),
            tag="Selling",
            needs="seller",
            scopes=["orders:read" if noun == "orders" else "catalog:read"],
            answers=_CSV if ending == "csv" else _JSON_LINES,
            refuses=["no_such_export"] if noun == "products" else [],
        )
        for noun in ("products", "stock", "orders")
        for ending in ("csv", "jsonl")
    ),
    *(
        PublicRoute(
            "GET",
            f"/operator/exports/{noun}.{ending}",
            getattr(ExportsApi, f"all_{noun}_{ending}"),
            tag="Running the shop",
            needs="operator",
            answers=_CSV if ending == "csv" else _JSON_LINES,
            refuses=["no_such_export"] if noun == "products" else [],
        )
        for noun in ("products", "orders", "people", "stock")
        for ending in ("csv", "jsonl")
    ),
]


class ExportPages:
    """The files on both desks."""

    def __init__(self, pages: Pages, shop: Shop) -> None:
        self._pages = pages
        self._shop = shop

    async def seller_files(self, request: Request) -> Response:
        _, seller_id = await seller_of(request)
        return await desk_page(self._pages, self._shop, request, "exports", seller_id, 200)

    async def all_files(self, request: Request) -> Response:
        return await operator_page(self._pages, request, "exports", "operator_exports.html")

    async def seller_file(self, request: Request) -> Response:
        _, seller_id = await seller_of(request)
        noun, form = _asked(request, ("products", "orders", "stock"))
        return _file(self._shop, noun, form, seller_id)

    async def one_of_all_files(self, request: Request) -> Response:
        await with_role(request, "operator")
        noun, form = _asked(request, ("products", "orders", "people", "stock"))
        return _file(self._shop, noun, form)


def _asked(request: Request, nouns: tuple[str, ...]) -> tuple[str, str]:
    noun, _, ending = request.path_params["file"].partition(".")
    if noun not in nouns or ending not in ("csv", "jsonl"):
        raise NotFound("There is no such file.")
    return noun, request.query_params.get("format", "") or ending


def page_routes(pages: Pages, shop: Shop) -> list[Endpoint]:
    files = ExportPages(pages, shop)
    return [
        pages.route("/desk/exports", files.seller_files),
        pages.route("/desk/exports/{file}", files.seller_file),
        pages.route("/operator/exports", files.all_files),
        pages.route("/operator/exports/{file}", files.one_of_all_files),
    ]
