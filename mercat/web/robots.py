"""What robots read: what they may look at, and the map of the site."""

from collections.abc import AsyncIterator
from datetime import UTC
from time import monotonic
from xml.sax.saxutils import escape

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from mercat.catalog import MappedProduct
from mercat.ids import ProductId
from mercat.kit.refusals import NotFound
from mercat.shop import Shop
from mercat.web import rendering
from mercat.web.cache import SELDOM_CHANGED
from mercat.web.forms import number_in
from mercat.web.pages import Pages
from mercat.web.router import Endpoint

_SITEMAP_PART = 10_000
"""Products of a file: with their pictures they stay far below the 50 MB that it may have."""
_PAGE = 1_000
_MARKS_S = 60
_XML = '<?xml version="1.0" encoding="UTF-8"?>'
_SITEMAP = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"'
_IMAGES = 'xmlns:image="http://www.google.com/schemas/sitemap-image/1.1"'


class RobotPages:
    """For robots."""

    def __init__(self, pages: Pages, shop: Shop) -> None:
        self._pages = pages
        self._shop = shop
        self._known_marks: list[ProductId] = []
        self._marked_until = 0.0

    async def robots(self, request: Request) -> Response:
        closed = (
            "account",
            "cart",
            "checkout",
            "desk",
            "dev",
            "fragments",
            "operator",
            "orders",
            "sandbox",
            "wishlist",
        )
        lines = ["User-agent: *", *(f"Disallow: /{each}" for each in closed)]
        lines.append(f"Sitemap: {self._pages.origin(request)}/sitemap.xml")
        return _file("\n".join(lines) + "\n", "text/plain; charset=utf-8")

    async def sitemap(self, request: Request) -> Response:
        """Name the parts of the map of the site, however many there are."""
        origin = self._pages.origin(request)
        names = ["pages", *map(str, range(1, len(await self._marks()) + 1))]
        rows = "".join(
            f"<sitemap><loc>{escape(f'{origin}/sitemap/{name}.xml')}</loc></sitemap>" for name in names
        )
        return _file(f"{_XML}<sitemapindex {_SITEMAP}>{rows}</sitemapindex>", "application/xml")

    async def sitemap_part(self, request: Request) -> Response:
        """Send a part of the map: the pages that are always there, or some thousand products by id."""
        origin = self._pages.origin(request)
        part = request.path_params["part"].removesuffix(".xml")
        if part == "pages":
            slugs = await self._pages.categories.all()
            paths = ["/", "/departments", "/help", *(f"/c/{slug}" for slug in slugs)]
            rows = "".join(f"<url><loc>{escape(origin + path)}</loc></url>" for path in paths)
            return _file(f"{_XML}<urlset {_SITEMAP}>{rows}</urlset>", "application/xml")
        marks = await self._marks()
        at = number_in(part, 0, 0, len(marks))
        if not at or part != str(at):
            raise NotFound
        before = marks[at] if at < len(marks) else None
        headers = {"Cache-Control": SELDOM_CHANGED}
        pieces = self._products(marks[at - 1], before, origin)
        return StreamingResponse(pieces, headers=headers, media_type="application/xml")

    async def _marks(self) -> list[ProductId]:
        if self._marked_until < monotonic():
            self._known_marks = await self._shop.catalog.site_marks(_SITEMAP_PART)
            self._marked_until = monotonic() + _MARKS_S
        return self._known_marks

    async def _products(self, first: ProductId, before: ProductId | None, origin: str) -> AsyncIterator[str]:
        yield f"{_XML}<urlset {_SITEMAP} {_IMAGES}>"
        while page := await self._shop.catalog.site_map(first, before, _PAGE):
            yield "".join(_product(each, origin) for each in page)
            first = ProductId(page[-1].product_id + 1)
        yield "</urlset>"


def _product(product: MappedProduct, origin: str) -> str:
    """Write a product: when it was changed, and its pictures. Sources: sitemaps.org, and Google's."""
    pictures = "".join(
        f"<image:image><image:loc>{escape(rendering.absolute(url, origin))}</image:loc></image:image>"
        for url in product.images
    )
    changed = product.changed_at.astimezone(UTC).isoformat(timespec="seconds")
    where = escape(origin + rendering.href(product))
    return f"<url><loc>{where}</loc><lastmod>{changed}</lastmod>{pictures}</url>"


def _file(content: str, kind: str) -> Response:
    return Response(content, headers={"Cache-Control": SELDOM_CHANGED}, media_type=kind)


def page_routes(pages: Pages, shop: Shop) -> list[Endpoint]:
    robots = RobotPages(pages, shop)
    return [
        pages.route("/robots.txt", robots.robots),
        pages.route("/sitemap.xml", robots.sitemap),
        pages.route("/sitemap/{part}", robots.sitemap_part),
    ]
