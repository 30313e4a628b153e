"""What letters about a product on a wishlist have in common."""

from msgspec import Struct

from mercat.events import BackInStock, PriceDropped
from mercat.ids import ProductId
from mercat.notifications.lookup import Asked, Found, addressees
from mercat.notifications.sources import Sources


class WishedProduct(Struct, frozen=True):
    """A product that somebody keeps, as it is now."""

    product_id: ProductId
    title: str
    price: int
    currency: str
    was_price: int = 0


async def keepers(ask: Sources, asked: Asked) -> Found | None:
    """Find the next of who keeps a product; nobody where the news is not true any more."""
    [change] = asked.about
    fact: PriceDropped | BackInStock = change
    cards = await ask.catalog.cards([fact.product_id])
    if not cards or not cards[0].in_stock:
        return None
    was_price = fact.was_price if isinstance(fact, PriceDropped) else 0
    if was_price and cards[0].price >= was_price:
        return None
    page = await ask.wishlist.keepers(fact.product_id, asked.after)
    people = addressees(await ask.accounts.contacts(page.user_ids)) if page.user_ids else []
    product = cards[0]
    shown = WishedProduct(product.product_id, product.title, product.price, product.currency, was_price)
    return Found(people, shown, page.after)
