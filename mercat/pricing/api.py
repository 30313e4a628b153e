"""The routes of pricing."""

from mercat.kit.verbs import Verb
from mercat.pricing.service import Pricing
from mercat.pricing.tax_records import TaxRecords

API = [
    Verb(Pricing.total, reads=True),
    Verb(Pricing.seal, reads=True),
    Verb(Pricing.honour),
    Verb(Pricing.includes_tax, reads=True),
    Verb(Pricing.tax_rules, reads=True),
    Verb(Pricing.set_tax_rules),
    Verb(Pricing.sold_without_rate, reads=True),
    Verb(TaxRecords.tax_records, reads=True),
    Verb(TaxRecords.retry_tax_record),
    Verb(Pricing.tax_exemptions, reads=True),
    Verb(Pricing.exempt_from_tax),
    Verb(Pricing.tax_again),
]
