"""The storefront: pages for shoppers, sellers and operators.

    shop.py            home, departments, lists, search, product: the same for all, for any cache to keep
    listing.py         what a list's address asks for, and its facets
    buying.py          cart, checkout, the sandbox bank
    tracking.py        orders and their parcels
    account.py         signing in, the account, wishlist, reviews
    flash.py           flash sales: the wait, one's turn, the operator's control room
    products.py     what sellers do
    goods.py           a product as its seller types it
    overview.py   how the shop does
    search_rules.py     what operators want of searches
    money.py      its money, and what recovery has given up
    shared.py          a page for everybody is written once a second
    visit.py           who came, what form they sent, how a page goes back; csrf.py, render.py

It owns no data and decides nothing: it asks services and renders what they say. No page needs a script, but
for Stripe's own field for a new card.
"""

import asyncio
from collections.abc import Callable

import asyncpg
from starlette.routing import Route

from mercat.kit.rpc import Authenticate
from mercat.kit.valkey import Store
from mercat.services import Services
from mercat.web import account, flash_sales, orders, rendering, search
from mercat.web import checkout as buying
from mercat.web.categories import Aisles
from mercat.web.desk import products
from mercat.web.operator import money, overview, search_rules
from mercat.web.operator.overview import Audit
from mercat.web.pages import Visits, refuse

__all__ = ["Services", "pages", "refuse"]


def pages(
    services: Services,
    *,
    authenticate: Authenticate,
    session_cookie: Callable[[str, int], str],
    store: Store,
    events: asyncpg.Pool,
    audit: Audit,
    draw: search.Draw,
    closing: asyncio.Event,
) -> list[Route]:
    """All pages. The last route answers every other address with a page that says so: put it behind the API.

    `session_cookie(token, lifetime_s)` writes the door's cookie; `store` keeps what was asked with a key of
    checkout's; `events` reads how far followers are and `audit` checks the laws, for the operator's desk;
    `draw` makes pictures of what came without; `closing` ends what is answered for long."""
    settings = services.settings
    aisles = Aisles(services.catalog, services.search, services.breakers["search"])
    visits = Visits(
        authenticate=authenticate,
        departments=aisles.departments,
        session_cookie=session_cookie,
        secret=settings.key("forms"),
        secure=settings.secure_cookies,
        real_money=settings.real_money(),
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
            cards=rendering.cards(settings),
            card_field=settings.card_field(),
            store=store,
        ),
        *orders.pages(visits, services),
        *flash_sales.pages(visits, services, closing),
        *products.pages(visits, aisles, services),
        *overview.pages(visits, services, events, audit),
        *search_rules.pages(visits, aisles, services),
        *money.pages(visits, services),
        *search.pages(
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
