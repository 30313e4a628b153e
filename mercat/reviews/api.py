from mercat.kit.verbs import Verb
from mercat.reviews.service import Reviews

API = [
    Verb(Reviews.of_people, reads=True),
    Verb(Reviews.adopt),
    Verb(Reviews.write),
    Verb(Reviews.newest, reads=True),
    Verb(Reviews.rating, reads=True, many=True),
    Verb(Reviews.helpful),
    Verb(Reviews.one, reads=True),
    Verb(Reviews.edit),
    Verb(Reviews.remove),
    Verb(Reviews.report),
    Verb(Reviews.reply),
    Verb(Reviews.moderated, reads=True),
    Verb(Reviews.hide),
    Verb(Reviews.show),
    Verb(Reviews.to_moderate, reads=True),
    Verb(Reviews.start),
    Verb(Reviews.seed),
]
