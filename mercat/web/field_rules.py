"""Collect what a struct says of its fields: the limits of a value, as a form shows and explains them."""

# msgspec does not type the limits of its types:
# pyright: reportUnknownVariableType=false

from functools import cache
from typing import Any, NamedTuple, cast

import msgspec
from markupsafe import Markup
from msgspec import inspect

SECRETS = frozenset({"password", "current_password"})
"""The name of fields that are taken as they are, spaces at the ends too, and never filled again."""


class FieldRule(NamedTuple):
    """What a struct says of one of its fields. `kind` is the type's without None, UNSET and metadata."""

    name: str
    type: Any
    kind: inspect.Type
    required: bool
    words: str
    money: bool

    def attributes(self, tag: str = "input", required: bool | None = None, most: int | None = None) -> Markup:
        """Render the limits as HTML has them, so that a browser refuses what the server would. A page says
        `required` or `most` where it knows better: of fields that belong together, of what is left."""
        given: dict[str, object] = {"required": self.required if required is None else required}
        match self.kind:
            case _ if tag == "select":
                pass
            case inspect.StrType(min_length=least, max_length=limit, pattern=pattern):
                given |= {"minlength": least if least and least > 1 else None, "maxlength": limit}
                if pattern and tag == "input":
                    given |= {"pattern": html_pattern(pattern), "title": self.words or None}
            case inspect.IntType() if self.money:
                given["inputmode"] = "decimal"
            case inspect.IntType(ge=least, le=limit):
                given |= {"inputmode": "numeric", "min": least, "step": 1}
                given["max"] = limit if most is None else most
            case inspect.FloatType(ge=least, le=limit) | inspect.DecimalType(ge=least, le=limit):
                given |= {"inputmode": "decimal", "min": least, "max": limit, "step": "any"}
            case _:
                pass
        return Markup("").join(
            Markup(" {}").format(name) if value is True else Markup(' {}="{}"').format(name, value)
            for name, value in given.items()
            if value is not None and value is not False
        )

    @property
    def input(self) -> str:
        """The type of an HTML input."""
        if self.name in SECRETS:
            return "password"
        match self.kind:
            case inspect.IntType() | inspect.FloatType() if not self.money:
                return "number"
            case inspect.DateType():
                return "date"
            case _:
                return "text"

    @property
    def fits(self) -> str:
        """What fits, as a hint says it: "At least 6 characters."; empty where there is nothing to say."""
        match self.kind:
            case inspect.StrType(min_length=least) if least and least > 1:
                return f"At least {least:,} characters."
            case inspect.IntType(ge=least, le=most) if not self.money:
                return f"A whole number{_range(least, most)}."
            case inspect.FloatType(ge=least, le=most) | inspect.DecimalType(ge=least, le=most):
                return f"A number{_range(least, most)}."
            case _:
                return ""


@cache
def rules_of(kind: type[msgspec.Struct]) -> dict[str, FieldRule]:
    """List what a struct says of its fields, by the names that they have in a form."""
    types = {field.encode_name: field.type for field in msgspec.structs.fields(kind)}
    shape = inspect.type_info(kind)
    assert isinstance(shape, inspect.StructType)
    return {
        field.encode_name: _rule(field.encode_name, types[field.encode_name], field.type, field.required)
        for field in shape.fields
    }


def html_pattern(pattern: str) -> str:
    """Write a pattern as an input has it: there it has to match all that was typed."""
    end = r"(?![\s\S])"
    closed = pattern.endswith(("$", end))
    inner = pattern.removeprefix("^").removesuffix(end).removesuffix("$")
    return ("" if pattern.startswith("^") else ".*") + inner + ("" if closed else ".*")


def _rule(name: str, type_: Any, kind: inspect.Type, required: bool) -> FieldRule:
    if isinstance(kind, inspect.UnionType):
        kind = main_kind(kind)
    extra: dict[str, Any] = {}
    if isinstance(kind, inspect.Metadata):
        extra, kind = cast(Any, kind).extra or {}, kind.type
    if isinstance(kind, inspect.UnionType):
        kind = main_kind(kind)
    return FieldRule(name, type_, kind, required, extra.get("words", ""), bool(extra.get("money")))


def main_kind(union: inspect.UnionType) -> inspect.Type:
    """Choose what somebody types where one of several types will do: a text where there is one."""
    kinds = [each for each in union.types if not isinstance(each, inspect.NoneType)]
    return next((each for each in kinds if isinstance(each, inspect.StrType)), kinds[0])


def bare(kind: inspect.Type) -> inspect.Type:
    """Strip a type of its metadata, and of what it may be instead."""
    while isinstance(kind, inspect.Metadata | inspect.UnionType):
        kind = kind.type if isinstance(kind, inspect.Metadata) else main_kind(kind)
    return kind


def _range(least: Any, most: Any) -> str:
    if least is not None and most is not None:
        return f" from {least:,} to {most:,}"
    if least is not None:
        return f", {least:,} or more"
    return f", at most {most:,}" if most is not None else ""
