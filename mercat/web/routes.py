"""All routes: the one table of the API, the pages, what stands at the root; and the application."""

from collections.abc import Callable
from http import HTTPStatus
from string import Formatter
from typing import Any, cast

import asyncpg
import msgspec
from starlette.requests import Request
from starlette.responses import Response

from mercat.catalog import Catalog
from mercat.ids import OrderId, ProductId
from mercat.kit.host import for_ever
from mercat.kit.rpc import serve
from mercat.payments import declaration
from mercat.shop import Shop
from mercat.web import (
    account,
    address_book,
    bank,
    cart,
    categories,
    checkout,
    exports,
    feeds,
    flash_sales,
    here,
    home,
    imported_orders,
    invoices,
    leaving,
    letter_choices,
    mailbox,
    media,
    money_back,
    orders,
    payment_webhooks,
    products,
    promotion_pages,
    promotions,
    recommendations,
    recovery,
    report_pages,
    reports,
    returns,
    reviews,
    robots,
    saved_reports,
    search,
    sessions,
    shipping_zones,
    two_factor,
    well_known,
    wishlist,
)
from mercat.web.acting import acting
from mercat.web.audited import Audited
from mercat.web.cache import Handler
from mercat.web.category_tree import CategoryTree
from mercat.web.context import context_of
from mercat.web.desk import (
    api_keys,
    listings,
    low_stock,
    market_prices,
    new_product,
    pictures,
    price_edits,
    prices,
    sellers,
    upload,
    variant_grid,
)
from mercat.web.desk import invoices as seller_invoices
from mercat.web.desk import money as seller_money
from mercat.web.desk import orders as seller_orders
from mercat.web.desk import products as seller_products
from mercat.web.desk import returns as seller_returns
from mercat.web.desk import shipping as seller_shipping
from mercat.web.desk import webhooks as seller_webhooks
from mercat.web.exposure import Experiments
from mercat.web.idempotency import Replays
from mercat.web.looks import Looks, ProductsOf
from mercat.web.middleware import Middleware
from mercat.web.moved import FormerAddresses
from mercat.web.openapi import ApiDocs
from mercat.web.operator import (
    audit_log,
    commissions,
    experiments,
    flash,
    gift_cards,
    laws,
    money,
    overview,
    parked,
    payouts,
    search_rules,
)
from mercat.web.operator import categories as operator_categories
from mercat.web.operator import letters as operator_letters
from mercat.web.operator import markets as operator_markets
from mercat.web.operator import orders as operator_orders
from mercat.web.operator import people as operator_people
from mercat.web.operator import products as operator_products
from mercat.web.operator import returns as operator_returns
from mercat.web.operator import reviews as operator_reviews
from mercat.web.operator import sellers as operator_sellers
from mercat.web.operator import shipping as operator_shipping
from mercat.web.operator import tax as operator_tax
from mercat.web.operator.laws import Audit
from mercat.web.origin import Origins
from mercat.web.pages import Pages
from mercat.web.probes import Asker, Ready, missing_of, probe_endpoints
from mercat.web.router import SECRET, UNKEYED, Endpoint, PublicRoute, Router
from mercat.web.session import api_caller, caller_of

PREFIX = "/api/v1"
ServiceOfRoutes = Callable[[Shop, CategoryTree], object]
_NOUNS: list[tuple[list[PublicRoute], ServiceOfRoutes]] = [
    (categories.API, lambda shop, tree: categories.CategoriesApi(tree)),
    (search.API, lambda shop, tree: search.SearchApi(shop, tree)),
    (products.API, lambda shop, tree: products.ProductsApi(shop)),
    (promotions.OPERATOR_API, lambda shop, tree: promotions.OperatorPromotionsApi(shop, tree)),
    (promotions.SELLER_API, lambda shop, tree: promotions.SellerPromotionsApi(shop, tree)),
    (cart.API, lambda shop, tree: cart.CartApi(shop)),
    (checkout.API, lambda shop, tree: checkout.CheckoutApi(shop)),
    (orders.API, lambda shop, tree: orders.OrdersApi(shop)),
    (imported_orders.API, lambda shop, tree: imported_orders.ImportedOrdersApi(shop)),
    (returns.API, lambda shop, tree: returns.ReturnsApi(shop)),
    (invoices.API, lambda shop, tree: invoices.InvoicesApi(shop)),
    (money_back.API, lambda shop, tree: money_back.MoneyBackApi(shop)),
    (payment_webhooks.API, lambda shop, tree: payment_webhooks.PaymentWebhooksApi(shop)),
    (flash_sales.API, lambda shop, tree: flash_sales.FlashSalesApi(shop)),
    (sessions.API, lambda shop, tree: sessions.SessionsApi(shop)),
    (account.API, lambda shop, tree: account.AccountApi(shop)),
    (address_book.API, lambda shop, tree: address_book.AddressBookApi(shop)),
    (two_factor.API, lambda shop, tree: two_factor.TwoFactorApi(shop)),
    (leaving.API, lambda shop, tree: leaving.LeavingApi(shop)),
    (letter_choices.API, lambda shop, tree: letter_choices.LetterChoicesApi(shop)),
    (recovery.API, lambda shop, tree: recovery.RecoveryApi(shop)),
    (reviews.API, lambda shop, tree: reviews.ReviewsApi(shop)),
    (wishlist.API, lambda shop, tree: wishlist.WishlistApi(shop)),
    (recommendations.API, lambda shop, tree: recommendations.RecommendationsApi(shop)),
    (operator_markets.API, lambda shop, tree: operator_markets.MarketsApi(shop)),
    (market_prices.API, lambda shop, tree: market_prices.MarketPricesApi(shop)),
    (operator_tax.API, lambda shop, tree: operator_tax.TaxApi(shop)),
    (shipping_zones.API, lambda shop, tree: shipping_zones.ShippingZonesApi(shop)),
    (sellers.API, lambda shop, tree: sellers.SellersApi(shop)),
    (upload.API, lambda shop, tree: upload.SellerImportsApi(shop)),
    (price_edits.API, lambda shop, tree: price_edits.PriceEditsApi(shop)),
    (exports.API, lambda shop, tree: exports.ExportsApi(shop)),
    (api_keys.API, lambda shop, tree: api_keys.ApiKeysApi(shop)),
    (operator_categories.API, lambda shop, tree: operator_categories.OperatorCategoriesApi(shop, tree)),
    (operator_sellers.API, lambda shop, tree: operator_sellers.OperatorSellersApi(shop)),
    (seller_products.API, lambda shop, tree: seller_products.SellerProductsApi(shop)),
    (low_stock.API, lambda shop, tree: low_stock.LowStockApi(shop)),
    (listings.API, lambda shop, tree: listings.SellerListingsApi(shop)),
    (media.API, lambda shop, tree: media.MediaApi(shop)),
    (seller_orders.API, lambda shop, tree: seller_orders.SellerOrdersApi(shop)),
    (seller_invoices.API, lambda shop, tree: seller_invoices.SellerInvoicesApi(shop)),
    (seller_money.API, lambda shop, tree: seller_money.SellerMoneyApi(shop)),
    (payouts.API, lambda shop, tree: payouts.PayoutsApi(shop)),
    (commissions.API, lambda shop, tree: commissions.CommissionsApi(shop)),
    (experiments.API, lambda shop, tree: experiments.ExperimentsApi(shop)),
    (seller_returns.API, lambda shop, tree: seller_returns.SellerReturnsApi(shop)),
    (operator_returns.API, lambda shop, tree: operator_returns.OperatorReturnsApi(shop)),
    (seller_webhooks.API, lambda shop, tree: seller_webhooks.SellerWebhooksApi(shop)),
    (search_rules.API, lambda shop, tree: search_rules.SearchRulesApi(shop)),
    (operator_reviews.API, lambda shop, tree: operator_reviews.ModerationApi(shop)),
    (audit_log.API, lambda shop, tree: audit_log.AuditLogApi(shop)),
    (operator_orders.API, lambda shop, tree: operator_orders.EverybodysOrdersApi(shop)),
    (operator_products.API, lambda shop, tree: operator_products.EverybodysProductsApi(shop)),
    (operator_people.API, lambda shop, tree: operator_people.PeopleApi(shop)),
    (gift_cards.API, lambda shop, tree: gift_cards.GiftCardsApi(shop)),
    (reports.API, lambda shop, tree: reports.ReportsApi(shop)),
    (saved_reports.API, lambda shop, tree: saved_reports.SavedReportsApi(shop)),
    (operator_letters.API, lambda shop, tree: operator_letters.FailedLettersApi(shop)),
]
"""Each noun's rows of the API's table, and what answers them: the one list of both."""
TABLE = [route for table, _ in _NOUNS for route in table]
PAGES = (
    report_pages,
    saved_reports,
    home,
    categories,
    search,
    products,
    cart,
    checkout,
    bank,
    orders,
    invoices,
    returns,
    sessions,
    account,
    address_book,
    two_factor,
    leaving,
    letter_choices,
    recovery,
    reviews,
    wishlist,
    here,
    recommendations,
    flash_sales,
    feeds,
    robots,
    well_known,
    mailbox,
    sellers,
    seller_products,
    low_stock,
    prices,
    price_edits,
    listings,
    new_product,
    pictures,
    variant_grid,
    upload,
    exports,
    seller_orders,
    seller_invoices,
    seller_money,
    payouts,
    commissions,
    experiments,
    api_keys,
    seller_returns,
    seller_shipping,
    seller_webhooks,
    operator_shipping,
    operator_tax,
    operator_markets,
    operator_orders,
    imported_orders,
    operator_people,
    operator_products,
    operator_letters,
    operator_categories,
    operator_sellers,
    operator_returns,
    search_rules,
    promotion_pages,
    flash,
    money,
    gift_cards,
    parked,
    operator_reviews,
    audit_log,
)

_DESKS = frozenset({"seller", "operator"})
"""What is needed for what operators do, for themselves or for a seller."""


def application(
    shop: Shop, *, ready: Ready, events: asyncpg.Pool, audit: Audit, draw: media.Draw
) -> Middleware:
    """Make the public application: the middleware before every route of both faces.

    `ready` says of each thing that selling needs whether it is there; `events` reads how far followers are
    and `audit` checks the laws, for the operator's desk; `draw` makes pictures of what came without."""
    settings = shop.settings
    looks = Looks(shop.host.store, shop.analytics.tell_looks, _products_of(shop))
    shop.host.start(for_ever("looks of visitors", looks.keep_telling))
    pages = Pages(
        CategoryTree(shop),
        settings.key("forms"),
        declaration(settings),
        origins=Origins(settings.origin(), settings.host),
        secure=settings.secure_cookies,
    )
    pages.prices, pages.home = shop.prices, settings.home_country
    pages.experiments = Experiments(shop.analytics.running_experiments, looks)
    keep = None
    if isinstance(catalog := cast(object, shop.catalog), Catalog):
        catalog.on_change(pages.cache.forget)  # one elsewhere does not call back: pages age by themselves
        keep = pages.cache.wrap
    api = _served(shop, pages.categories, keep)
    forms = Audited(shop.auditlog, caller_of, _readers(api, PREFIX), _documents(api, PREFIX))
    endpoints = [
        *_api(shop, api),
        *(_audited(forms, endpoint) for noun in PAGES for endpoint in noun.page_routes(pages, shop)),
        *media.page_routes(pages, shop, draw),
        *overview.page_routes(pages, shop, events),
        *laws.page_routes(pages, audit),
        *probe_endpoints(ready, settings.metrics_key, _asking, missing_of(shop)),
    ]
    return Middleware(
        Router(endpoints, FormerAddresses(pages, shop).refused),
        settings,
        shop.accounts.who,
        shop.host.cache,
        pages.turn_away,
        acting(shop),
        looks,
    )


def _asking(request: Request) -> Asker:
    return Asker(context_of(request).token, request.scope["mercat.address"])


def _products_of(shop: Shop) -> ProductsOf:
    async def products_of(order_ids: list[OrderId]) -> dict[str, list[ProductId]]:
        orders = await shop.orders.sold(order_ids)
        return {
            str(order.order_id): list(dict.fromkeys(line.product_id for line in order.lines))
            for order in orders
        }

    return products_of


Served = list[tuple[PublicRoute, Endpoint]]


def _served(shop: Shop, tree: CategoryTree, keep: Callable[[Handler], Handler] | None) -> Served:
    served: Served = []
    for table, make in _NOUNS:
        handlers = serve(table, make(shop, tree), api_caller, PREFIX, keep)
        for route, handler in zip(table, handlers, strict=True):
            served.append((route, Endpoint(route.verb, PREFIX + route.path, handler)))
    return served


def _readers(served: Served, prefix: str = "") -> list[Endpoint]:
    """List what shows a thing to who changes it, at its address without this prefix."""
    return [
        endpoint._replace(path=endpoint.path.removeprefix(prefix))
        for route, endpoint in served
        if route.verb == "GET" and route.needs in _DESKS
    ]


def _documents(served: Served, prefix: str = "") -> list[str]:
    """List the addresses that are put as a whole, without this prefix."""
    return [
        endpoint.path.removeprefix(prefix)
        for route, endpoint in served
        if route.verb == "PUT" and "{" not in endpoint.path
    ]


def _api(shop: Shop, served: Served) -> list[Endpoint]:
    replays = Replays(shop.host.store, api_caller)
    endpoints: list[Endpoint] = []
    audited = Audited(shop.auditlog, api_caller, _readers(served), _documents(served))
    for route, endpoint in served:
        handler: Handler = endpoint.handler
        if route.verb != "GET" and route.needs in _DESKS:
            handler = audited.wrap(route.name, endpoint.path, handler)
        if route.verb != "GET" and route.name not in UNKEYED:
            handler = replays.wrap(
                route.name,
                handler,
                usual=route.status,
                anybody=route.needs == "nobody",
                secret=route.name in SECRET,
            )
        if route.location:
            handler = located(PREFIX + route.location, endpoint.path, handler)
        endpoints.append(endpoint._replace(handler=handler))
    docs = ApiDocs(TABLE, PREFIX)
    return [
        *endpoints,
        Endpoint("GET", f"{PREFIX}/openapi.json", docs.openapi),
        Endpoint("GET", f"{PREFIX}/docs", docs.docs),
        Endpoint("GET", f"{PREFIX}/docs.css", docs.styles),
    ]


def _audited(forms: Audited, endpoint: Endpoint) -> Endpoint:
    """Have a form of the operator's desk logged."""
    if endpoint.verb != "POST" or not endpoint.path.startswith("/operator/"):
        return endpoint
    name = "_".join(part for part in endpoint.path.split("/")[2:] if not part.startswith("{"))
    return endpoint._replace(handler=forms.wrap(name, endpoint.path, endpoint.handler))


def located(location: str, path: str, handler: Handler) -> Handler:
    """Make a handler of a path whose 201 says where what it made is (RFC 9110, 10.2.2): what the path does
    not name is in the answer."""
    in_path, names = (
        {name for _, name, _, _ in Formatter().parse(each) if name} for each in (path, location)
    )
    made_fields = [(name, Any) for name in sorted(names - in_path)]
    read = msgspec.json.Decoder(msgspec.defstruct("Made", made_fields)).decode

    async def answer(request: Request) -> Response:
        response = await handler(request)
        if response.status_code == HTTPStatus.CREATED:
            made = msgspec.structs.asdict(read(response.body))
            response.headers["location"] = location.format(**{**made, **request.path_params})
        return response

    return answer
