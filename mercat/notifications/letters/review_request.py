"""Some days after everything has arrived, a buyer is asked how they like it; once an order."""

from msgspec import Struct

from mercat.events import OrderDelivered
from mercat.ids import OrderId, ProductId, UserId
from mercat.kit.refusals import NotFound
from mercat.notifications.letter import LetterKind, Optional
from mercat.notifications.lookup import Addressee, Asked, Found, Lookup, Note
from mercat.notifications.sources import Sources


class ToReview(Struct, frozen=True):
    """What somebody may write about: what of their order they have, and have not reviewed."""

    order_id: OrderId
    user_id: UserId
    products: dict[ProductId, str]


async def find(ask: Sources, asked: Asked) -> Found | None:
    """Find the buyer; nobody where they gave everything back, or have written already."""
    [delivered] = asked.about
    try:
        order = await ask.orders.order(delivered.order_id, None)
    except NotFound:
        return None
    written = {review.product_id for review in await ask.reviews.of_people([order.user_id])}
    kept = {
        line.product_id: line.title
        for line in order.lines
        if line.delivered > max(line.returned + line.coming_back, line.refunded - line.cancelled)
        and line.product_id not in written
    }
    if not kept or not order.email:
        return None
    shown = ToReview(order.order_id, order.user_id, kept)
    return Found([Addressee(order.email, order.user_id)], shown)


KIND = LetterKind(
    OrderDelivered,
    subject_id=lambda fact: fact.order_id,
    order_id=lambda fact: fact.order_id,
    optional=Optional("A question how you like what you ordered, once it has arrived"),
    lookup=Lookup(
        OrderDelivered,
        find,
        notes=lambda fact: [Note(int(fact.order_id), fact)],
        delay_s=lambda settings: settings.review_request_days * 86_400,
    ),
    shown=ToReview,
)
