"""Feeds of goods for others to show: Google Merchant Center's, streamed however many there are."""

from collections.abc import AsyncIterator
from email.utils import format_datetime
from xml.sax.saxutils import escape

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from mercat.catalog import Barcodes, Offer
from mercat.events import Document
from mercat.ids import ProductId
from mercat.search import SearchQuery
from mercat.shop import Shop, every_product
from mercat.web import rendering
from mercat.web.cache import SELDOM_CHANGED
from mercat.web.here import documents_in
from mercat.web.pages import Pages
from mercat.web.router import Endpoint

_TITLE_MAX, _TEXT_MAX = 150, 5_000
"""What Google takes; the rest of a text is cut."""
_NEW, _SUMMARY_MAX = 50, 1_000
_NO_XML = {n: " " for n in range(32) if chr(n) not in "\t\n\r"}


class FeedPages:
    """Feeds of what is for sale."""

    def __init__(self, pages: Pages, shop: Shop) -> None:
        self._pages = pages
        self._shop = shop

    async def google(self, request: Request) -> Response:
        """Send every product that is for sale as RSS 2.0 with Google's own fields."""
        rows = self._google(self._pages.origin(request) or self._shop.settings.link(""))
        return StreamingResponse(
            rows, headers={"Cache-Control": SELDOM_CHANGED}, media_type="application/xml; charset=utf-8"
        )

    async def _google(self, origin: str) -> AsyncIterator[str]:
        name = _text(self._shop.settings.shop_name)
        yield (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            '<rss version="2.0" xmlns:g="http://base.google.com/ns/1.0"><channel>'
            f"<title>{name}</title><link>{_text(origin)}/</link><description>{name}</description>\n"
        )
        async for page in every_product(self._shop.catalog):
            goods = [each.document for each in page if each.document]
            goods = await documents_in(self._shop, "", goods)
            offers = await self._shop.catalog.offers([each.offer_id for each in goods])
            found = await self._shop.catalog.barcodes([each.product_id for each in goods])
            codes = {each.product_id: each for each in found if each.gtins}
            yield "".join(
                _item(each, offers.get(each.offer_id), codes.get(each.product_id), origin) for each in goods
            )
        yield "</channel></rss>\n"

    async def new(self, request: Request) -> Response:
        """Send what is new in the shop as RSS 2.0, the newest first."""
        origin = self._pages.origin(request) or self._shop.settings.link("")
        found = await self._shop.search.find(SearchQuery(sort="newest", limit=_NEW))
        ids = [ProductId(card.product_id) for card in found.cards()]
        goods = await self._shop.catalog.cards(ids)
        name = _text(self._shop.settings.shop_name)
        items = "".join(_new_item(each, origin) for each in goods)
        feed = (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            '<rss version="2.0" xmlns:atom="http://www.w3.org/2005/Atom"><channel>'
            f"<title>{name}: new</title><link>{_text(origin)}/</link><description>What is new</description>"
            f'<atom:link href="{_text(origin)}/feeds/new.xml" rel="self" type="application/rss+xml"/>\n'
            f"{items}</channel></rss>\n"
        )
        headers = {"Cache-Control": SELDOM_CHANGED}
        return Response(feed, headers=headers, media_type="application/rss+xml; charset=utf-8")


def _new_item(product: Document, origin: str) -> str:
    link = _text(origin + rendering.href(product))
    fields = {
        "title": product.title,
        "description": (product.description or product.title)[:_SUMMARY_MAX],
        "pubDate": format_datetime(product.created_at),
        "category": " > ".join(product.category_names),
    }
    lines = "".join(f"<{name}>{_text(value)}</{name}>" for name, value in fields.items() if value)
    return f'<item>{lines}<link>{link}</link><guid isPermaLink="false">{product.product_id}</guid></item>\n'


def _item(product: Document, offer: Offer | None, barcodes: Barcodes | None, origin: str) -> str:
    """Write a product with its featured offer, and with a barcode where that can be of no other variant.
    Source: Google Merchant Center, Product data specification."""
    picture = product.image_url
    fields = {
        "g:id": str(product.product_id),
        "title": product.title[:_TITLE_MAX],
        "description": (product.description or product.title)[:_TEXT_MAX],
        "link": origin + rendering.href(product),
        "g:image_link": origin + picture if picture.startswith("/") else picture,
        "g:price": _price(product.was_price or product.price, product.currency),
        "g:sale_price": _price(product.price, product.currency) if product.was_price else "",
        "g:availability": "in_stock" if product.in_stock else "out_of_stock",
        "g:condition": offer.condition if offer else "new",
        "g:brand": product.brand or product.seller_name,
        "g:gtin": barcodes.gtins[0] if barcodes and barcodes.variants == 1 else "",
        "g:identifier_exists": "" if barcodes else "no",
        "g:product_type": " > ".join(product.category_names),
    }
    lines = "".join(f"<{name}>{_text(value)}</{name}>" for name, value in fields.items() if value)
    return f"<item>{lines}</item>\n"


def _price(amount: int, currency: str) -> str:
    return f"{rendering.decimal(amount, currency)} {currency}"


def _text(value: str) -> str:
    return escape(value.translate(_NO_XML))


def page_routes(pages: Pages, shop: Shop) -> list[Endpoint]:
    feeds = FeedPages(pages, shop)
    return [
        pages.route("/feeds/google.xml", feeds.google),
        pages.route("/feeds/new.xml", feeds.new),
    ]
