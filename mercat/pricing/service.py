"""The verbs of pricing."""

from typing import Annotated

from mercat.kit import clock, signing
from mercat.kit.rpc import IN_BODY
from mercat.pricing import rules
from mercat.pricing.messages import PricedBasket, Quoted, QuoteExpired, Totals
from mercat.settings import Settings


class Pricing:
    """Totals, and quotes that are signed rather than stored."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._key = settings.key("quotes")

    async def total(self, basket: PricedBasket) -> Totals:
        """Add up what this basket costs at its destination."""
        return rules.total(basket, self._settings.tax_rate_ppm)

    async def seal(self, quoted: Quoted) -> str:
        """Answer the quote's id: the whole quote, signed, so that honouring it needs no look-up."""
        return "quo_" + signing.seal(self._key, quoted)

    async def honour(self, quote_id: Annotated[str, IN_BODY]) -> Quoted:
        """Answer what was quoted; QuoteExpired when it is not ours or its time is over."""
        quoted = signing.unseal(self._key, quote_id.removeprefix("quo_"), Quoted)
        if quoted is None or quoted.expires_at < clock.now():
            raise QuoteExpired(pointer="/quote_id")
        return quoted
