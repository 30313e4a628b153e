"""The routes of pricing."""

from mercat.kit.rpc import Route
from mercat.pricing.service import Pricing

API = [
    Route("POST", "/totals", Pricing.total),
    Route("POST", "/quotes", Pricing.seal),
    Route("POST", "/honoured", Pricing.honour),
]
