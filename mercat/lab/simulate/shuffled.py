"""A log whose partitions reach followers in any order, as those of Kafka do: what is told of one key stays in
its order, and all else is shuffled."""

import random
from collections.abc import Callable, Collection
from typing import Any

from mercat.kit.event_log import LoggedEvent, Places, Reading
from mercat.kit.postgres_log import PostgresLog, PostgresReader

PartitionOf = Callable[[str, str], int]
"""The partition (1 to `PARTITIONS`) of an event, by kind and body."""
PARTITIONS = 64
_READ = """/* mercat.log.shuffled */
select id, kind, body, last_id from events.log, events.relayed where id > $1 order by id"""


class ShuffledLog(PostgresLog):
    """PostgreSQL's log, read by partitions."""

    def __init__(self, db: Any, partition_of: PartitionOf, dice: random.Random) -> None:
        super().__init__(db)
        self.partition_of, self.dice = partition_of, dice

    def reader(self, follower: str, kinds: Collection[str]) -> "ShuffledReader":
        """Make the reader of a follower."""
        return ShuffledReader(self, follower, kinds)


class ShuffledReader(PostgresReader):
    """Reads some of what waits in some partitions, in any order of theirs."""

    def __init__(self, log: ShuffledLog, follower: str, kinds: Collection[str]) -> None:
        super().__init__(log, follower, kinds)
        self._shuffled = log

    async def after(self, places: Places, last: int | None = None) -> Reading | None:
        """Return some of what waits; once nothing does, that all partitions were read to the end."""
        dice = self._shuffled.dice
        waiting: dict[int, list[LoggedEvent]] = {}
        found = await self._shuffled.db.fetch(_READ, places.get(0, 0))
        for row in found:
            partition = self._shuffled.partition_of(row["kind"], row["body"])
            if row["id"] > places.get(partition, 0):
                told = LoggedEvent(row["id"], row["kind"], row["body"], partition, row["id"])
                waiting.setdefault(partition, []).append(told)
        if not waiting:
            to = {each: int(found[-1]["last_id"]) for each in range(PARTITIONS + 1)} if found else {}
            return Reading([], to, full=False, ended=False) if to else None
        chosen = dice.sample(sorted(waiting), dice.randint(1, len(waiting)))
        parts = [waiting[each][: dice.randint(1, len(waiting[each]))] for each in chosen]
        turns = [part for part in parts for _ in part]
        dice.shuffle(turns)
        rows = [part.pop(0) for part in turns]
        to = {row.partition: row.place for row in rows}
        return Reading([row for row in rows if row.kind in self._kinds], to, full=False, ended=False)
