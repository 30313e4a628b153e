"""All routes: the one table of the public API, the pages, and what stands at the root."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import cast

import asyncpg
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.routing import Route as Endpoint

from mercat.catalog import Catalog
from mercat.kit import codec, metrics
from mercat.kit.rpc import Caller, serve
from mercat.kit.valkey import Store
from mercat.payments import declaration
from mercat.shop import Shop
from mercat.web import (
    account,
    bank,
    cart,
    categories,
    checkout,
    flash_sales,
    home,
    mailbox,
    media,
    orders,
    payment_webhooks,
    products,
    recommendations,
    reviews,
    robots,
    search,
    sessions,
    wishlist,
)
from mercat.web.categories import KnownCategories
from mercat.web.category_tree import CategoryTree
from mercat.web.desk import orders as seller_orders
from mercat.web.desk import products as seller_products
from mercat.web.desk import sellers, upload
from mercat.web.idempotency import Replays
from mercat.web.middleware import Middleware
from mercat.web.openapi import ApiDocs
from mercat.web.operator import flash, laws, money, overview, parked, search_rules
from mercat.web.operator import orders as operator_orders
from mercat.web.operator.laws import Audit
from mercat.web.origin import refuse_other_sites
from mercat.web.pages import Pages
from mercat.web.router import Entry, Handler, Paths, PublicRoute

PREFIX = "/api/v1"
TABLE = [
    *categories.API,
    *search.API,
    *products.API,
    *cart.API,
    *checkout.API,
    *orders.API,
    *payment_webhooks.API,
    *flash_sales.API,
    *sessions.API,
    *account.API,
    *reviews.API,
    *wishlist.API,
    *recommendations.API,
    *sellers.API,
    *seller_products.API,
    *seller_orders.API,
    *search_rules.API,
]
_NOT_KEPT = {"Cache-Control": "no-store"}
UNKEYED = frozenset({"buy", "sign_in", "guest", "sign_out", "provider_notice"})
"""Checkout keeps keys of its own, a notice has an id, and a session's token is not kept in the open."""


Ready = Callable[[], Awaitable[dict[str, bool]]]


def api_routes(shop: Shop, middleware: Middleware, store: Store, ready: Ready) -> list[BaseRoute]:
    """The routes of the API and of the root, for the application that `middleware` stands before. `ready`
    says of each thing that selling needs whether it is there."""

    async def who(request: Request) -> Caller | None:
        refuse_other_sites(request)
        return await middleware.authenticate(request)

    replays = Replays(store, who)
    known = KnownCategories(shop)
    handlers: list[tuple[list[PublicRoute], object]] = [
        (categories.API, categories.CategoriesApi(shop, known)),
        (search.API, search.SearchApi(shop, known)),
        (products.API, products.ProductsApi(shop)),
        (cart.API, cart.CartApi(shop)),
        (checkout.API, checkout.CheckoutApi(shop)),
        (orders.API, orders.OrdersApi(shop)),
        (payment_webhooks.API, payment_webhooks.PaymentWebhooksApi(shop)),
        (flash_sales.API, flash_sales.FlashSalesApi(shop)),
        (sessions.API, sessions.SessionsApi(shop)),
        (account.API, account.AccountApi(shop)),
        (reviews.API, reviews.ReviewsApi(shop)),
        (wishlist.API, wishlist.WishlistApi(shop)),
        (recommendations.API, recommendations.RecommendationsApi(shop)),
        (sellers.API, sellers.SellersApi(shop)),
        (seller_products.API, seller_products.SellerProductsApi(shop)),
        (seller_orders.API, seller_orders.SellerOrdersApi(shop)),
        (search_rules.API, search_rules.SearchRulesApi(shop)),
    ]
    entries: list[Entry] = []
    for table, service in handlers:
        for route, served in zip(table, serve(table, service, prefix=PREFIX, authenticate=who), strict=True):
            handler: Handler = served.endpoint
            if route.verb != "GET" and route.name not in UNKEYED:
                handler = replays.wrap(route.name, handler, anybody=route.needs == "nobody")
            entries.append(Entry(route.verb, f"/v1{route.path}", handler))
    described = ApiDocs(TABLE, PREFIX)
    entries += [
        Entry("GET", "/v1/openapi.json", described.openapi),
        Entry("GET", "/v1/docs", described.docs),
        Entry("GET", "/v1/docs.css", described.styles),
    ]
    return [Paths("/api", entries), *_root(ready)]


def page_routes(
    shop: Shop,
    *,
    store: Store,
    events: asyncpg.Pool,
    audit: Audit,
    draw: media.Draw,
    closing: asyncio.Event,
) -> list[BaseRoute]:
    """All pages. The last route answers every other address with a page that says so: put it behind the API.

    `store` keeps what was asked with a key of checkout's; `events` reads how far followers are and `audit`
    checks the laws, for the operator's desk; `draw` makes pictures of what came without; `closing` ends what
    is answered for long."""
    settings = shop.settings
    pages = Pages(
        CategoryTree(shop.catalog, shop.search, shop.breakers["search"]),
        settings.key("forms"),
        declaration(settings),
        secure=settings.secure_cookies,
    )
    if isinstance(catalog := cast(object, shop.catalog), Catalog):
        catalog.on_change(pages.cache.forget)  # one elsewhere does not call back: pages age by themselves
    return [
        *home.page_routes(pages, shop),
        *categories.page_routes(pages),
        *search.page_routes(pages, shop),
        *cart.page_routes(pages, shop),
        *checkout.page_routes(pages, shop, store),
        *bank.page_routes(pages, shop),
        *orders.page_routes(pages, shop),
        *sessions.page_routes(pages, shop),
        *account.page_routes(pages, shop),
        *reviews.page_routes(pages, shop),
        *wishlist.page_routes(pages, shop),
        *flash_sales.page_routes(pages, shop),
        *sellers.page_routes(pages, shop),
        *seller_products.page_routes(pages, shop),
        *upload.page_routes(pages, shop),
        *seller_orders.page_routes(pages, shop),
        *overview.page_routes(pages, shop, events),
        *operator_orders.page_routes(pages, shop),
        *laws.page_routes(pages, audit),
        *search_rules.page_routes(pages, shop),
        *flash.page_routes(pages, shop, closing),
        *money.page_routes(pages, shop),
        *parked.page_routes(pages, shop),
        *robots.page_routes(pages, shop),
        *media.page_routes(pages, draw),
        *mailbox.page_routes(pages, shop),
        # Last: the words behind a product's id are only for reading, and must not stand over `/review`.
        *products.page_routes(pages, shop),
        pages.route("/{path:path}", pages.not_found, "GET", "POST"),
    ]


def _root(ready: Ready) -> list[BaseRoute]:
    """What machines that look after the shop ask."""

    async def health(request: Request) -> Response:
        return Response(b'{"status":"ok"}', media_type="application/json", headers=_NOT_KEPT)

    async def is_ready(request: Request) -> Response:
        parts = await ready()
        status = 200 if all(parts.values()) else 503
        return Response(codec.encode(parts), status, _NOT_KEPT, "application/json")

    async def all_metrics(request: Request) -> Response:
        return Response(metrics.metrics(), media_type="text/plain; version=0.0.4", headers=_NOT_KEPT)

    return [Endpoint("/health", health), Endpoint("/ready", is_ready), Endpoint("/metrics", all_metrics)]
