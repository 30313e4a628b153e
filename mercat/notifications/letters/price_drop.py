"""Something on a wishlist costs less."""

from mercat.events import PriceDropped
from mercat.notifications.letter import LetterKind, Optional
from mercat.notifications.letters._wished import WishedProduct, keepers
from mercat.notifications.lookup import Lookup, Note

KIND = LetterKind(
    PriceDropped,
    subject_id=lambda fact: fact.product_id,
    optional=Optional("Something on your wishlists costs less"),
    lookup=Lookup(
        PriceDropped,
        keepers,
        notes=lambda fact: [Note(int(fact.product_id), fact, fact.version)],
        delay_s=lambda settings: settings.alert_delay_s,
    ),
    shown=WishedProduct,
)
