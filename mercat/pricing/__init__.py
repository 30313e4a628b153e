"""Pricing: what a basket costs at a destination. It is handed current prices; it keeps the rates of tax.

One calculator makes every total. A quote is a signed paper: what the shopper saw, honoured until it expires.
"""

from mercat.pricing.api import API
from mercat.pricing.messages import (
    PPM,
    TAX_RULES_MAX,
    ExemptBecause,
    LineTotal,
    PartPrice,
    PartTotal,
    PostalBound,
    PricedBasket,
    PricedLine,
    Quoted,
    QuoteExpired,
    Reduction,
    SoldWithoutRate,
    TaxCountry,
    TaxedClass,
    TaxExemption,
    TaxNote,
    TaxRecord,
    TaxRecordKind,
    TaxRecordStatus,
    TaxRule,
    TaxRuleSet,
    TaxSource,
    TaxSubdivision,
    Totals,
)
from mercat.pricing.service import Pricing
from mercat.pricing.tax_files import ppm_of, read_rules
from mercat.pricing.tax_providers import TAX_PROVIDERS, tax_declaration

__all__ = [
    "API",
    "PPM",
    "TAX_PROVIDERS",
    "TAX_RULES_MAX",
    "ExemptBecause",
    "LineTotal",
    "PartPrice",
    "PartTotal",
    "PostalBound",
    "PricedBasket",
    "PricedLine",
    "Pricing",
    "QuoteExpired",
    "Quoted",
    "Reduction",
    "SoldWithoutRate",
    "TaxCountry",
    "TaxExemption",
    "TaxNote",
    "TaxRecord",
    "TaxRecordKind",
    "TaxRecordStatus",
    "TaxRule",
    "TaxRuleSet",
    "TaxSource",
    "TaxSubdivision",
    "TaxedClass",
    "Totals",
    "ppm_of",
    "read_rules",
    "tax_declaration",
]
