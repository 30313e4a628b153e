"""The routes of flash sales: every verb that is called from outside, and where it lives on the wire."""

from mercat.flashsale.certificates import Certificates
from mercat.flashsale.control import SaleControl
from mercat.flashsale.passes import Passes
from mercat.flashsale.sales import Sales
from mercat.flashsale.turns import IssuedTurns
from mercat.flashsale.waiting_room import WaitingRoom
from mercat.kit.verbs import Verb

API = [
    Verb(Sales.create),
    Verb(Sales.sales, reads=True),
    Verb(Sales.sale, reads=True),
    Verb(Sales.document, reads=True),
    Verb(Sales.sale_offers, reads=True),
    Verb(Sales.switched_off, reads=True),
    Verb(Sales.switch_off),
    Verb(WaitingRoom.join, many=True),
    Verb(WaitingRoom.place, reads=True, many=True),
    Verb(WaitingRoom.adopt),
    Verb(Passes.claim, many=True),
    Verb(Passes.give_back),
    Verb(IssuedTurns.settle),
    Verb(SaleControl.act),
    Verb(SaleControl.acts, reads=True),
    Verb(SaleControl.overview, reads=True),
    Verb(Certificates.verify, reads=True),
    Verb(Certificates.certify),
    Verb(Certificates.certificate, reads=True),
]
