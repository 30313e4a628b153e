import asyncio
import secrets
from datetime import datetime
from typing import Annotated, Any

import asyncpg
import msgspec
from msgspec.structs import replace

from mercat.catalog import Catalog
from mercat.checkout import Checkout, CheckoutInProgress
from mercat.flashsale import rules
from mercat.flashsale.messages import (
    Act,
    BuyerLimit,
    Certificate,
    Certified,
    Claim,
    Deeds,
    Done,
    FlashPassExpired,
    FlashPassInvalid,
    FlashPassRequired,
    Law,
    NewSale,
    NotPossible,
    NotStarted,
    Pass,
    Place,
    Room,
    Sale,
    SaleExists,
    SaleOver,
    Signed,
    SoldOut,
    State,
    Turn,
    Verdict,
    Watched,
)
from mercat.flashsale.releaser import (
    OUT,
    SOON_S,
    Ended,
    Releaser,
    all_promised,
    gate_key,
    numbers_key,
    queue_key,
)
from mercat.flashsale.signature import Signer, canonical
from mercat.ids import CheckoutId, OfferId, ProductId, UserId
from mercat.inventory import Inventory
from mercat.kit import clock, codec, signing, sql
from mercat.kit.batching import Coalescer
from mercat.kit.limits import Limit, Limits
from mercat.kit.refusals import Invalid, NotFound, SignInFirst, TooManyRequests, Unavailable
from mercat.kit.rpc import IN_BODY, Caller
from mercat.kit.snapshot import Snapshot
from mercat.kit.valkey import Store
from mercat.settings import Settings

queries = sql.load("mercat.flashsale")
_FRESH_S = 0.5
_STALE_S = 30.0
_ACTS_MAX = 200
_LATELY_S = 10.0
_PAGE = 5_000
_TURNS_MAX = 50_000

JOIN = """
local n = redis.call('ZSCORE', KEYS[1], ARGV[1])
if n then return {tonumber(n), 0} end
if redis.call('EXISTS', KEYS[2]) == 0 then return {-1, 0} end
n = redis.call('INCR', KEYS[2])
redis.call('ZADD', KEYS[1], 'NX', n, ARGV[1])
return {n, 1}
"""
"""Into the line, once: the number, and whether it is new. -1: the line is being brought back."""

_STANDS = """
local n = redis.call('ZSCORE', KEYS[1], ARGV[1])
if n then return tonumber(n) end
if redis.call('EXISTS', KEYS[2]) == 0 then return -1 end
return 0
"""

_ADOPT = """
local n = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not n or redis.call('ZSCORE', KEYS[1], ARGV[2]) then return 0 end
redis.call('ZADD', KEYS[1], n, ARGV[2])
redis.call('ZREM', KEYS[1], ARGV[1])
return tonumber(n)
"""

ADMIT = """
local left = tonumber(redis.call('GET', KEYS[1]))
if not left then return 1 end
if left < tonumber(ARGV[1]) then return 0 end
redis.call('DECRBY', KEYS[1], ARGV[1])
return 1
"""
"""The stock gate: turns away whom PostgreSQL would refuse; where it is not known, PostgreSQL is asked."""


class FlashSales:
    def __init__(
        self,
        db: asyncpg.Pool,
        store: Store,
        catalog: Catalog,
        inventory: Inventory,
        checkout: Checkout,
        settings: Settings,
    ) -> None:
        self._db = db
        self._store = store
        self._catalog = catalog
        self._inventory = inventory
        self._checkout = checkout
        self._limits = Limits(store)
        self._neighbourhood = Limit(settings.flash_rate, settings.flash_burst)
        self._limit_loopback = settings.limit_loopback
        self._signer = Signer(settings.key("flash certificates"))
        self._documents: dict[str, tuple[Any, Signed]] = {}
        self._secret = settings.key("flash sales")
        self._standing: Snapshot[dict[str, Any]] = Snapshot(self._read_standing, _FRESH_S, keeps_s=_STALE_S)
        """All sales by name, read at most twice a second by a process, however many ask; five times while the
        last units of one are being paid for."""
        self._claims: Coalescer[Claim, str] = Coalescer(self._claim_many)
        self.releaser = Releaser(db, store, checkout)

    # -- sales

    async def create(self, sale: NewSale) -> Sale:
        """A sale to be. Its offer is sold in it alone from now on, until the sale ends."""
        offers, stock = await asyncio.gather(
            self._catalog.offers([sale.offer_id]), self._inventory.stock([sale.offer_id])
        )
        offer = offers.get(sale.offer_id)
        if offer is None:
            raise NotFound("There is no such offer.", pointer="/offer_id")
        available = stock[sale.offer_id].available if sale.offer_id in stock else 0
        if available < sale.units:
            raise Invalid(f"Only {available} are in stock.", pointer="/units", available=available)
        made = await self._db.fetchval(
            queries.create,
            sale.sale_id,
            sale.offer_id,
            offer.product_id,
            offer.title,
            sale.units,
            sale.per_person,
            sale.per_card,
            sale.per_address,
            sale.queue,
            sale.members_only,
            sale.rate,
            sale.ceiling,
            sale.window_s,
            secrets.token_bytes(32),
            sale.starts_at,
            sale.ends_at,
            clock.now(),
        )
        if made is None:
            raise SaleExists
        await self._store.do("SET", numbers_key(sale.sale_id), 0, "NX")  # from here on people may join
        self._standing.forget()
        return await self.sale(sale.sale_id)

    async def sales(self) -> list[Sale]:
        """The sales that are not over, and those that ended within the hour."""
        return [_shown(row) for row in (await self._standing.get()).values()]

    async def sale(self, sale_id: str) -> Sale:
        """The document that everybody who waits reads."""
        return _shown(await self._row(sale_id))

    async def watched(self) -> list[Watched]:
        """The offers that are sold in sales alone."""
        return [
            Watched(OfferId(row["offer_id"]), row["sale_id"], _state(row), row["queue"])
            for row in (await self._standing.get()).values()
            if row["state"] != "ended"
        ]

    async def document(self, sale_id: str) -> Signed:
        """The same as bytes, signed, so that whoever gets it from a cache can trust it."""
        row = await self._row(sale_id)
        kept = self._documents.get(sale_id)
        if kept is None or kept[0] is not row:
            body = codec.encode(_shown(row))
            kept = self._documents[sale_id] = (row, Signed(body, self._signer.sign(body), self._signer.key))
        return kept[1]

    async def switched_off(self) -> list[str]:
        """What the shop does without at the moment, for a sale's sake."""
        rows = (await self._standing.get()).values()
        return sorted({name for row in rows if row["state"] != "ended" for name in row["switched_off"]})

    async def switch_off(self, caller: Caller, sale_id: str, names: list[str]) -> None:
        """Has the shop do without these until the sale ends; none: with all again."""
        if not await self._db.fetchval(queries.switch_off, sale_id, names):
            raise NotFound("There is no such sale.")
        said = f"Without {', '.join(names)}." if names else "With everything again."
        await self._db.execute(queries.note, sale_id, _name(caller), "switch", said)
        self._standing.forget()

    # -- afterwards

    async def verify(self, sale_id: str) -> Verdict:
        """Recomputes the draw from what is public: seed, list, and every place that was given."""
        row: Any = await self._db.fetchrow(queries.sale, sale_id)
        if row is None or row["drawn"] is None:
            raise NotFound("There is no such sale, or it has not been drawn.")
        wrong: list[str] = []
        if rules.commitment(row["seed"]) != row["commitment"]:
            wrong.append("The seed is not the one that was promised.")
        if await self.releaser.roll(sale_id, row["drawn"]) != row["roll"]:
            wrong.append("The list of those who joined before the start is not the one that was drawn.")
        draw = rules.Draw(row["seed"], row["roll"], row["drawn"])
        places = bytearray(row["drawn"])
        for number in range(1, row["drawn"] + 1):
            places[draw.place_of(number) - 1] += 1
            if number % 5_000 == 0:
                await asyncio.sleep(0)
        if any(count != 1 for count in places):
            wrong.append("The draw does not give everybody a place of their own.")
        after, checked = 0, 0
        while page := await self._db.fetch(queries.turns, sale_id, after, _PAGE):
            wrong += [
                f"Place {turn['place']} was given to number {turn['number']}."
                for turn in page
                if row["queue"] and draw.place_of(turn["number"]) != turn["place"]
            ]
            after, checked = page[-1]["place"], checked + len(page)
        return Verdict(row["drawn"], row["drawn"] + checked, wrong[:100])

    async def certify(self, sale_id: str, laws: list[Law]) -> Certified:
        """What the sale was, signed and kept. `laws`: what the audit found, behind it."""
        row: Any = await self._db.fetchrow(queries.sale, sale_id)
        if row is None or row["drawn"] is None:
            raise NotFound("There is no such sale, or it has not begun.")
        counts: Any = await self._db.fetchrow(queries.counts, sale_id)
        turns = await self._db.fetch(queries.turns, sale_id, 0, _TURNS_MAX)
        certificate = Certificate(
            sale_id=sale_id,
            title=row["title"],
            offer_id=OfferId(row["offer_id"]),
            state=_state(row),
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
                Deeds(int(act.at.timestamp()), act.who, act.what, act.amount, act.why)
                for act in await self.acts(sale_id)
            ],
            laws=laws,
            made_at=int(clock.now().timestamp()),
        )
        signature = self._signer.sign(canonical(msgspec.to_builtins(certificate, enc_hook=str)))
        certified = Certified(certificate, signature, self._signer.key)
        await self._db.execute(queries.certify, sale_id, codec.text(certified))
        return certified

    async def certificate(self, sale_id: str) -> Certified:
        """The certificate, once it was made: when the sale was finished."""
        await self._row(sale_id)
        body = await self._db.fetchval(queries.certificate, sale_id)
        if body is None:
            raise NotFound("This sale has no certificate yet: it is made when the sale is finished.")
        return codec.decode(body, Certified)

    # -- the queue

    async def join(self, caller: Caller, sale_id: str, address: str = "") -> Place:
        """Into the line, once a person: again answers with the same place. `address`: where they ask from;
        from one neighbourhood only so many may join."""
        row = await self._row(sale_id)
        state = _state(row)
        if row["members_only"] and caller.guest:
            raise SignInFirst("Only people with an account of their own may join this sale.")
        if state == "ended":
            raise SaleOver
        if state == "sold_out":
            raise SoldOut
        if not row["queue"]:
            raise NotPossible("This sale has no queue: whoever is first at the till buys.")
        if self._limit_loopback or not rules.local(address):
            await self._not_too_many(address)
        number, new = await self._store.run(
            JOIN, [queue_key(sale_id), numbers_key(sale_id)], [int(caller.user_id)]
        )
        if number < 0:
            raise Unavailable("The queue is being brought back. Places are kept; ask again in a moment.")
        place = await self._stands(row, caller.user_id, number, new=bool(new))
        if place.state == "lapsed" and await self._has_lapsed(sale_id, caller.user_id, number):
            # The releaser died before it said so to Valkey.
            await self._store.run(OUT, [queue_key(sale_id)], [int(caller.user_id), number])
            return await self.join(caller, sale_id, address)
        return place

    async def _has_lapsed(self, sale_id: str, user_id: UserId, number: int) -> bool:
        turn = await self._db.fetchrow(queries.turn_of, sale_id, user_id)
        return turn is not None and turn["state"] == "lapsed" and turn["number"] == number

    async def _not_too_many(self, address: str) -> None:
        bucket = f"flash:{rules.neighbourhood(address)}"
        [verdict] = await self._limits.take((bucket, self._neighbourhood))
        if not verdict.allowed:
            wait = int(verdict.retry_after_s) + 1
            raise TooManyRequests("Many people join from where you are. Wait a moment.", retry_after=wait)

    async def place(self, caller: Caller, sale_id: str) -> Place:
        """Where somebody stands, and their pass when it is their turn."""
        row = await self._row(sale_id)
        number = await self._store.run(
            _STANDS, [queue_key(sale_id), numbers_key(sale_id)], [int(caller.user_id)]
        )
        if number < 0:
            raise Unavailable("The queue is being brought back. Places are kept; ask again in a moment.")
        if number == 0:
            turn = await self._db.fetchrow(queries.turn_of, sale_id, caller.user_id)
            if turn is None:
                raise NotFound("You are not in this queue. Join it first.")
            number = turn["number"]
        return await self._stands(row, caller.user_id, number)

    async def adopt(self, guest: UserId, member: UserId) -> None:
        """A guest signed in: the guest's places are the account's from now on, where it has none."""
        for sale_id, row in (await self._standing.get()).items():
            if row["state"] != "ended" and row["queue"]:
                number = await self._store.run(_ADOPT, [queue_key(sale_id)], [int(guest), int(member)])
                if number:
                    await self._db.execute(queries.adopt, sale_id, number, member)

    async def _stands(self, row: Any, user_id: UserId, number: int, *, new: bool = False) -> Place:
        sale_id = row["sale_id"]
        here = Place(
            ticket=f"{sale_id}/{number}",
            number=number,
            state="drawing",
            position=None,
            ahead=None,
            eta_s=None,
            place=None,
            joined_now=new,
        )
        if row["drawn"] is None:
            return here
        place = self.releaser.draw(row).place_of(number)
        if place > row["serving"]:
            ahead = place - row["serving"] - 1
            state = _state(row)
            over = state in ("sold_out", "ended")
            free = row["units"] - row["taken"]
            rate = row["rate"] * row["pace"] if state == "open" else 0
            return replace(
                here,
                state=state if over else "waiting",
                position=ahead + 1,
                ahead=ahead,
                eta_s=None if over else rules.eta_s(ahead, rate, free // row["per_person"]),
                place=place,
            )
        here = replace(here, position=0, ahead=0, place=place)
        turn: Any = await self._db.fetchrow(queries.turn_of, sale_id, user_id)
        if turn and turn["state"] == "claimed" and await self.releaser.settle(sale_id, turn["place"]):
            turn = await self._db.fetchrow(queries.turn_of, sale_id, user_id)
        said: Any = {"issued": "your_turn", "claimed": "your_turn", "used": "bought", None: "waiting"}.get(
            turn["state"] if turn else None, "lapsed"
        )
        if said == "your_turn" and turn["state"] == "issued" and turn["until"] < clock.now():
            said = "lapsed"
        if said != "your_turn":
            return replace(here, state=said)
        until: datetime = turn["until"]
        pass_ = signing.seal(self._secret, Pass(sale_id, int(user_id), turn["place"], int(until.timestamp())))
        return replace(here, state=said, eta_s=0, pass_=pass_, pass_until=until)

    # -- at the till

    async def claim(self, claim: Claim, flash_pass: str = "") -> str:
        """Uses somebody's turn for a checkout; answers the name under which it is bought once, or nothing
        where the sale is over and the rest is sold as ever."""
        row = await self._row(claim.sale_id)
        state = _state(row)
        if state == "ended":
            return ""
        if state == "planned":
            raise NotStarted(sale_id=claim.sale_id, starts_at=row["starts_at"])
        if not row["queue"]:
            return await self._rush(row, claim)
        if not flash_pass:
            if state == "sold_out":
                raise SoldOut(sale_id=claim.sale_id)
            raise FlashPassRequired(sale_id=claim.sale_id)
        read = signing.unseal(self._secret, flash_pass, Pass)
        if read is None or read.sale != claim.sale_id or read.user != int(claim.user_id):
            raise FlashPassInvalid(sale_id=claim.sale_id)
        if read.until < clock.now().timestamp():
            raise FlashPassExpired(sale_id=claim.sale_id)
        placed = replace(claim, place=read.place)
        try:
            return await self._claims(placed)
        except CheckoutInProgress:
            # The purchase that has this pass may have been refused a moment ago: then it is free again.
            if await self.releaser.settle(claim.sale_id, read.place):
                return await self._claims(placed)
            raise

    async def give_back(self, name: Annotated[str, IN_BODY], checkout_id: CheckoutId) -> None:
        """A claim whose checkout did not begin after all: the turn is its owner's again."""
        sale_id, _, place = name.rpartition("/")
        await self.releaser.end(sale_id, [Ended(int(place), int(checkout_id), bought=False)])

    async def _rush(self, row: Any, claim: Claim) -> str:
        if _state(row) == "sold_out":
            raise SoldOut(sale_id=claim.sale_id)
        if claim.quantity > row["per_person"]:
            raise BuyerLimit(sale_id=claim.sale_id, most=row["per_person"])
        if not await self._store.run(ADMIT, [gate_key(claim.sale_id)], [claim.quantity]):
            raise SoldOut(sale_id=claim.sale_id)
        return await self._claims(claim)

    async def _claim_many(self, claims: list[Claim]) -> list[str | Exception]:
        """Both kinds in one transaction: the sales are locked where limits have to be counted."""
        view = self._standing.known or {}
        queued = [claim for claim in claims if claim.place]
        rush = [claim for claim in claims if not claim.place]
        limited = {
            claim.sale_id
            for claim in claims
            if not claim.place
            or (row := view.get(claim.sale_id)) is None
            or row["per_card"]
            or row["per_address"]
        }
        made: dict[int, int] = {}
        now = clock.now()
        async with self._db.acquire() as connection, connection.transaction():
            if limited:
                await connection.execute(queries.lock_sales, sorted(limited))
            for statement, asks in ((queries.claim, queued), (queries.rush, rush)):
                if asks:
                    rows = await connection.fetch(statement, *sql.columns(map(_columns, asks)), now)
                    made |= {row["checkout_id"]: row["place"] for row in rows}
        refused = [claim for claim in claims if claim.checkout_id not in made]
        why = await self._why_not(refused) if refused else {}
        return [
            f"{claim.sale_id}/{made[claim.checkout_id]}"
            if claim.checkout_id in made
            else why[claim.checkout_id]
            for claim in claims
        ]

    async def _why_not(self, claims: list[Claim]) -> dict[int, Exception]:
        """For each that was refused the reason, of all with one look: in a rush nearly all are."""
        asks = [(claim.sale_id, claim.place, claim.user_id, claim.checkout_id) for claim in claims]
        found = {row["checkout_id"]: row for row in await self._db.fetch(queries.why_not, *sql.columns(asks))}
        return {claim.checkout_id: _refusal(claim, found[claim.checkout_id]) for claim in claims}

    # -- the operator

    async def act(self, caller: Caller, sale_id: str, act: Act) -> Sale:
        """Start now, pause, resume, another rate or ceiling, more units, the end: kept with who and why."""
        row = await self._row(sale_id)
        if (act.amount is None) == (act.what in ("rate", "ceiling", "units")):
            raise Invalid("Say how many, where a number is changed.", pointer="/amount")
        if act.what in ("ceiling", "units") and not act.amount:
            raise Invalid("This must be at least 1.", pointer="/amount")
        if act.what == "units":
            offer_id = OfferId(row["offer_id"])
            stock = (await self._inventory.stock([offer_id])).get(offer_id)
            spare = (stock.available if stock else 0) - (row["units"] - row["sold"])
            if spare < (act.amount or 0):
                raise NotPossible(f"Only {max(spare, 0)} more are in stock.", available=max(spare, 0))
        done = await self._db.fetchval(
            queries.act,
            sale_id,
            _name(caller),
            act.what,
            act.amount,
            act.why,
            clock.now(),
        )
        if done is None:
            raise NotPossible
        self._standing.forget()
        return await self.sale(sale_id)

    async def room(self, sale_id: str) -> Room:
        """What the control room shows."""
        row = await self._row(sale_id)
        counts: Any = await self._db.fetchrow(queries.counts, sale_id)
        health, acts = await asyncio.gather(self._checkout.health(_LATELY_S), self.acts(sale_id))
        return Room(
            sale=_shown(row),
            rate=row["rate"],
            ceiling=row["ceiling"],
            issued=counts["waiting"],
            claimed=counts["claimed"],
            used=counts["used"],
            lapsed=counts["lapsed"],
            health=health,
            acts=acts[:30],
        )

    async def acts(self, sale_id: str) -> list[Done]:
        """What was done to a sale, by whom and why, the latest first."""
        return sql.rows(Done, await self._db.fetch(queries.actions, sale_id, _ACTS_MAX))

    # -- what is known here

    async def _row(self, sale_id: str) -> Any:
        row = (await self._standing.get()).get(sale_id)
        if row is None:
            row = await self._db.fetchrow(queries.sale, sale_id) if len(sale_id) <= 40 else None
            if row is None:
                raise NotFound("There is no such sale.")
        return row

    async def _read_standing(self) -> dict[str, Any]:
        rows = {row["sale_id"]: row for row in await self._db.fetch(queries.standing)}
        self._standing.fresh_s = SOON_S if any(map(all_promised, rows.values())) else _FRESH_S
        return rows


def _shown(row: Any) -> Sale:
    drawn = row["drawn"] is not None
    return Sale(
        sale_id=row["sale_id"],
        title=row["title"],
        product_id=ProductId(row["product_id"]),
        offer_id=OfferId(row["offer_id"]),
        state=_state(row),
        starts_at=row["starts_at"],
        ends_at=row["ends_at"],
        serving=row["serving"],
        joined=row["joined"],
        rate=round(row["rate"] * row["pace"], 2),
        left=row["units"] - row["sold"],
        promised=row["taken"] - row["sold"],
        units=row["units"],
        per_person=row["per_person"],
        window_s=row["window_s"],
        queue=row["queue"],
        members_only=row["members_only"],
        commitment=row["commitment"].hex(),
        drawn=row["drawn"],
        seed=row["seed"].hex() if drawn else None,
        roll=row["roll"].hex() if drawn else None,
    )


def _name(caller: Caller) -> str:
    return caller.email or caller.name or str(caller.user_id)


def _seconds(at: datetime | None) -> int | None:
    return int(at.timestamp()) if at else None


def _state(row: Any) -> State:
    """Sold out is seen from the count: whoever sold the last unit need not say so."""
    return "sold_out" if row["state"] != "ended" and row["sold"] == row["units"] else row["state"]


def _refusal(claim: Claim, found: Any) -> Exception:
    facts = {"sale_id": claim.sale_id}
    if found["sale"] in (None, "ended"):
        return FlashPassInvalid("This sale is over.", **facts)
    if not claim.place:
        full = found["free"] < claim.quantity
        return SoldOut(**facts) if full and not found["has_turn"] else BuyerLimit(**facts)
    if found["user_id"] != claim.user_id:
        return FlashPassInvalid(**facts)
    if found["state"] == "lapsed" or found["until"] < clock.now():
        return FlashPassExpired(**facts)
    if found["state"] == "used":
        return FlashPassInvalid("This pass was used.", **facts)
    if found["state"] == "claimed":
        return CheckoutInProgress("A purchase with this pass is under way. Wait for it.")
    return BuyerLimit(**facts)


def _columns(claim: Claim) -> tuple[Any, ...]:
    return (
        claim.sale_id,
        claim.place,
        claim.user_id,
        claim.checkout_id,
        claim.quantity,
        claim.card,
        claim.address,
    )
