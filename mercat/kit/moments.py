"""Days and times that people send: of years that everything here can reckon with, a time with its zone."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Any, cast

import msgspec
from msgspec import Meta, inspect

from mercat.kit import codec
from mercat.kit.refusals import Invalid

FIRST_YEAR, LAST_YEAR = 1900, 2999
"""Beyond these, a zone or a day more leaves the calendar."""
WORDS = f"Give a day of the years {FIRST_YEAR} to {LAST_YEAR}."
Moment = Annotated[
    datetime, Meta(tz=True, extra={"words": "Say the time with its zone: 2030-01-31T09:00:00Z."})
]


def is_beyond(value: object) -> bool:
    """Say whether a value is a day or a time with which nothing can be reckoned."""
    return isinstance(value, date) and not FIRST_YEAR <= value.year <= LAST_YEAR


def check_times(value: Any, at: str = "") -> None:
    """Raise Invalid, with its place, for a day or a time of what was sent that is beyond."""
    if is_beyond(value):
        raise Invalid(WORDS, pointer=at)
    if isinstance(value, msgspec.Struct):
        for field in codec.fields_of(type(value)):
            check_times(getattr(value, field.name), f"{at}/{field.encode_name}")
    elif isinstance(value, Mapping):
        for name, each in cast("Mapping[str, Any]", value).items():
            check_times(each, f"{at}/{name}")
    elif isinstance(value, list | tuple):
        for n, each in enumerate(cast("list[Any]", value)):
            check_times(each, f"{at}/{n}")


def has_times(kind: Any) -> bool:
    """Say whether a day or a time may stand somewhere in what is sent."""
    return any(True for _ in times_in(kind))


def times_in(kind: Any) -> list[inspect.DateType | inspect.DateTimeType]:
    """List the days and times that may stand in what is sent, however deep."""
    found: list[inspect.DateType | inspect.DateTimeType] = []
    seen: set[Any] = set()
    waiting: list[inspect.Type] = [inspect.type_info(kind)]
    while waiting:
        each = waiting.pop()
        match each:
            case inspect.DateType() | inspect.DateTimeType():
                found.append(each)
            case inspect.Metadata(type=inner) | inspect.DictType(value_type=inner):
                waiting.append(inner)
            case inspect.ListType(item_type=inner) | inspect.VarTupleType(item_type=inner):
                waiting.append(inner)
            case inspect.UnionType(types=several):
                waiting += several
            case inspect.StructType(cls=cls, fields=fields) if cls not in seen:
                seen.add(cls)
                waiting += [field.type for field in fields]
            case _:
                pass
    return found
