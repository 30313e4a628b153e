"""What anybody can check of a sale afterwards: its draw computed again, and its certificate."""

import asyncio
from datetime import datetime
from typing import Any

import asyncpg
import msgspec

from mercat.flashsale import rules
from mercat.flashsale.control import SaleControl
from mercat.flashsale.draws import Draws
from mercat.flashsale.messages import Certificate, Certified, CertifiedAct, DrawCheck, LawCheck, Turn
from mercat.flashsale.sales import Sales
from mercat.flashsale.signature import Signer, canonical
from mercat.ids import OfferId
from mercat.kit import clock, codec, sql
from mercat.kit.refusals import NotFound

queries = sql.load("mercat.flashsale")
_PAGE = 5_000
_TURNS_MAX = 50_000
_WRONG_MAX = 100


class Certificates:
    """Check draws and sign certificates."""

    def __init__(
        self, db: asyncpg.Pool, sales: Sales, control: SaleControl, draws: Draws, signer: Signer
    ) -> None:
        self._db = db
        self._sales = sales
        self._control = control
        self._draws = draws
        self._signer = signer

    async def verify(self, sale_id: str) -> DrawCheck:
        """Compute the draw again from what is public: seed, list, and every place that was given."""
        row: Any = await self._db.fetchrow(queries.sale, sale_id)
        if row is None or row["drawn"] is None:
            raise NotFound("There is no such sale, or it has not been drawn.")
        wrong: list[str] = []
        if rules.commitment(row["seed"]) != row["commitment"]:
            wrong.append("The seed is not the one that was promised.")
        if await self._draws.roll(sale_id, row["drawn"]) != row["roll"]:
            wrong.append("The list of those who joined before the start is not the one that was drawn.")
        draw = rules.Draw(row["seed"], row["roll"], row["drawn"])
        if not await _is_permutation(draw, row["drawn"]):
            wrong.append("The draw does not give everybody a place of their own.")
        after, checked = 0, 0
        while page := await self._db.fetch(queries.turns, sale_id, after, _PAGE):
            wrong += [
                f"Place {turn['place']} was given to number {turn['number']}."
                for turn in page
                if row["queue"] and draw.place_of(turn["number"]) != turn["place"]
            ]
            after, checked = page[-1]["place"], checked + len(page)
        return DrawCheck(row["drawn"], row["drawn"] + checked, wrong[:_WRONG_MAX])

    async def certify(self, sale_id: str, laws: list[LawCheck]) -> Certified:
        """Sign and keep what the sale was. `laws`: what the audit found, behind it."""
        row: Any = await self._db.fetchrow(queries.sale, sale_id)
        if row is None or row["drawn"] is None:
            raise NotFound("There is no such sale, or it has not begun.")
        counts: Any = await self._db.fetchrow(queries.counts, sale_id)
        turns = await self._db.fetch(queries.turns, sale_id, 0, _TURNS_MAX)
        certificate = Certificate(
            sale_id=sale_id,
            title=row["title"],
            offer_id=OfferId(row["offer_id"]),
            state=rules.state_of(row),
            units=row["units"],
            sold=row["sold"],
            joined=row["joined"],
            drawn=row["drawn"],
            commitment=row["commitment"].hex(),
            seed=row["seed"].hex(),
            roll=row["roll"].hex(),
            passes=counts["issued"],
            used=counts["used"],
            lapsed=counts["lapsed"],
            opened_at=int(row["opened_at"].timestamp()),
            sold_out_at=_seconds(row["sold_out_at"]),
            ended_at=_seconds(row["ended_at"]),
            turns=[Turn(turn["place"], turn["number"], turn["released"], turn["state"]) for turn in turns],
            acts=[
                CertifiedAct(int(act.at.timestamp()), act.who, act.what, act.amount, act.why)
                for act in await self._control.acts(sale_id)
            ],
            laws=laws,
            made_at=int(clock.now().timestamp()),
        )
        signature = self._signer.sign(canonical(msgspec.to_builtins(certificate, enc_hook=str)))
        certified = Certified(certificate, signature, self._signer.key)
        await self._db.execute(queries.certify, sale_id, codec.text(certified))
        return certified

    async def certificate(self, sale_id: str) -> Certified:
        """Answer the certificate, which is made when the sale is finished; NotFound before."""
        await self._sales.row(sale_id)
        body = await self._db.fetchval(queries.certificate, sale_id)
        if body is None:
            raise NotFound("This sale has no certificate yet: it is made when the sale is finished.")
        return codec.decode(body, Certified)


async def _is_permutation(draw: rules.Draw, drawn: int) -> bool:
    """Answer whether each of those who were drawn has a place of their own."""
    places = bytearray(drawn)
    for number in range(1, drawn + 1):
        places[draw.place_of(number) - 1] += 1
        if number % _PAGE == 0:
            await asyncio.sleep(0)
    return all(count == 1 for count in places)


def _seconds(at: datetime | None) -> int | None:
    return int(at.timestamp()) if at else None
