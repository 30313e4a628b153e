"""What became of a purchase, as programs are told: made once, stored with its commit, repeated as it is."""

from functools import cache

from mercat import money
from mercat.checkout import CheckoutOutcome, Confirmed, Refused
from mercat.kit import codec
from mercat.kit.refusals import Refusal


def present_checkout(outcome: CheckoutOutcome) -> tuple[int, bytes]:
    """Make the status and the body of an outcome; a refusal is a problem document."""
    if isinstance(outcome, Confirmed):
        body: dict[str, object] = {
            "order_id": outcome.order_id,
            "status": "confirmed",
            "total": money.shown(outcome.total, outcome.currency),
            "currency": outcome.currency,
            "estimated_delivery": outcome.estimated_delivery,
        }
        return 201, codec.encode(body)
    if isinstance(outcome, Refused):
        refusal = _kind(outcome.code)(outcome.detail, **outcome.facts)
        return refusal.status, codec.encode(refusal.problem())
    body = {"status": "pending", "order_id": outcome.order_id}
    if outcome.next_action:
        body["next_action"] = outcome.next_action
    return 202, codec.encode(body)


@cache
def _kind(code: str) -> type[Refusal]:
    return Refusal.named(code)
