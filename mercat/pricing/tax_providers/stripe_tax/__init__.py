"""Stripe Tax: what it reckons for an address (https://docs.stripe.com/tax/custom)."""

import re

from msgspec import Struct

from mercat.pricing.tax_provider import TaxProvider, TaxProviderDeclaration
from mercat.settings import Secret, Settings, WrongSetting

__all__ = ["OWN_SETTINGS", "StripeTaxSettings", "declare", "tax_codes"]

_CODE = re.compile(r"txcd_[0-9]{8}")


class StripeTaxSettings(Struct, frozen=True, kw_only=True):
    stripe_tax_key: Secret = Secret()
    """Stripe's secret key, or a restricted one for Tax Calculations and Transactions. No log has it."""
    stripe_tax_codes: str = ""
    """Stripe's codes of the shop's classes of tax, with commas: `food=txcd_40060003,books=txcd_35010000`.
    Other goods are `txcd_99999999`, tangible goods."""
    stripe_tax_url: str = ""
    """Where Stripe is (empty: its own address). For doubles."""


OWN_SETTINGS = StripeTaxSettings


def declare(settings: Settings) -> TaxProviderDeclaration:
    own = settings.part(StripeTaxSettings)
    if not own.stripe_tax_key:
        raise WrongSetting("MERCAT_STRIPE_TAX_KEY is not set: Stripe Tax needs a secret key.")
    codes = tax_codes(own.stripe_tax_codes)

    def connect() -> TaxProvider:
        from mercat.pricing.tax_providers.stripe_tax.adapter import StripeTax

        return StripeTax(own, codes, settings.requests_at_once)

    return TaxProviderDeclaration("Stripe Tax", connect)


def tax_codes(written: str) -> dict[str, str]:
    """Read which of Stripe's codes each class has; raises WrongSetting."""
    codes: dict[str, str] = {}
    for pair in filter(None, map(str.strip, written.split(","))):
        name, _, code = map(str.strip, pair.partition("="))
        if not name or not _CODE.fullmatch(code):
            raise WrongSetting(f"MERCAT_STRIPE_TAX_CODES: {pair!r} is not written as food=txcd_40060003.")
        codes[name] = code
    return codes
