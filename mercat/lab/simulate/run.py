"""Real purchases on real engines, broken off where a seed says, recovered, and held to the laws.

A seed is one shop with little stock and a handful of shoppers with good and bad cards, in two processes that
sell the same shelves. Statements, commits and Valkey calls are broken off: the process dies, an answer is
lost, or a worker falls asleep and wakes up when others have taken over. Banks ask their customers and send
notices about it, prices change, the clock moves past the lease, a third process recovers, the shoppers ask
again with their keys; then orders are cancelled, sent and returned in the same way, and the laws must hold.
"""

import asyncio
import random
from collections.abc import Coroutine
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import msgspec

from mercat.checkout import (
    AskReturn,
    Buy,
    CancelAsk,
    CheckoutAnswer,
    Confirmed,
    Party,
    Pending,
    RefundAsk,
    Ship,
    Staff,
    Track,
)
from mercat.flashsale import Act
from mercat.ids import CheckoutId, OfferId, OrderId, ReturnId, SellerId, UserId, parse
from mercat.kit.clock import clock
from mercat.kit.db_errors import AWAY
from mercat.kit.refusals import Refusal, Unavailable
from mercat.kit.rpc import Caller
from mercat.lab.simulate.faults import Crash, FaultPlan, SimulatedProcess
from mercat.lab.simulate.furnishing import furnish
from mercat.lab.simulate.laws import OVERSOLD, Promise, Seen, broken_laws
from mercat.lab.simulate.stage import Stage
from mercat.orders import LineQuantity, Order, OrderLineView
from mercat.payments import ChallengeOutcome, Webhook
from mercat.returns import GoodsReturn, ReceivedGoods, ReceivedUnits, Sent, UnitCondition, Withheld

T = TypeVar("T")
_LEASE_OVER = timedelta(seconds=20)
_TOO_LATE = timedelta(seconds=80)
_WALKED_AWAY = timedelta(seconds=1_000)
_ENOUGH_S = 60
_MEDDLES = 0.3
"""How often each party cancels units, or pays back, of an order."""
_STORED = """
select a.body from checkout.checkout c join checkout.answer a using (checkout_id)
where c.user_id = $1 and c.key = $2
"""


class Run:
    """One seed, from the first purchase to the laws."""

    def __init__(self, stage: Stage, seed: int) -> None:
        self.stage = stage
        self.dice = random.Random(seed)
        self.seed = seed
        self.plan = FaultPlan(seed)
        self.now = datetime.now(UTC)
        self.bought = self.refused = self.largest_set = 0
        self.answers: dict[str, bytes] = {}
        self.wrong: list[str] = []
        self.fences: dict[int, int] = {}
        self.asks: dict[str, tuple[Caller, Buy]] = {}
        self.offers: list[tuple[SellerId, OfferId]] = []
        self.tasks: list[asyncio.Task[None]] = []
        self.tickets: dict[str, tuple[str, CheckoutId]] = {}
        """Of those whose bank asks them first."""
        self.names: dict[OrderId, str] = {}
        self.sale = ""
        """The flash sale, without a waiting room: whoever is first at the till."""
        self.log_before = 0
        self.promised: list[Promise] = []
        """What shoppers and sellers were told of an order."""
        self.told_of_returns: list[tuple[ReturnId, str]] = []
        """What they were told of a return."""

    async def through(self) -> list[str]:
        """Run the seed; answer what was broken: laws, and promises to shoppers."""
        stage, turns = self.stage, self.stage.turns
        turns.dice, turns.trace = self.dice, []
        random.seed(self.seed)  # ids take their bucket from here
        clock.drive(lambda: self.now)
        for process in stage.processes:
            process.begin(self.plan)
            process.seen = [self._watch]
            process.sorts = self._sorts
        try:
            async with asyncio.timeout(_ENOUGH_S):
                turns.free = True
                self.log_before = await stage.reader.fetchval("select last_id from events.relayed")
                furniture = await furnish(stage, self.seed, self.dice, self.now)
                self.asks, self.offers, self.sale = furniture.asks, furniture.offers, furniture.sale
                turns.free = False
                await self._play()
                turns.free = True
                await self._end_the_sale()
        except TimeoutError:
            self.wrong.append("a run comes to an end")
        finally:
            for task in self.tasks:
                task.cancel()
            await asyncio.gather(*self.tasks, return_exceptions=True)
            turns.free = True
        seen = Seen(self.names, self.sale, self.log_before, self.promised, self.told_of_returns)
        return self.wrong + await broken_laws(stage.reader, seen)

    async def _play(self) -> None:
        for part in (self._buying, self._taking_over, self._afterwards):
            await part()
            await self._look_at_the_shelves()
        await self._all_is_well_again()

    async def _look_at_the_shelves(self) -> None:
        """Check the stock now: goods that come back would hide that too many were sold."""
        offers = [offer_id for _, offer_id in self.offers]
        if await self.stage.reader.fetchval(OVERSOLD, offers):
            self.wrong.append("stock is never oversold")

    async def _buying(self) -> None:
        """Let everybody buy; then banks ask, and tell what they were answered: early, twice, in any order."""
        dice = self.dice
        for key in self.asks:
            self._start(self._buy(self._either(), key))
            if dice.random() < 0.3:  # the same key in another tab
                self._start(self._buy(self.stage.two, key))
        await self.stage.turns.until_quiet()
        if dice.random() < 0.4:  # who slept for a moment only still has the lease
            self._wake()
            await self.stage.turns.until_quiet()
        for key in sorted(self.tickets):
            for n in range(dice.choice((0, 0, 1, 2))):
                self._start(self._send_webhook(self._either(), key, f"{key}/{n}"))
            if dice.random() < 0.7:  # the others walk away
                outcome = "approve" if dice.random() < 0.8 else "fail"
                self._start(self._answer_bank(self._either(), key, ChallengeOutcome(outcome)))
        await self.stage.turns.until_quiet()

    async def _taking_over(self) -> None:
        """Let time pass: a third process takes over what is left, shoppers ask again, late webhooks come."""
        stage, dice = self.stage, self.dice
        await self._change_prices()
        orders = await self._orders()
        self.now += dice.choice((_LEASE_OVER, _TOO_LATE))
        stage.one.dead = stage.two.dead = False
        self._start(self._recover())
        self._print_some(orders)
        self._start_followers()
        for key in self.asks:
            if dice.random() < 0.3:
                self._start(self._buy(stage.two, key))
        for key in sorted(self.tickets):
            if dice.random() < 0.3:  # the first one again, or one that is late
                self._start(self._send_webhook(stage.two, key, f"{key}/0"))
        await self._quiet()

    async def _quiet(self) -> None:
        """Go on until nobody has anything to do; who slept wakes up while others work, or afterwards."""
        stage = self.stage
        if self.dice.random() < 0.5:
            self._wake()
        await stage.turns.until_quiet()
        while any(process.asleep for process in stage.processes):
            self._wake()
            await stage.turns.until_quiet()

    async def _afterwards(self) -> None:
        """Cancel some orders or units, send some, do both at once to some; then pay some back, and of what
        arrives, some comes back."""
        stage = self.stage
        stage.one.dead = stage.two.dead = stage.recovery.dead = False
        orders = await self._orders()
        for order in orders:
            self._cancel_or_send(order)
        self._print_some(orders)
        self._start_followers()
        await self._quiet()
        await self._sending_back()
        self.now += _LEASE_OVER
        stage.one.dead = stage.two.dead = False
        self._start(self._recover())
        await self._quiet()

    def _cancel_or_send(self, order: Order) -> None:
        dice = self.dice
        for _ in range(dice.choice((0, 0, 0, 1, 2))):
            self._start(self._cancel(self._either(), order))
        parties: tuple[Party, ...] = ("shopper", "seller", "operator")
        for by in parties:
            if dice.random() < _MEDDLES:
                self._start(self._cancel_units(order, by, again=dice.random() < 0.5))
        for part in order.parts:
            if dice.random() < 0.7:
                self._start(self._send(self._either(), order, part.seller_id))

    async def _sending_back(self) -> None:
        """Let parcels arrive and some of what was in them come back: asked for, decided by whoever is first,
        sent, received, each broken off and tried by several at once; meanwhile some of it is paid back where
        it is."""
        for order in await self._orders():
            if any(line.shipped for line in order.lines):
                self._start(self._arrives(self._either(), order))
        await self._quiet()
        for order in await self._orders():
            for seller_id in sorted({line.seller_id for line in order.lines if line.delivered}):
                for n in range(self.dice.choice((1, 2))):
                    self._start(self._ask_back(self._either(), order, seller_id, n))
        await self._time_passes()
        for verbs in (
            (self._approves,) * 4 + (self._refuses, self._withdraws),
            (self._sends_back, self._sends_back, self._withdraws),
        ):
            for back in await self._returns():
                for _ in range(self.dice.choice((1, 2))):
                    self._start(self.dice.choice(verbs)(self._either(), back))
            await self._quiet()
            self._revive()
        orders, returns = (
            await self._orders(),
            await self._returns(),
        )  # while they are read nobody takes turns
        for order in orders:
            self._pay_back(order)
        for back in returns:
            for _ in range(self.dice.choice((1, 1, 2))):
                self._start(self._receives(self._either(), back))
        await self._quiet()

    async def _time_passes(self) -> None:
        """Let leases lapse, and a living process recover."""
        await self._quiet()
        self._revive()
        self.now += _LEASE_OVER
        self._start(self._recover())
        await self._quiet()
        self._revive()

    def _revive(self) -> None:
        for process in self.stage.processes:
            process.dead = False

    def _pay_back(self, order: Order) -> None:
        dice = self.dice
        staff: tuple[Staff, ...] = ("seller", "operator")
        for by in staff:
            if dice.random() < _MEDDLES:
                amount = dice.choice((None, order.total // 3, order.total))
                self._start(self._refund(order, by, amount, again=dice.random() < 0.5))

    async def _all_is_well_again(self) -> None:
        """End the faults; who walked away has been away long enough, and all ask once more."""
        stage = self.stage
        self.plan.over = True
        for process in stage.processes:
            process.dead = False
        for passed in (_LEASE_OVER, _TOO_LATE):
            self.now += passed
            self._start(self._recover())
            await self._quiet()
        for _ in range(2):  # what becomes free when somebody has walked away may be had now
            for key in self.asks:
                self._start(self._buy(stage.one, key))
            await stage.turns.until_quiet()
            self.now += _WALKED_AWAY
            self._start(self._recover())
            await self._quiet()
        for back in stage.backs[:1]:
            self._start(back.relay())
            await stage.turns.until_quiet()
            self._start(back.follow())
            await stage.turns.until_quiet()
        if any(not task.done() for task in self.tasks):
            self.wrong.append("everybody is answered")
        self.wrong += [
            f"nobody meets a bug ({type(error).__name__})"
            for task in self.tasks
            if task.done() and (error := task.exception())
        ]

    def _start_followers(self) -> None:
        """Start a relay, and followers in two processes, one of which may not know that it was replaced."""
        for back in self.stage.backs:
            self._start(back.follow())
        self._start(self.stage.backs[0].relay())

    def _either(self) -> SimulatedProcess:
        return self.stage.one if self.dice.random() < 0.5 else self.stage.two

    def _start(self, work: Any) -> None:
        self.tasks.append(asyncio.create_task(work))

    def _wake(self) -> None:
        for process in self.stage.processes:
            process.wake.set()
            process.wake = asyncio.Event()

    async def _recover(self) -> None:
        checkout = self.stage.recovery.shop.checkout
        webhooks = checkout.webhooks.retry_waiting
        for work in (checkout.recovery.recover, webhooks, checkout.aftercare.recover):
            try:
                while await work():
                    if work == webhooks:
                        break  # one whose checkout is busy waits for the next round
            except (Crash, Unavailable, *AWAY):
                continue  # the next round sees to what is left
        with suppress(Crash, Unavailable, *AWAY):
            await self.stage.recovery.shop.flashsale.settle(self.sale)

    async def _send_webhook(self, process: SimulatedProcess, key: str, event_id: str) -> None:
        """Send the bank's webhook about a purchase that it asked its customer about."""
        checkout_id = self.tickets[key][1]
        provider = vars(process.shop.payments)["_provider"]
        body, signature = provider.webhook(checkout_id, f"{event_id}/{checkout_id}")
        await self._attempt(
            process, process.shop.checkout.receive_webhook(Webhook("sandbox", body, signature))
        )

    async def _answer_bank(self, process: SimulatedProcess, key: str, outcome: ChallengeOutcome) -> None:
        answer = await self._attempt(process, process.shop.checkout.challenge(self.tickets[key][0], outcome))
        if answer:
            await self._check_answer(key, self.asks[key][0], answer)

    async def _cancel(self, process: SimulatedProcess, order: Order) -> None:
        caller = self.asks[self.names[order.order_id]][0]
        if await self._attempt(process, process.shop.checkout.cancel(caller, order.order_id)):
            self.promised.append(Promise(order.order_id, "cancelled"))

    async def _cancel_units(self, order: Order, by: Party, *, again: bool) -> None:
        """Cancel one unit of the first line that is theirs; asked again with the key, in another process."""
        caller, lines = self._party(order, by)
        ask = CancelAsk([LineQuantity(lines[0].order_line_id, 1)], once=f"{by}/{int(order.order_id)}")
        for process in (self.stage.one, self.stage.two)[: 1 + again]:
            work = process.shop.checkout.cancel(caller, order.order_id, ask, by)
            if await self._attempt(process, work):
                self.promised.append(Promise(order.order_id, "units cancelled", lines[0].seller_id))

    async def _refund(self, order: Order, by: Staff, amount: int | None, *, again: bool) -> None:
        """Pay an amount back, or a unit; asked again with the key, in another process."""
        caller, lines = self._party(order, by)
        units = None if amount else [LineQuantity(lines[0].order_line_id, 1)]
        ask = RefundAsk(lines=units, amount=amount, reason="Sorry.", once=f"{by}/{int(order.order_id)}")
        for process in (self.stage.one, self.stage.two)[: 1 + again]:
            if await self._attempt(process, process.shop.checkout.refund(caller, order.order_id, ask, by)):
                self.promised.append(Promise(order.order_id, "refunded"))

    def _party(self, order: Order, by: Party) -> tuple[Caller, list[OrderLineView]]:
        """Answer who asks, and the lines that are theirs to move."""
        if by == "shopper":
            return self.asks[self.names[order.order_id]][0], order.lines
        if by == "operator":
            return Caller(UserId(0), frozenset({"operator"}), email="ops@example.com"), order.lines
        seller_id = order.parts[-1].seller_id
        own = [line for line in order.lines if line.seller_id == seller_id]
        return Caller(UserId(1), frozenset({"seller"}), seller_id), own

    def _print_some(self, orders: list[Order]) -> None:
        """Let some shoppers print invoices: papers are issued by whoever asks, and by who follows the log."""
        for order in orders:
            if self.dice.random() < 0.4:
                process = self._either()
                papers = process.shop.invoices.papers_of(order.order_id)
                self._start(self._attempt(process, papers))

    async def _send(self, process: SimulatedProcess, order: Order, seller_id: SellerId) -> None:
        """Send all of a seller's part that is not cancelled."""
        seller = Caller(UserId(1), frozenset({"seller"}), seller_id)
        lines = [
            LineQuantity(line.order_line_id, line.quantity - line.cancelled)
            for line in order.lines
            if line.seller_id == seller_id and line.quantity > line.cancelled
        ]
        ask = Ship(order.order_id, lines, "Post", "T-1")
        if await self._attempt(process, process.shop.checkout.ship(seller, ask)):
            self.promised.append(Promise(order.order_id, "shipped", seller_id))

    async def _arrives(self, process: SimulatedProcess, order: Order) -> None:
        """Let every parcel of an order arrive."""
        for parcel in await self._attempt(process, process.shop.fulfilment.of_order(order.order_id)) or []:
            seller = Caller(UserId(1), frozenset({"seller"}), parcel.seller_id)
            track = process.shop.checkout.track(seller, parcel.shipment_id, Track("delivered"))
            await self._attempt(process, track)

    async def _ask_back(self, process: SimulatedProcess, order: Order, seller_id: SellerId, n: int) -> None:
        """Ask to send one thing of each of a seller's lines back, some with a key, and then twice."""
        caller = self.asks[self.names[order.order_id]][0]
        own = [line for line in order.lines if line.seller_id == seller_id and line.delivered]
        lines = [LineQuantity(line.order_line_id, 1) for line in own]
        ask = AskReturn(lines, self.dice.choice(("damaged", "not_needed")))
        once = f"{n}" if self.dice.random() < 0.5 else ""
        for _ in range(2 if once else 1):
            asks = process.shop.checkout.ask_return(order.order_id, caller.user_id, ask, once)
            if back := await self._attempt(process, asks):
                self.told_of_returns.append((back.return_id, "asked"))

    async def _approves(self, process: SimulatedProcess, back: GoodsReturn) -> None:
        seller_id = back.seller_id if self.dice.random() < 0.7 else None
        if await self._attempt(process, process.shop.returns.approve(back.return_id, seller_id)):
            self.told_of_returns.append((back.return_id, "approved"))

    async def _refuses(self, process: SimulatedProcess, back: GoodsReturn) -> None:
        refuses = process.shop.checkout.refuse_return(back.return_id, "Worn.", back.seller_id)
        if await self._attempt(process, refuses):
            self.told_of_returns.append((back.return_id, "refused"))

    async def _withdraws(self, process: SimulatedProcess, back: GoodsReturn) -> None:
        withdraws = process.shop.checkout.withdraw_return(back.order_id, back.return_id)
        if await self._attempt(process, withdraws):
            self.told_of_returns.append((back.return_id, "withdrawn"))

    async def _sends_back(self, process: SimulatedProcess, back: GoodsReturn) -> None:
        sends = process.shop.returns.sent(back.return_id, back.order_id, Sent("Post", "R-1"))
        if await self._attempt(process, sends):
            self.told_of_returns.append((back.return_id, "sent"))

    async def _receives(self, process: SimulatedProcess, back: GoodsReturn) -> None:
        """Say what was in a parcel, as the seller or an operator, and each as they see it."""
        dice = self.dice
        conditions: tuple[UnitCondition, ...] = ("sellable", "damaged", "missing")
        lines = [ReceivedUnits(line.order_line_id, 1, dice.choice(conditions)) for line in back.lines]
        withheld = Withheld(1, "Used.") if dice.random() < 0.3 else None
        seller_id = back.seller_id if dice.random() < 0.7 else None
        goods = ReceivedGoods(lines, withheld)
        receives = process.shop.checkout.receive_return(back.return_id, goods, seller_id)
        if await self._attempt(process, receives):
            self.promised.append(Promise(back.order_id, "returned", back.seller_id))
            self.told_of_returns.append((back.return_id, "received"))

    async def _returns(self) -> list[GoodsReturn]:
        """List this seed's returns, in the order of its shoppers and of their asking."""
        turns = self.stage.turns
        turns.free = True
        book = self.stage.one.shop.returns
        found = [back for order_id in self.names for back in reversed(await book.of_order(order_id))]
        turns.free = False
        return found

    async def _attempt(self, process: SimulatedProcess, work: Coroutine[Any, Any, T]) -> T | None:
        """Do something; answer None where nobody was told that it is done."""
        try:
            answer = await work
        except (Crash, Refusal, *AWAY):
            return None  # whoever asked asks again, or recovery carries it on
        return None if process.dead else answer

    async def _orders(self) -> list[Order]:
        """List this seed's orders, in the order of its shoppers."""
        turns = self.stage.turns
        turns.free = True
        found: list[Order] = []
        for key, (caller, _) in self.asks.items():
            book = self.stage.one.shop.orders
            for summary in (await book.list_of([caller.user_id])).orders:
                found.append(await book.order(summary.order_id, [caller.user_id]))
                self.names[summary.order_id] = key
        turns.free = False
        return found

    async def _change_prices(self) -> None:
        turns = self.stage.turns
        turns.free = True
        for seller_id, offer_id in self.offers:
            await self.stage.one.shop.catalog.change_offer(seller_id, offer_id, self.dice.randint(500, 5_000))
        turns.free = False

    async def _end_the_sale(self) -> None:
        operator = Caller(UserId(0), frozenset({"operator"}), email="ops@example.com")
        await self.stage.one.shop.flashsale.act(operator, self.sale, Act("end", "It is over."))

    async def _buy(self, process: SimulatedProcess, key: str) -> None:
        caller, ask = self.asks[key]
        answer = await self._attempt(process, process.shop.checkout.buy(caller, key, ask))
        if answer:
            await self._check_answer(key, caller, answer)

    async def _check_answer(self, key: str, caller: Caller, answer: CheckoutAnswer) -> None:
        """Check that a final answer is stored before it is heard, and the same for ever."""
        if isinstance(answer.outcome, Pending):
            if step := answer.outcome.next_action:
                ticket = step.url.rsplit("/", 1)[1]
                self.tickets[key] = ticket, await self.stage.one.shop.payments.challenged(ticket)
            return
        async with self.stage.turns.turn("shopper hears"):
            stored = await self.stage.reader.fetchval(_STORED, caller.user_id, key)
        if stored != answer.body:
            self.wrong.append("an answer is given after its commit")
        if key in self.answers and self.answers[key] != answer.body:
            self.wrong.append("a final answer never changes")
        if key not in self.answers:
            self.bought += isinstance(answer.outcome, Confirmed)
            self.refused += not isinstance(answer.outcome, Confirmed)
        self.answers[key] = answer.body

    def _watch(self, name: str, args: tuple[Any, ...], answer: Any) -> None:
        """Check that who lost the lease of a checkout writes nothing more to it."""
        if name == "checkout.take_over" and answer:
            self.fences[args[0]] = answer["fence"]
        elif name == "checkout.begin_many":
            self.largest_set = max(self.largest_set, len(answer))
        elif name == "checkout.take_over_lapsed":
            self.fences |= {row["checkout_id"]: row["fence"] for row in answer}
        elif name in ("checkout.decide_many", "checkout.finish_many"):
            asked = set(zip(args[0], args[1], strict=True))
            for row in answer:
                if (row[0], self.fences.get(row[0], 1)) not in asked:
                    self.wrong.append("who lost the lease writes nothing")

    def _sorts(self, name: str, row: Any) -> Any:
        """Order rows by what is of the seed: ids are not, and work begins in the order of rows."""
        if name == "checkout.take_over_lapsed":
            return row["key"]
        if name == "payments.take_pending_webhooks":
            return row["event_id"]
        record = msgspec.json.decode(row["record"])
        order = record.get("order_id") or record["ask"]["order_id"]
        # By what was asked: the number in a reference is not of the seed.
        move: dict[str, Any] = record.get("move") or {}
        moved = [str(move.get(name)) for name in ("who", "seller_id", "lines", "amount", "reason")]
        asked = (*moved, record.get("seller_id") or "", str(record.get("lines")))
        kind, back = row["reference"].partition("/")[0], record.get("return_id", "")
        return self.names[parse(OrderId, order)], kind, *asked, back
