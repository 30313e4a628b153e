from mercat.kit.verbs import Verb
from mercat.recommendations.service import Recommendations

API = [
    Verb(Recommendations.bought_together, reads=True),
    Verb(Recommendations.around, reads=True),
    Verb(Recommendations.similar, reads=True),
    Verb(Recommendations.goes_with, reads=True),
    Verb(Recommendations.for_you, reads=True),
    Verb(Recommendations.popular, reads=True),
    Verb(Recommendations.popular_near, reads=True),
    Verb(Recommendations.for_sale, reads=True),
]
