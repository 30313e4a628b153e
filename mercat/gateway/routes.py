"""The one table of the public API, and how it is put on the wire."""

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.routing import Route as Endpoint

from mercat.flashsale import Certified, QueuePlace, Sale
from mercat.gateway import shapes
from mercat.gateway.browsing import Browsing
from mercat.gateway.buying import Buying
from mercat.gateway.dispatch import Entry, Handler, Paths
from mercat.gateway.door import Door, refuse_other_sites
from mercat.gateway.flash import Flash
from mercat.gateway.idempotency import Replays
from mercat.gateway.merchandising import Merchandising
from mercat.gateway.openapi import Described, PublicRoute
from mercat.gateway.opinions import Opinions
from mercat.gateway.people import People
from mercat.gateway.selling import Selling
from mercat.kit import codec, metrics
from mercat.kit.rpc import Caller, serve
from mercat.kit.valkey import Store
from mercat.services import Services

PREFIX = "/api/v1"

BROWSING = [
    PublicRoute("GET", "/categories", Browsing.categories, tag="Browsing", shows=shapes.CategoriesShown),
    PublicRoute(
        "GET",
        "/products",
        Browsing.products,
        tag="Browsing",
        shows=shapes.ProductsShown,
        refuses=["not_found"],
    ),
    PublicRoute("GET", "/products/{product_id}", Browsing.product, tag="Browsing", shows=shapes.ProductShown),
    PublicRoute("GET", "/search", Browsing.search, tag="Browsing", shows=shapes.ResultsShown),
    PublicRoute("GET", "/search/explain", Browsing.explain, tag="Browsing", needs="operator"),
    PublicRoute("GET", "/search/suggest", Browsing.suggest, tag="Browsing", shows=shapes.SuggestionsShown),
]

BUYING = [
    PublicRoute("GET", "/cart", Buying.cart, tag="Buying", needs="guest"),
    PublicRoute(
        "POST",
        "/cart/items",
        Buying.add_item,
        tag="Buying",
        needs="guest",
        status=200,
        refuses=["not_found", "cart_full"],
    ),
    PublicRoute("PATCH", "/cart/items/{item}", Buying.change_item, tag="Buying", needs="guest"),
    PublicRoute("DELETE", "/cart/items/{item}", Buying.remove_item, tag="Buying", needs="guest"),
    PublicRoute(
        "GET",
        "/shipping-methods",
        Buying.shipping_methods,
        tag="Buying",
        needs="guest",
        refuses=["not_found", "address_not_served"],
    ),
    PublicRoute(
        "POST",
        "/quotes",
        Buying.quote,
        tag="Buying",
        needs="guest",
        refuses=["not_found", "cart_empty", "address_not_served"],
    ),
    PublicRoute(
        "POST",
        "/orders/checkout",
        Buying.buy,
        tag="Buying",
        needs="guest",
        shows=shapes.CheckoutShown,
        also=[202],
        keyed=True,
        headers={"Flash-Pass": "For what is sold in a flash sale: the pass that its queue gave."},
        refuses=[
            "bad_request",
            "flash_pass_required",
            "flash_pass_invalid",
            "flash_pass_expired",
            "buyer_limit",
            "not_started",
            "sold_out",
            "payment_declined",
            "payment_unavailable",
            "not_found",
            "out_of_stock",
            "price_changed",
            "quote_expired",
            "checkout_in_progress",
            "cart_empty",
            "address_not_served",
            "key_reused",
        ],
    ),
    PublicRoute("GET", "/orders", Buying.orders, tag="Buying", needs="guest"),
    PublicRoute("GET", "/orders/{order_id}", Buying.order, tag="Buying", needs="guest"),
    PublicRoute(
        "POST",
        "/orders/{order_id}/cancel",
        Buying.cancel,
        tag="Buying",
        needs="guest",
        status=200,
        refuses=["not_cancellable"],
    ),
    PublicRoute(
        "POST",
        "/orders/{order_id}/returns",
        Buying.return_items,
        tag="Buying",
        needs="guest",
        refuses=["not_returnable"],
    ),
    PublicRoute(
        "POST",
        "/payments/webhooks/{provider}",
        Buying.provider_notice,
        tag="Buying",
        status=200,
        refuses=["bad_signature", "not_found"],
    ),
]

FLASH = [
    PublicRoute("GET", "/flash-sales", Flash.sales, tag="Flash sales", shows=shapes.FlashSalesShown),
    PublicRoute(
        "GET",
        "/flash-sales/{sale_id}",
        Flash.sale,
        tag="Flash sales",
        shows=Sale,
        refuses=["not_found"],
    ),
    PublicRoute(
        "GET",
        "/flash-sales/{sale_id}/certificate",
        Flash.certificate,
        tag="Flash sales",
        shows=Certified,
        refuses=["not_found"],
    ),
    PublicRoute(
        "POST",
        "/flash-sales/{sale_id}/queue",
        Flash.join,
        tag="Flash sales",
        needs="guest",
        shows=QueuePlace,
        also=[200],
        refuses=["not_found", "sale_over", "sold_out", "not_possible"],
    ),
    PublicRoute(
        "GET",
        "/flash-sales/{sale_id}/queue",
        Flash.place,
        tag="Flash sales",
        needs="guest",
        shows=QueuePlace,
        refuses=["not_found"],
    ),
]

PEOPLE = [
    PublicRoute("POST", "/accounts", People.register, tag="People", refuses=["email_taken"]),
    PublicRoute(
        "POST",
        "/sessions",
        People.sign_in,
        tag="People",
        shows=shapes.SessionShown,
        refuses=["wrong_password"],
    ),
    PublicRoute("POST", "/sessions/guest", People.guest, tag="People", shows=shapes.SessionShown),
    PublicRoute("GET", "/sessions/current", People.me, tag="People", needs="guest"),
    PublicRoute(
        "DELETE", "/sessions/current", People.sign_out, tag="People", needs="guest", shows=type(None)
    ),
    PublicRoute("GET", "/addresses", People.addresses, tag="People", needs="guest"),
    PublicRoute("POST", "/addresses", People.add_address, tag="People", needs="guest"),
    PublicRoute("GET", "/payment-methods", People.payment_methods, tag="People", needs="guest"),
    PublicRoute("POST", "/payment-methods", People.add_payment_method, tag="People", needs="guest"),
]

OPINIONS = [
    PublicRoute(
        "GET",
        "/products/{product_id}/reviews",
        Opinions.reviews,
        tag="Opinions",
        shows=shapes.ReviewsShown,
    ),
    PublicRoute(
        "POST",
        "/products/{product_id}/reviews",
        Opinions.review,
        tag="Opinions",
        needs="member",
        refuses=["not_a_buyer", "already_reviewed"],
    ),
    PublicRoute(
        "POST",
        "/reviews/{review_id}/helpful",
        Opinions.helpful,
        tag="Opinions",
        needs="member",
        status=200,
        refuses=["own_review"],
    ),
    PublicRoute("GET", "/wishlist", Opinions.wishlist, tag="Opinions", needs="guest"),
    PublicRoute(
        "PUT",
        "/wishlist/{product_id}",
        Opinions.wish,
        tag="Opinions",
        needs="guest",
        refuses=["wishlist_full"],
    ),
    PublicRoute("DELETE", "/wishlist/{product_id}", Opinions.unwish, tag="Opinions", needs="guest"),
    PublicRoute(
        "GET",
        "/products/{product_id}/recommendations",
        Opinions.around,
        tag="Opinions",
        shows=shapes.ShelfShown,
    ),
    PublicRoute("GET", "/recommendations", Opinions.for_you, tag="Opinions", shows=shapes.ShelfShown),
]

SELLING = [
    PublicRoute(
        "POST", "/sellers", Selling.register_seller, tag="Selling", needs="member", refuses=["name_taken"]
    ),
    PublicRoute("POST", "/seller/products", Selling.list_product, tag="Selling", needs="seller"),
    PublicRoute(
        "PATCH", "/seller/products/{product_id}", Selling.change_product, tag="Selling", needs="seller"
    ),
    PublicRoute("GET", "/seller/offers", Selling.seller_offers, tag="Selling", needs="seller"),
    PublicRoute("PATCH", "/seller/offers/{offer_id}", Selling.change_offer, tag="Selling", needs="seller"),
    PublicRoute(
        "GET",
        "/seller/stock/{offer_id}",
        Selling.stock,
        tag="Selling",
        needs="seller",
        shows=shapes.StockShown,
    ),
    PublicRoute(
        "PUT",
        "/seller/stock/{offer_id}",
        Selling.count_stock,
        tag="Selling",
        needs="seller",
        shows=shapes.StockShown,
        refuses=["condition_missing", "stale"],
    ),
    PublicRoute("GET", "/seller/orders", Selling.seller_orders, tag="Selling", needs="seller"),
    PublicRoute(
        "POST",
        "/seller/shipments",
        Selling.ship,
        tag="Selling",
        needs="seller",
        refuses=["not_found", "not_shippable"],
    ),
    PublicRoute(
        "POST",
        "/seller/shipments/{shipment_id}/events",
        Selling.parcel_seen,
        tag="Selling",
        needs="seller",
        refuses=["out_of_order"],
    ),
]

MERCHANDISING = [
    PublicRoute("GET", "/search/rules", Merchandising.rules, tag="Merchandising", needs="operator"),
    PublicRoute(
        "POST",
        "/search/rules",
        Merchandising.add_rule,
        tag="Merchandising",
        needs="operator",
        refuses=["too_many_rules"],
    ),
    PublicRoute(
        "PUT", "/search/rules/{rule_id}", Merchandising.change_rule, tag="Merchandising", needs="operator"
    ),
    PublicRoute(
        "DELETE",
        "/search/rules/{rule_id}",
        Merchandising.remove_rule,
        tag="Merchandising",
        needs="operator",
        shows=type(None),
    ),
    PublicRoute(
        "GET", "/search/rule-changes", Merchandising.rule_changes, tag="Merchandising", needs="operator"
    ),
    PublicRoute(
        "POST",
        "/search/rule-changes/{change_id}/put-back",
        Merchandising.put_back_rule,
        tag="Merchandising",
        needs="operator",
        refuses=["too_many_rules"],
    ),
]

TABLE = [*BROWSING, *BUYING, *FLASH, *PEOPLE, *OPINIONS, *SELLING, *MERCHANDISING]
_NOT_KEPT = {"Cache-Control": "no-store"}
UNKEYED = frozenset({"buy", "sign_in", "guest", "sign_out", "provider_notice"})
"""Checkout keeps keys of its own, a notice has an id, and a session's token is not kept in the open."""


Ready = Callable[[], Awaitable[dict[str, bool]]]


def public(shop: Services, door: Door, store: Store, ready: Ready) -> list[BaseRoute]:
    """The routes of the API and of the root, for the application that `door` stands before. `ready` says
    of each thing that selling needs whether it is there."""

    async def who(request: Request) -> Caller | None:
        refuse_other_sites(request)
        return await door.authenticate(request)

    replays = Replays(store, who)
    handlers: list[tuple[list[PublicRoute], object]] = [
        (BROWSING, Browsing(shop)),
        (BUYING, Buying(shop)),
        (FLASH, Flash(shop)),
        (PEOPLE, People(shop)),
        (OPINIONS, Opinions(shop)),
        (SELLING, Selling(shop)),
        (MERCHANDISING, Merchandising(shop)),
    ]
    entries: list[Entry] = []
    for table, service in handlers:
        for route, served in zip(table, serve(table, service, prefix=PREFIX, authenticate=who), strict=True):
            handler: Handler = served.endpoint
            if route.verb != "GET" and route.name not in UNKEYED:
                handler = replays.wrap(route.name, handler, anybody=route.needs == "nobody")
            entries.append(Entry(route.verb, f"/v1{route.path}", handler))
    described = Described(TABLE, PREFIX)
    entries += [
        Entry("GET", "/v1/openapi.json", described.openapi),
        Entry("GET", "/v1/docs", described.docs),
        Entry("GET", "/v1/docs.css", described.styles),
    ]
    return [Paths("/api", entries), *root(ready)]


def root(ready: Ready) -> list[BaseRoute]:
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
