"""The whole shop on one page: who there is, and who asks whom.

With no settings but the engines', everything lives in one process group. The same code with one URL a
neighbour (`MERCAT_<NAME>_URL`) is one service of many; nothing else changes.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

import asyncpg
from starlette.applications import Starlette
from starlette.types import Receive, Scope, Send

from mercat import (
    accounts,
    cart,
    catalog,
    checkout,
    flashsale,
    fulfilment,
    gateway,
    inventory,
    notifications,
    orders,
    payments,
    pricing,
    recommendations,
    reviews,
    search,
    sellers,
    storefront,
    wishlist,
)
from mercat.audit import Finding, audit
from mercat.events import ProductChanged
from mercat.ids import ProductId
from mercat.kit.batching import AT_ONCE
from mercat.kit.breaker import Breaker
from mercat.kit.database import warm
from mercat.kit.host import Host, for_ever
from mercat.lab.demo import draw_from_path
from mercat.settings import Settings

_DOCUMENTS_MAX = 1_000
_SWITCHES_S = 2
CHECKOUT_PATH = {"accounts", "cart", "catalog", "checkout", "inventory", "orders", "payments", "flashsale"}
"""Services that a purchase passes."""


@dataclass(frozen=True)
class Shop:
    """Every service, wherever it lives."""

    host: Host
    breakers: dict[str, Breaker]
    accounts: accounts.Accounts
    catalog: catalog.Catalog
    search: search.Search
    sellers: sellers.Sellers
    inventory: inventory.Inventory
    payments: payments.Payments
    orders: orders.Orders
    pricing: pricing.Pricing
    fulfilment: fulfilment.Fulfilment
    cart: cart.Cart
    checkout: checkout.Checkout
    reviews: reviews.Reviews
    wishlist: wishlist.Wishlist
    recommendations: recommendations.Recommendations
    notifications: notifications.Notifications
    flashsale: flashsale.FlashSales

    @property
    def settings(self) -> Settings:
        return self.host.settings


async def build_shop(settings: Settings, stack: AsyncExitStack) -> Shop:
    """One line a service; those who ask stand below those they ask."""
    shop = Host(settings, stack)
    place, store, cache = shop.place, shop.store, shop.cache
    people = await place(
        "accounts", accounts.Accounts, accounts.API, lambda db: accounts.Accounts(db, store, settings)
    )
    goods = await place(
        "catalog", catalog.Catalog, catalog.API, lambda db: catalog.Catalog(db, cache, settings)
    )
    found = await place(
        "search",
        search.Search,
        search.API,
        lambda db: search.Search(
            settings.data / "search",
            settings.search_sold_out,
            db,
            search.place_of(settings),
        ),
    )
    stock = await place("inventory", inventory.Inventory, inventory.API, inventory.Inventory)
    traders = await place(
        "sellers", sellers.Sellers, sellers.API, lambda db: sellers.Sellers(db, goods, stock)
    )
    till = await place("payments", payments.Payments, payments.API, lambda db: till_of(shop, db))
    book = await place("orders", orders.Orders, orders.API, orders.Orders)
    prices = pricing.Pricing(settings)
    post = await place(
        "fulfilment", fulfilment.Fulfilment, fulfilment.API, lambda db: fulfilment.Fulfilment(db, settings)
    )
    said = await place("reviews", reviews.Reviews, reviews.API, reviews.Reviews)
    wishes = await place("wishlist", wishlist.Wishlist, wishlist.API, wishlist.Wishlist)
    shelves = await place(
        "recommendations",
        recommendations.Recommendations,
        recommendations.API,
        recommendations.Recommendations,
    )
    mail = await place(
        "notifications",
        notifications.Notifications,
        notifications.API,
        lambda db: notifications.Notifications(db, settings),
    )
    basket = await place("cart", cart.Cart, cart.API, lambda db: cart.Cart(db, store, goods, stock, settings))
    buying = await place(
        "checkout",
        checkout.Checkout,
        checkout.API,
        lambda db: checkout.Checkout(db, people, goods, basket, prices, post, stock, till, book, settings),
    )
    sales = await place(
        "flashsale",
        flashsale.FlashSales,
        flashsale.API,
        lambda db: flashsale.FlashSales(db, store, goods, stock, buying, settings),
    )
    buying.gate = flashsale.Gate(sales)
    breakers = {
        name: Breaker(name) for name in ("reviews", "wishlist", "recommendations", "search", "notifications")
    }
    return Shop(
        host=shop,
        breakers=breakers,
        accounts=people,
        catalog=goods,
        search=found,
        sellers=traders,
        inventory=stock,
        payments=till,
        orders=book,
        pricing=prices,
        fulfilment=post,
        cart=basket,
        checkout=buying,
        reviews=said,
        wishlist=wishes,
        recommendations=shelves,
        notifications=mail,
        flashsale=sales,
    )


def till_of(shop: Host, db: asyncpg.Pool) -> payments.Payments:
    """Payments with the provider that the settings name."""
    provider = payments.provider_of(shop.settings, db)
    shop.stack.push_async_callback(provider.close)
    return payments.Payments(db, provider, shop.settings)


async def products(goods: catalog.Catalog) -> AsyncIterator[Sequence[ProductChanged]]:
    """Everything for sale, in pages: what fills an index anew."""
    after = ProductId(0)
    while page := await goods.documents(after, _DOCUMENTS_MAX):
        yield page
        after = page[-1].product_id


async def run_background(shop: Shop) -> None:
    """What the one back process does: the relay, the followers, and everything that is done by and by."""
    host = shop.host
    if "checkout" in host.here:
        host.duty("checkout recovery", shop.checkout.saga.keep_recovering)
        host.duty("old keys", shop.checkout.saga.keep_forgetting)
        host.duty("cancellations and returns", shop.checkout.keep_undoing)
        host.duty("notices of the provider", shop.checkout.keep_hearing)
    if "payments" in host.here:
        host.duty("old authorisations", shop.payments.keep_tidy)
        host.duty("books and the provider's", shop.payments.keep_reconciling)
    if "flashsale" in host.here:
        host.duty("flash sales", shop.flashsale.releaser.keep_releasing)
    if "cart" in host.here:
        host.duty("cart copies", shop.cart.keep_copying)
    if "notifications" in host.here and host.settings.smtp_url:
        host.duty("mail", shop.notifications.deliver)
    if "search" in host.here:
        host.duty("search index", lambda: shop.search.keep(lambda: products(shop.catalog)))
    await host.run_background()


def internal_app(shop: Shop) -> Starlette:
    """The application of a process that has some services only: their internal routes, and nothing public."""
    return Starlette(routes=shop.host.internal_routes)


async def public_app(shop: Shop) -> gateway.Door:
    """The public application: pages for people, JSON for machines, and nothing internal."""
    host = shop.host
    if "catalog" in host.here:
        host.start(for_ever("news of products", shop.catalog.listen))
    host.start(for_ever("switches", lambda: _mind_switches(shop)))
    pages = Starlette(exception_handlers=gateway.errors())

    async def rooms(scope: Scope, receive: Receive, send: Send) -> None:
        # The API answers every error itself, so it needs none of the layers that pages have around them.
        machine = scope["type"] == "http" and scope["path"].startswith("/api/")
        await (api.handle if machine else pages)(scope, receive, send)

    door = gateway.Door(rooms, shop.settings)
    door.open(shop.accounts.who, host.cache, storefront.refuse)
    api, *root = gateway.public(shop, door, host.store, lambda: ready(shop))
    pages.router.routes += root
    pages.router.routes += storefront.pages(
        shop,
        authenticate=door.authenticate,
        session_cookie=door.session_cookie,
        store=host.store,
        events=await host.pool("events"),
        audit=lambda: audit_of(shop.settings),
        draw=draw_from_path,
        closing=host.closing,
    )
    return door


async def certify(shop: Shop, sale_id: str) -> flashsale.Certified:
    """The certificate of a sale, with what the audit finds behind it."""
    found = await audit_of(shop.settings)
    laws = [
        flashsale.Law(each.law, each.checked, each.violations)
        for each in found
        if "flash" in each.law or "stock" in each.law
    ]
    return await shop.flashsale.certify(sale_id, laws)


async def _mind_switches(shop: Shop) -> None:
    """What an operator switched off for a sale's sake is off in every process, the other breakers are armed,
    and what a purchase needs of the database is open; afterwards all is as ever."""
    off = set(await shop.flashsale.switched_off())
    for name, breaker in shop.breakers.items():
        breaker.off, breaker.armed = name in off, bool(off)
    if off:
        for service in CHECKOUT_PATH & shop.host.here.keys():
            await warm(await shop.host.pool(service), AT_ONCE)
    await asyncio.sleep(_SWITCHES_S)


async def ready(shop: Shop) -> dict[str, bool]:
    """Of each thing that selling needs: is it there?"""
    host = shop.host

    async def database() -> None:
        await (await host.pool("checkout")).fetchval("select 1")

    async def index() -> None:
        await shop.search.suggest("a", 1)

    parts: dict[str, Awaitable[object]] = {
        "database": database(),
        "store": host.store.do("PING"),
        "search": index(),
    }
    answers = await asyncio.gather(*(_answers(part) for part in parts.values()))
    return dict(zip(parts, answers, strict=True))


async def _answers(part: Awaitable[object]) -> bool:
    try:
        async with asyncio.timeout(2):
            await part
    except Exception:
        return False
    return True


async def audit_of(settings: Settings) -> list[Finding]:
    """The laws over live data, by the role that can only read."""
    reader = await asyncpg.connect(
        **settings.database(), user="mercat_audit", password=settings.secret("mercat_audit")
    )
    try:
        return await audit(reader)
    finally:
        await reader.close()
