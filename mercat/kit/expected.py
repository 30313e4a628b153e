"""What a request may hold beside what is read of it: nothing. A misspelt name is refused with the nearest."""

import re
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from functools import cache, lru_cache
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
_ACCEPT_MAX = 4_000
_WEIGHT = re.compile(r"[0-9]{1,3}(?:\.[0-9]{0,20})?|\.[0-9]{1,20}")


def check_media_types(
    request: Request, *, reads_json: bool, answers: str = "application/json", or_answers: str = ""
) -> None:
    """Raise NotAcceptable where neither what is answered nor JSON, in which refusals are told, is accepted
    (RFC 9110, 12.5.1); and UnsupportedMediaType of a body that says it is not JSON, or encoded; one that says
    nothing is taken for JSON."""
    accept = _accept_of(request)
    if accept not in (b"", b"*/*") and not accepts(accept, answers, or_answers):
        offered = _offered(answers, or_answers)
        names = " or ".join(_NAMES.get(each, each) for each in offered)
        raise NotAcceptable(f"This address answers in {names}: accept {' or '.join(offered)}.")
    if not reads_json:
        return
    for name, value in request.scope["headers"]:
        if name == b"content-type":
            if value and value != _JSON and not _is_json(value):
                raise UnsupportedMediaType("Send application/json.")
        elif name == b"content-encoding" and value.lower() not in (b"", b"identity"):
            raise UnsupportedMediaType("Send the body as it is, without a Content-Encoding.")


def _accept_of(request: Request) -> bytes:
    """Return what is accepted, of all lines that say it; of very much the beginning."""
    accept = b", ".join(value for name, value in request.scope["headers"] if name == b"accept")
    return accept if len(accept) <= _ACCEPT_MAX else accept[:_ACCEPT_MAX].rpartition(b",")[0]


@lru_cache(maxsize=500)
def accepts(accept: bytes, answers: str, or_answers: str = "") -> bool:
    """Say whether an Accept header takes some of what a route answers in, or any JSON, in which refusals are
    told; the nearest range decides, and a weight of 0 is no."""
    ranges = media_ranges(accept.decode("latin-1"))
    if not ranges:
        return True
    if any(weight > 0 and kind.endswith("json") for kind, weight in ranges.items()):
        return True
    return any(weight_of(each, ranges) > 0 for each in _offered(answers, or_answers))


def media_ranges(accept: str) -> dict[str, float]:
    """Read an Accept header (RFC 9110, 12.5.1): each range, in small letters, with its weight, as
    loosely as clients write it: `*` is everything, `.2` a weight, and a weight that is none is 1."""
    ranges: dict[str, float] = {}
    for part in accept.lower().split(","):
        kind, *parameters = (each.strip() for each in part.split(";"))
        weight = next((each[2:] for each in parameters if each.startswith("q=")), "1")
        if kind:
            ranges["*/*" if kind == "*" else kind] = (
                min(float(weight), 1.0) if _WEIGHT.fullmatch(weight) else 1.0
            )
    return ranges


def weight_of(kind: str, ranges: Mapping[str, float]) -> float:
    """Return the weight of a media type by the nearest range that has it; 0 where none has."""
    whole = kind.partition("/")[0] + "/*"
    return next((ranges[each] for each in (kind, whole, "*/*") if each in ranges), 0.0)


def _offered(answers: str, or_answers: str) -> list[str]:
    return [answers, *or_answers.split(", ")] if or_answers else [answers]


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
    """Choose the media type of those that are offered that `Accept` weighs most, and names first of such; the
    first where none is named."""
    ranges = media_ranges(_accept_of(request).decode("latin-1"))
    named = [each for each in ranges if each in offered and ranges[each] > 0]
    best = max(named, key=lambda each: ranges[each], default="")
    rest = max(offered, key=lambda each: weight_of(each, ranges))
    return best if best and ranges[best] >= weight_of(rest, ranges) else rest
