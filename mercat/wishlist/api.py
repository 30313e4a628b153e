from mercat.kit.verbs import Verb
from mercat.wishlist.service import Wishlist
from mercat.wishlist.watching import Watching

API = [
    Verb(Wishlist.adopt),
    Verb(Wishlist.items, reads=True),
    Verb(Wishlist.put),
    Verb(Wishlist.drop),
    Verb(Wishlist.lists, reads=True),
    Verb(Wishlist.add),
    Verb(Wishlist.rename),
    Verb(Wishlist.remove),
    Verb(Wishlist.items_of, reads=True),
    Verb(Wishlist.put_into),
    Verb(Wishlist.drop_from),
    Verb(Wishlist.alert),
    Verb(Wishlist.shared, reads=True),
    Verb(Watching.keepers, reads=True),
]
