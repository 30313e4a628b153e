"""Lists of products: of a category, of words searched for, and what the first letters may become."""

from decimal import Decimal
from typing import Annotated, NamedTuple
from urllib.parse import urlencode

from msgspec import Meta, Raw, Struct, field
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mercat.kit import codec
from mercat.kit.refusals import NotFound
from mercat.kit.rpc import Answer
from mercat.search import Card, Explained, Facets, Found, Query, Relaxed, Suggestions, Wanted
from mercat.shop import Shop
from mercat.web.cache import public_answer
from mercat.web.categories import KnownCategories
from mercat.web.category_tree import CategoryNode
from mercat.web.pages import Pages
from mercat.web.products import PlaceShown
from mercat.web.results import A_PAGE, SORTS, Chip, Link, ListingQuery, facets_of, traits_of, words_of
from mercat.web.router import PublicRoute
from mercat.web.schemas import FewLimit, ListingSort, Paging, SearchWords, minor
from mercat.web.tiles import ProductTile, listed, tile


class ProductsAsk(Paging):
    category: str | None = None
    sort: ListingSort = "relevance"


class SearchAsk(Paging):
    q: SearchWords = ""
    price_min: Decimal | None = field(default=None, name="filters[price_min]")
    price_max: Decimal | None = field(default=None, name="filters[price_max]")
    brand: list[str] = field(default_factory=list[str], name="filters[brand]")
    category: list[str] = field(default_factory=list[str], name="filters[category]")
    rating_min: Annotated[float, Meta(ge=0, le=5)] | None = field(default=None, name="filters[rating_min]")
    in_stock: bool | None = field(default=None, name="filters[in_stock]")
    attributes: Wanted = field(default_factory=dict[str, list[str]], name="filters[attr.NAME]")
    sort: ListingSort = "relevance"


class ProductsShown(Struct, frozen=True):
    products: list[Card]
    total: int
    page: int
    total_pages: int
    next_cursor: str | None


class ResultsShown(Struct, frozen=True):
    results: list[Card]
    total: int
    page: int
    total_pages: int
    next_cursor: str | None
    facets: Facets
    relaxed: Relaxed | None
    """What was looked for instead, where nothing has all the words."""
    relaxed_query: str | None
    """The same as a question."""
    did_you_mean: str | None
    """The question with its spelling mended, where that is likely."""
    all_words: int | None
    """Where few products have all the words: how many; the others in the results have most of them."""


class SuggestionsShown(Struct, frozen=True):
    words: list[str]
    products: list[Card]
    categories: list[PlaceShown]
    brands: list[str]
    queries: list[str] = []
    """What others have searched for with success."""


class _Results(Struct, frozen=True, kw_only=True):
    """`ResultsShown`, with the cards as the bytes that search keeps."""

    results: list[Raw]
    total: int
    page: int
    total_pages: int
    next_cursor: str | None
    facets: Facets
    relaxed: Relaxed | None
    relaxed_query: str | None
    did_you_mean: str | None
    all_words: int | None


class _Products(Struct, frozen=True, kw_only=True):
    """`ProductsShown`, likewise."""

    products: list[Raw]
    total: int
    page: int
    total_pages: int
    next_cursor: str | None


class SearchApi:
    """Search, and lists, which are searches without words."""

    def __init__(self, shop: Shop, categories: KnownCategories) -> None:
        self._shop = shop
        self._categories = categories

    async def products(self, ask: ProductsAsk) -> Answer:
        """_Products for sale, of one category with all below it, or of all."""
        if ask.category is not None:
            await self._categories.check(ask.category)
        found = await self._shop.search.find(
            Query(
                category=[] if ask.category is None else [ask.category],
                sort=ask.sort,
                page=ask.page,
                limit=ask.limit,
                cursor=ask.cursor,
            )
        )
        shown = _Products(
            products=found.results,
            total=found.total,
            page=found.page,
            total_pages=found.total_pages,
            next_cursor=found.next_cursor,
        )
        return public_answer(shown, "products", *([f"category/{ask.category}"] if ask.category else []))

    async def search(self, ask: SearchAsk) -> Answer:
        """_Products that have the words and pass the filters; each facet counts what it would leave."""
        currency = self._shop.settings.currency
        low, high = (
            None if price is None else minor(price, currency, f"/filters[{name}]")
            for name, price in (("price_min", ask.price_min), ("price_max", ask.price_max))
        )
        found = await self._shop.search.find(
            Query(
                q=ask.q,
                price_min=low,
                price_max=high,
                brand=ask.brand,
                category=ask.category,
                rating_min=ask.rating_min,
                in_stock=ask.in_stock,
                attributes=ask.attributes,
                sort=ask.sort,
                page=ask.page,
                limit=ask.limit,
                cursor=ask.cursor,
            )
        )
        shown = _Results(
            results=found.results,
            total=found.total,
            page=found.page,
            total_pages=found.total_pages,
            next_cursor=found.next_cursor,
            facets=found.facets,
            relaxed=found.relaxed,
            relaxed_query=found.relaxed.q if found.relaxed else None,
            did_you_mean=found.did_you_mean,
            all_words=found.all_words,
        )
        return public_answer(shown, "search")

    async def suggest(self, q: SearchWords = "", limit: FewLimit = 8) -> Answer:
        """What the first letters may become: words, products, categories, brands, past searches."""
        asked = self._shop.search.suggest(q, limit)
        return public_answer(
            await self._shop.breakers["search"].ask(asked, Suggestions([], [], [], [])), "search"
        )

    async def explain(self, q: SearchWords = "", limit: FewLimit = 8) -> Explained:
        """Why search puts the first products first: each one's numbers, for operators."""
        return await self._shop.search.explain(q, limit)


API = [
    PublicRoute(
        "GET",
        "/products",
        SearchApi.products,
        tag="Browsing",
        shows=ProductsShown,
        refuses=["not_found"],
    ),
    PublicRoute("GET", "/search", SearchApi.search, tag="Browsing", shows=ResultsShown),
    PublicRoute("GET", "/search/explain", SearchApi.explain, tag="Browsing", needs="operator"),
    PublicRoute("GET", "/search/suggest", SearchApi.suggest, tag="Browsing", shows=SuggestionsShown),
]


class ListingPage(NamedTuple):
    """A page of a list."""

    products: list[ProductTile]
    total: int
    page: int
    pages: int

    @property
    def first(self) -> int:
        return (self.page - 1) * A_PAGE + 1

    @property
    def last(self) -> int:
        return self.first + len(self.products) - 1


class SearchPages:
    """Lists of products, the same for everybody."""

    def __init__(self, pages: Pages, shop: Shop) -> None:
        self._pages = pages
        self._shop = shop
        self._categories = pages.categories
        self._currency = shop.settings.currency

    async def category(self, request: Request) -> Response:
        slug = request.path_params["slug"]
        category = (await self._categories.all()).get(slug)
        if category is None:
            raise NotFound("There is no such department. It may have been renamed.")
        return await self._listing(request, ListingQuery(request, f"/c/{slug}"), category)

    async def search(self, request: Request) -> Response:
        return await self._listing(request, ListingQuery(request, "/search"), None)

    async def _listing(
        self, request: Request, asked: ListingQuery, category: CategoryNode | None
    ) -> Response:
        found = await self._shop.search.find(asked.query(category.slug if category else None, self._currency))
        products = [tile(card) for card in found.cards()]
        relaxed = None
        if found.relaxed:
            # Nothing had all the words: what came instead is shown as that, not as what was asked for.
            relaxed = {
                "q": found.relaxed.q,
                "url": f"/search?{urlencode({'q': found.relaxed.q})}",
                "products": products[:8],
            }
        elif not products and asked.q and not asked.filters and category:
            everywhere = await listed(self._shop, Query(q=asked.q, limit=8))
            relaxed = {"q": asked.q, "url": asked.url(base="/search"), "products": everywhere}
        shown = (
            ListingPage([], 0, 1, 1)
            if found.relaxed
            else ListingPage(products, found.total, asked.page, found.total_pages)
        )
        heading = f"“{asked.q}”" if asked.q else (category.name if category else "All products")
        if category and asked.q:
            heading += f" in {category.name}"
        kept = [each for each in [("q", asked.q), *asked.filters] if each[1]]
        keys = ["products", f"category/{category.slug}"] if category else ["search"]
        return await self._pages.public(
            request,
            "listing.html",
            [*keys, *(str(each.product_id) for each in products)],
            q=asked.q,
            heading=heading,
            category=category,
            path=category.path if category else [],
            department=category.path[0].slug if category else None,
            base=asked.base,
            canonical=asked.base + (f"?page={asked.page}" if category and asked.page > 1 else ""),
            indexed=bool(category) and not asked.q and not asked.filters and asked.sort == "relevance",
            sort=asked.sort,
            default_sort="relevance",
            sorts=SORTS,
            children=await self._children(asked, found, category),
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

    async def _children(self, asked: ListingQuery, found: Found, category: CategoryNode | None) -> list[Link]:
        """Where one can go on from here: what is below this category, or the departments."""
        counts = {each.value: each.count for each in found.facets.categories}
        categories = await self._categories.all()
        below = (
            category.children if category else [each for each in categories.values() if each.parent is None]
        )
        links = [
            Link(each.name, asked.url(base=f"/c/{each.slug}"), counts.get(each.slug, each.product_count))
            for each in below
            if counts.get(each.slug, each.product_count if not asked.q and not asked.filters else 0)
        ]
        links.sort(key=lambda link: -link.count)
        if category and not links and category.parent:
            return [
                Link(each.name, asked.url(base=f"/c/{each.slug}"), each.product_count, each is category)
                for each in category.parent.children
                if each.product_count
            ]
        return links

    async def suggest(self, request: Request) -> Response:
        q = request.query_params.get("q", "").replace("\0", "").strip()[:100]
        none = Suggestions([], [], [], [])
        found = (
            await self._shop.breakers["search"].ask(self._shop.search.suggest(q, 5), none)
            if len(q) > 1
            else none
        )
        response = self._pages.fragment(
            request,
            "suggest.html",
            words=list(dict.fromkeys([*found.queries[:3], *found.words]))[:6],
            brands=found.brands[:2],
            categories=found.categories[:2],
            products=[tile(codec.decode(bytes(card), Card)) for card in found.products],
        )
        response.headers["Cache-Control"] = "public, max-age=5"
        return response


def page_routes(pages: Pages, shop: Shop) -> list[Route]:
    search = SearchPages(pages, shop)
    return [
        pages.route("/c/{slug}", search.category, shared=True),
        pages.route("/search", search.search, shared=True),
        pages.route("/fragments/suggest", search.suggest),
    ]
