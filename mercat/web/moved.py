"""Addresses of the shops that goods were imported from: they lead to where the goods are now (308)."""

from urllib.parse import quote, unquote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from mercat.catalog import FORMER_PATH_MAX
from mercat.ids import ProductId
from mercat.kit.refusals import NotFound, Refusal
from mercat.shop import Shop
from mercat.web import rendering
from mercat.web.cache import SELDOM_CHANGED
from mercat.web.category_tree import CategoryMoved
from mercat.web.pages import Pages

_CATEGORIES = ("collections", "product-category", "category", "categories", "shop")
"""First parts of the addresses of categories elsewhere; the last part is the category's own."""
_PRODUCTS = "products"


class FormerAddresses:
    """Lead on from addresses that the shop itself has not."""

    def __init__(self, pages: Pages, shop: Shop) -> None:
        self._pages = pages
        self._shop = shop

    async def refused(self, request: Request, refusal: Refusal) -> Response:
        """Answer a refusal as a page does, unless what is not there stood elsewhere under this address."""
        if isinstance(refusal, NotFound) and request.method in ("GET", "HEAD"):
            url = await self._now_at(request)
            if url:
                return RedirectResponse(url, 308, {"Cache-Control": SELDOM_CHANGED})
        return await self._pages.refused(request, refusal)

    async def _now_at(self, request: Request) -> str:
        path = unquote(request.url.path).rstrip("/")
        query = unquote(request.url.query)
        for asked in dict.fromkeys([f"{path}?{query}", path] if query else [path]):
            if url := await self._product(asked):
                return url
        parts = path.strip("/").split("/")
        if len(parts) > 2 and parts[0] == _CATEGORIES[0] and parts[-2] == _PRODUCTS:
            return await self._product(f"/{_PRODUCTS}/{parts[-1]}")
        return await self._category(parts[-1]) if len(parts) > 1 and parts[0] in _CATEGORIES else ""

    async def _product(self, path: str) -> str:
        if not path.startswith("/") or len(path) > FORMER_PATH_MAX or "\0" in path:
            return ""
        product_id: ProductId | None = await self._shop.catalog.former_address(path)
        if product_id is None:
            return ""
        names = await self._shop.catalog.names([product_id])
        return rendering.href(names[0]) if names else ""

    async def _category(self, slug: str) -> str:
        try:
            return f"/c/{quote((await self._pages.categories.find(slug)).slug)}"
        except CategoryMoved as moved:
            return f"/c/{quote(moved.slug)}"
        except NotFound:
            return ""
