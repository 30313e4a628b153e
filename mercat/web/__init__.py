"""The door for machines: every public route of `/api/v1`, and what every request passes on its way in.

    door.py         request ids, sign-in, limits, security headers, ETags, load shedding
    dispatch.py     from a path to its handler, a look-up a segment
    idempotency.py  the same key, the same answer, on any unsafe route
    routes.py       the one table of public routes
    shapes.py       what they take and show
    browsing.py buying.py people.py opinions.py selling.py    handlers: they translate and decide nothing
    openapi.py      the table as an OpenAPI 3.1 document, as a page, and as docs/api.md

It owns no tables. Whoever assembles the shop calls `public(...)` for the routes and puts a `Door` before the
application.
"""

from mercat.services import Services
from mercat.web.middleware import Door, errors, refuse_other_sites
from mercat.web.openapi import refusals
from mercat.web.page_routes import pages, refuse
from mercat.web.routes import TABLE, public

__all__ = [
    "TABLE",
    "Door",
    "Services",
    "errors",
    "pages",
    "public",
    "refusals",
    "refuse",
    "refuse_other_sites",
]
