"""What a decision about units owes, as payments are asked for it."""

from mercat.ids import UserId
from mercat.orders import Owed
from mercat.payments import RefundRequest, SellerPart


def refund_request(reference: str, owed: Owed, credit_to: UserId | None = None) -> RefundRequest:
    """Make the request that pays back what a decision owes."""
    return RefundRequest(
        reference,
        owed.amount,
        [
            SellerPart(part.seller_id, part.price - part.seller_discount, part.shipping, tax=part.tax)
            for part in owed.parts
        ],
        sum(part.tax for part in owed.parts),
        sum(part.discount - part.seller_discount for part in owed.parts),
        credit_to,
    )
