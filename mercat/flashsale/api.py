"""The routes of flash sales: every verb that is called from outside, and where it lives on the wire."""

from mercat.flashsale.certificates import Certificates
from mercat.flashsale.control import SaleControl
from mercat.flashsale.passes import Passes
from mercat.flashsale.sales import Sales
from mercat.flashsale.turns import IssuedTurns
from mercat.flashsale.waiting_room import WaitingRoom
from mercat.kit.rpc import Route

API = [
    Route("POST", "/sales", Sales.create),
    Route("GET", "/sales", Sales.sales),
    Route("GET", "/sales/{sale_id}", Sales.sale),
    Route("GET", "/sales/{sale_id}/document", Sales.document),
    Route("GET", "/offers", Sales.sale_offers),
    Route("GET", "/switched-off", Sales.switched_off),
    Route("PUT", "/sales/{sale_id}/switched-off", Sales.switch_off),
    Route("POST", "/sales/{sale_id}/queue", WaitingRoom.join),
    Route("GET", "/sales/{sale_id}/queue", WaitingRoom.place),
    Route("POST", "/adopted/{guest}/{member}", WaitingRoom.adopt),
    Route("POST", "/claims", Passes.claim),
    Route("POST", "/given-back", Passes.give_back),
    Route("POST", "/sales/{sale_id}/settled", IssuedTurns.settle),
    Route("POST", "/sales/{sale_id}/acts", SaleControl.act),
    Route("GET", "/sales/{sale_id}/acts", SaleControl.acts),
    Route("GET", "/sales/{sale_id}/overview", SaleControl.overview),
    Route("GET", "/sales/{sale_id}/verdict", Certificates.verify),
    Route("POST", "/sales/{sale_id}/certificate", Certificates.certify),
    Route("GET", "/sales/{sale_id}/certificate", Certificates.certificate),
]
