"""What an account needs, and what a guest's token means: decisions without IO."""

import base64
import binascii
import hmac
import secrets
import unicodedata
from collections.abc import Iterator
from functools import cache, lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import email_validator
from msgspec import structs

from mercat.accounts.messages import (
    EMAIL_MAX,
    EMAIL_PROBLEM,
    PASSWORD_MAX,
    PASSWORD_MIN,
    PERSON_NAME_MAX,
    Address,
    NewAddress,
    PaymentMethod,
    PersonChange,
)
from mercat.addresses import AddressProblem, addressed_country, region_and_postal_code
from mercat.ids import SellerId, UserId
from mercat.kit.refusals import Invalid
from mercat.kit.rpc import Caller
from mercat.kit.text import is_line, normal_text
from mercat.vat_numbers import is_in_eu, vat_number

Kept = TypeVar("Kept", Address, PaymentMethod)
# Domains for use within a network are as good as others; this is how the library lets one allow them.
email_validator.SPECIAL_USE_DOMAIN_NAMES.clear()


def normal_email(typed: str, *, new: bool = False) -> str | None:
    """Return an e-mail address in the one form in which it is compared and kept; None for what is none.

    `new`: it is given for the first time, so it has 64 characters before the @ at most, as mail carries;
    accounts of before may have a longer one.
    Composed (Unicode NFC), the domain in small letters and in its Unicode form, whichever it was typed in.
    Rules: RFC 5321, 5322, 6531 and IDNA 2008."""
    try:
        found = email_validator.validate_email(
            normal_text(typed), check_deliverability=False, globally_deliverable=False, strict=new
        )
    except email_validator.EmailNotValidError:
        return None
    fits = "." in found.domain and len(found.normalized) <= EMAIL_MAX
    return found.normalized if fits else None


def words_asked(typed: str) -> str:
    """Make of words that somebody looks for a query of PostgreSQL: each is how a word begins; "" for none."""
    words = [word.replace("\\", "\\\\").replace("'", "''") for word in normal_text(typed).lower().split()]
    return " & ".join(f"'{word}':*" for word in words)


def account_problem(email: str | None, password: str, name: str) -> tuple[str, str] | None:
    """Say what keeps an account from being opened, and which field it is in; None where nothing does."""
    if email is None:
        return EMAIL_PROBLEM, "/email"
    if problem := password_problem(password, email, name):
        return problem, "/password"
    if problem := name_problem(name):
        return problem, "/name"
    return None


def name_problem(name: str) -> str | None:
    """Say why a text in normal form is no name of a person; None where it is one."""
    if not 1 <= len(name) <= PERSON_NAME_MAX:
        return f"A name has 1 to {PERSON_NAME_MAX} characters."
    return None if is_line(name) else "A name has no control characters."


def changed_account(
    change: PersonChange, email: str, named: str
) -> tuple[tuple[str, str] | None, PersonChange]:
    """Say what is wrong with a change of an account and in which field; and the change in normal form,
    without what stays as it is."""
    name = normal_text(change.name) if change.name is not None else None
    if change.email is not None and normal_email(change.email) == email:
        change = structs.replace(change, email=None)
    new_email = normal_email(change.email, new=True) if change.email is not None else None
    password = normal_password(change.password) if change.password is not None else None
    problem: tuple[str, str] | None = None
    if name is not None and (words := name_problem(name)):
        problem = words, "/name"
    elif change.email is not None and new_email is None:
        problem = EMAIL_PROBLEM, "/email"
    elif password is not None and (words := password_problem(password, new_email or email, name or named)):
        problem = words, "/password"
    if problem is None and (new_email or password) and not change.current_password:
        problem = "Write your present password.", "/current_password"
    return problem, PersonChange(name, new_email, password)


def normal_password(password: str) -> str:
    """Compose a password (Unicode NFC), so that it is the same from every keyboard (RFC 8265, 4.2.2)."""
    return unicodedata.normalize("NFC", password)


def password_problem(password: str, email: str, name: str) -> str | None:
    """Say why a password in normal form is too easy to guess; None where it is not.

    Source: NIST SP 800-63B, 5.1.1.2: length, a list of common ones, and what is known of its owner."""
    if not PASSWORD_MIN <= len(password) <= PASSWORD_MAX:
        return f"A password has {PASSWORD_MIN} to {PASSWORD_MAX} characters."
    if not normal_text(password):
        return "A password of spaces alone is easy to guess. A short sentence is good."
    typed = unicodedata.normalize("NFKC", password).strip().casefold()
    tried, own = list(_tried_with(typed)), _known_of(email, name)
    if any(each in own for each in tried):
        return "Your name or e-mail address is easy to guess as a password. A short sentence is good."
    if any(each in _common_passwords() for each in tried):
        return "Very many people have this password, so it is tried first. A short sentence is good."
    if _is_pattern(typed):
        return "A password that repeats or counts on is easy to guess. A short sentence is good."
    return None


def _known_of(email: str, name: str) -> set[str]:
    """Return what everybody who knows somebody tries first, as `_tried_with` writes it."""
    words = [_plain(name), *map(_plain, name.split()), email, email.partition("@")[0]]
    return {each.casefold() for each in words} | {_plain(each).casefold() for each in words}


def _plain(text: str) -> str:
    text = unicodedata.normalize("NFKD", text)
    return "".join(each for each in text if not unicodedata.combining(each) and not each.isspace())


def _tried_with(password: str) -> Iterator[str]:
    """Yield the words that who guesses passwords turns into this one: wide letters, accents, blanks between
    letters, what stands there twice, digits and signs at the end."""
    yield password
    yield (plain := _plain(password))
    yield plain[: (plain + plain).find(plain, 1)]
    if len(stem := plain.rstrip("0123456789!?.*#_-")) >= _STEM_MIN:
        yield stem


def _is_pattern(password: str) -> bool:
    """Say whether a password repeats a short piece, or counts up or down, as in `abababab` and `12345678`."""
    if (password + password).find(password, 1) < PASSWORD_MIN:
        return True
    steps = {ord(b) - ord(a) for a, b in pairwise(password)}
    return steps <= {1, -9} or steps <= {-1, 9}


_STEM_MIN = 4
"""Of fewer letters a word is no word."""


@cache
def _common_passwords() -> frozenset[str]:
    lines = Path(__file__).with_name("common_passwords.txt").read_text().splitlines()
    return frozenset(line for line in lines if not line.startswith("# "))


def checked_address(address: NewAddress, *, country_given: bool = True) -> NewAddress:
    """Bring an address into the form of its country; Invalid points to the field that does not fit.

    A country that is not given but kept stays, whatever it is: addresses of before may have `UK`."""
    given = {name: normal_text(getattr(address, name) or "") for name in NewAddress.__struct_fields__}
    for name in ("name", "line1", "city"):
        if not given[name]:
            raise Invalid("Write something that can be seen.", pointer=f"/{name}")
    country = addressed_country(given["country"], "/country") if country_given else given["country"]
    found = region_and_postal_code(country, given["region"], given["postal_code"])
    if isinstance(found, AddressProblem):
        raise Invalid(found.words, pointer=f"/{found.field}")
    region, postal_code = found
    return NewAddress(
        name=given["name"],
        line1=given["line1"],
        line2=given["line2"] or None,
        city=given["city"],
        region=region,
        postal_code=postal_code,
        country=country,
        phone=given["phone"] or None,
        vat_number=_vat_number(country, postal_code, given["vat_number"]),
    )


def _vat_number(country: str, postal_code: str, given: str) -> str | None:
    """Bring a VAT number into its form; Invalid where a member state of the EU has none like it."""
    if not given or not is_in_eu(country, postal_code):
        return None
    number = vat_number(given)
    if number is None:
        raise Invalid("This is no VAT number, as ATU13585627 is.", pointer="/vat_number")
    return number


def with_default(kept: list[Kept]) -> list[Kept]:
    """Make the oldest the default where none was chosen."""
    if not kept or any(each.default for each in kept):
        return kept
    return [structs.replace(kept[0], default=True), *kept[1:]]


def is_same_address(known: Address, new: NewAddress) -> bool:
    """Say whether parcels would go to the same place."""
    try:
        wanted = structs.asdict(checked_address(new))
    except Invalid:
        return False
    return all((getattr(known, name) or "") == (value or "") for name, value in wanted.items())


API_KEY = "mk_"
"""How the keys of programs begin."""
_GUEST = "guest."
_SALT, _SIGNATURE = 16, 16
_TOKENS_MAX = 4_096


def caller_of(person: Any) -> Caller:
    """Make of an account's row who its sessions say that they are."""
    seller_id = person["seller_id"]
    return Caller(
        UserId(person["user_id"]),
        frozenset(person["roles"]),
        SellerId(seller_id) if seller_id else None,
        person["email"],
        person["name"],
    )


def guest_token(user_id: UserId, key: bytes) -> str:
    """Make a secret that also says whose it is, signed: a guest has no password to come back with."""
    content = int(user_id).to_bytes(8, "big") + secrets.token_bytes(_SALT)
    return _GUEST + _text(content + _signature(content, key))


def guest_of(token: str, key: bytes) -> UserId | None:
    """Read whose token this is; None for one that we did not make."""
    return _signed_guest(token.removeprefix(_GUEST), key) if token.startswith(_GUEST) else None


@lru_cache(_TOKENS_MAX)
def _signed_guest(shown: str, key: bytes) -> UserId | None:
    """Read what a guest's token says; of members, whose are plain secrets, none comes here to be kept."""
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
