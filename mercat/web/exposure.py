"""Which way of an experiment a visitor is shown. Only pages take part, not the API; robots and who asks not
to be counted see things as they are without any.

While a subject has an experiment its pages are for one person: no cache keeps them."""

import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from mercat.analytics import ArmName, Experiment, Subject, arm_of, mark
from mercat.events import Device
from mercat.kit.cache import ExpiringCache
from mercat.web.cache import PRIVATE
from mercat.web.looks import Looks
from mercat.web.optional import unless_away

_FRESH_S = 2.0
Running = Callable[[], Awaitable[list[Experiment]]]


class Exposure(NamedTuple):
    """What a visitor is shown of a subject, from when on."""

    arm: ArmName
    way: str
    who: tuple[int, Device] | None
    began: float
    looks: Looks

    def of(self, response: Response) -> Response:
        """Note that this answer was shown, and keep it out of caches."""
        response.headers["cache-control"] = PRIVATE
        if "surrogate-key" in response.headers:
            del response.headers["surrogate-key"]
        if self.who and response.status_code == 200:
            self.looks.note_exposed(self.who, self.way, time.perf_counter() - self.began)
        return response


class Experiments:
    """The experiments that run, as this worker knows them."""

    def __init__(self, running: Running, looks: Looks) -> None:
        self._running = running
        self._looks = looks
        self._known = ExpiringCache[str, list[Experiment]](1)

    async def exposure(self, request: Request, subject: Subject) -> Exposure | None:
        """Answer which way is shown; None: there is no experiment of this subject."""
        known = self._known.get("running")
        if known is None:
            known = await unless_away(self._running()) or []
            self._known.put("running", known, _FRESH_S)
        for each in known:
            if each.subject == subject:
                who = self._looks.visitor_of(request.scope)
                arm = arm_of(each.experiment_id, who[0]) if who else "A"
                began = time.perf_counter()
                return Exposure(arm, mark(each.experiment_id, arm), who, began, self._looks)
        return None
