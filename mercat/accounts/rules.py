"""What a card is called and what is no card: decisions without IO."""

import re

CARDS = {
    "tok_visa": ("Visa", "4242", "Visa that pays"),
    "tok_declined": ("Visa", "0002", "Visa that is declined"),
    "tok_3ds": ("Mastercard", "3155", "Mastercard that asks its bank first (3-D Secure)"),
    "tok_timeout_charged": ("Visa", "6975", "Visa whose bank hangs, and has charged"),
    "tok_timeout_uncharged": ("Visa", "6983", "Visa whose bank hangs, and has not charged"),
}
"""The sandbox's tokens: brand, last four digits, and what they do."""

_CARD_NUMBER = re.compile(r"(?:\d[ -]?){12,19}")


def looks_like_a_card_number(text: str) -> bool:
    return bool(_CARD_NUMBER.search(text))
