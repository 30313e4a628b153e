"""The one calculator: what a basket comes to. Decisions without IO, in integers.

Steps: goods, delivery, tax. Delivery is not taxed. Rounding: half up, on the order's taxable sum; the lines'
shares of it by largest remainder.
"""

from mercat import money
from mercat.pricing.messages import PricedBasket, Totals
from mercat.pricing.tax import tax_rate


def total(basket: PricedBasket, otherwise: int = 0) -> Totals:
    """Add up a basket; `otherwise` is the tax rate, in parts per million, where no rule has one."""
    amounts = [line.unit_price * line.quantity for line in basket.lines]
    subtotal = sum(amounts)
    rate = tax_rate(basket.country, basket.region, otherwise)
    tax = money.tax(subtotal, rate, money.step(basket.currency))
    return Totals(
        subtotal=subtotal,
        discount=0,
        shipping=basket.shipping,
        tax=tax,
        total=subtotal + basket.shipping + tax,
        taxes=money.allocate(tax, amounts),
    )
