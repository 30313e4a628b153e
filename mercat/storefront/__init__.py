"""The storefront: pages for shoppers, sellers and operators.

    shop.py            home, departments, lists, search, product: the same for all, for any cache to keep
    listing.py         what a list's address asks for, and its facets
    buying.py          cart, checkout, the sandbox bank
    tracking.py        orders and their parcels
    account.py         signing in, the account, wishlist, reviews
    flash.py           flash sales: the wait, one's turn, the operator's control room
    desk_seller.py     what sellers do
    goods.py           a product as its seller types it
    desk_operator.py   how the shop does
    desk_search.py     what operators want of searches
    desk_money.py      its money, and what recovery has given up
    shared.py          a page for everybody is written once a second
    visit.py           who came, what form they sent, how a page goes back; csrf.py, render.py

It owns no data and decides nothing: it asks services and renders what they say. No page needs a script, but
for a payment provider's own field for a new card.
"""

import asyncio
from collections.abc import Callable

import asyncpg
from starlette.routing import Route

from mercat.kit.rpc import Authenticate
from mercat.kit.valkey import Store
from mercat.payments import declaration
from mercat.services import Services
from mercat.storefront import (
    account,
    buying,
    desk_money,
    desk_operator,
    desk_search,
    desk_seller,
    flash,
    render,
    shop,
    tracking,
)
from mercat.storefront.aisles import Aisles
from mercat.storefront.desk_operator import Audit
from mercat.storefront.visit import Visits, refuse

__all__ = ["Services", "pages", "refuse"]


def pages(
    services: Services,
    *,
    authenticate: Authenticate,
    session_cookie: Callable[[str, int], str],
    store: Store,
    events: asyncpg.Pool,
    audit: Audit,
    draw: shop.Draw,
    closing: asyncio.Event,
) -> list[Route]:
    """All pages. The last route answers every other address with a page that says so: put it behind the API.

    `session_cookie(token, lifetime_s)` writes the door's cookie; `store` keeps what was asked with a key of
    checkout's; `events` reads how far followers are and `audit` checks the laws, for the operator's desk;
    `draw` makes pictures of what came without; `closing` ends what is answered for long."""
    settings = services.settings
    provider = declaration(settings)
    aisles = Aisles(services.catalog, services.search, services.breakers["search"])
    visits = Visits(
        authenticate=authenticate,
        departments=aisles.departments,
        session_cookie=session_cookie,
        secret=settings.key("forms"),
        secure=settings.secure_cookies,
        provider=provider,
    )
    return [
        *account.pages(visits, services),
        *buying.pages(
            visits,
            accounts=services.accounts,
            cart=services.cart,
            catalog=services.catalog,
            checkout=services.checkout,
            flashsale=services.flashsale,
            fulfilment=services.fulfilment,
            payments=services.payments,
            pricing=services.pricing,
            cards=render.cards(provider),
            card_field=provider.card_field,
            store=store,
        ),
        *tracking.pages(visits, services),
        *flash.pages(visits, services, closing),
        *desk_seller.pages(visits, aisles, services),
        *desk_operator.pages(visits, services, events, audit),
        *desk_search.pages(visits, aisles, services),
        *desk_money.pages(visits, services),
        *shop.pages(
            visits,
            aisles,
            catalog=services.catalog,
            search=services.search,
            reviews=services.reviews,
            recommendations=services.recommendations,
            flashsale=services.flashsale,
            fulfilment=services.fulfilment,
            breakers=services.breakers,
            currency=settings.currency,
            draw=draw,
        ),
        visits.route("/{path:path}", visits.nowhere, "GET", "POST"),
    ]
