"""What a request may hold beside what is read of it: nothing. A misspelt name is refused with the nearest."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from functools import cache
from typing import TYPE_CHECKING, Any, cast

import msgspec
from msgspec import inspect

from mercat.kit import codec
from mercat.kit.refusals import Invalid

if TYPE_CHECKING:
    from mercat.kit.rpc import Route

_ANY_NAME = "NAME]"


class Parameters:
    """The query parameters of a route: each by its name, `filters[NAME]` by how it begins."""

    def __init__(self, route: "Route") -> None:
        names = set(route.at("query"))
        if route.filters:
            names |= {field.encode_name for field in codec.fields_of(route.filters)}
        self._beginnings = tuple(name.removesuffix(_ANY_NAME) for name in names if name.endswith(_ANY_NAME))
        self._names = frozenset(name for name in names if not name.endswith(_ANY_NAME))

    def check(self, given: Iterable[str]) -> None:
        for name in given:
            if name not in self._names and not (self._beginnings and name.startswith(self._beginnings)):
                raise _unknown(name, self._names, "")


class Members:
    """The members of a body, as deep as its structs go."""

    def __init__(self, kind: Any) -> None:
        self._kind = _type_of(kind)
        self._names: dict[type, dict[str, inspect.Type]] = {}

    def check(self, body: bytes) -> None:
        """Raise Invalid at the first member that is in no struct."""
        self._look(self._kind, msgspec.json.decode(body), "")

    def _look(self, kind: inspect.Type, value: Any, at: str) -> None:
        while isinstance(kind, inspect.Metadata):
            kind = kind.type
        match kind:
            case inspect.StructType() if isinstance(value, dict):
                self._look_into(kind, cast("Mapping[str, Any]", value), at)
            case inspect.ListType() if isinstance(value, list):
                for n, item in enumerate(cast("list[Any]", value)):
                    self._look(kind.item_type, item, f"{at}/{n}")
            case inspect.DictType() if isinstance(value, dict):
                for name, item in cast("Mapping[str, Any]", value).items():
                    self._look(kind.value_type, item, f"{at}/{name}")
            case inspect.UnionType():
                structs = [each for each in kind.types if _holds(each, value)]
                if len(structs) == 1:
                    self._look(structs[0], value, at)
            case _:
                pass

    def _look_into(self, kind: inspect.StructType, value: Mapping[str, Any], at: str) -> None:
        fields = self._fields(kind)
        for name, member in value.items():
            if name not in fields:
                if name != kind.tag_field:
                    raise _unknown(name, fields, at)
            elif isinstance(member, dict | list):
                self._look(fields[name], member, f"{at}/{name}")

    def _fields(self, kind: inspect.StructType) -> dict[str, inspect.Type]:
        fields = self._names.get(kind.cls)
        if fields is None:
            fields = self._names[kind.cls] = {field.encode_name: field.type for field in kind.fields}
        return fields


@cache
def _type_of(kind: Any) -> inspect.Type:
    """Describe a struct; msgspec reads its annotations anew each time, which takes milliseconds."""
    return inspect.type_info(kind)


def _holds(kind: inspect.Type, value: Any) -> bool:
    """Say whether a member of a union is the one that this value was read as."""
    while isinstance(kind, inspect.Metadata):
        kind = kind.type
    if isinstance(value, list):
        return isinstance(kind, inspect.ListType)
    if not isinstance(value, dict):
        return False
    if isinstance(kind, inspect.StructType):
        return kind.tag_field is None or cast("Mapping[str, Any]", value).get(kind.tag_field) == kind.tag
    return isinstance(kind, inspect.DictType)


def _unknown(name: str, names: Iterable[str], at: str) -> Invalid:
    nearest = get_close_matches(name, list(names), 1)
    words = f"There is no `{name[:60]}` here." + (f" Did you mean `{nearest[0]}`?" if nearest else "")
    pointer = f"{at}/{name}"
    return Invalid(words, pointer=pointer, nearest=nearest[0]) if nearest else Invalid(words, pointer=pointer)
