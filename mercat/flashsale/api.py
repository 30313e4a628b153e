from mercat.flashsale.service import FlashSales
from mercat.kit.rpc import Route

API = [
    Route("POST", "/sales", FlashSales.create),
    Route("GET", "/sales", FlashSales.sales),
    Route("GET", "/sales/{sale_id}", FlashSales.sale),
    Route("GET", "/sales/{sale_id}/document", FlashSales.document),
    Route("GET", "/switched-off", FlashSales.switched_off),
    Route("PUT", "/sales/{sale_id}/switched-off", FlashSales.switch_off),
    Route("GET", "/sales/{sale_id}/verdict", FlashSales.verify),
    Route("POST", "/sales/{sale_id}/certificate", FlashSales.certify),
    Route("GET", "/sales/{sale_id}/certificate", FlashSales.certificate),
    Route("POST", "/sales/{sale_id}/queue", FlashSales.join),
    Route("GET", "/sales/{sale_id}/queue", FlashSales.place),
    Route("GET", "/watched", FlashSales.watched),
    Route("POST", "/adopted/{guest}/{member}", FlashSales.adopt, status=200),
    Route("POST", "/claims", FlashSales.claim, status=200),
    Route("GET", "/sales/{sale_id}/room", FlashSales.room),
    Route("POST", "/given-back", FlashSales.give_back, status=200),
    Route("POST", "/sales/{sale_id}/acts", FlashSales.act),
    Route("GET", "/sales/{sale_id}/acts", FlashSales.acts),
]
