"""Something on a wishlist can be bought again."""

from mercat.events import BackInStock
from mercat.notifications.letter import LetterKind, Optional
from mercat.notifications.letters._wished import WishedProduct, keepers
from mercat.notifications.lookup import Lookup, Note

KIND = LetterKind(
    BackInStock,
    subject_id=lambda fact: fact.product_id,
    optional=Optional("Something on your wishlists can be bought again"),
    lookup=Lookup(
        BackInStock,
        keepers,
        notes=lambda fact: [Note(int(fact.product_id), fact, fact.version)],
        delay_s=lambda settings: settings.alert_delay_s,
    ),
    shown=WishedProduct,
)
