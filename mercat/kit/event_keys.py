"""Where an event belongs in a log with partitions: to the bucket of the id that it is about."""

from functools import cache
from typing import Any, cast, get_args

import msgspec

from mercat.events import AnyEvent, Event
from mercat.ids import Id
from mercat.kit import codec

_EVENTS: dict[str, type[Event]] = {event.__name__: event for event in get_args(AnyEvent)}


class UnknownEvent(ConnectionError):
    """This release does not know an event, nor its key: upgrade the relay first."""


def keys_of(kind: str, body: str, partitions: int) -> dict[int, Id]:
    """Return the partitions where an event belongs, each with an id of its key that is there. What cannot be
    read, or has no id, is anywhere: its followers bear or park it."""
    try:
        key = _key_decoder(kind).decode(body).key
    except msgspec.MsgspecError:
        return {0: Id(0)}
    ids = cast("list[Id]", key if isinstance(key, list) else [key])
    return {each.bucket % partitions: each for each in ids} or {0: Id(0)}


@cache
def _key_decoder(kind: str) -> msgspec.json.Decoder[Any]:
    """Make what reads the key alone of an event of this kind."""
    if kind not in _EVENTS:
        raise UnknownEvent(f"This release does not know {kind}, nor its key: upgrade the relay first.")
    event = _EVENTS[kind]
    [told] = [field for field in codec.fields_of(event) if field.name == event.key]
    field = ("key", told.type, msgspec.field(name=event.key))
    return codec.decoder(msgspec.defstruct("Key", [field]))
