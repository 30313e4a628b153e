"""Parts of pages that are sent as they change; each look beats, and figures that are old do not."""

import asyncio
from typing import Any

import pytest

from mercat.kit.refusals import Overloaded, Unavailable
from mercat.web.streams import Streams


async def told(answer, most):
    said = []
    async for piece in answer.body_iterator:
        said.append(piece.decode().partition("\n")[0])
        if len(said) == most:
            break
    await answer.body_iterator.aclose()
    return said


async def test_a_part_is_sent_when_it_changes_and_each_look_beats():
    looks = iter(["one", "one", "two"])

    async def parts():
        return {"figures": next(looks)}

    streams = Streams(asyncio.Event(), 1, 0.001)
    said = await told(streams.answer(parts), 6)
    assert said == [
        "retry: 1000",
        "event: figures",
        "event: beat",
        "event: beat",
        "event: figures",
        "event: beat",
    ]


async def test_there_is_no_beat_while_figures_cannot_be_had_and_the_line_stays():
    answers = iter([Unavailable(), Unavailable(), {"figures": "new"}])

    async def parts():
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    streams = Streams(asyncio.Event(), 1, 0.001)
    assert await told(streams.answer(parts), 3) == ["retry: 1000", "event: figures", "event: beat"]
    assert await told(streams.answer(parts), 1) == ["retry: 1000"], "a place is free again"


async def test_no_more_watch_than_there_are_places():
    async def parts():
        return {}

    streams = Streams(asyncio.Event(), 1, 0.001)
    first: Any = streams.answer(parts)
    await anext(first.body_iterator)
    with pytest.raises(Overloaded):
        streams.answer(parts)
    await first.body_iterator.aclose()
    streams.answer(parts)
