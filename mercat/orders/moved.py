"""What an order came to, and what decisions about its units did, as rows of this release or the one before
have them."""

from typing import Any

import msgspec

from mercat.events import PartShipping
from mercat.kit import codec
from mercat.orders import rules
from mercat.orders.messages import Goods, Owed, PartDelivery


class OldReturn(msgspec.Struct, frozen=True):
    """What release 0.1.0 wrote of a return."""

    goods: list[Goods]
    tax: int
    discount: int = 0


def amounts_of(order: Any) -> rules.Amounts:
    """Answer what an order came to."""
    parts = codec.decode(order["parts"], list[PartDelivery]) if order["parts"] else []
    return rules.Amounts(
        order["currency"],
        order["subtotal"],
        order["discount"],
        order["tax"],
        order["shipping"],
        {part.seller_id: shipping_of(part) for part in parts},
        order["tax_included"],
    )


def decided(row: Any, state: rules.OrderState) -> Owed:
    """Read what a decision came to, as this release wrote it or the one before."""
    if row["detail"] == "{}":
        return rules.everything(state.amounts, state.lines)
    if row["what"] == "returned" and '"parts"' not in row["detail"]:
        old = codec.decode(row["detail"], OldReturn)
        return rules.of_old_return(old.goods, old.tax, old.discount)
    return codec.decode(row["detail"], Owed)


def shipping_of(part: PartDelivery) -> PartShipping:
    """Answer what the delivery of a part costs, and where it is fetched."""
    money = part.shipping, part.waived, part.tax, part.shop_tax
    return PartShipping(part.seller_id, *money, part.pickup_name, part.pickup_address)
