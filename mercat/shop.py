"""The one list of services: what each is made of, whom it asks, and what it does in the background.

Assembly, migrations, duties, tests, the import contract and the docs derive from `SERVICES`. To add a
service, add its entry there and its attribute to `Shop`; docs/how-to has the whole way.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import asyncpg
import msgspec

from mercat import (
    accounts,
    analytics,
    auditlog,
    cart,
    catalog,
    checkout,
    flashsale,
    fulfilment,
    inventory,
    invoices,
    media,
    membership,
    notifications,
    orders,
    payments,
    pricing,
    promotions,
    recommendations,
    returns,
    reviews,
    search,
    sellers,
    webhooks,
    wishlist,
)
from mercat.catalog import PricesByCountry
from mercat.checkout import Present
from mercat.events import ProductChanged
from mercat.ids import OrderId, ProductId, SellerId
from mercat.kit import tracing
from mercat.kit.breaker import Breaker
from mercat.kit.host import Duty, Host, Refill, follower_at, for_ever
from mercat.kit.replicas import ReplicaAccess
from mercat.kit.verbs import Verb
from mercat.settings import EVERYTHING, Settings, WrongSetting

_PRODUCTS_A_PAGE = 1_000


class Shop:
    """Every service by its name, wherever it lives."""

    accounts: accounts.Accounts
    catalog: catalog.Catalog
    media: media.Media
    search: search.Search
    sellers: sellers.Sellers
    inventory: inventory.Inventory
    payments: payments.Payments
    orders: orders.Orders
    pricing: pricing.Pricing
    promotions: promotions.Promotions
    fulfilment: fulfilment.Fulfilment
    returns: returns.Returns
    invoices: invoices.Invoices
    reviews: reviews.Reviews
    wishlist: wishlist.Wishlist
    recommendations: recommendations.Recommendations
    notifications: notifications.Notifications
    cart: cart.Cart
    checkout: checkout.Checkout
    flashsale: flashsale.FlashSales
    membership: membership.Membership
    webhooks: webhooks.OutgoingWebhooks
    auditlog: auditlog.AuditLog
    analytics: analytics.Analytics

    def __init__(self, host: Host, present: Present) -> None:
        """`present` makes the bytes that a purchase is answered with: checkout stores them."""
        self.host = host
        self.present = present
        self.breakers = {name: Breaker(name) for name, each in SERVICES.items() if each.dispensable}

    @property
    def settings(self) -> Settings:
        return self.host.settings

    @cached_property
    def prices(self) -> PricesByCountry:
        """Return what turns prices into those of a country."""
        return PricesByCountry(self.catalog, self.settings)


@dataclass(frozen=True)
class Service:
    """An entry of the list.

    `make` builds it where it lives in this process: from the host, its own pool, and the services that
    `asks` names, which stand before it. `dispensable`: pages do without it, behind a breaker.
    `on_checkout_path`: a purchase passes it, so its connections are opened before a sale. `stateless`: it
    keeps nothing, so it lives in every process that asks it, unless a setting gives its address. `follows`:
    it reads the event log. `duties`: what one back process at a time does for ever, by name. `refill`: how it
    makes good for events that it had not read when they were gone from the log."""

    kind: type[Any]
    verbs: list[Verb]
    make: Callable[[Host, asyncpg.Pool, Shop], Any]
    asks: tuple[str, ...] = ()
    dispensable: bool = False
    on_checkout_path: bool = False
    stateless: bool = False
    follows: bool = True
    duties: Callable[[Shop], dict[str, Duty]] = lambda _: {}
    refill: Callable[[Shop], Refill] | None = None


def make_pricing(host: Host, db: asyncpg.Pool) -> pricing.Pricing:
    """Make pricing, with the tax provider that the settings name, closed with the host."""
    declared = pricing.tax_declaration(host.settings)
    provider = declared.connect() if declared else None
    if provider:
        host.stack.push_async_callback(provider.close)
    return pricing.Pricing(db, host.settings, provider)


async def every_product(goods: catalog.Catalog) -> AsyncIterator[Sequence[ProductChanged]]:
    """Yield all products in pages: what an index is filled with anew."""
    after = ProductId(0)
    while page := await goods.documents(after, _PRODUCTS_A_PAGE):
        yield page
        after = page[-1].product_id


def make_payments(host: Host, db: asyncpg.Pool) -> payments.Payments:
    """Make payments with the providers that the settings name, closed with the host."""
    provider = payments.connect(host.settings, db)
    transfers = payments.connect_payouts(host.settings, db)
    host.stack.push_async_callback(provider.close)
    host.stack.push_async_callback(transfers.close)
    tracing.watch(provider, f"provider {provider.name}", payments.ASKS, tracing.SpanKind.CLIENT)
    real_money = payments.declaration(host.settings).real_money
    return payments.Payments(db, provider, host.settings, transfers, real_money=real_money)


def _ended_parts(shop: Shop) -> Callable[[list[OrderId]], Awaitable[list[tuple[OrderId, SellerId, str]]]]:
    async def ended(order_ids: list[OrderId]) -> list[tuple[OrderId, SellerId, str]]:
        found = await shop.orders.ended_parts(order_ids)
        return [(each.order_id, each.seller_id, each.status) for each in found]

    return ended


def _make_accounts(host: Host, db: asyncpg.Pool, _: Shop) -> accounts.Accounts:
    cards = payments.declaration(host.settings).test_cards
    labels = {card.token: accounts.CardLabel(card.brand, card.last4, card.label) for card in cards}
    return accounts.Accounts(db, host.store, host.settings, labels)


def _make_catalog(host: Host, db: asyncpg.Pool) -> catalog.Catalog:
    """Make the catalogue; where a setting says so, it reads from databases that follow."""
    followers = [
        ReplicaAccess(host.pool_at("catalog", place), partial(host.connect, "catalog", place))
        for place in host.settings.replicas()
    ]
    made = catalog.Catalog(db, host.cache, host.settings, followers)
    if followers:
        host.stack.push_async_callback(made.replicas.close)
        host.start(for_ever("replicas", made.replicas.keep_looking))
    return made


def _make_orders(host: Host, db: asyncpg.Pool, _: Shop) -> orders.Orders:
    """Make orders; where a setting says so, over several databases."""
    term, places = host.settings.legal_term_days, host.settings.shards()
    if not places:
        return orders.Orders(db, term)
    shards: list[orders.Shard] = []
    for place in places:
        pool = host.pool_at("orders", place)
        part = orders.Orders(pool, term)
        shard = orders.Shard(place.name, part, pool)
        shards.append(shard)
        host.stack.callback(shard.close)
        if place.host:
            host.follow_elsewhere("orders", place, part)
    hint = {n: place.name for place in places for begin, end in place.ranges for n in range(begin, end)}
    return orders.over_shards(shards, hint)


def _order_duties(shop: Shop) -> dict[str, Duty]:
    duties: dict[str, Duty] = {}
    for name, part in orders.each_database(shop.orders).items():
        duties[f"numbers of old orders {name}".strip()] = part.keep_numbering
        duties[f"people to forget {name}".strip()] = part.forgetting.keep_forgetting
    return duties


def _make_search(host: Host, db: asyncpg.Pool, _: Shop) -> search.Search:
    settings = host.settings
    return search.Search(
        settings.data / "search",
        settings.search_sold_out,
        db,
        search.index_store(settings),
        settings.currency,
        search.store_beside(settings),
    )


def _make_checkout(host: Host, db: asyncpg.Pool, shop: Shop) -> checkout.Checkout:
    return checkout.Checkout(
        db,
        checkout.Neighbours(
            accounts=shop.accounts,
            catalog=shop.catalog,
            cart=shop.cart,
            pricing=shop.pricing,
            promotions=shop.promotions,
            fulfilment=shop.fulfilment,
            inventory=shop.inventory,
            payments=shop.payments,
            orders=shop.orders,
            returns=shop.returns,
            sellers=shop.sellers,
        ),
        host.settings,
        shop.present,
    )


def _make_notifications(host: Host, db: asyncpg.Pool, shop: Shop) -> notifications.Notifications:
    sources = notifications.Sources(
        accounts=shop.accounts,
        catalog=shop.catalog,
        orders=shop.orders,
        reviews=shop.reviews,
        sellers=shop.sellers,
        wishlist=shop.wishlist,
    )
    return notifications.Notifications(db, host.settings, sources)


def _mail_duties(shop: Shop) -> dict[str, Duty]:
    duties: dict[str, Duty] = {"letters to look up": shop.notifications.notices.keep_writing}
    if shop.settings.smtp_url:
        duties["mail"] = shop.notifications.outbox.keep_sending
    return duties


def _make_analytics(host: Host, db: asyncpg.Pool, shop: Shop) -> analytics.Analytics:
    sources = analytics.FactSources(
        orders=shop.orders,
        payments=shop.payments,
        catalog=shop.catalog,
        sellers=shop.sellers,
        inventory=shop.inventory,
        search=shop.search,
    )
    made = analytics.Analytics(host, db, sources)
    host.stack.push_async_callback(made.close)
    return made


SERVICES: dict[str, Service] = {
    "accounts": Service(
        accounts.Accounts,
        accounts.API,
        _make_accounts,
        on_checkout_path=True,
    ),
    "catalog": Service(
        catalog.Catalog,
        catalog.API,
        lambda host, db, shop: _make_catalog(host, db),
        on_checkout_path=True,
        duties=lambda shop: {
            "products told again": shop.catalog.retelling.keep_retelling,
            "sales that begin and end": shop.catalog.retelling.keep_flipping,
            "former prices": shop.catalog.retelling.keep_pruning,
        },
    ),
    "search": Service(
        search.Search,
        search.API,
        _make_search,
        dispensable=True,
        duties=lambda shop: {"search index": lambda: shop.search.keep(lambda: every_product(shop.catalog))},
        refill=lambda shop: lambda: shop.search.rebuild(every_product(shop.catalog)),
    ),
    "inventory": Service(
        inventory.Inventory,
        inventory.API,
        lambda host, db, shop: inventory.Inventory(db),
        on_checkout_path=True,
    ),
    "sellers": Service(
        sellers.Sellers,
        sellers.API,
        lambda host, db, shop: sellers.Sellers(db, shop.catalog, shop.inventory, host.settings),
        duties=lambda shop: {"files of sellers": shop.sellers.imports.keep_importing},
        asks=("catalog", "inventory"),
    ),
    "media": Service(
        media.Media,
        media.API,
        lambda host, db, shop: media.Media(db, media.storage_of(host.settings), shop.catalog, shop.sellers),
        asks=("catalog", "sellers"),
        follows=False,
        duties=lambda shop: {
            "pictures of imports": media.PictureFetching(
                shop.media, shop.catalog, shop.settings
            ).keep_fetching,
            "pictures of no product": shop.media.keep_tidy,
        },
    ),
    "payments": Service(
        payments.Payments,
        payments.API,
        lambda host, db, shop: make_payments(host, db),
        on_checkout_path=True,
        duties=lambda shop: {
            "old authorisations": shop.payments.keep_tidy,
            "books and the provider's": shop.payments.keep_reconciling,
            "payouts": shop.payments.paying_out.keep_paying,
            "what sellers earned before": lambda: shop.payments.filling.keep_filling(_ended_parts(shop)),
        },
    ),
    "orders": Service(
        orders.Orders,
        orders.API,
        _make_orders,
        on_checkout_path=True,
        duties=_order_duties,
    ),
    "pricing": Service(
        pricing.Pricing,
        pricing.API,
        lambda host, db, shop: make_pricing(host, db),
        on_checkout_path=True,
        duties=lambda shop: {"sales for the tax provider": shop.pricing.records.keep_recording},
    ),
    "promotions": Service(
        promotions.Promotions,
        promotions.API,
        lambda host, db, shop: promotions.Promotions(db, shop.orders, host.settings),
        asks=("orders", "pricing"),
        on_checkout_path=True,
    ),
    "fulfilment": Service(
        fulfilment.Fulfilment,
        fulfilment.API,
        lambda host, db, shop: fulfilment.Fulfilment(db, host.settings),
    ),
    "returns": Service(
        returns.Returns,
        returns.API,
        lambda host, db, shop: returns.Returns(db, host.settings),
        follows=False,
    ),
    "invoices": Service(
        invoices.Invoices,
        invoices.API,
        lambda host, db, shop: invoices.Invoices(db, shop.orders, shop.payments, shop.sellers),
        asks=("orders", "payments", "sellers"),
    ),
    "reviews": Service(
        reviews.Reviews, reviews.API, lambda host, db, shop: reviews.Reviews(db), dispensable=True
    ),
    "wishlist": Service(
        wishlist.Wishlist,
        wishlist.API,
        lambda host, db, shop: wishlist.Wishlist(db, host.settings),
        dispensable=True,
    ),
    "recommendations": Service(
        recommendations.Recommendations,
        recommendations.API,
        lambda host, db, shop: recommendations.Recommendations(db),
        dispensable=True,
    ),
    "notifications": Service(
        notifications.Notifications,
        notifications.API,
        _make_notifications,
        asks=("accounts", "catalog", "orders", "reviews", "sellers", "wishlist"),
        dispensable=True,
        duties=_mail_duties,
    ),
    "cart": Service(
        cart.Cart,
        cart.API,
        lambda host, db, shop: cart.Cart(
            db, host.store, shop.catalog, shop.inventory, shop.payments, host.settings
        ),
        asks=("catalog", "inventory", "payments"),
        on_checkout_path=True,
        duties=lambda shop: {"cart copies": shop.cart.copies.keep_copying},
    ),
    "checkout": Service(
        checkout.Checkout,
        checkout.API,
        _make_checkout,
        asks=(
            "accounts",
            "catalog",
            "cart",
            "pricing",
            "promotions",
            "fulfilment",
            "inventory",
            "payments",
            "orders",
            "returns",
            "sellers",
        ),
        on_checkout_path=True,
        duties=lambda shop: {
            "checkout recovery": shop.checkout.recovery.keep_recovering,
            "old keys": shop.checkout.recovery.keep_forgetting,
            "cancellations, parcels and returns": shop.checkout.aftercare.keep_recovering,
            "webhooks of the provider": shop.checkout.webhooks.keep_retrying,
        },
    ),
    "flashsale": Service(
        flashsale.FlashSales,
        flashsale.API,
        lambda host, db, shop: flashsale.FlashSales(
            db, host.store, shop.catalog, shop.inventory, shop.checkout, host.settings
        ),
        asks=("catalog", "inventory", "orders", "checkout"),
        on_checkout_path=True,
        follows=False,
        duties=lambda shop: {"flash sales": shop.flashsale.runner.keep_running},
    ),
    "membership": Service(
        membership.Membership,
        membership.API,
        lambda host, db, shop: membership.Membership(
            shop.accounts,
            shop.cart,
            shop.checkout,
            shop.flashsale,
            shop.reviews,
            shop.sellers,
            shop.wishlist,
        ),
        asks=("accounts", "cart", "checkout", "flashsale", "reviews", "sellers", "wishlist"),
        stateless=True,
        follows=False,
    ),
    "auditlog": Service(
        auditlog.AuditLog, auditlog.API, lambda host, db, shop: auditlog.AuditLog(db), follows=False
    ),
    "analytics": Service(
        analytics.Analytics,
        analytics.API,
        _make_analytics,
        asks=("catalog", "inventory", "orders", "payments", "search", "sellers"),
        dispensable=True,
        duties=lambda shop: {"facts of reports": shop.analytics.keeper.keep},
        refill=lambda shop: shop.analytics.keeper.rebuild,
    ),
    "webhooks": Service(
        webhooks.OutgoingWebhooks,
        webhooks.API,
        lambda host, db, shop: webhooks.OutgoingWebhooks(db, shop.catalog, host.settings),
        asks=("catalog",),
        dispensable=True,
        duties=lambda shop: {
            "webhooks to sellers": shop.webhooks.keep_delivering,
            "old deliveries": shop.webhooks.forget_old,
        },
    ),
}


FOLLOWERS = frozenset(name for name, service in SERVICES.items() if service.follows)
"""Services that read the event log, wherever they live: what one of them has not read is kept."""

CHECKOUT_PATH = frozenset(name for name, service in SERVICES.items() if service.on_checkout_path)
"""Services that a purchase passes."""


def storeys() -> list[list[str]]:
    """Sort the services by storey, the highest first: each asks only those below it."""
    height: dict[str, int] = {}
    for name, service in SERVICES.items():
        height[name] = 1 + max((height[asked] for asked in service.asks), default=-1)
    return [[n for n in height if height[n] == storey] for storey in range(max(height.values()), -1, -1)]


def unknown_settings(settings: Settings) -> list[str]:
    """List variables, by their names in small letters, that no part of the shop reads."""
    services = {f"{service}_url" for service in SERVICES}
    return sorted(settings.variables.keys() - settings_of_providers() - services)


def settings_of_providers() -> set[str]:
    """List the settings that only a provider has, of payments or of taxes."""
    providers = [*payments.PROVIDERS.values(), *pricing.TAX_PROVIDERS.values()]
    return {name for each in providers for name in each.OWN_SETTINGS.__struct_fields__}


def check_alone(settings: Settings) -> None:
    """Raise WrongSetting for what a process of several cannot begin with."""
    only = settings.only()
    said = {name.removeprefix("-") if EVERYTHING in only else name for name in only}
    if unknown := sorted({*said, *settings.addresses} - {*SERVICES, EVERYTHING}):
        raise WrongSetting(f"There is no service {unknown[0]!r}. There are: {', '.join(sorted(SERVICES))}.")
    if unknown := unknown_settings(settings):
        raise WrongSetting(f"{unknown[0]} is no setting; docs/settings.md has them all.")
    if settings.has_default_secret:
        raise WrongSetting("All processes of a shop share a secret: name its file by secret_key_file.")


async def build_services(settings: Settings, stack: AsyncExitStack, present: Present) -> Shop:
    """Build every service, or the stand-in of one whose address a setting gives (`MERCAT_<NAME>_URL`)."""
    if EVERYTHING in settings.only():
        here = [name for name in SERVICES if f"-{name}" not in settings.only()]
        settings = msgspec.structs.replace(settings, services=",".join(here))
    host = Host(settings, stack)
    host.settings = await catalog.own_currency(await host.pool("catalog"), settings)
    shop = Shop(host, present)
    for place in host.settings.shards():
        await host.pool("orders", place)
    for place in host.settings.replicas():
        await host.pool("catalog", place)
    for name, service in SERVICES.items():
        setattr(shop, name, await _placed(host, shop, name, service))
    shop.checkout.gate = flashsale.CheckoutGate(shop.flashsale)
    return shop


async def _placed(host: Host, shop: Shop, name: str, service: Service) -> Any:
    def make(db: asyncpg.Pool) -> Any:
        return service.make(host, db, shop)

    only = host.settings.only()
    here = not only or name in only or service.stateless
    return await host.place(
        name, service.kind, service.verbs, make, here=here, asked=name in asked_by(only or SERVICES)
    )


def asked_by(services: Iterable[str]) -> set[str]:
    """List what these services ask. The stateless ones count with whom they live."""
    return {asked for name in services for asked in SERVICES[name].asks}


async def run_background(shop: Shop, *, relays: bool = True, follows: bool = True) -> None:
    """Start the relay, and followers and duties of the services here: each in one process at a time."""
    for name, service in SERVICES.items():
        if name in shop.host.here and follows:
            for duty, work in service.duties(shop).items():
                shop.host.duty(name, duty, work)
            if service.refill:
                shop.host.refill(name, service.refill(shop))
    elsewhere = {follower_at("orders", place.name) for place in shop.settings.shards()[1:]}
    await shop.host.run_background(FOLLOWERS | elsewhere, relays=relays, follows=follows)
