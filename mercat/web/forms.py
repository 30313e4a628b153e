"""Forms, read into the structs that JSON is read into, and shown with the limits of those structs.

    asked = read_form(form, NewReview)
    if isinstance(asked, FormErrors):
        return await self._page(request, Form(NewReview, form, asked))

A limit or pattern stands once, in the type: `Title = Annotated[str, Meta(max_length=200)]`. What a page says
of a value that does not fit is made from it, or stands beside it: `Meta(extra={"words": "Say what."})`.
An amount in the shop's currency is marked by `MONEY` beside its type: typed as 12.50, read as 1250.
"""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple, TypeVar, cast
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta, inspect
from python_multipart.exceptions import FormParserError
from starlette.datastructures import FormData, ImmutableMultiDict
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import Request

from mercat import money
from mercat.ids import Id
from mercat.kit import codec, moments
from mercat.kit.http import BODY, BODY_BYTES_MAX, check_encoded
from mercat.kit.refusals import BadRequest, NotFound, Refusal, TooLarge, UnsupportedMediaType
from mercat.web.field_rules import SECRETS, FieldRule, bare, rules_of

Asked = TypeVar("Asked", bound=msgspec.Struct)
MONEY = Meta(extra={"money": True})
"""Beside the type of an amount in minor units: it is typed as a decimal of the shop's currency."""
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
_NUMBER = re.compile(r"[+-]?[0-9]{1,15}(\.[0-9]{1,15})?")
_URLENCODED = "application/x-www-form-urlencoded"
_FORMS = (_URLENCODED, "multipart/form-data")
_FIELDS_MAX = 1_200
_FILES_MAX = 20
_DIGITS_MAX = 9
_TRUE = ("1", "true", "yes", "on")
_SHOWN = 60
"""Letters of an item that are repeated when something is wrong with it."""


class FormErrors(dict[str, str]):
    """What is wrong with a form, in words, by field; under `""` what is wrong with it as a whole."""


class FormField(NamedTuple):
    """A field as a page shows it."""

    name: str
    key: str
    """Its ids on the page end so: `f-title` is the input, `h-title` the hint, `w-title` what is wrong."""
    label: str
    value: str
    wrong: str
    rule: FieldRule


class Form:
    """A form as a page shows it: what was typed, what is wrong with it, and what fits into each field.

    `kind` says which fields there are; several kinds are one form that is read in parts. `at` is the row that
    was sent, where a page has the form once a row."""

    def __init__(
        self,
        kind: type[msgspec.Struct] | tuple[type[msgspec.Struct], ...],
        given: Mapping[str, Any] | None = None,
        errors: Mapping[str, str] | None = None,
        at: object = "",
    ) -> None:
        self.rules: dict[str, FieldRule] = {}
        for each in kind if isinstance(kind, tuple) else (kind,):
            self.rules |= rules_of(each)
        self.given: Mapping[str, Any] = given or {}
        self.errors: Mapping[str, str] = errors or {}
        self.at = str(at)
        self._shown: dict[str, FormField] = {}

    def field(
        self, name: str, label: str = "", at: str = "", value: object = "", like: str = ""
    ) -> FormField:
        """Return a field to a template, which says what it is called there and its value until it is typed.

        `at` names the row, where a page has the form once a row; `like` the field of the struct that has the
        limits, where a form calls it otherwise."""
        sent = at == self.at
        typed = self.given.get(name, value) if sent else value
        shown = FormField(
            name,
            f"{name}-{at}" if at else name,
            label,
            "" if name in SECRETS else str(typed),
            self.errors.get(name, "") if sent else "",
            self.rules[like or name],
        )
        if sent:
            self._shown[name] = shown
        return shown

    @property
    def wrong(self) -> list[FormField]:
        """The fields that are wrong, in the order of the page as far as it was rendered."""
        return [each for each in self._shown.values() if each.wrong]

    @property
    def wrong_elsewhere(self) -> list[str]:
        """What is wrong with the form as a whole, or with fields that the page does not show."""
        return [words for name, words in self.errors.items() if name not in self._shown]


def read_form(form: Mapping[str, Any], kind: type[Asked], *, currency: str = "USD") -> Asked | FormErrors:
    """Read a form into a struct; or say of all its fields at once what does not fit.

    A text is stripped, its line ends are newlines; an empty one is absent. A list is a field sent several
    times, or one item a line; a dict is a line `name: value` each. What is not text is taken as it is: a form
    that shows a field in some other way hands over what it made of it."""
    given: dict[str, Any] = {}
    errors = FormErrors()
    for rule in rules_of(kind).values():
        typed = _typed(form, rule)
        if typed in ("", None):
            if rule.required and isinstance(rule.kind, inspect.BoolType):
                given[rule.name] = False
            elif rule.required:
                errors[rule.name] = _words(rule, "", currency)
            continue
        try:
            value = _converted(rule, typed, currency)
            if moments.is_beyond(codec.convert(value, rule.type)):
                errors[rule.name] = moments.WORDS
            given[rule.name] = value
        except (ValueError, InvalidOperation, msgspec.ValidationError):
            errors[rule.name] = _words(rule, typed, currency)
    if errors:
        return errors
    try:
        return codec.convert(given, kind)
    except msgspec.ValidationError as error:  # a rule about several fields
        return FormErrors({"": str(error)})


def errors_of(refusal: Refusal) -> FormErrors:
    """Say a refusal at the field that it points to; where it points to none, there is nothing to say."""
    field = str(refusal.facts.get("pointer", "")).removeprefix("/")
    return FormErrors({field: str(refusal)} if field else {})


def _typed(form: Mapping[str, Any], rule: FieldRule) -> Any:
    """Return what a field was given: a text, several of them, or what a handler put there."""
    if isinstance(rule.kind, inspect.ListType) and isinstance(form, ImmutableMultiDict):
        several = [_clean(value) for value in form.getlist(rule.name)]
        if len(several) > 1:
            return [value for value in several if value != ""]
    value = form.get(rule.name)
    return value if rule.name in SECRETS else _clean(value)


def _clean(value: Any) -> Any:
    return value.replace("\r\n", "\n").strip() if isinstance(value, str) else value


def _converted(rule: FieldRule, typed: Any, currency: str) -> Any:
    """Return the builtin that JSON would have had; raise ValueError or InvalidOperation for none."""
    if rule.money and isinstance(typed, str):
        return money.minor(Decimal(typed), currency)
    return _builtin(rule.kind, typed)


def _builtin(kind: inspect.Type, typed: Any) -> Any:
    kind = bare(kind)
    match kind:
        case inspect.ListType() if isinstance(typed, str | list):
            lines = cast("list[Any]", typed.splitlines() if isinstance(typed, str) else typed)
            return [_builtin(kind.item_type, _clean(line)) for line in lines if _clean(line) != ""]
        case inspect.DictType() if isinstance(typed, str):
            return named_lines(typed)
        case _ if not isinstance(typed, str):
            return typed
        case inspect.IntType():
            return int(_match(_INTEGER, typed))
        case inspect.FloatType():
            return float(_match(_NUMBER, typed))
        case inspect.DecimalType():
            return _match(_NUMBER, typed)
        case inspect.BoolType():
            return typed.lower() in _TRUE
        case inspect.LiteralType() if all(isinstance(value, int) for value in kind.values):
            return int(_match(_INTEGER, typed))
        case _:
            return typed


def named_lines(lines: str) -> dict[str, str]:
    """`Colour: blue` a line, as a dict; a line without a colon, or with nothing on a side of it, is none."""
    pairs = (line.partition(":") for line in lines.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs if name.strip() and value.strip()}


def _match(pattern: re.Pattern[str], typed: str) -> str:
    if not pattern.fullmatch(typed):
        raise ValueError(typed)
    return typed


def _words(rule: FieldRule, typed: Any, currency: str) -> str:
    """Say what would fit."""
    if rule.money:
        example = f"{12.5 * money.magnitude(currency):.{money.exponent(currency)}f}"
        return rule.words or f"A price is a number such as {example}, and not below 0."
    if typed == "":
        return rule.words or rule.fits or "Fill this in."
    return _why(rule.kind, typed, rule.words) or rule.words or rule.fits or "This does not look right."


def _why(kind: inspect.Type, typed: Any, words: str = "") -> str:
    match kind:
        case inspect.StrType():
            return _why_text(kind, typed, words)
        case inspect.LiteralType():
            return words or f"Choose one of {', '.join(map(str, kind.values))}."
        case inspect.DateType():
            return words or "A day is written 2026-11-30."
        case inspect.ListType(item_type=item, max_length=most):
            items = cast("Sequence[Any]", _builtin(kind, typed))
            if most is not None and len(items) > most:
                return f"At most {most:,} of these."
            return _why_among([(each, item, each) for each in items], words)
        case inspect.DictType(key_type=key, value_type=value, max_length=most):
            pairs = cast("Mapping[str, Any]", _builtin(kind, typed))
            if most is not None and len(pairs) > most:
                return f"At most {most:,} of these."
            return _why_among(
                [(name, key, name) for name in pairs] + [(name, value, pairs[name]) for name in pairs], words
            )
        case _:
            return words


def _why_text(kind: inspect.StrType, typed: Any, words: str) -> str:
    if not isinstance(typed, str):
        return words
    if kind.max_length is not None and len(typed) > kind.max_length:
        return f"At most {kind.max_length:,} characters."
    if kind.min_length is not None and len(typed) < kind.min_length:
        return f"At least {kind.min_length:,} characters."
    if kind.pattern and not re.search(kind.pattern, typed):
        return words or "This does not look right."
    return ""


def _why_among(items: Sequence[tuple[str, inspect.Type, Any]], words: str) -> str:
    """Say what is wrong with the first item that does not fit, under its name."""
    for name, kind, value in items:
        extra = cast(Any, kind).extra if isinstance(kind, inspect.Metadata) else None
        own = str(extra["words"]) if extra and "words" in extra else ""
        plain = bare(kind)
        if isinstance(plain, inspect.StrType) and (why := _why_text(plain, value, own or words)):
            return f"{str(name)[:_SHOWN]}: {why[:1].lower()}{why[1:]}"
    return words


async def read_body(request: Request) -> FormData:
    """Read a form's body; refused beyond 1 MB, and where it is no form or a malformed one."""
    if BODY not in request.scope and not request.headers.get("content-length", "").isdigit():
        raise BadRequest("A form says how long it is.")
    body: bytes | None = request.scope.get(BODY, b"")
    if body is None:
        raise TooLarge
    kind, _, _ = request.headers.get("content-type", "").partition(";")
    kind = kind.strip().lower()
    if body and kind not in _FORMS:
        raise UnsupportedMediaType("Send a form as application/x-www-form-urlencoded or multipart/form-data.")
    if kind == _URLENCODED:
        check_encoded(body)
    elif body and not body.rstrip().endswith(b"--"):
        raise BadRequest("The form breaks off.")
    try:
        return await request.form(max_files=_FILES_MAX, max_fields=_FIELDS_MAX, max_part_size=BODY_BYTES_MAX)
    except (MultiPartException, FormParserError, HTTPException, LookupError, UnicodeError):
        raise BadRequest("The form cannot be read.") from None


def id_of(given: str, kind: type[Any]) -> Any:
    """Read an id out of an address or a form; an impossible one names nothing."""
    try:
        found: Id = codec.convert(given, kind)
    except msgspec.ValidationError:
        raise NotFound from None
    return found


def number_in(given: str | None, otherwise: int, least: int, most: int) -> int:
    """Read a number out of an address; nonsense is as good as nothing."""
    if given and given.isascii() and given.isdigit() and len(given) <= _DIGITS_MAX:
        return min(max(int(given), least), most)
    return otherwise


def local_path(url: str) -> str:
    """Keep a path of this shop to go on to; never another site."""
    parts = urlsplit(url)
    safe = url.startswith("/") and not url.startswith(("//", "/\\")) and not parts.netloc and "\\" not in url
    return url if safe and url.isprintable() else "/"
