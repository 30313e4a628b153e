"""What flash sales are asked and what they answer."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field

from mercat.checkout import CheckoutHealth, NotAdmitted
from mercat.ids import CheckoutId, OfferId, ProductId, UserId
from mercat.kit.refusals import Conflict
from mercat.money import MINOR_MAX

SaleId = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]
Reason = Annotated[
    str, Meta(min_length=1, max_length=500, pattern=r"\S", extra={"words": "Say why, for the record."})
]
ActKind = Literal["start", "pause", "resume", "rate", "ceiling", "units", "end"]
State = Literal["planned", "open", "paused", "sold_out", "ended"]
PlaceState = Literal["drawing", "waiting", "your_turn", "bought", "lapsed", "sold_out", "ended"]


class NewSale(Struct, frozen=True, kw_only=True):
    """A sale to be: what, how many, when, and how people are let in."""

    sale_id: SaleId
    offer_id: OfferId
    units: Annotated[int, Meta(ge=1, le=10_000_000)]
    starts_at: datetime
    ends_at: datetime | None = None
    rate: Annotated[float, Meta(ge=0, le=100_000)] = 100
    ceiling: Annotated[int, Meta(ge=1, le=1_000_000)] = 1_000
    window_s: Annotated[int, Meta(ge=1, le=86_400)] = 300
    per_person: Annotated[int, Meta(ge=1, le=100)] = 1
    per_card: Annotated[int, Meta(ge=1, le=10_000)] | None = 1
    """Orders a payment method's token may pay, whoever uses it; None: any (the sandbox's cards are
    everybody's)."""
    per_address: Annotated[int, Meta(ge=1, le=10_000)] | None = 2
    queue: bool = True
    """False: no waiting room, whoever is first at the till."""
    members_only: bool = False
    price: Annotated[int, Meta(gt=0, le=MINOR_MAX)] | None = None
    """What one costs while the sale lasts, in minor units; None: as ever."""


class Sale(Struct, frozen=True, kw_only=True):
    """The one document that everybody who waits reads, from any cache. `serving`: places up to this one have
    had their turn; `left`: units not sold; `promised`: of these, held for people whose turn it is."""

    sale_id: str
    title: str
    product_id: ProductId
    offer_id: OfferId
    state: State
    starts_at: datetime
    ends_at: datetime | None
    serving: int
    joined: int
    rate: float
    left: int
    promised: int
    units: int
    per_person: int
    window_s: int
    queue: bool
    members_only: bool
    commitment: str
    """SHA-256 of the draw's seed, in hexadecimal."""
    drawn: int | None = None
    """How many were drawn: those who joined before the start."""
    seed: str | None = None
    roll: str | None = None
    """SHA-256 of the list of the drawn, lines of `number:user`."""
    price: float | None = None
    """What one costs in the sale, as a decimal of `currency`; none: as ever."""
    was_price: float | None = None
    currency: str | None = None


class QueuePlace(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where somebody stands. `place` is for good once it is drawn; `position` counts down to it: at 0 it
    is your turn, and `pass` is there."""

    ticket: str
    number: int
    state: PlaceState
    position: int | None
    ahead: int | None
    eta_s: int | None
    place: int | None
    joined_now: bool = False
    pass_: str | UnsetType = field(name="pass", default=UNSET)
    pass_until: datetime | UnsetType = UNSET


class LawCheck(Struct, frozen=True):
    """A law that was checked, on how many rows, and how many broke it."""

    law: str
    checked: int
    violations: int


class CertifiedAct(Struct, frozen=True):
    """What an operator did, in a certificate: `at` in seconds since 1970."""

    at: int
    who: str
    what: str
    amount: int | None
    why: str


class Turn(Struct, frozen=True):
    """Who was let in, by place and number: when, and what became of it."""

    place: int
    number: int
    at: int
    state: str


class Certificate(Struct, frozen=True, kw_only=True):
    """What a sale was. Times are seconds since 1970; `turns` are in the order of their places."""

    sale_id: str
    title: str
    offer_id: OfferId
    state: str
    units: int
    sold: int
    joined: int
    drawn: int
    commitment: str
    seed: str
    roll: str
    passes: int
    used: int
    lapsed: int
    opened_at: int
    sold_out_at: int | None
    ended_at: int | None
    turns: list[Turn]
    acts: list[CertifiedAct]
    laws: list[LawCheck]
    made_at: int


class Certified(Struct, frozen=True):
    """A certificate, our signature of its canonical form (RFC 8785), and the key to check it (Ed25519)."""

    certificate: Certificate
    signature: str
    key: str


class DrawCheck(Struct, frozen=True):
    """What recomputing a draw found: how many places were checked, and what is wrong."""

    drawn: int
    checked: int
    wrong: list[str]


class Signed(Struct, frozen=True):
    """A document as bytes, with our signature of them."""

    body: bytes
    signature: str
    key: str


class PastAct(Struct, frozen=True):
    """What an operator did to a sale, when and why."""

    at: datetime
    who: str
    what: str
    why: str
    amount: int | None = None


class SaleOverview(Struct, frozen=True):
    """What the control room shows: the sale, its turns, how checkout does, what was done."""

    sale: Sale
    rate: float
    ceiling: int
    issued: int
    claimed: int
    used: int
    lapsed: int
    health: CheckoutHealth
    acts: list[PastAct]


class Pass(Struct, frozen=True):
    """What a pass says, under our seal: whose turn it is, and until when (seconds since 1970)."""

    sale: str
    user: int
    place: int
    until: int


class SaleOffer(Struct, frozen=True):
    """An offer that is sold in a sale and nowhere else while the sale lasts."""

    offer_id: OfferId
    sale_id: str
    state: State
    queue: bool


class Claim(Struct, frozen=True):
    """A checkout that wants to use a turn. `place` 0: there is no waiting room."""

    sale_id: str
    place: int
    user_id: UserId
    checkout_id: CheckoutId
    quantity: int
    card: str
    address: str


class Act(Struct, frozen=True):
    """What an operator does to a sale, and why. `amount`: the new rate or ceiling, or units to add."""

    what: ActKind
    why: Reason
    amount: Annotated[int, Meta(ge=0, le=10_000_000)] | None = None


class FlashPassRequired(NotAdmitted):
    """This is sold in a flash sale. Join its queue; when it is your turn, send the pass as Flash-Pass."""


class FlashPassInvalid(NotAdmitted):
    """This pass cannot be used: it is not yours, not for this sale, or was used."""


class FlashPassExpired(NotAdmitted):
    """The time of this pass is over, and your turn has gone to the next. You may join the queue again."""


class BuyerLimit(NotAdmitted):
    """As many as one buyer may have have been bought with this card, to this address or by you."""


class SoldOut(Conflict, NotAdmitted):
    """Everything in this sale is sold. Nothing was charged."""


class NotStarted(NotAdmitted):
    """This sale has not begun."""


class SaleOver(Conflict):
    """This sale is over."""


class SaleExists(Conflict):
    """There is a sale with this name, or this offer is in a sale already."""


class NotPossible(Conflict):
    """That cannot be done with this sale as it is."""
