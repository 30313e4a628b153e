"""Pricing: what a basket costs at a destination. It is handed current prices and keeps none.

One calculator makes every total. A quote is a signed paper: what the shopper saw, honoured until it expires.
"""

from mercat.pricing.api import API
from mercat.pricing.messages import PricedBasket, PricedLine, Quoted, QuoteExpired, Totals
from mercat.pricing.service import Pricing

__all__ = ["API", "PricedBasket", "PricedLine", "Pricing", "QuoteExpired", "Quoted", "Totals"]
