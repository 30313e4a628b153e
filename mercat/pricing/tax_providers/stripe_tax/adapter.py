"""Stripe Tax's adapter, over Stripe's own library: a calculation a question, which binds nobody.

Nothing is asked again: whoever waits has the shop's own rates instead.
"""

from collections.abc import Mapping
from typing import Any

import aiohttp
import stripe
from stripe import StripeClient

from mercat.kit.stripe_amounts import from_stripe, to_stripe
from mercat.pricing.tax_provider import TaxAnswer, TaxQuestion
from mercat.pricing.tax_providers.stripe_tax import StripeTaxSettings

_TANGIBLE = "txcd_99999999"
_SHIPPING = "txcd_92010001"
_LINES_MAX = 100


class StripeTax:
    def __init__(
        self, own: StripeTaxSettings, codes: Mapping[str, str], timeout_s: float, at_once: int
    ) -> None:
        self._codes = codes
        self._http = stripe.AIOHTTPClient(
            timeout=aiohttp.ClientTimeout(total=timeout_s), connector=aiohttp.TCPConnector(limit=at_once)
        )
        addresses: Any = {"api": own.stripe_tax_url} if own.stripe_tax_url else {}
        self._stripe = StripeClient(
            own.stripe_tax_key.reveal(),
            http_client=self._http,
            base_addresses=addresses,
            max_network_retries=0,
        )

    async def taxes(self, question: TaxQuestion) -> TaxAnswer:
        """Ask for a calculation: a line a class of goods, and all delivery as one."""
        currency = question.currency
        behavior = "inclusive" if question.included else "exclusive"
        kinds = list(question.goods)
        asked: Any = {
            "currency": currency.lower(),
            "customer_details": {
                "address": {
                    "country": question.country,
                    "state": question.region,
                    "postal_code": question.postal_code,
                },
                "address_source": "shipping",
            },
            "line_items": [
                {
                    "amount": to_stripe(question.goods[kind], currency),
                    "reference": f"class-{n}",
                    "tax_behavior": behavior,
                    "tax_code": self._codes.get(kind, _TANGIBLE),
                }
                for n, kind in enumerate(kinds)
            ],
            "shipping_cost": {
                "amount": to_stripe(question.shipping, currency),
                "tax_behavior": behavior,
                "tax_code": _SHIPPING,
            },
            "expand": ["line_items"],
        }
        found: Any = await self._stripe.v1.tax.calculations.create_async(asked)
        lines = found.line_items
        if lines.has_more:
            page: Any = {"limit": _LINES_MAX}
            lines = await self._stripe.v1.tax.calculations.line_items.list_async(found.id, page)
        by_reference = {line.reference: from_stripe(line.amount_tax, currency) for line in lines.data}
        goods = {kind: by_reference[f"class-{n}"] for n, kind in enumerate(kinds)}
        return TaxAnswer(goods, from_stripe(found.shipping_cost.amount_tax, currency))

    async def close(self) -> None:
        await self._http.close_async()
