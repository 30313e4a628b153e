"""How Stripe counts amounts: in minor units but for the currencies that its documents list."""

from mercat import money

# https://docs.stripe.com/currencies: what Stripe counts in whole units, and the two that have no fraction
# in ISO 4217 but two decimals there, which must be 00.
_WHOLE = frozenset(
    ["BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"]
)
_AS_HUNDREDTHS = frozenset(("ISK", "UGX"))


class NotChargeable(ValueError):
    """Stripe cannot charge this amount in this currency."""


def to_stripe(amount: int, currency: str) -> int:
    """Convert minor units to what Stripe counts in.

    Of three decimals the last must be 0: NotChargeable otherwise."""
    if currency in _AS_HUNDREDTHS:
        return amount * 100
    digits = money.exponent(currency)
    if digits == 3 and amount % 10:
        raise NotChargeable(f"Stripe charges {currency} in steps of 0.010")
    if (digits == 0) != (currency in _WHOLE):
        raise NotChargeable(f"it is not known how Stripe counts {currency}")
    return amount


def from_stripe(amount: int, currency: str) -> int:
    """Convert what Stripe counts in to minor units."""
    return amount // 100 if currency in _AS_HUNDREDTHS else amount
