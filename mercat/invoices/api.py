"""The routes of invoices."""

from mercat.invoices.service import Invoices
from mercat.kit.verbs import Verb

API = [
    Verb(Invoices.papers_of),
    Verb(Invoices.details, reads=True),
    Verb(Invoices.set_details),
]
