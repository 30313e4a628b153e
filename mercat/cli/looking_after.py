"""What the back worker does for backups, and measures that no request shows."""

import asyncio
import shutil
from collections import defaultdict
from datetime import UTC, datetime
from math import inf
from pathlib import Path

import structlog

from mercat.embedded import Home, Trouble
from mercat.embedded.archive import SLOT, Archive, Looked, holds_too_much
from mercat.embedded.backup import backups_in
from mercat.embedded.mirror import Mirror
from mercat.kit import metrics
from mercat.kit.host import queries
from mercat.shop import Shop

log = structlog.get_logger("mercat.backup")
_EVERY_S = 15


class LookingAfter:
    """Measures, then copies to where backups are kept what does not get there by itself, if they are."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._looked: dict[Archive, Looked] = defaultdict(dict)
        self._mirrors: dict[Archive, Mirror] = {}
        self._complaint = ""

    async def keep_looking(self) -> None:
        """Look once, and rest."""
        await self.look()
        await asyncio.sleep(_EVERY_S)

    async def look(self) -> None:
        """Measure first: what cannot be copied is when the figures matter."""
        data = self._shop.settings.data
        kept = Archive.of(data)
        metrics.disk_free.set(shutil.disk_usage(data).free)
        whole = await asyncio.to_thread(backups_in, kept.folder) if kept else {}
        newest = max((each.ended for each in whole.values()), default=None)
        metrics.backup_age.set((datetime.now(UTC) - newest).total_seconds() if newest else inf)
        if kept is None:
            metrics.archive_lag.set(0)
            metrics.archive_stopped.set(0)
            return
        await self._measure_log()
        complaint = ""
        try:
            await asyncio.to_thread(self._keep, kept, data)
        except Trouble as trouble:
            complaint = str(trouble)
            if kept.bucket:
                metrics.archive_stopped.set(1)
        if complaint and complaint != self._complaint:
            log.error("the backups do not get what is new", reason=complaint)
        self._complaint = complaint

    def _keep(self, kept: Archive, data: Path) -> None:
        if not kept.bucket:
            kept.keep_media(data, self._looked[kept])
            return
        if kept not in self._mirrors:
            self._mirrors[kept] = Mirror.of(kept.bucket, self._shop.settings)
        self._mirrors[kept].send(kept, data)

    async def _measure_log(self) -> None:
        """Measure what waits for the archive; let it go where it would fill the shop's own disk."""
        events = await self._shop.host.pool("events")
        slot = await events.fetchrow(queries.archive_slot, SLOT)
        held = slot["held"] if slot else 0
        metrics.archive_lag.set(held)
        metrics.archive_stopped.set(0 if slot and slot["active"] else 1)
        data = self._shop.settings.data
        home = Home(data)
        free = shutil.disk_usage(home.place("postgres") or data).free
        if (
            slot
            and not slot["active"]
            and holds_too_much(held, free)
            and await events.fetchval(queries.drop_slot, SLOT)
        ):
            log.error("the log for the backups would fill the disk and is let go: make a backup", held=held)
