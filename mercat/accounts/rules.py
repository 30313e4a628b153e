"""What an account needs, and what a guest's token means: decisions without IO."""

import base64
import binascii
import hmac
import re
import secrets
import unicodedata
from functools import cache
from pathlib import Path

from msgspec import structs

from mercat.accounts.messages import (
    EMAIL_MAX,
    EMAIL_PATTERN,
    EMAIL_PROBLEM,
    PASSWORD_MAX,
    PASSWORD_MIN,
    PERSON_NAME_MAX,
    Address,
    NewAddress,
    PersonChange,
)
from mercat.ids import UserId
from mercat.kit.text import normal_text

_EMAIL = re.compile(EMAIL_PATTERN)


def email_problem(email: str) -> str | None:
    """Say why a text in normal form is no e-mail address; None where it is one."""
    return None if len(email) <= EMAIL_MAX and _EMAIL.match(email) else EMAIL_PROBLEM


def account_problem(email: str, password: str, name: str) -> tuple[str, str] | None:
    """Say what keeps an account from being opened, and which field it is in; None where nothing does."""
    if problem := email_problem(email):
        return problem, "/email"
    if problem := password_problem(password, email):
        return problem, "/password"
    if not 1 <= len(name) <= PERSON_NAME_MAX:
        return f"A name has 1 to {PERSON_NAME_MAX} characters.", "/name"
    return None


def changed_account(change: PersonChange, email: str) -> tuple[tuple[str, str] | None, PersonChange]:
    """Say what is wrong with a change of an account and in which field; and the change in normal form,
    without what stays as it is."""
    name = normal_text(change.name) if change.name is not None else None
    new_email = normal_text(change.email) if change.email is not None else None
    password = normal_password(change.password) if change.password is not None else None
    problem: tuple[str, str] | None = None
    if name is not None and not 1 <= len(name) <= PERSON_NAME_MAX:
        problem = f"A name has 1 to {PERSON_NAME_MAX} characters.", "/name"
    elif new_email is not None and (words := email_problem(new_email)):
        problem = words, "/email"
    elif password is not None and (words := password_problem(password, new_email or email)):
        problem = words, "/password"
    if new_email == email:
        new_email = None
    if problem is None and (new_email or password) and not change.current_password:
        problem = "Write your present password.", "/current_password"
    return problem, PersonChange(name, new_email, password)


def normal_password(password: str) -> str:
    """Compose a password (Unicode NFC), so that it is the same from every keyboard (RFC 8265, 4.2.2)."""
    return unicodedata.normalize("NFC", password)


def password_problem(password: str, email: str) -> str | None:
    """Say why a password in normal form is too easy to guess; None where it is not.

    Source: NIST SP 800-63B, 5.1.1.2: length, and no list but that of common ones."""
    if not PASSWORD_MIN <= len(password) <= PASSWORD_MAX:
        return f"A password has {PASSWORD_MIN} to {PASSWORD_MAX} characters."
    if not normal_text(password):
        return "A password of spaces alone is easy to guess. A short sentence is good."
    typed = password.strip().casefold()
    if typed in (email.casefold(), email.casefold().partition("@")[0]):
        return "Your e-mail address is easy to guess as a password. A short sentence is good."
    if typed in _common_passwords():
        return "Very many people have this password, so it is tried first. A short sentence is good."
    return None


@cache
def _common_passwords() -> frozenset[str]:
    lines = Path(__file__).with_name("common_passwords.txt").read_text().splitlines()
    return frozenset(line for line in lines if not line.startswith("# "))


def is_same_address(known: Address, new: NewAddress) -> bool:
    """Say whether parcels would go to the same place."""
    wanted = structs.asdict(new)
    return all((getattr(known, name) or "") == (value or "") for name, value in wanted.items())


_GUEST = "guest."
_SALT, _SIGNATURE = 16, 16


def guest_token(user_id: UserId, key: bytes) -> str:
    """Make a secret that also says whose it is, signed: a guest has no password to come back with."""
    content = int(user_id).to_bytes(8, "big") + secrets.token_bytes(_SALT)
    return _GUEST + _text(content + _signature(content, key))


def guest_of(token: str, key: bytes) -> UserId | None:
    """Read whose token this is; None for one that we did not make."""
    if not token.startswith(_GUEST):
        return None
    shown = token.removeprefix(_GUEST)
    try:
        whole = base64.urlsafe_b64decode(shown + "=" * (-len(shown) % 4))
    except (ValueError, binascii.Error):
        return None
    content, signature = whole[:-_SIGNATURE], whole[-_SIGNATURE:]
    if len(content) != 8 + _SALT or _text(whole) != shown:  # the last letter has bits to spare
        return None
    if not hmac.compare_digest(signature, _signature(content, key)):
        return None
    return UserId(int.from_bytes(content[:8], "big"))


def _text(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def _signature(content: bytes, key: bytes) -> bytes:
    return hmac.digest(key, content, "sha256")[:_SIGNATURE]
