"""Flash sales: a few units, many people. Waiting room, verifiable draw, passes, and what was promised kept.

    service.py       the one door: which verb stands in which part
    sales.py         sales and their plan, and the document that everybody reads
    waiting_room.py  joining the line, and where somebody stands
    passes.py        using a turn at the till; turns.py settles and lapses turns
    control.py       what an operator sees and does
    certificates.py  what anybody can check; signature.py signs it, draws.py computes the draw
    sale_runner.py   what lets people in, once a second, and brings back what an engine lost
    sale_store.py    the line and the stock gate in Valkey
    gate.py          what checkout asks before it begins, in every process that sells

Everybody who waits reads one small document and computes from it; PostgreSQL alone says whose turn it is.
"""

from mercat.flashsale.api import API
from mercat.flashsale.gate import CheckoutGate
from mercat.flashsale.messages import (
    Act,
    BuyerLimit,
    Certificate,
    Certified,
    Claim,
    DrawCheck,
    FlashPassExpired,
    FlashPassInvalid,
    FlashPassRequired,
    LawCheck,
    NewSale,
    NotPossible,
    PastAct,
    QueuePlace,
    Sale,
    SaleExists,
    SaleId,
    SaleOver,
    SaleOverview,
    SoldOut,
)
from mercat.flashsale.sale_store import ADMIT, REMOVE, gate_key
from mercat.flashsale.service import FlashSales
from mercat.flashsale.signature import canonical, genuine

__all__ = [
    "ADMIT",
    "API",
    "REMOVE",
    "Act",
    "BuyerLimit",
    "Certificate",
    "Certified",
    "CheckoutGate",
    "Claim",
    "DrawCheck",
    "FlashPassExpired",
    "FlashPassInvalid",
    "FlashPassRequired",
    "FlashSales",
    "LawCheck",
    "NewSale",
    "NotPossible",
    "PastAct",
    "QueuePlace",
    "Sale",
    "SaleExists",
    "SaleId",
    "SaleOver",
    "SaleOverview",
    "SoldOut",
    "canonical",
    "gate_key",
    "genuine",
]
