"""What was learnt from clicks and orders, as stored: in search's own schema, so that all processes follow."""

import asyncpg
import msgspec

from mercat.ids import LearntId
from mercat.kit import codec, sql
from mercat.kit.refusals import NotFound
from mercat.search.merchandising.rules import Gains
from mercat.search.messages import LearntOrder

queries = sql.load("mercat.search")
_KEPT = 20
_TAKEN_BACK = "An operator took it back."


class LearntStore:
    """Reads and writes what was learnt; at most one of it is served."""

    def __init__(self, db: asyncpg.Pool) -> None:
        self._db = db

    async def gains(self) -> Gains:
        """Return what is served: by the words' stems and product, what is added to scores."""
        text = await self._db.fetchval(queries.served_gains)
        found = msgspec.json.decode(text, type=dict[str, dict[int, float]]) if text else {}
        return {tuple(stems.split()): of_words for stems, of_words in found.items()}

    async def every(self) -> list[LearntOrder]:
        """List the latest of what was learnt."""
        return sql.rows(LearntOrder, await self._db.fetch(queries.learnt, _KEPT))

    async def keep(self, learnt: LearntOrder, gains: Gains) -> None:
        """Keep what was learnt; what is served takes the place of the former. Again, it changes nothing."""
        await self._db.execute(
            queries.keep_learnt,
            learnt.learnt_id,
            learnt.at,
            learnt.state,
            learnt.why,
            learnt.searches,
            learnt.chosen_before,
            learnt.chosen_after,
            learnt.judged_before,
            learnt.judged_after,
            codec.text({" ".join(stems): of_words for stems, of_words in gains.items()}),
        )
        await self._db.execute(queries.forget_learnt, _KEPT)

    async def back(self, learnt_id: LearntId) -> None:
        """Serve what was served before this, or nothing; again, it changes nothing."""
        if not await self._db.fetchval(queries.take_back_learnt, learnt_id, _TAKEN_BACK):
            raise NotFound("Nothing of the kind was learnt.")
