"""The routes of media."""

from mercat.kit.verbs import Verb
from mercat.media.service import Media

API = [
    Verb(Media.add),
    Verb(Media.add_drafts),
    Verb(Media.add_to_product),
    Verb(Media.list_product),
    Verb(Media.media, reads=True),
    Verb(Media.picture, reads=True),
]
