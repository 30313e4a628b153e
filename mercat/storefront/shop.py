"""What is the same for everybody: home, departments, lists, search, product; and what robots read."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import urlencode
from xml.sax.saxutils import escape

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mercat import money
from mercat.catalog import Catalog, Product, ProductOffer, Variant
from mercat.events import Document
from mercat.flashsale import FlashSales, Sale
from mercat.fulfilment import Fulfilment, ShippingMethod
from mercat.ids import OfferId, ProductId, SkuId
from mercat.kit import codec
from mercat.kit.breaker import Breaker
from mercat.kit.refusals import NotFound, Refusal
from mercat.recommendations import Recommendations
from mercat.reviews import Review, Reviews
from mercat.search import Card, Found, Query, Search, Suggestions
from mercat.storefront import render
from mercat.storefront.aisles import Aisle, Aisles
from mercat.storefront.listing import A_PAGE, SORTS, Asked, Chip, Link, facets_of, traits_of, words_of
from mercat.storefront.shared import Shared
from mercat.storefront.visit import Visits, number, shown_id

_A_SHELF = 5
_REVIEWS = 10
_SITEMAP_PART = 1_000
_SITEMAP_PARTS_MAX = 50
_DRAWN_MAX = 1_000
_QUERY_MAX = 2_000


Draw = Callable[[str, str], str]
"""The picture (SVG) of what follows `/media/art/`: path and query."""


class Tile(NamedTuple):
    """A product as a list shows it."""

    product_id: ProductId
    title: str
    price: int
    currency: str
    rating: float
    review_count: int
    image_url: str
    in_stock: bool
    seller_name: str


class Listing(NamedTuple):
    """A page of a list."""

    products: list[Tile]
    total: int
    page: int
    pages: int

    @property
    def first(self) -> int:
        return (self.page - 1) * A_PAGE + 1

    @property
    def last(self) -> int:
        return self.first + len(self.products) - 1


class Option(NamedTuple):
    name: str
    choices: list[dict[str, Any]]


class Shop:
    def __init__(
        self,
        visits: Visits,
        aisles: Aisles,
        *,
        catalog: Catalog,
        search: Search,
        reviews: Reviews,
        recommendations: Recommendations,
        flashsale: FlashSales,
        fulfilment: Fulfilment,
        breakers: dict[str, Breaker],
        currency: str,
        draw: Draw,
    ) -> None:
        self._visits = visits
        self._aisles = aisles
        self._catalog = catalog
        self._search = search
        self._reviews = reviews
        self._recommendations = recommendations
        self._flashsale = flashsale
        self._fulfilment = fulfilment
        self._breakers = breakers
        self._currency = currency
        self._draw = lru_cache(maxsize=_DRAWN_MAX)(draw)

    async def home(self, request: Request) -> Response:
        cheap = 25 * 10 ** money.exponent(self._currency) - 1
        popular, rated, newest, bargains = await asyncio.gather(
            self._shelf(self._recommendations.popular(8)),
            self._list(Query(sort="rating", in_stock=True, limit=_A_SHELF)),
            self._list(Query(sort="newest", in_stock=True, limit=_A_SHELF)),
            self._list(Query(sort="rating", in_stock=True, price_max=cheap, limit=_A_SHELF)),
        )
        window = popular if len(popular) >= 6 else rated + newest
        return await self._visits.everybodys(
            request,
            "home.html",
            ["home"],
            sales=[sale for sale in await self._sales() if sale.state in ("planned", "open", "paused")],
            window=list({each.product_id: each for each in window}.values()),
            rated=rated,
            newest=newest,
            cheap=bargains,
        )

    async def departments(self, request: Request) -> Response:
        aisles = await self._aisles.all()
        tree = [aisle for aisle in aisles.values() if aisle.parent is None and aisle.product_count]
        tree.sort(key=lambda aisle: (-aisle.product_count, aisle.name))
        return await self._visits.everybodys(
            request, "departments.html", ["categories"], tree=tree, department="*"
        )

    async def category(self, request: Request) -> Response:
        slug = request.path_params["slug"]
        aisle = (await self._aisles.all()).get(slug)
        if aisle is None:
            raise NotFound("There is no such department. It may have been renamed.")
        return await self._listing(request, Asked(request, f"/c/{slug}"), aisle)

    async def search(self, request: Request) -> Response:
        return await self._listing(request, Asked(request, "/search"), None)

    async def _listing(self, request: Request, asked: Asked, aisle: Aisle | None) -> Response:
        found = await self._search.find(asked.query(aisle.slug if aisle else None, self._currency))
        products = [_tile(card) for card in found.cards()]
        relaxed = None
        if found.relaxed:
            # Nothing had all the words: what came instead is shown as that, not as what was asked for.
            relaxed = {
                "q": found.relaxed.q,
                "url": f"/search?{urlencode({'q': found.relaxed.q})}",
                "products": products[:8],
            }
        elif not products and asked.q and not asked.filters and aisle:
            everywhere = await self._list(Query(q=asked.q, limit=8))
            relaxed = {"q": asked.q, "url": asked.url(base="/search"), "products": everywhere}
        shown = (
            Listing([], 0, 1, 1)
            if found.relaxed
            else Listing(products, found.total, asked.page, found.total_pages)
        )
        heading = f"“{asked.q}”" if asked.q else (aisle.name if aisle else "All products")
        if aisle and asked.q:
            heading += f" in {aisle.name}"
        kept = [each for each in [("q", asked.q), *asked.filters] if each[1]]
        keys = ["products", f"category/{aisle.slug}"] if aisle else ["search"]
        return await self._visits.everybodys(
            request,
            "listing.html",
            [*keys, *(str(each.product_id) for each in products)],
            q=asked.q,
            heading=heading,
            category=aisle,
            path=aisle.path if aisle else [],
            department=aisle.path[0].slug if aisle else None,
            base=asked.base,
            canonical=asked.base + (f"?page={asked.page}" if aisle and asked.page > 1 else ""),
            indexed=bool(aisle) and not asked.q and not asked.filters and asked.sort == "relevance",
            sort=asked.sort,
            default_sort="relevance",
            sorts=SORTS,
            children=await self._children(asked, found, aisle),
            facets=facets_of(asked, found, self._currency),
            traits=traits_of(asked, found),
            price_on=bool(asked.price),
            rating_on=bool(asked.rating),
            stock_on=asked.stock,
            kept=kept,
            chips=[
                Chip(words_of(name, value, self._currency), asked.url(but=(name, value)))
                for name, value in asked.filters
            ],
            clear=asked.url(filters=False),
            page_url=lambda page: asked.url(page=page),
            found=shown,
            relaxed=relaxed,
            meant={"q": found.did_you_mean, "url": f"/search?{urlencode({'q': found.did_you_mean})}"}
            if found.did_you_mean and not found.relaxed
            else None,
            all_words=found.all_words,
        )

    async def _children(self, asked: Asked, found: Found, aisle: Aisle | None) -> list[Link]:
        """Where one can go on from here: what is below this category, or the departments."""
        counts = {each.value: each.count for each in found.facets.categories}
        aisles = await self._aisles.all()
        below = aisle.children if aisle else [each for each in aisles.values() if each.parent is None]
        links = [
            Link(each.name, asked.url(base=f"/c/{each.slug}"), counts.get(each.slug, each.product_count))
            for each in below
            if counts.get(each.slug, each.product_count if not asked.q and not asked.filters else 0)
        ]
        links.sort(key=lambda link: -link.count)
        if aisle and not links and aisle.parent:
            return [
                Link(each.name, asked.url(base=f"/c/{each.slug}"), each.product_count, each is aisle)
                for each in aisle.parent.children
                if each.product_count
            ]
        return links

    async def suggest(self, request: Request) -> Response:
        q = request.query_params.get("q", "").replace("\0", "").strip()[:100]
        none = Suggestions([], [], [], [])
        found = await self._breakers["search"].ask(self._search.suggest(q, 5), none) if len(q) > 1 else none
        response = self._visits.fragment(
            request,
            "suggest.html",
            words=list(dict.fromkeys([*found.queries[:3], *found.words]))[:6],
            brands=found.brands[:2],
            categories=found.categories[:2],
            products=[_tile(codec.decode(bytes(card), Card)) for card in found.products],
        )
        response.headers["Cache-Control"] = "public, max-age=5"
        return response

    # -- the product

    async def product(self, request: Request) -> Response:
        product_id: ProductId = shown_id(request.path_params["product_id"], ProductId)
        breaker, none = self._breakers["reviews"], None
        product, page, together, similar, delivery = await asyncio.gather(
            self._catalog.product(product_id),
            breaker.ask(self._reviews.newest(product_id, _REVIEWS), none),
            self._shelf(self._recommendations.bought_together(product_id, _A_SHELF)),
            self._shelf(self._recommendations.similar(product_id, _A_SHELF)),
            self._delivery(),
        )
        variant = _variant(product, request.query_params.get("variant"))
        offers = sorted(
            variant.offers if variant else product.offers, key=lambda offer: (not offer.in_stock, offer.price)
        )
        offer = offers[0] if offers else None
        if product.offer_id and not request.query_params.get("variant"):
            offer = next((each for each in offers if each.offer_id == product.offer_id), offer)
        canonical = render.href(product)
        images = [{"url": image.url, "alt": image.alt} for image in product.images]
        origin = f"{request.url.scheme}://{request.url.netloc}"
        aisle = (await self._aisles.all()).get(product.category)
        return await self._visits.everybodys(
            request,
            "product.html",
            [str(product_id), f"category/{product.category}"],
            product=product,
            offer=offer,
            others=[each for each in offers if each is not offer],
            options=_options(product, variant, canonical),
            images=images or [{"url": product.image_url, "alt": ""}],
            path=aisle.path if aisle else [],
            department=aisle.path[0].slug if aisle else None,
            delivery=delivery,
            flash=await self._flash(offer.offer_id) if offer else None,
            # What is chosen above is not told again as if it were fixed.
            details={
                name: value for name, value in product.attributes.items() if name not in product.options
            },
            histogram=_histogram(product.histogram),
            reviews=page.reviews if page else [],
            together=together,
            similar=[each for each in similar if each not in together],
            linked=_linked(product, offer, images, page.reviews if page else [], origin + canonical, origin),
            canonical=canonical,
        )

    async def _sales(self) -> list[Sale]:
        try:
            return await self._flashsale.sales()
        except Refusal:
            return []

    async def _flash(self, offer_id: OfferId) -> str | None:
        """The sale in which alone this offer is sold, if there is one."""
        try:
            watched = await self._flashsale.sale_offers()
        except Refusal:
            return None
        return next((each.sale_id for each in watched if each.offer_id == offer_id), None)

    async def _delivery(self) -> ShippingMethod | None:
        try:
            methods = await self._fulfilment.methods("US", "")
        except Refusal:
            return None
        return next(iter(methods), None)

    async def _shelf(self, wanted: Any) -> list[Tile]:
        none: list[ProductId] = []
        found = await self._breakers["recommendations"].ask(wanted, none)
        return [_tile(each) for each in await self._catalog.cards(found)] if found else []

    async def _list(self, query: Query) -> list[Tile]:
        found = await self._breakers["search"].ask(self._search.find(query), None)
        return [_tile(card) for card in found.cards()] if found else []

    # -- what robots read

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
        lines.append(f"Sitemap: {request.url.scheme}://{request.url.netloc}/sitemap.xml")
        return _file("\n".join(lines) + "\n", "text/plain; charset=utf-8")

    async def sitemap(self, request: Request) -> Response:
        origin = f"{request.url.scheme}://{request.url.netloc}"
        total = (await self._search.find(Query(limit=1))).total
        parts = min(-(-total // _SITEMAP_PART), _SITEMAP_PARTS_MAX)
        urls = [
            f"{origin}/sitemap/pages.xml",
            *(f"{origin}/sitemap/{part}.xml" for part in range(1, parts + 1)),
        ]
        return _file(_xml("sitemapindex", "sitemap", urls), "application/xml")

    async def sitemap_part(self, request: Request) -> Response:
        origin, part = f"{request.url.scheme}://{request.url.netloc}", request.path_params["part"]
        if part == "pages":
            paths = ["/", "/departments", "/help", *(f"/c/{slug}" for slug in await self._aisles.all())]
        else:
            at = number(part, 0, 0, _SITEMAP_PARTS_MAX)
            if not at:
                raise NotFound
            first = (at - 1) * 10 + 1
            paths = []
            for page in range(first, first + 10):
                found = await self._search.find(Query(sort="newest", page=page, limit=_SITEMAP_PART // 10))
                paths += [render.href(card) for card in found.cards()]
                if page >= found.total_pages:
                    break
        return _file(_xml("urlset", "url", [origin + path for path in paths]), "application/xml")

    async def art(self, request: Request) -> Response:
        """A drawn picture: the same address is the same picture."""
        drawn = self._draw(request.path_params["path"], request.url.query[:_QUERY_MAX])
        headers = {"Cache-Control": "public, max-age=86400", "Surrogate-Key": "art"}
        return Response(drawn, headers=headers, media_type="image/svg+xml")

    async def help(self, request: Request) -> Response:
        return await self._visits.everybodys(request, "help.html", ["help"])

    async def static(self, request: Request) -> Response:
        found = self._visits.statics.find(request.path_params["name"])
        if found is None:
            raise NotFound
        kept = (
            "public, max-age=31536000, immutable" if request.url.query == found.tag else "public, max-age=300"
        )
        headers = {"Cache-Control": kept, "ETag": f'W/"{found.tag}"', "Vary": "Accept-Encoding"}
        if "gzip" not in request.headers.get("accept-encoding", ""):
            return Response(found.content, headers=headers, media_type=found.kind)
        return Response(found.small, headers={**headers, "Content-Encoding": "gzip"}, media_type=found.kind)


def pages(visits: Visits, aisles: Aisles, **services: Any) -> list[Route]:
    shop, shared = Shop(visits, aisles, **services), Shared()
    if isinstance(catalog := services["catalog"], Catalog):
        catalog.on_change(shared.forget)  # one elsewhere does not call back: pages age by themselves
    return [
        visits.route("/", shared.wrap(shop.home)),
        visits.route("/departments", shared.wrap(shop.departments)),
        visits.route("/c/{slug}", shared.wrap(shop.category)),
        visits.route("/search", shared.wrap(shop.search)),
        visits.route("/fragments/suggest", shop.suggest),
        visits.route("/p/{product_id}", shared.wrap(shop.product)),
        visits.route("/help", shared.wrap(shop.help)),
        visits.route("/robots.txt", shop.robots),
        visits.route("/sitemap.xml", shop.sitemap),
        visits.route("/sitemap/{part}.xml", shop.sitemap_part),
        visits.route("/static/{name}", shop.static),
        visits.route("/media/art/{path:path}", shop.art),
        # Last of its kind: the words behind the id are only for reading, but not to stand over `/review`.
        visits.route("/p/{product_id}/{words}", shared.wrap(shop.product)),
    ]


def _tile(product: Card | Document) -> Tile:
    card = isinstance(product, Card)
    return Tile(
        product.product_id,
        product.title,
        money.minor(Decimal(str(product.price)), product.currency) if card else int(product.price),
        product.currency,
        product.rating,
        product.review_count,
        product.image_url,
        product.in_stock,
        product.seller.name if isinstance(product, Card) else product.seller_name,
    )


def _variant(product: Product, asked: str | None) -> Variant | None:
    """The one asked for; else the one whose offer is featured, if there is something to choose."""
    if len(product.variants) < 2:
        return None
    if asked:
        sku_id = shown_id(asked, SkuId)
        chosen = next((each for each in product.variants if each.sku_id == sku_id), None)
        if chosen is None:
            raise NotFound("This product has no such variant.")
        return chosen
    featured = (each for each in product.variants if any(o.offer_id == product.offer_id for o in each.offers))
    return next(featured, product.variants[0])


def _options(product: Product, here: Variant | None, canonical: str) -> list[Option]:
    """For each option its values, each a link to the variant that differs from this one least."""
    if here is None:
        return []
    options: list[Option] = []
    for name, values in product.options.items():
        choices: list[dict[str, Any]] = []
        for value in values:
            fitting = [each for each in product.variants if each.options.get(name) == value]
            if not fitting:
                continue
            wanted = here.options | {name: value}
            nearest = max(fitting, key=lambda each: sum(each.options.get(k) == v for k, v in wanted.items()))
            choices.append(
                {
                    "value": value,
                    "url": f"{canonical}?variant={nearest.sku_id}",
                    "here": here.options.get(name) == value,
                    "gone": not any(offer.in_stock for offer in nearest.offers),
                }
            )
        options.append(Option(name, choices))
    return options


def _histogram(counts: Sequence[int]) -> list[tuple[int, int, int]]:
    """Stars, how many, percent; five stars first."""
    total = sum(counts)
    return (
        [(star, counts[star - 1], round(100 * counts[star - 1] / total)) for star in (5, 4, 3, 2, 1)]
        if total
        else []
    )


def _linked(
    product: Product,
    offer: ProductOffer | None,
    images: list[dict[str, str]],
    reviews: list[Review],
    url: str,
    origin: str,
) -> dict[str, Any]:
    """The product as schema.org describes one."""
    said: dict[str, Any] = {
        "@context": "https://schema.org",
        "@type": "Product",
        "name": product.title,
        "description": product.description[:1_000],
        "sku": str(product.product_id),
        "url": url,
        "image": [render.absolute(image["url"], origin) for image in images],
    }
    if product.brand:
        said["brand"] = {"@type": "Brand", "name": product.brand}
    if offer:
        said["offers"] = {
            "@type": "Offer",
            "price": render.decimal(offer.price, offer.currency),
            "priceCurrency": offer.currency,
            "availability": f"https://schema.org/{'InStock' if offer.in_stock else 'OutOfStock'}",
            "seller": {"@type": "Organization", "name": offer.seller_name},
            "url": url,
        }
    if product.review_count:
        said["aggregateRating"] = {
            "@type": "AggregateRating",
            "ratingValue": round(product.rating, 1),
            "reviewCount": product.review_count,
        }
    if reviews:
        said["review"] = [
            {
                "@type": "Review",
                "reviewRating": {"@type": "Rating", "ratingValue": each.stars},
                "author": {"@type": "Person", "name": each.author or "A buyer"},
                "reviewBody": each.body[:1_000],
                "datePublished": date.isoformat(each.written_at.date()),
            }
            for each in reviews[:3]
        ]
    return said


def _xml(root: str, each: str, urls: list[str]) -> str:
    rows = "".join(f"<{each}><loc>{escape(url)}</loc></{each}>" for url in urls)
    start = '<?xml version="1.0" encoding="UTF-8"?>'
    return f'{start}<{root} xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{rows}</{root}>'


def _file(content: str, kind: str) -> Response:
    return Response(content, headers={"Cache-Control": "public, max-age=300"}, media_type=kind)
