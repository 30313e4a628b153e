"""What a request may hold beside what is read of it: nothing. A misspelt name is refused with the nearest."""

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from functools import cache
from typing import TYPE_CHECKING, Any, cast

import msgspec
from msgspec import inspect
from starlette.requests import Request

from mercat.kit import codec
from mercat.kit.refusals import Invalid, NotAcceptable, UnsupportedMediaType

if TYPE_CHECKING:
    from mercat.kit.rpc import Route

_JSON = b"application/json"
_NAMES = {
    "application/json": "JSON",
    "application/pdf": "PDF",
    "text/csv": "CSV",
    "application/jsonl": "JSON lines",
}
_ANY_NAME = "NAME]"


def check_media_types(
    request: Request, *, reads_json: bool, answers: str = "application/json", or_answers: str = ""
) -> None:
    """Raise NotAcceptable where neither what is answered nor JSON, in which refusals are told, is accepted
    (RFC 9110, 12.5.1); and UnsupportedMediaType of a body that says it is not JSON, or encoded; one that says
    nothing is taken for JSON."""
    for name, value in request.scope["headers"]:
        if name == b"accept":
            if not value or b"*/*" in value:
                continue
            offered, fitting = _offered(answers, or_answers)
            if not any(kind in value for kind in fitting):
                names = " or ".join(_NAMES.get(each, each) for each in offered)
                raise NotAcceptable(f"This address answers in {names}: accept {' or '.join(offered)}.")
        elif not reads_json:
            continue
        elif name == b"content-type":
            if value and value != _JSON and not _is_json(value):
                raise UnsupportedMediaType("Send application/json.")
        elif name == b"content-encoding" and value.lower() not in (b"", b"identity"):
            raise UnsupportedMediaType("Send the body as it is, without a Content-Encoding.")


@cache
def _offered(answers: str, or_answers: str) -> tuple[list[str], list[bytes]]:
    """List what a route answers in, and what of an Accept header fits it."""
    offered = [answers, *or_answers.split(", ")] if or_answers else [answers]
    return offered, [b"json", b"application/*", *(each.encode() for each in offered)]


def _is_json(content_type: bytes) -> bool:
    kind = content_type.partition(b";")[0].strip().lower()
    return kind == _JSON or (kind.startswith(b"application/") and kind.endswith(b"+json"))


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


def preferred(request: Request, offered: Sequence[str]) -> str:
    """Choose the media type that `Accept` names first of those that are offered; the first where none is.

    Quality values are not weighed: who asks for a file names it."""
    accepted = request.headers.get("accept", "")
    found = {each: accepted.find(each) for each in offered}
    named = [each for each in offered if found[each] >= 0]
    return min(named, key=lambda each: found[each], default=offered[0])
