"""Stripe Tax's adapter, over Stripe's own library: a calculation a question, which binds nobody.

Nothing is asked again: whoever waits has the shop's own rates instead. A sale is a transaction made from a
calculation of its own (https://docs.stripe.com/tax/custom#tax-transaction). Our key is its reference, which
Stripe takes once, and the idempotency key of both, so that what is tried again is the same.
"""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

import aiohttp
import stripe
from stripe import StripeClient

from mercat.kit.stripe_amounts import from_stripe, to_stripe
from mercat.pricing.tax_provider import TaxAnswer, TaxQuestion, TaxRefused, TaxTransaction
from mercat.pricing.tax_providers.stripe_tax import StripeTaxSettings

_TANGIBLE = "txcd_99999999"
_SHIPPING = "txcd_92010001"
_LINES_MAX = 100
_WAITS_S = 10.0
"""The longest that an answer is waited for where nobody else waits."""


class StripeTax:
    def __init__(self, own: StripeTaxSettings, codes: Mapping[str, str], at_once: int) -> None:
        self._codes = codes
        self._http = stripe.AIOHTTPClient(
            timeout=aiohttp.ClientTimeout(total=_WAITS_S), connector=aiohttp.TCPConnector(limit=at_once)
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
        _, answer = await self._calculated(question, {})
        return answer

    async def record(self, key: str, question: TaxQuestion) -> TaxTransaction:
        with _refusals():
            calculation, answer = await self._calculated(
                question, {"idempotency_key": f"mercat/tax/{key}/calculation"}
            )
            asked: Any = {"calculation": calculation, "reference": key}
            made = await self._stripe.v1.tax.transactions.create_from_calculation_async(
                asked, {"idempotency_key": f"mercat/tax/{key}"}
            )
        return TaxTransaction(made.id, sum(answer.goods.values()) + answer.shipping)

    async def reverse(self, key: str, reference: str, amount: int, currency: str, *, whole: bool) -> str:
        asked: Any = {"original_transaction": reference, "reference": key, "mode": "full"}
        if not whole:
            asked |= {"mode": "partial", "flat_amount": -to_stripe(amount, currency)}
        with _refusals():
            made = await self._stripe.v1.tax.transactions.create_reversal_async(
                asked, {"idempotency_key": f"mercat/tax/{key}"}
            )
        return made.id

    async def _calculated(
        self, question: TaxQuestion, options: stripe.RequestOptions
    ) -> tuple[str, TaxAnswer]:
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
        found: Any = await self._stripe.v1.tax.calculations.create_async(asked, options)
        lines = found.line_items
        if lines.has_more:
            page: Any = {"limit": _LINES_MAX}
            lines = await self._stripe.v1.tax.calculations.line_items.list_async(found.id, page)
        by_reference = {line.reference: from_stripe(line.amount_tax, currency) for line in lines.data}
        goods = {kind: by_reference[f"class-{n}"] for n, kind in enumerate(kinds)}
        return found.id, TaxAnswer(goods, from_stripe(found.shipping_cost.amount_tax, currency))

    async def close(self) -> None:
        await self._http.close_async()


@contextmanager
def _refusals() -> Generator[None]:
    """Raise TaxRefused for what Stripe will not take however often it is asked."""
    try:
        yield
    except (stripe.InvalidRequestError, stripe.IdempotencyError) as no:
        raise TaxRefused(f"Stripe: {no.user_message or no.code or type(no).__name__}") from no
