"""JSON and rows to structs and back; ids are shown as `prod_…` on the wire."""

from functools import cache
from typing import Any, TypeVar

import msgspec

from mercat.ids import Id, parse
from mercat.kit.patches import keep_struct_types_at_exit

Kind = TypeVar("Kind")
keep_struct_types_at_exit()


def _encode_ours(value: object) -> object:
    if isinstance(value, Id):
        return str(value)
    raise NotImplementedError(f"no JSON for {type(value).__name__}")


def _decode_ours(kind: type, value: object) -> object:
    if issubclass(kind, Id):
        if isinstance(value, str):
            return parse(kind, value)
        if isinstance(value, int) and not value >> 63:
            return kind(value)
        raise ValueError(f"Expected an id, `{kind.prefix}_…`")
    if issubclass(kind, frozenset):
        return kind(value)  # type: ignore[arg-type]
    raise NotImplementedError(f"no reading of {kind.__name__}")


encoder = msgspec.json.Encoder(enc_hook=_encode_ours)
encode = encoder.encode


def text(value: object) -> str:
    """Encode JSON as PostgreSQL's json and jsonb parameters take it."""
    return encode(value).decode()


_inner = msgspec.json.Encoder(enc_hook=int)


def inner_text(value: object) -> str:
    """Encode JSON that only its own service reads again: ids stay numbers, which is quicker than showing
    them."""
    return _inner.encode(value).decode()


def _decode_shown(kind: type[Any], value: object) -> object:
    if issubclass(kind, Id) and not isinstance(value, str):
        raise ValueError(f"Expected an id, `{kind.prefix}_…`")
    return _decode_ours(kind, value)


@cache
def fields_of(kind: Any) -> tuple[msgspec.structs.FieldInfo, ...]:
    """List the fields of a struct; msgspec reads its annotations anew each time, which takes milliseconds."""
    return msgspec.structs.fields(kind)


def asked(kind: type[Kind]) -> msgspec.json.Decoder[Kind]:
    """Make a decoder for what comes from outside: there an id is what we showed, never a bare number."""
    return msgspec.json.Decoder(kind, dec_hook=_decode_shown)


def decoder(kind: type[Kind]) -> msgspec.json.Decoder[Kind]:
    return msgspec.json.Decoder(kind, dec_hook=_decode_ours)


def decode(data: bytes | str, kind: type[Kind]) -> Kind:
    return msgspec.json.decode(data, type=kind, dec_hook=_decode_ours)


def convert(value: Any, kind: type[Kind], *, strict: bool = True) -> Kind:
    return msgspec.convert(value, kind, dec_hook=_decode_ours, strict=strict)
