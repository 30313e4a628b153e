"""What an account needs, and what a guest's token means: decisions without IO."""

import base64
import binascii
import hmac
import re
import secrets

from mercat.ids import UserId

PASSWORD_MIN = 6
PASSWORD_MAX = 200
EMAIL_MAX = 254  # RFC 5321, 4.5.3.1.3
NAME_MAX = 200

_EMAIL = re.compile(r"[^\s@]+@[^\s@]+")


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
