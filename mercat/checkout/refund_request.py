"""What a decision about units owes, as payments are asked for it."""

from mercat.orders import Owed
from mercat.payments import RefundRequest, SellerPart


def refund_request(reference: str, owed: Owed) -> RefundRequest:
    """Make the request that pays back what a decision owes."""
    return RefundRequest(
        reference,
        owed.amount,
        [SellerPart(part.seller_id, part.price) for part in owed.parts if part.price],
        sum(part.shipping for part in owed.parts),
        sum(part.tax for part in owed.parts),
        sum(part.discount for part in owed.parts),
    )
