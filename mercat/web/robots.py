"""What robots read: what they may look at, and the map of the site."""

from xml.sax.saxutils import escape

from starlette.requests import Request
from starlette.responses import Response

from mercat.kit.refusals import NotFound
from mercat.search import SearchQuery
from mercat.shop import Shop
from mercat.web import rendering
from mercat.web.cache import SELDOM_CHANGED
from mercat.web.forms import number_in
from mercat.web.pages import Pages
from mercat.web.router import Endpoint

_SITEMAP_PART = 1_000
_SITEMAP_PARTS_MAX = 50


class RobotPages:
    """For robots."""

    def __init__(self, pages: Pages, shop: Shop) -> None:
        self._pages = pages
        self._shop = shop

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
        origin = self._pages.origin(request)
        total = (await self._shop.search.find(SearchQuery(limit=1))).total
        parts = min(-(-total // _SITEMAP_PART), _SITEMAP_PARTS_MAX)
        urls = [
            f"{origin}/sitemap/pages.xml",
            *(f"{origin}/sitemap/{part}.xml" for part in range(1, parts + 1)),
        ]
        return _file(_xml("sitemapindex", "sitemap", urls), "application/xml")

    async def sitemap_part(self, request: Request) -> Response:
        origin = self._pages.origin(request)
        part = request.path_params["part"].removesuffix(".xml")
        if part == "pages":
            paths = [
                "/",
                "/departments",
                "/help",
                *(f"/c/{slug}" for slug in await self._pages.categories.all()),
            ]
        else:
            at = number_in(part, 0, 0, _SITEMAP_PARTS_MAX)
            if not at:
                raise NotFound
            first = (at - 1) * 10 + 1
            paths: list[str] = []
            for page in range(first, first + 10):
                found = await self._shop.search.find(
                    SearchQuery(sort="newest", page=page, limit=_SITEMAP_PART // 10)
                )
                paths += [rendering.href(card) for card in found.cards()]
                if page >= found.total_pages:
                    break
        return _file(_xml("urlset", "url", [origin + path for path in paths]), "application/xml")


def _xml(root: str, each: str, urls: list[str]) -> str:
    rows = "".join(f"<{each}><loc>{escape(url)}</loc></{each}>" for url in urls)
    start = '<?xml version="1.0" encoding="UTF-8"?>'
    return f'{start}<{root} xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{rows}</{root}>'


def _file(content: str, kind: str) -> Response:
    return Response(content, headers={"Cache-Control": SELDOM_CHANGED}, media_type=kind)


def page_routes(pages: Pages, shop: Shop) -> list[Endpoint]:
    robots = RobotPages(pages, shop)
    return [
        pages.route("/robots.txt", robots.robots),
        pages.route("/sitemap.xml", robots.sitemap),
        pages.route("/sitemap/{part}", robots.sitemap_part),
    ]
