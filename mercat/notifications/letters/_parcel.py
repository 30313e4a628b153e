"""What letters about a parcel have in common."""

from mercat.events import OrderLine, OrderPlaced, ParcelMoved
from mercat.notifications.letter import LetterKind


def parcel_letter(status: str) -> LetterKind[ParcelMoved]:
    """Make the kind of letter that goes out when a parcel has this status."""
    return LetterKind(
        ParcelMoved,
        subject_id=lambda parcel: parcel.shipment_id,
        order_id=lambda parcel: parcel.order_id,
        when=lambda parcel: parcel.status == status,
        more=lambda parcel, order: {"contents": contents(parcel, order)},
    )


def contents(parcel: ParcelMoved, order: OrderPlaced | None) -> list[tuple[int, OrderLine]]:
    """List how many of what are in a parcel."""
    known = {line.order_line_id: line for line in order.lines} if order else {}
    return [
        (line.quantity, known[line.order_line_id]) for line in parcel.lines if line.order_line_id in known
    ]
