"""The web layer: every verb of the shop once more, as JSON for programs and as a page for people.

One file a noun has both faces side by side: what the API takes and shows, its handlers, the table `API` of
its routes; then the pages, and `page_routes`. `desk/` is what sellers do, `operator/` what operators do.
A handler translates and decides nothing: HTTP status, JSON shapes and decimal amounts are known here alone.

    middleware.py   request ids, limits, security headers, ETags, load shedding: what every request passes
    context.py      what is known of one request; session.py: who sent it, start and end of a session
    router.py       from a path to its handler, and what goes wrong on the way; routes.py: all of them
    errors.py       how a refusal is told to people
    lanes.py        who may begin now, and who would wait too long; networks.py: who is at the other end
    connections.py  what a network holds open; bodies.py: what it is still sending
    probes.py       whether a process lives and can work, and its metrics
    draining.py     how a process ends without losing a request
    compression.py  the smallest form of an answer that its asker reads
    origin.py       what comes from our own pages, and what does not; cors.py: which other sites may ask
    cache.py        who may keep an answer, for how long; pages that this process keeps
    idempotency.py  the same key, the same answer, on any unsafe route of the API
    pages.py        how pages and fragments are rendered; rendering.py: templates and their filters
    forms.py        what is in a form or an address; table_query.py: which rows of a table
    schemas.py      what several answers of the API share
    presenter.py    what became of a purchase, as it is stored and repeated
    openapi.py      the API as an OpenAPI 3.1 document, as a page, and as docs/api.md

It owns no tables. `mercat.app` asks for `application`, which is all of it behind one middleware.
No page needs a script, but for the payment provider's own field for a new card.
"""

from mercat.web.connections import Connections
from mercat.web.draining import LastAnswers
from mercat.web.exported import FILES, export_of
from mercat.web.middleware import Middleware
from mercat.web.networks import Proxies
from mercat.web.openapi import markdown, refusals
from mercat.web.presenter import present_checkout
from mercat.web.probes import neighbour_asking, probe_endpoints
from mercat.web.router import Endpoint
from mercat.web.routes import PREFIX, TABLE, application

__all__ = [
    "FILES",
    "PREFIX",
    "TABLE",
    "Connections",
    "Endpoint",
    "LastAnswers",
    "Middleware",
    "Proxies",
    "application",
    "export_of",
    "markdown",
    "neighbour_asking",
    "present_checkout",
    "probe_endpoints",
    "refusals",
]
