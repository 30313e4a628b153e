"""The routes of pricing."""

from mercat.kit.rpc import Route
from mercat.pricing.service import Pricing

API = [
    Route("POST", "/totals", Pricing.total, status=200),
    Route("POST", "/quotes", Pricing.seal),
    Route("GET", "/quotes/{quote_id}", Pricing.honour),
]
