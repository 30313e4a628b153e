"""What a page says of a checkout that was refused: what happened, whether money moved, what to do."""

from mercat.checkout import Refused
from mercat.kit.refusals import Refusal
from mercat.web.errors import RefusalMessage

UNMOVED = "Nothing was charged."
_DETAIL = "{detail}"
"""Stands for what the refusal itself says."""
_NOT_YOUR_TURN = RefusalMessage(
    "Something in your cart is in a flash sale, and it is not your turn",
    _DETAIL,
    UNMOVED,
    "Join the queue on the page of the sale, which you find under Flash sales below; "
    "or take it out of your cart to buy the rest.",
)
_NOT_FROM_THIS_SALE = RefusalMessage(
    "Not from this flash sale", _DETAIL, UNMOVED, "Take it out of your cart to buy the rest."
)
_NOT_IN_THIS_QUANTITY = RefusalMessage(
    "Not in this quantity", _DETAIL, UNMOVED, "Change the quantity in your cart, then come back."
)
_OUR_FAULT = RefusalMessage(
    "Something went wrong on our side",
    _DETAIL,
    "If anything was charged without an order, it is paid back by itself.",
    "Press the button again: you cannot be charged twice.",
)
_MESSAGES = {
    "payment_declined": RefusalMessage(
        "Your bank declined the card",
        "The bank said no to this payment.",
        UNMOVED,
        "Choose another card and press the button again. Your cart is as it was.",
    ),
    "payment_unavailable": RefusalMessage(
        "The bank could not be reached",
        "It did not answer in time. We asked again, and it knows of no payment.",
        UNMOVED,
        "Try again, or choose another card. Your cart is as it was.",
    ),
    "flash_pass_required": _NOT_YOUR_TURN,
    "flash_pass_expired": _NOT_YOUR_TURN,
    "flash_pass_invalid": _NOT_YOUR_TURN,
    "not_started": _NOT_YOUR_TURN,
    "buyer_limit": _NOT_FROM_THIS_SALE,
    "sold_out": _NOT_FROM_THIS_SALE,
    "out_of_stock": RefusalMessage(
        "Something sold out while you were here",
        _DETAIL,
        UNMOVED,
        "Lower the quantity or remove it in your cart, then come back.",
    ),
    "quantity_refused": _NOT_IN_THIS_QUANTITY,
    "customer_limit": _NOT_IN_THIS_QUANTITY,
    "price_changed": RefusalMessage(
        "The total has changed",
        "The total you saw is not the total of now: a price, the tax or the delivery changed.",
        UNMOVED,
        "Look at the new total below. If you agree, press the button again.",
    ),
    "quote_expired": RefusalMessage(
        "The total was held for ten minutes",
        "That time is over, or the cart changed, so it was worked out anew.",
        UNMOVED,
        "Look at the total below. If you agree, press the button again.",
    ),
    "gift_card_spent": RefusalMessage(
        "Your gift card or store credit pays less than you saw",
        "There is less on it than a moment ago, or you chose to keep your store credit.",
        UNMOVED,
        "Look at what is left to pay by card. If you agree, press the button again.",
    ),
    "address_not_served": RefusalMessage(
        "We do not deliver to this address yet",
        "",
        UNMOVED,
        "Choose another address. Your cart is as it was.",
    ),
    "cart_empty": RefusalMessage(
        "Your cart is empty",
        _DETAIL,
        "Nothing more was charged.",
        "If you pressed the button before, your order is among your orders.",
    ),
    "overloaded": _OUR_FAULT,
    "unavailable": _OUR_FAULT,
    "refusal": _OUR_FAULT,
}
_OTHERWISE = RefusalMessage(
    "This order was not placed", _DETAIL, UNMOVED, "Change what it says, then press again."
)
_NOT_APPROVED = RefusalMessage(
    "The payment was not approved",
    "",
    UNMOVED,
    "Press the button again to ask your bank once more, or choose another card. Your cart is as it was.",
)
_UNAPPROVED = ("authentication_failed", "payment_intent_authentication_failure", "not_confirmed", "abandoned")
_REASONS = {
    "insufficient_funds": "The bank says that there is not enough money on this card.",
    "expired_card": "The bank says that this card has expired.",
    "incorrect_cvc": "The bank says that the card's security code is wrong.",
    "authentication_failed": "You or your bank did not approve this payment.",
    "payment_intent_authentication_failure": "You or your bank did not approve this payment.",
    "card_used_up": "You gave this card for one purchase, and it was used for that.",
    "not_confirmed": "The payment was not approved in time.",
    "abandoned": "You left the payment at your bank, so we cancelled it.",
}
"""Why a bank declines, by the provider's code."""


def checkout_message(refused: Refusal | Refused) -> RefusalMessage:
    """Say of a refused checkout what happened, whether money moved, and what to do."""
    if isinstance(refused, Refused):
        code, detail, reason = refused.code, refused.detail, refused.facts.get("reason", "")
    else:
        code, detail, reason = refused.code(), str(refused), ""
    message = _MESSAGES.get(code, _OTHERWISE)
    if message.what == _DETAIL:
        return message._replace(what=detail)
    if reason in _UNAPPROVED:
        message = _NOT_APPROVED
    return message._replace(what=_REASONS[reason]) if reason in _REASONS else message
