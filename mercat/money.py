"""Money: an integer of minor units with an ISO 4217 currency; only the web layer shows decimals."""

from collections.abc import Sequence
from decimal import Decimal

_NONE = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"  # ISO 4217, list one
_THREE = "BHD IQD JOD KWD LYD OMR TND"
EXPONENTS: dict[str, int] = {
    **dict.fromkeys(_NONE.split(), 0),
    **dict.fromkeys(_THREE.split(), 3),
}
_SIGNS = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥"}
_MAGNITUDES = {
    10: "AFN CNY CZK DKK DOP EGP ETB GTQ HKD HNL MAD MDL MKD MOP MXN MZN NIO NOK PHP SEK THB TRY TWD UAH ZAR",
    100: "ALL AOA BDT CRC DJF DZD GMD HUF INR ISK JMD JPY KES KGS KZT LKR MUR NPR PKR RSD RUB SRD VUV XPF",
    1_000: "AMD ARS BIF CDF CLP COP IQD KMF KRW MGA MMK MNT MWK NGN RWF SYP TZS UGX XAF XOF YER",
    10_000: "GNF IDR IRR KHR LAK LBP PYG STN UZS VND",
}
GIFT_CARD_CLASS = "gift_card"
"""The tax class of gift cards, which are money: what is bought with one is taxed (2006/112/EC art. 30b)."""
MINOR_MAX = 2**40  # about 11 billion dollars in cents: more than any total, far from overflow


def exponent(currency: str) -> int:
    """Return the decimals of a currency: USD 2, JPY 0, KWD 3. Source: ISO 4217, list one."""
    return EXPONENTS.get(currency, 2)


def magnitude(currency: str) -> int:
    """Return the power of ten of units that is nearest to a US dollar: JPY 100; 1 where none is listed.

    For round figures, never for conversion. Source: reference rates of the ECB and the IMF, 2025."""
    return next((power for power, codes in _MAGNITUDES.items() if currency in codes.split()), 1)


def step(currency: str) -> int:
    """Return what amounts of a currency are multiples of, in minor units.

    Card networks charge currencies of three decimals in steps of ten, as 1.230
    (https://docs.stripe.com/currencies)."""
    return 10 if exponent(currency) == 3 else 1


def minor(amount: Decimal, currency: str) -> int:
    """Convert an amount to minor units: 79.99 USD is 7999.

    ValueError where the currency has no such fraction, or the amount is beyond `MINOR_MAX`."""
    if not amount.is_finite():
        raise ValueError("an amount must be a number")
    if abs(amount) > MINOR_MAX:
        raise ValueError("the amount is too large")
    scaled = amount.scaleb(exponent(currency))
    if scaled != scaled.to_integral_value():
        raise ValueError(f"{currency} has {exponent(currency)} decimals")
    if int(scaled) % step(currency):
        raise ValueError(f"the last decimal of {currency} must be 0")
    if abs(scaled) > MINOR_MAX:
        raise ValueError("the amount is too large")
    return int(scaled)


def shown(amount: int, currency: str) -> float | int:
    """Convert minor units to decimals: 7999 USD is 79.99, the nearest double, which JSON prints as those
    digits."""
    digits = exponent(currency)
    return amount / 10**digits if digits else amount


def words(amount: int, currency: str) -> str:
    """Write an amount as a page shows it: 7999 USD is "$79.99"."""
    digits = exponent(currency)
    whole, part = divmod(abs(amount), 10**digits)
    number = f"{whole:,}" + (f".{part:0{digits}d}" if digits else "")
    sign = "-" if amount < 0 else ""
    return f"{sign}{_SIGNS[currency]}{number}" if currency in _SIGNS else f"{sign}{number} {currency}"


def allocate(amount: int, weights: Sequence[int]) -> list[int]:
    """Split an amount by weights so that the parts add up to it.

    By the largest remainder (Hamilton's method), the earlier part first where remainders tie."""
    total = sum(weights)
    if total == 0 or amount == 0:
        return [0] * len(weights)
    if amount == total:
        return list(weights)
    if len(weights) == 1:
        return [amount]
    shares = [divmod(amount * weight, total) for weight in weights]
    parts = [whole for whole, _ in shares]
    by_remainder = sorted(range(len(parts)), key=lambda i: (-shares[i][1], i))
    for i in by_remainder[: amount - sum(parts)]:
        parts[i] += 1
    return parts


def tax(amount: int, rate_ppm: int, step: int = 1, rounding: str = "half_up") -> int:
    """Compute the tax on a non-negative amount, rounded to a multiple of `step`: `half_up` or `half_even`.

    The rate is in parts per million (8.25 % is 82,500)."""
    return _rounded(amount * rate_ppm, 1_000_000 * step, rounding) * step


def tax_within(amount: int, rate_ppm: int, step: int = 1, rounding: str = "half_up") -> int:
    """Compute the tax that a non-negative amount includes, rounded as `tax` is."""
    return _rounded(amount * rate_ppm, (1_000_000 + rate_ppm) * step, rounding) * step


def _rounded(dividend: int, divisor: int, rounding: str) -> int:
    whole, rest = divmod(dividend, divisor)
    up = 2 * rest > divisor or (2 * rest == divisor and (rounding == "half_up" or whole % 2 == 1))
    return whole + up
