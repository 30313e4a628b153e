"""The door for machines: every public route of `/api/v1`, and what every request passes on its way in.

    door.py         request ids, sign-in, limits, security headers, ETags, load shedding
    dispatch.py     from a path to its handler, a look-up a segment
    idempotency.py  the same key, the same answer, on any unsafe route
    routes.py       the one table of public routes
    shapes.py       what they take and show
    browsing.py buying.py people.py opinions.py selling.py    handlers: they translate and decide nothing
    presenter.py    what became of a purchase, as it is stored and repeated
    openapi.py      the table as an OpenAPI 3.1 document, as a page, and as docs/api.md

It owns no tables. Whoever assembles the shop calls `public(...)` for the routes and puts a `Door` before the
application.
"""

from mercat.gateway.door import Door, errors, refuse_other_sites
from mercat.gateway.openapi import refusals
from mercat.gateway.presenter import present_checkout
from mercat.gateway.routes import TABLE, public
from mercat.services import Services

__all__ = [
    "TABLE",
    "Door",
    "Services",
    "errors",
    "present_checkout",
    "public",
    "refusals",
    "refuse_other_sites",
]
