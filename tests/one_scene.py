"""Cases that leave their scene as it was, asked of it one after another.

To make a shop for each takes a third of a second of CPU, and to ask it a hundredth."""

import inspect
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import pytest

_SHOWN_MAX = 80


def one_scene(
    names: str | tuple[str, ...], cases: Iterable[Any]
) -> Callable[[Callable[..., Awaitable[None]]], Callable[..., Awaitable[None]]]:
    """Run a test with each of these cases, as `pytest.mark.parametrize` does, but in one scene; each that
    fails is named, and the rest are asked all the same."""
    several = [names] if isinstance(names, str) else list(names)
    given = [[case] if isinstance(names, str) else list(case) for case in cases]

    def asked(test: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
        scene = [each for each in inspect.signature(test).parameters.values() if each.name not in several]

        async def each_case(*, subtests: pytest.Subtests, **fixtures: Any) -> None:
            assert given
            for case in given:
                named = dict(zip(several, case, strict=True))
                shown = ", ".join(f"{name}={value!r}"[:_SHOWN_MAX] for name, value in named.items())
                with subtests.test(shown):
                    await test(**fixtures, **named)

        parameters = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in scene]
        own = inspect.Parameter("subtests", inspect.Parameter.KEYWORD_ONLY)
        for name in ("__name__", "__qualname__", "__doc__", "__module__"):
            setattr(each_case, name, getattr(test, name))
        each_case.__dict__["__signature__"] = inspect.Signature([*parameters, own])
        return each_case

    return asked
