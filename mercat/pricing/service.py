"""The verbs of pricing."""

from typing import Any

import asyncpg

from mercat.ids import UserId
from mercat.kit import clock, signing
from mercat.kit.breaker import Breaker
from mercat.kit.cache import ExpiringCache
from mercat.pricing import rules
from mercat.pricing.messages import (
    ExemptBecause,
    PricedBasket,
    Quoted,
    QuoteExpired,
    SoldWithoutRate,
    TaxExemption,
    TaxRule,
    TaxRuleSet,
    Totals,
)
from mercat.pricing.tax import TaxBook
from mercat.pricing.tax_provider import TaxAnswer, TaxProvider, TaxQuestion, TaxUnreachable
from mercat.pricing.tax_records import TaxRecords
from mercat.settings import Settings

_ANSWERS_MAX = 10_000
_REMEMBERED_S = 300.0
"""How long what the tax provider said of goods and an address is good for the next who asks just that."""


class Pricing:
    """Totals, quotes that are signed rather than stored, and the rates of tax. With a `provider` that
    says what tax is owed, and the rates stand in for it."""

    unhurried = True  # of the log it looks at every order, and hardly any has something for it

    def __init__(self, db: asyncpg.Pool, settings: Settings, provider: TaxProvider | None = None) -> None:
        self._settings = settings
        self._key = settings.key("quotes")
        self._tax = TaxBook(db, settings)
        self._provider = provider
        self._breaker = Breaker("tax", timeout_s=settings.tax_timeout_s)
        self._answers: ExpiringCache[tuple[Any, ...], TaxAnswer] = ExpiringCache(_ANSWERS_MAX)
        self.records = TaxRecords(db, self._tax, provider)
        self.tax_records = self.records.tax_records
        self.retry_tax_record = self.records.retry_tax_record

    async def total(self, basket: PricedBasket) -> Totals:
        """Add up what this basket costs at its destination."""
        rates = await self._tax.rates_of(basket)
        if self._provider and rates.note in ("", "rate_unknown"):
            rates = await self._asked(self._provider, basket, rates)
        return rules.total(basket, rates)

    async def _asked(
        self, provider: TaxProvider, basket: PricedBasket, rates: rules.TaxRates
    ) -> rules.TaxRates:
        """Ask the provider, or remember what it said of the same goods and address some minutes ago; where it
        does not answer, the rates stand, and that is said."""
        question = rules.tax_question(basket, rates)
        if not any((*question.goods.values(), question.shipping)):
            return rates
        key = (tuple(sorted(question.goods.items())), *question[1:])
        answer = self._answers.get(key)
        if answer is None:
            answer = await self._breaker.ask(_answer(provider, question), None)
            if answer is None:
                return rates._replace(note=rates.note or "provider_away")
            self._answers.put(key, answer, _REMEMBERED_S)
        return rates._replace(said=answer, note="by_provider")

    async def seal(self, quoted: Quoted) -> str:
        """Answer the quote's id: the whole quote, signed, so that honouring it needs no look-up."""
        return "quo_" + signing.seal(self._key, quoted)

    async def honour(self, quote_id: str) -> Quoted:
        """Answer what was quoted; QuoteExpired when it is not ours or its time is over."""
        quoted = signing.unseal(self._key, quote_id.removeprefix("quo_"), Quoted)
        if quoted is None or quoted.expires_at < clock.now():
            raise QuoteExpired(pointer="/quote_id")
        return quoted

    async def includes_tax(self, country: str) -> bool:
        """Answer whether prices have the tax in them, in this country."""
        return await self._tax.includes_tax(country)

    async def tax_rules(self) -> TaxRuleSet:
        """Return all rates of tax."""
        return await self._tax.rules()

    async def set_tax_rules(self, given: list[TaxRule], version: int | None = None) -> TaxRuleSet:
        """Set all rates of tax, in place of those that were. Invalid points to what cannot be. `version`: of
        those that are replaced, else Stale; none: whatever they are."""
        return await self._tax.set_rules(given, version)

    async def sold_without_rate(self) -> list[SoldWithoutRate]:
        """List where was sold to without a known rate, the most often first."""
        return await self._tax.sold_without_rate()

    async def tax_exemptions(self) -> list[TaxExemption]:
        """List who is free of tax, the latest first."""
        return await self._tax.exemptions()

    async def exempt_from_tax(self, user_id: UserId, reason: ExemptBecause) -> None:
        """Free somebody of tax from now on; again changes the reason."""
        await self._tax.exempt(user_id, reason)

    async def tax_again(self, user_id: UserId) -> None:
        """Tax somebody again who was free of it."""
        await self._tax.tax_again(user_id)


async def _answer(provider: TaxProvider, question: TaxQuestion) -> TaxAnswer:
    answer = await provider.taxes(question)
    if not rules.is_answer(question, answer):
        raise TaxUnreachable("what it says cannot be")
    return answer
