from mercat.kit.verbs import Verb
from mercat.search.service import Search

API = [
    Verb(Search.find, reads=True),
    Verb(Search.suggest, reads=True),
    Verb(Search.explain, reads=True),
    Verb(Search.rules, reads=True),
    Verb(Search.add_rule),
    Verb(Search.change_rule),
    Verb(Search.remove_rule),
    Verb(Search.rule_changes, reads=True),
    Verb(Search.rule_change_counts, reads=True),
    Verb(Search.put_back_rule),
    Verb(Search.category_counts, reads=True),
    Verb(Search.learn),
    Verb(Search.learnt, reads=True),
    Verb(Search.take_back),
]
