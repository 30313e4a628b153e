"""The sandbox: a tax provider that lives in the shop, for trying out what an answer, and none, does."""

from typing import Annotated

from msgspec import Meta, Struct

from mercat import money
from mercat.pricing.tax_provider import (
    TaxAnswer,
    TaxProviderDeclaration,
    TaxQuestion,
    TaxRefused,
    TaxTransaction,
    TaxUnreachable,
)
from mercat.settings import Settings

__all__ = ["OWN_SETTINGS", "REFUSES", "SILENT", "SandboxTaxSettings", "SandboxTaxes", "declare"]

SILENT = "00000"
"""The postal code for which it does not answer."""
REFUSES = "99999"
"""The postal code from which it records no sale."""


class SandboxTaxSettings(Struct, frozen=True, kw_only=True):
    sandbox_tax_ppm: Annotated[int, Meta(ge=0, le=1_000_000)] = 100_000
    """What the sandbox says that everything is taxed at, in ppm; of the postal code 00000 it says nothing."""


OWN_SETTINGS = SandboxTaxSettings


def declare(settings: Settings) -> TaxProviderDeclaration:
    return TaxProviderDeclaration("The sandbox", lambda: SandboxTaxes(settings.part(SandboxTaxSettings)))


class SandboxTaxes:
    """One rate for everything everywhere."""

    def __init__(self, own: SandboxTaxSettings) -> None:
        self._ppm = own.sandbox_tax_ppm

    async def taxes(self, question: TaxQuestion) -> TaxAnswer:
        if question.postal_code == SILENT:
            raise TaxUnreachable
        compute = money.tax_within if question.included else money.tax
        step = money.step(question.currency)
        goods = {kind: compute(amount, self._ppm, step) for kind, amount in question.goods.items()}
        return TaxAnswer(goods, compute(question.shipping, self._ppm, step))

    async def record(self, key: str, question: TaxQuestion) -> TaxTransaction:
        if question.postal_code == REFUSES:
            raise TaxRefused("The sandbox records nothing that goes to 99999.")
        answer = await self.taxes(question)
        return TaxTransaction(f"tax_{key}", sum(answer.goods.values()) + answer.shipping)

    async def reverse(self, key: str, reference: str, amount: int, currency: str, *, whole: bool) -> str:
        return f"tax_{key}"

    async def close(self) -> None:
        """There is nothing to close."""
