"""What a cart, a quote and an order cost, as the API shows it."""

from msgspec import Struct

from mercat import money
from mercat.events import AppliedDiscount
from mercat.ids import PromotionId, SellerId
from mercat.pricing import Totals
from mercat.promotions import CodeState
from mercat.web.rendering import because
from mercat.web.schemas import Amount


class DiscountShown(Struct, frozen=True, kw_only=True):
    """What a promotion took off. `amount` is of goods; a delivery that is waived costs less by itself."""

    promotion_id: PromotionId
    name: str
    code: str | None
    amount: Amount
    shipping_amount: Amount
    words: str
    """What it does, for people: "10 % off tea, because of WELCOME10"."""


class CodeShown(Struct, frozen=True, omit_defaults=True):
    """A code that was given, and why it takes nothing off where it does not."""

    code: str
    applied: bool
    why: str | None = None


class PartPriceShown(Struct, frozen=True, kw_only=True):
    seller_id: SellerId
    shipping: Amount
    tax: Amount


def discounts_shown(discounts: list[AppliedDiscount], currency: str) -> list[DiscountShown]:
    """Show what promotions took off."""
    return [
        DiscountShown(
            promotion_id=each.promotion_id,
            name=each.name,
            code=each.code,
            amount=money.shown(each.amount, currency),
            shipping_amount=money.shown(each.shipping, currency),
            words=because(each),
        )
        for each in discounts
    ]


def codes_shown(codes: list[CodeState]) -> list[CodeShown]:
    """Show what became of the codes that were given."""
    return [CodeShown(each.code, each.applied, each.why) for each in codes]


def parts_priced(totals: Totals, currency: str) -> list[PartPriceShown]:
    """Show what the delivery of each seller's part costs."""
    return [
        PartPriceShown(
            seller_id=part.seller_id,
            shipping=money.shown(part.shipping, currency),
            tax=money.shown(part.tax, currency),
        )
        for part in totals.parts
    ]
