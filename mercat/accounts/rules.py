"""What a card is called and what is no card, and what a guest's token says: decisions without IO."""

import base64
import binascii
import hmac
import re
import secrets

from mercat.ids import UserId

CARDS = {
    "tok_visa": ("Visa", "4242", "Visa that pays"),
    "tok_declined": ("Visa", "0002", "Visa that is declined"),
    "tok_3ds": ("Mastercard", "3155", "Mastercard that asks its bank first (3-D Secure)"),
    "tok_timeout_charged": ("Visa", "6975", "Visa whose bank hangs, and has charged"),
    "tok_timeout_uncharged": ("Visa", "6983", "Visa whose bank hangs, and has not charged"),
}
"""The sandbox's tokens: brand, last four digits, and what they do."""
_TOKENS_OF = {"stripe": re.compile(r"pm_[A-Za-z0-9_]{1,250}")}
"""What a provider's own form gives for a card, where we cannot know all of them."""

PASSWORD_MIN = 6
PASSWORD_MAX = 200
EMAIL_MAX = 254  # RFC 5321, 4.5.3.1.3
NAME_MAX = 200

_EMAIL = re.compile(r"[^\s@]+@[^\s@]+")
_CARD_NUMBER = re.compile(r"(?:\d[ -]?){12,19}")


def wrong_with(email: str, password: str, name: str) -> tuple[str, str] | None:
    """What keeps an account from being opened, and the field it is in; None where nothing does."""
    if len(email) > EMAIL_MAX or not _EMAIL.fullmatch(email):
        return "Write an e-mail address, such as ann@example.com.", "/email"
    if not PASSWORD_MIN <= len(password) <= PASSWORD_MAX:
        return f"A password has {PASSWORD_MIN} to {PASSWORD_MAX} characters.", "/password"
    if not name.strip() or len(name) > NAME_MAX:
        return f"A name has 1 to {NAME_MAX} characters.", "/name"
    return None


_GUEST = "guest."
_SALT, _SIGNATURE = 16, 16


def guest_token(user_id: UserId, key: bytes) -> str:
    """A secret that also says whose it is, signed: a guest has no password to come back with."""
    said = int(user_id).to_bytes(8, "big") + secrets.token_bytes(_SALT)
    return _GUEST + _text(said + _signature(said, key))


def guest_of(token: str, key: bytes) -> UserId | None:
    """Whose token this is; None for one that we did not make."""
    if not token.startswith(_GUEST):
        return None
    shown = token.removeprefix(_GUEST)
    try:
        whole = base64.urlsafe_b64decode(shown + "=" * (-len(shown) % 4))
    except (ValueError, binascii.Error):
        return None
    said, signature = whole[:-_SIGNATURE], whole[-_SIGNATURE:]
    if len(said) != 8 + _SALT or _text(whole) != shown:  # the last letter has bits to spare
        return None
    if not hmac.compare_digest(signature, _signature(said, key)):
        return None
    return UserId(int.from_bytes(said[:8], "big"))


def _text(said: bytes) -> str:
    return base64.urlsafe_b64encode(said).decode().rstrip("=")


def _signature(said: bytes, key: bytes) -> bytes:
    return hmac.digest(key, said, "sha256")[:_SIGNATURE]


def wrong_with_token(token: str, provider: str) -> str | None:
    """What keeps it from being a way to pay. The words never have the token in them."""
    if _CARD_NUMBER.search(token):
        return "This looks like a card number. Send the provider's token."
    pattern = _TOKENS_OF.get(provider)
    known = pattern.fullmatch(token) if pattern else token in CARDS
    return None if known else "The provider knows no such token."
