"""The kinds of letters: one file each beside its text, found by themselves."""

from importlib import import_module
from pkgutil import iter_modules
from typing import Any, get_args

from mercat.events import AnyEvent, Event
from mercat.notifications.letter import LetterKind

KINDS: dict[str, LetterKind[Any]] = {
    found.name: import_module(f"{__name__}.{found.name}").KIND
    for found in iter_modules(__path__)
    if not found.name.startswith("_")
}
EVENTS: tuple[type[Event], ...] = tuple(
    event for event in get_args(AnyEvent) if any(kind.event is event for kind in KINDS.values())
)
"""The facts that ask for a letter, in the order in which they happen: what follows an order goes
to the address of its confirmation."""
