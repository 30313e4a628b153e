"""Why an order is as it is: each decision about it, by which rule, and what it came to."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, cast

from msgspec import Struct

from mercat import money
from mercat.orders import Happening, Order, Remarks, WhatWasRefused
from mercat.web.order_shown import PartShown
from mercat.web.schemas import Amount


class NamedRule(NamedTuple):
    """What was decided, and the rule in plain words."""

    what: str
    rule: str


_RULES = {
    "confirmed": NamedRule("Ordered", "An order stands once it is paid and its goods are held."),
    "cancelled": NamedRule(
        "Cancelled",
        "Units that have not shipped can be cancelled: their price less their share of the discount, with "
        "their share of tax, is paid back; the part's delivery with its last unit.",
    ),
    "shipped": NamedRule("Shipped", "A seller ships units of theirs that were not cancelled before."),
    "delivered": NamedRule("Delivered", "A parcel has arrived when its carrier or seller says so."),
    "return_asked": NamedRule(
        "Return asked for", "What was delivered can be sent back within the days of returns, each unit once."
    ),
    "return_approved": NamedRule("Return approved", "A seller approves a return, or the shop by itself."),
    "return_refused": NamedRule(
        "Return refused", "A seller may refuse a return that was not approved, and says why."
    ),
    "return_dropped": NamedRule("Return closed", "A refused or withdrawn return sets its units free."),
    "return_sent": NamedRule("Sent back", "The shopper says with which parcel."),
    "returned": NamedRule(
        "Received back",
        "Money moves when goods are here: the price less the discount's share, with the tax's, less what is "
        "withheld; delivery only for reasons that are the seller's, once all of the part came back.",
    ),
    "return_refunded": NamedRule("Return paid back", "What came back is paid to where it was paid from."),
    "refunded": NamedRule("Refunded without goods", "Never more than was captured and not paid back."),
}
TAXED = {
    "by_provider": "Its tax is what the tax provider said.",
    "provider_away": "The tax provider did not answer: its tax is by the shop's own rates.",
    "rate_unknown": "It has no tax: no rate is known where it goes.",
    "reverse_charge": "It has no tax: its buyer owes it (reverse charge).",
    "exempt": "It has no tax: its buyer is free of it.",
}
"""How an order was taxed, where that is not by the shop's own rates."""
_REFUSED = {
    "not_cancellable": NamedRule("Cancelling was refused", "What is on its way is not cancelled."),
    "not_returnable": NamedRule(
        "A return was refused", "Only what was delivered, within the days of returns, and each unit once."
    ),
    "exceeds_captured": NamedRule("A refund was refused", "Never more than was captured and not paid back."),
    "not_shippable": NamedRule("Shipping was refused", "What was cancelled or shipped before does not ship."),
}


class Reckoning(Struct, frozen=True, kw_only=True):
    """How an amount was computed: price - discount + tax + shipping, after `withheld`."""

    amount: Amount
    price: Amount
    discount: Amount
    tax: Amount
    shipping: Amount
    withheld: Amount
    currency: str


class Decision(Struct, frozen=True, kw_only=True):
    at: datetime
    who: str
    what: str
    outcome: str
    """`done` or `refused`."""
    rule: str
    why: str
    """What was said: the reason given, or the refusal's words."""
    seller: str = ""
    """Whose parcel it is."""
    refund: Reckoning | None = None


def decisions(order: Order, remarks: Remarks, parts: Sequence[PartShown]) -> list[Decision]:
    """List what was decided about an order, and what was refused, as it happened."""
    senders = {str(parcel.shipment_id): part.seller.name for part in parts for parcel in part.shipments}
    every = [_done(each, order, senders) for each in order.history]
    every += [_refused(each) for each in remarks.refusals]
    return sorted(every, key=lambda each: each.at)


def _done(happened: Happening, order: Order, senders: Mapping[str, str]) -> Decision:
    known = _RULES.get(happened.what) or NamedRule(happened.what.replace("_", " ").capitalize(), "")
    return Decision(
        at=happened.at,
        who=happened.who,
        what=known.what,
        outcome="done",
        rule=known.rule,
        why=TAXED.get(order.tax_note, "")
        if happened.what == "confirmed"
        else str(happened.detail.get("reason", "")),
        seller=senders.get(str(happened.detail.get("shipment_id")), ""),
        refund=_reckoning(happened.detail, order.currency),
    )


def _reckoning(detail: dict[str, Any], currency: str) -> Reckoning | None:
    """Add up what a decision pays back; None for one that pays nothing."""
    parts = cast(list[dict[str, int]], detail.get("parts") or [])
    if not parts:
        return None
    price, less, tax, shipping = (
        sum(part.get(name, 0) for part in parts) for name in ("price", "discount", "tax", "shipping")
    )
    return Reckoning(
        amount=money.shown(price - less + tax + shipping, currency),
        price=money.shown(price, currency),
        discount=money.shown(less, currency),
        tax=money.shown(tax, currency),
        shipping=money.shown(shipping, currency),
        withheld=money.shown(int(detail.get("withheld", 0)), currency),
        currency=currency,
    )


def _refused(refusal: WhatWasRefused) -> Decision:
    known = _REFUSED.get(refusal.code) or NamedRule("Refused", "")
    return Decision(
        at=refusal.at, who=refusal.who, what=known.what, outcome="refused", rule=known.rule, why=refusal.words
    )
