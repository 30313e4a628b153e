from starlette.requests import Request

from mercat.kit import codec
from mercat.kit.rpc import Answer, Caller
from mercat.services import Services
from mercat.web import schemas as shapes

_FOR_A_SECOND = "public, max-age=1, stale-while-revalidate=1"


class Flash:
    """Flash sales: the document that all who wait read, and the queue."""

    def __init__(self, shop: Services) -> None:
        self._shop = shop

    async def sales(self) -> Answer:
        """Flash sales that are on, or will be."""
        return _public(shapes.FlashSalesShown(await self._shop.flashsale.sales()), "flash-sales")

    async def sale(self, sale_id: str) -> Answer:
        """The sale as everybody sees it: who is served, how fast, what is left. Poll this, once a second."""
        signed = await self._shop.flashsale.document(sale_id)
        headers = {
            "Cache-Control": _FOR_A_SECOND,
            "Surrogate-Key": f"flash-sale-{sale_id}",
            "Signature-Ed25519": signed.signature,
            "Signature-Key": signed.key,
        }
        return Answer(raw=signed.body, headers=headers)

    async def certificate(self, sale_id: str) -> Answer:
        """What a finished sale was: units, passes, the order of release, the draw, the laws; signed."""
        return _public(await self._shop.flashsale.certificate(sale_id), f"flash-sale-{sale_id}")

    async def join(self, caller: Caller, request: Request, sale_id: str) -> Answer:
        """Joins the queue; again answers with the place one has (200)."""
        address: str = request.scope.get("mercat.address", "")
        place = await self._shop.flashsale.join(caller, sale_id, address)
        return Answer(place, status=201 if place.joined_now else 200)

    async def place(self, caller: Caller, sale_id: str) -> Answer:
        """One's place in the queue; when it is one's turn, the pass, which checkout takes as `Flash-Pass`."""
        return Answer(await self._shop.flashsale.place(caller, sale_id))


def _public(shown: object, key: str) -> Answer:
    headers = {"Cache-Control": _FOR_A_SECOND, "Surrogate-Key": key}
    return Answer(raw=codec.encode(shown), headers=headers)
