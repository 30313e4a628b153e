"""Refusals: the kinds of no that a service can answer.

A refusal is expected: its name is the code for programs, its docstring is what people read. A service's own
refusals are subclasses of a kind below, and the kind alone says which HTTP status it becomes. Whatever else
is raised is a bug: it is logged, and the caller learns only that something went wrong.
"""

import re
from functools import cache
from typing import Any, ClassVar

from mercat.kit.text import plain_problem


class Refusal(Exception):
    """Something went wrong on our side. Nothing was changed; please try again."""

    status: ClassVar[int] = 500
    retry_after: ClassVar[int | None] = None

    def __init__(self, message: str = "", **facts: Any) -> None:
        """Say `message` instead of the docstring; facts stand beside the code in the problem document, as
        `pointer="/quantity"` or `available=3`."""
        super().__init__(message or self._words())
        self.facts = facts

    @classmethod
    def _words(cls) -> str:
        return " ".join((cls.__doc__ or "").strip().split("\n\n")[0].split())

    @classmethod
    @cache
    def code(cls) -> str:
        """Return the name on the wire: `AlreadyReviewed` is `already_reviewed`."""
        return re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()

    @classmethod
    def named(cls, code: str) -> type["Refusal"]:
        """Find the class with this code, so that a caller in another process gets back what was raised."""
        family = [cls]
        for member in family:
            family += member.__subclasses__()
        return next((member for member in family if member.code() == code), cls)

    def problem(self) -> dict[str, Any]:
        """Make the problem document (RFC 9457): `{"type", "title", "status", "detail", "code", …facts}`."""
        return {
            "type": f"/problems/{self.code()}",
            "title": self._words(),
            "status": self.status,
            "detail": str(self),
            "code": self.code(),
            **self.facts,
        }


class Invalid(Refusal):
    """That does not make sense."""

    status = 422


class KeyReused(Invalid):
    """This Idempotency-Key was used for another request. Use a new key for a new purchase."""


class BadRequest(Refusal):
    """The request is not one we can read."""

    status = 400


class SignInFirst(Refusal):
    """Sign in first."""

    status = 401


class PaymentRequired(Refusal):
    """It could not be paid. No money has moved."""

    status = 402


class OtherCurrency(Invalid):
    """This is of another currency than the shop's."""


class Forbidden(Refusal):
    """Your account may not do this."""

    status = 403


class ScopeMissing(Forbidden):
    """This API key may not do that. Make one with the scope that is named here; some routes take no key."""


class NotFound(Refusal):
    """There is no such thing."""

    status = 404


class MethodNotAllowed(Refusal):
    """This path does not take that method."""

    status = 405


class Conflict(Refusal):
    """That cannot be done in the present state."""

    status = 409


class Gone(Refusal):
    """This was here once, and is not any more."""

    status = 410


class TooLarge(Refusal):
    """That is more than one request may carry (1 MB)."""

    status = 413


class UnsupportedMediaType(Refusal):
    """The body is of a kind that this address does not read."""

    status = 415


class NotAcceptable(Refusal):
    """The answer cannot be had in a form that you accept."""

    status = 406


class MisdirectedRequest(Refusal):
    """This shop does not answer for that host."""

    status = 421


class Stale(Refusal):
    """It has changed since you read it. Read it again, then try again."""

    status = 412


class ConditionMissing(Refusal):
    """Say which version you mean: send its ETag as If-Match."""

    status = 428


class TooManyRequests(Refusal):
    """You are asking faster than the shop can serve you. Wait a moment."""

    status = 429
    retry_after = 1


class Overloaded(Refusal):
    """The shop is full at the moment. Nothing was changed; try again shortly."""

    status = 503
    retry_after = 1


class Unavailable(Overloaded):
    """A part of the shop is restarting. Nothing is lost; try again shortly."""


def malformed(error: Exception) -> Invalid:
    """Turn a decoding error into a refusal that points to the field.

    `…- at `$.quantity`` is `/quantity`; what is said of a key (`…- at `key` in `$.attributes``) points
    to what has it."""
    said = str(error)
    what, _, place = said.partition(" - at `")
    words = plain_problem(what)
    if not place:
        missing = re.search(r"missing required field `(.*?)`", said)
        return Invalid(words, pointer=f"/{missing[1]}" if missing else "")
    path = place.rstrip("`").rpartition("`")[2].removeprefix("$").replace("[...]", "")
    pointer = re.sub(r"\[(\d+)\]", r"/\1", path).replace(".", "/")
    if missing := re.search(r"missing required field `(.*?)`", what):
        pointer += f"/{missing[1]}"
    return Invalid(words, pointer=pointer)
