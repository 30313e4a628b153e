"""Flash sales: a few units, many people. Waiting room, verifiable draw, passes, and what was promised kept.

    service.py    the verbs: sales, joining the queue, one's place, using a turn, what operators do
    releaser.py   the one that lets people in, once a second, and brings back what an engine lost
    signature.py  what anybody can check
    gate.py       what checkout asks before it begins, in every process that sells

Everybody who waits reads one small document and computes from it; PostgreSQL alone says whose turn it is.
"""

from mercat.flashsale.api import API
from mercat.flashsale.gate import Gate
from mercat.flashsale.messages import (
    Act,
    BuyerLimit,
    Certificate,
    Certified,
    Claim,
    Done,
    FlashPassExpired,
    FlashPassInvalid,
    FlashPassRequired,
    Law,
    NewSale,
    NotPossible,
    Place,
    Room,
    Sale,
    SaleExists,
    SaleId,
    SaleOver,
    SoldOut,
    Verdict,
)
from mercat.flashsale.releaser import OUT, gate_key
from mercat.flashsale.service import ADMIT, FlashSales
from mercat.flashsale.signature import canonical, genuine

__all__ = [
    "ADMIT",
    "API",
    "OUT",
    "Act",
    "BuyerLimit",
    "Certificate",
    "Certified",
    "Claim",
    "Done",
    "FlashPassExpired",
    "FlashPassInvalid",
    "FlashPassRequired",
    "FlashSales",
    "Gate",
    "Law",
    "NewSale",
    "NotPossible",
    "Place",
    "Room",
    "Sale",
    "SaleExists",
    "SaleId",
    "SaleOver",
    "SoldOut",
    "Verdict",
    "canonical",
    "gate_key",
    "genuine",
]
