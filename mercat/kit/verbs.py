"""The verbs of a service: its methods that others ask for, from the same process or from another one."""

import inspect
from collections.abc import Awaitable, Callable, Sequence
from functools import cached_property
from typing import Any, get_args, get_origin, get_type_hints

import msgspec

from mercat.kit.http import BODY_BYTES_MAX, FILE_BYTES_MAX

_ASK_BYTES_MAX = BODY_BYTES_MAX + 50_000
"""Of asks that travel together: what the public may send, with who asks and what it is called."""
_LARGE_ASK_BYTES_MAX = FILE_BYTES_MAX * 4 // 3 + BODY_BYTES_MAX
"""The same where a file can be among the arguments, which is written in base64, or a set of rows."""


class Verb:
    """A row of a service's table: a method, with the types of what it takes and of what it answers.

    `reads`: it changes nothing, so a handler may call it beside the one verb that writes. `many`: what is
    asked of it at once travels together; for a verb that is quick for many, as the slowest of them is waited
    for."""

    def __init__(
        self, method: Callable[..., Awaitable[Any]], *, reads: bool = False, many: bool = False
    ) -> None:
        self.method, self.name, self.reads, self.many = method, method.__name__, reads, many
        self.signature = inspect.signature(method)
        self.hints = get_type_hints(method, include_extras=True)
        self.answer = self.hints.pop("return", None)

    @cached_property
    def bytes_max(self) -> int:
        """How large a request of asks may be. Worked out when it is asked: a command line never does."""
        large = any(_is_large(hint) for hint in self.hints.values())
        return _LARGE_ASK_BYTES_MAX if large else _ASK_BYTES_MAX


def _is_large(hint: Any, seen: tuple[Any, ...] = ()) -> bool:
    """Say whether bytes, or a list of structs, are somewhere in an argument."""
    if hint is bytes:
        return True
    inside: tuple[Any, ...] = get_args(hint)
    if isinstance(get_origin(hint), type) and issubclass(get_origin(hint), Sequence):
        return any(_has_struct(each) or _is_large(each, seen) for each in inside)
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct) and hint not in seen:
        return any(_is_large(each, (*seen, hint)) for each in get_type_hints(hint).values())
    return any(_is_large(each, seen) for each in inside)


def _has_struct(hint: Any) -> bool:
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return True
    return any(_has_struct(each) for each in get_args(hint))
