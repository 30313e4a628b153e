"""Feeds of goods for others to show: Google Merchant Center's, streamed however many there are."""

from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from email.utils import format_datetime
from xml.sax.saxutils import escape

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from mercat.catalog import Offer, VariantForSale, offer_order
from mercat.events import Document
from mercat.ids import OfferId, ProductId
from mercat.search import SearchQuery
from mercat.shop import Shop, every_product
from mercat.web import rendering
from mercat.web.cache import SELDOM_CHANGED
from mercat.web.here import documents_in
from mercat.web.linked import VARIES_BY
from mercat.web.pages import Pages
from mercat.web.router import Endpoint

_TITLE_MAX, _TEXT_MAX = 150, 5_000
"""What Google takes; the rest of a text is cut."""
_AT_ONCE = 100
"""Products; each may have thousands of variants."""
_NEW, _SUMMARY_MAX = 50, 1_000
_NO_XML = {n: " " for n in range(32) if chr(n) not in "\t\n\r"}


class FeedPages:
    """Feeds of what is for sale."""

    def __init__(self, pages: Pages, shop: Shop) -> None:
        self._pages = pages
        self._shop = shop

    async def google(self, request: Request) -> Response:
        """Send everything that is for sale as RSS 2.0 with Google's own fields: an item for each variant."""
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
            for first in range(0, len(goods), _AT_ONCE):
                yield await self._items(goods[first : first + _AT_ONCE], origin)
        yield "</channel></rss>\n"

    async def _items(self, goods: list[Document], origin: str) -> str:
        goods = await documents_in(self._shop, "", goods)
        variants: dict[ProductId, list[VariantForSale]] = defaultdict(list)
        for each in await self._shop.catalog.variants_for_sale([product.product_id for product in goods]):
            variants[each.product_id].append(each)
        wanted = [offer for found in variants.values() for each in found for offer in each.offer_ids]
        offers = await self._shop.prices.offers("", await self._shop.catalog.offers(wanted))
        return "".join(_items_of(each, variants[each.product_id], offers, origin) for each in goods)

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


def _items_of(
    product: Document, variants: Sequence[VariantForSale], offers: dict[OfferId, Offer], origin: str
) -> str:
    """Write a product, or each of its variants, by the offer that comes first.

    Source: Google Merchant Center, Product data specification."""
    sold = [
        (variant, min(known, key=offer_order))
        for variant in variants
        if (known := [offers[each] for each in variant.offer_ids if each in offers])
    ]
    if len(sold) < 2:
        gtin = sold[0][0].gtin if sold else None
        return _item(_fields(product, offers.get(product.offer_id), gtin, origin))
    return "".join(_item(_fields_of(product, variant, offer, origin)) for variant, offer in sold)


def _fields(product: Document, offer: Offer | None, gtin: str | None, origin: str) -> dict[str, str]:
    return {
        "g:id": str(product.product_id),
        "title": product.title[:_TITLE_MAX],
        "description": (product.description or product.title)[:_TEXT_MAX],
        "link": origin + rendering.href(product),
        "g:image_link": rendering.absolute(product.image_url, origin),
        "g:price": _price(product.was_price or product.price, product.currency),
        "g:sale_price": _price(product.price, product.currency) if product.was_price else "",
        "g:availability": _availability(in_stock=product.in_stock),
        "g:condition": offer.condition if offer else "new",
        "g:brand": product.brand or product.seller_name,
        "g:gtin": gtin or "",
        "g:identifier_exists": "" if gtin else "no",
        "g:product_type": " > ".join(product.category_names),
    }


def _fields_of(product: Document, variant: VariantForSale, offer: Offer, origin: str) -> dict[str, str]:
    """Say of a variant what is its own: all of a product's have one `item_group_id`."""
    fields = _fields(product, offer, variant.gtin, origin)
    chosen = {
        f"g:{word}": value
        for name, value in variant.options.items()
        if (word := VARIES_BY.get(name.casefold()))
    }
    own = {
        "g:id": str(variant.sku_id),
        "g:item_group_id": str(product.product_id),
        "title": offer.title[:_TITLE_MAX],
        "link": f"{fields['link']}?variant={variant.sku_id}",
        "g:image_link": rendering.absolute(offer.image_url or product.image_url, origin),
        "g:price": _price(offer.was_price or offer.price, offer.currency),
        "g:sale_price": _price(offer.price, offer.currency) if offer.was_price else "",
        "g:availability": _availability(in_stock=offer.in_stock),
    }
    return fields | own | chosen


def _availability(*, in_stock: bool) -> str:
    return "in_stock" if in_stock else "out_of_stock"


def _item(fields: dict[str, str]) -> str:
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
