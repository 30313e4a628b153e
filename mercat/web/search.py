"""Lists of products: of a category, of words searched for, and what the first letters may become."""

from decimal import Decimal
from typing import Annotated, Any, NamedTuple
from urllib.parse import quote, urlencode

from msgspec import Meta, Struct, field, structs
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from mercat import money
from mercat.kit import clock, codec
from mercat.kit.http import Answer
from mercat.search import (
    AttributeFilters,
    Explanation,
    Facets,
    IndexedCard,
    PriceExtremes,
    RelaxedQuery,
    SearchQuery,
    SearchResults,
    Suggestions,
)
from mercat.shop import Shop
from mercat.web.cache import public_answer
from mercat.web.category_tree import CategoryMoved, CategoryNode, CategoryTree
from mercat.web.here import ChosenCountry, cards_in, chosen_country, tiles_in
from mercat.web.looks import SHOWN, shown_header
from mercat.web.pages import Pages
from mercat.web.products import PlaceShown
from mercat.web.results import (
    A_PAGE,
    DEFAULT_SORT,
    Link,
    ListingQuery,
    facets_of,
    price_ends,
    traits_of,
)
from mercat.web.router import Endpoint, PublicRoute
from mercat.web.schemas import (
    SEARCH_WORDS_MAX,
    Amount,
    FewLimit,
    ListingSort,
    Paging,
    ProductCardShown,
    SearchWords,
    ShownCards,
    minor,
    shown_cards,
)
from mercat.web.tiles import ProductTile, hold_until, listed, tile

_RESULTS_CACHED_MAX = 500
_INSTEAD = 8
_SUGGEST_LETTERS_MIN = 2
SoughtCategories = Annotated[list[str], Meta(max_length=50)]
LeastRating = Annotated[float, Meta(ge=0, le=5)]


class ProductsAsk(Paging):
    country: ChosenCountry = ""
    category: str | None = None
    sort: ListingSort = "relevance"


class SearchAsk(Paging):
    country: ChosenCountry = ""
    q: SearchWords = ""
    price_min: Decimal | None = field(default=None, name="filters[price_min]")
    price_max: Decimal | None = field(default=None, name="filters[price_max]")
    brand: list[str] = field(default_factory=list[str], name="filters[brand]")
    category: SoughtCategories = field(default_factory=list[str], name="filters[category]")
    rating_min: LeastRating | None = field(default=None, name="filters[rating_min]")
    in_stock: bool | None = field(default=None, name="filters[in_stock]")
    attributes: AttributeFilters = field(default_factory=dict[str, list[str]], name="filters[attr.NAME]")
    sort: ListingSort = "relevance"


class ProductsShown(Struct, frozen=True):
    products: list[ProductCardShown]
    total: int
    page: int
    total_pages: int
    next_cursor: str | None


class PriceExtremesShown(PriceExtremes, frozen=True):
    """The lowest and the highest price."""

    min: Amount  # type: ignore[assignment]
    max: Amount  # type: ignore[assignment]


class FacetsShown(Facets, frozen=True):
    """The facets that search has, with prices as decimals."""

    price: PriceExtremesShown | None = None  # type: ignore[assignment]


class ResultsShown(Struct, frozen=True):
    results: list[ProductCardShown]
    total: int
    page: int
    total_pages: int
    next_cursor: str | None
    facets: FacetsShown
    relaxed: RelaxedQuery | None
    """What was looked for instead, where nothing has all the words."""
    relaxed_query: str | None
    """The same as a question."""
    did_you_mean: str | None
    """The question with its spelling mended, where that is likely."""
    all_words: int | None
    """Where few products have all the words: how many; the others in the results have most of them."""


class SuggestionsShown(Struct, frozen=True):
    words: list[str]
    products: list[ProductCardShown]
    categories: list[PlaceShown]
    brands: list[str]
    queries: list[str] = []
    """What others have searched for with success."""


class SearchApi:
    """Search, and lists, which are searches without words."""

    def __init__(self, shop: Shop, categories: CategoryTree) -> None:
        self._shop = shop
        self._categories = categories
        self._shown_of: dict[int, tuple[SearchResults, ShownCards, str]] = {}

    async def products(self, ask: ProductsAsk) -> Answer:
        """List products for sale, of one category with all below it, or of all. A category that was renamed
        or merged leads on (308)."""
        if ask.category is not None:
            try:
                await self._categories.find(ask.category)
            except CategoryMoved as moved:
                usual = structs.asdict(ProductsAsk())
                asked = {name: value for name, value in structs.asdict(ask).items() if value != usual[name]}
                query = urlencode(asked | {"category": moved.slug})
                return Answer(status=308, headers={"Location": f"?{query}"}, raw=b"")
        found = await self._shop.search.find(
            SearchQuery(
                category=[] if ask.category is None else [ask.category],
                sort=ask.sort,
                page=ask.page,
                limit=ask.limit,
                cursor=ask.cursor,
            )
        )
        keys = ["products", f"category/{ask.category}"] if ask.category else ["products"]
        cards = await cards_in(self._shop, ask.country, found.results) or self._known(found)[1]
        return public_answer(_page(found, "products", cards), *keys, until=cards.until)

    async def search(self, ask: SearchAsk) -> Answer:
        """Find products that have the words and pass the filters; each facet counts what it would leave."""
        currency = self._shop.settings.currency
        low, high = (
            None if price is None else minor(price, currency, f"/filters[{name}]")
            for name, price in (("price_min", ask.price_min), ("price_max", ask.price_max))
        )
        found = await self._shop.search.find(
            SearchQuery(
                q=ask.q,
                price_min=low,
                price_max=high,
                brand=ask.brand,
                category=await self._categories.current(ask.category),
                rating_min=ask.rating_min,
                in_stock=ask.in_stock,
                attributes=ask.attributes,
                sort=ask.sort,
                page=ask.page,
                limit=ask.limit,
                cursor=ask.cursor,
            )
        )
        _, cards, header = self._known(found)
        cards = await cards_in(self._shop, ask.country, found.results) or cards
        shown = _page(found, "results", cards) | {
            "facets": _facets_shown(found.facets, currency),
            "relaxed": found.relaxed,
            "relaxed_query": found.relaxed.q if found.relaxed else None,
            "did_you_mean": found.did_you_mean,
            "all_words": found.all_words,
        }
        answer = public_answer(shown, "search", until=cards.until)
        if ask.q:
            answer.headers[SHOWN] = header
        return answer

    def _known(self, found: SearchResults) -> tuple[SearchResults, ShownCards, str]:
        """Return the public cards of results, and what is counted of them. Search answers a repeated query
        with the same object."""
        known = self._shown_of.get(id(found))
        if known is None or known[0] is not found or known[1].until is not None:
            if len(self._shown_of) >= _RESULTS_CACHED_MAX:
                self._shown_of.clear()
            header = shown_header(_count(found), [each.product_id for each in found.cards()])
            known = self._shown_of[id(found)] = found, shown_cards(found.results), header
        return known

    async def suggest(self, q: SearchWords = "", limit: FewLimit = 8, country: ChosenCountry = "") -> Answer:
        """Suggest what the first letters may become: words, products, categories, brands, past searches."""
        asked = self._shop.search.suggest(q, limit)
        found = await self._shop.breakers["search"].ask(asked, Suggestions([], [], [], []))
        shown = await cards_in(self._shop, country, found.products) or shown_cards(found.products)
        return public_answer(structs.replace(found, products=shown.cards), "search", until=shown.until)

    async def explain(self, q: SearchWords = "", limit: FewLimit = 8) -> Explanation:
        """Explain why search puts the first products first: each one's numbers, for operators."""
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


def _page(found: SearchResults, name: str, cards: ShownCards) -> dict[str, object]:
    """Show a page of cards under this name."""
    return {
        name: cards.cards,
        "total": found.total,
        "page": found.page,
        "total_pages": found.total_pages,
        "next_cursor": found.next_cursor,
    }


def _count(found: SearchResults) -> int:
    """Count what has the words that were asked for: what came instead of it is not that."""
    return 0 if found.relaxed else found.total


def _facets_shown(facets: Facets, currency: str) -> FacetsShown:
    price = facets.price and PriceExtremesShown(
        money.shown(facets.price.min, currency), money.shown(facets.price.max, currency)
    )
    fields: dict[str, Any] = {**structs.asdict(facets), "price": price}
    return FacetsShown(**fields)


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
        self._same_for_all = pages.cache.wrap(self._found)

    async def category(self, request: Request) -> Response:
        slug = request.path_params["slug"]
        try:
            category = await self._categories.find(slug)
        except CategoryMoved as moved:
            query = f"?{request.url.query}" if request.url.query else ""
            return RedirectResponse(f"/c/{quote(moved.slug)}{query}", 308)
        return await self._listing(request, ListingQuery(request, f"/c/{slug}", self._currency), category)

    async def search(self, request: Request) -> Response:
        """Show what was found, the same for all but while rankers or layouts are compared."""
        experiments = self._pages.experiments
        ranking = await experiments.exposure(request, "search_ranking") if experiments else None
        layout = await experiments.exposure(request, "results_layout") if experiments else None
        if ranking is None and layout is None:
            return await self._same_for_all(request)
        learnt, large = not ranking or ranking.arm == "A", bool(layout and layout.arm == "B")
        page = await self._found(request, learnt=learnt, large=large)
        for shown in (ranking, layout):
            page = shown.of(page) if shown else page
        return page

    async def _found(self, request: Request, *, learnt: bool = True, large: bool = False) -> Response:
        asked = ListingQuery(request, "/search", self._currency)
        return await self._listing(request, asked, None, learnt=learnt, large=large)

    async def _listing(
        self,
        request: Request,
        asked: ListingQuery,
        category: CategoryNode | None,
        *,
        learnt: bool = True,
        large: bool = False,
    ) -> Response:
        query = asked.query(category.slug if category else None)
        found = await self._shop.search.find(structs.replace(query, learnt=learnt))
        [products] = await tiles_in(
            self._shop, chosen_country(request), [tile(card) for card in found.cards()]
        )
        keys = ["products", f"category/{category.slug}"] if category else ["search"]
        page = await self._pages.public(
            request,
            "listing.html",
            [*keys, *(str(each.product_id) for each in products)],
            heading=_heading(asked, category),
            category=category,
            path=category.path if category else [],
            department=category.path[0].slug if category else None,
            canonical=asked.base + (f"?page={asked.page}" if category and asked.page > 1 else ""),
            indexed=bool(category) and not asked.q and not asked.filters and asked.sort == DEFAULT_SORT,
            children=await self._children(asked, found, category),
            facets=facets_of(asked, found, self._currency),
            traits=traits_of(asked, found),
            # Where nothing had all the words, what came instead is shown as that, not as what was asked for.
            found=ListingPage([], 0, 1, 1)
            if found.relaxed
            else ListingPage(products, found.total, asked.page, found.total_pages),
            relaxed=await self._relaxed(asked, found, products, category, chosen_country(request)),
            meant=None if found.relaxed else _search_link(found.did_you_mean),
            all_words=found.all_words,
            price_ends=price_ends(found, self._currency),
            until=hold_until(products),
            large=large,
            **asked.shown(),
        )
        if asked.q:
            page.headers[SHOWN] = shown_header(_count(found), [each.product_id for each in products])
        return page

    async def _relaxed(
        self,
        asked: ListingQuery,
        found: SearchResults,
        products: list[ProductTile],
        category: CategoryNode | None,
        country: str,
    ) -> dict[str, Any] | None:
        """Show what there is instead: products with some of the words, or of other categories."""
        if found.relaxed:
            return {**(_search_link(found.relaxed.q) or {}), "products": products[:_INSTEAD]}
        if products or not asked.q or asked.filters or category is None:
            return None
        everywhere = await listed(self._shop, SearchQuery(q=asked.q, limit=_INSTEAD))
        [everywhere] = await tiles_in(self._shop, country, everywhere)
        return {"q": asked.q, "url": asked.url(base="/search"), "products": everywhere}

    async def _children(
        self, asked: ListingQuery, found: SearchResults, category: CategoryNode | None
    ) -> list[Link]:
        """List where one can go on from here: what is below this category, or the departments."""
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
        words = request.query_params.get("q", "").replace("\0", "").strip()[:SEARCH_WORDS_MAX]
        found = Suggestions([], [], [], [])
        if len(words) >= _SUGGEST_LETTERS_MIN:
            found = await self._shop.breakers["search"].ask(self._shop.search.suggest(words, 5), found)
        now = clock.now()
        products = [tile(codec.decode(bytes(card), IndexedCard).at(now)) for card in found.products]
        [products] = await tiles_in(self._shop, chosen_country(request), products)
        response = self._pages.fragment(
            request,
            "suggest.html",
            words=list(dict.fromkeys([*found.queries[:3], *found.words]))[:6],
            brands=found.brands[:2],
            categories=found.categories[:2],
            products=products,
        )
        response.headers.update(await self._pages.headers(request, "search", until=hold_until(products)))
        return response


def _heading(asked: ListingQuery, category: CategoryNode | None) -> str:
    if asked.q:
        return f"“{asked.q}” in {category.name}" if category else f"“{asked.q}”"
    return category.name if category else "All products"


def _search_link(words: str | None) -> dict[str, str] | None:
    return {"q": words, "url": f"/search?{urlencode({'q': words})}"} if words is not None else None


def page_routes(pages: Pages, shop: Shop) -> list[Endpoint]:
    search = SearchPages(pages, shop)
    return [
        pages.route("/c/{slug}", search.category, shared=True),
        pages.route("/search", search.search),
        pages.route("/fragments/suggest", search.suggest),
    ]
