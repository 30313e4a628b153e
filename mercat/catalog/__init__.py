"""Catalogue: what there is to buy. Products have variants (SKUs) that sellers offer at a price.

A product shows its featured offer: the cheapest that is active and in stock. Every change raises a product's
version and tells the whole of it once.
"""

from mercat.catalog.api import API
from mercat.catalog.importing import BadRow, NotProducts, Progress, import_file
from mercat.catalog.messages import (
    Attribute,
    Attributes,
    Category,
    Image,
    ImportRow,
    ImportVariant,
    Listed,
    Listing,
    NewProduct,
    Offer,
    OfferSort,
    Place,
    Product,
    ProductChange,
    ProductOffer,
    Status,
    Variant,
)
from mercat.catalog.service import Catalog
from mercat.catalog.sources import recognise

__all__ = [
    "API",
    "Attribute",
    "Attributes",
    "BadRow",
    "Catalog",
    "Category",
    "Image",
    "ImportRow",
    "ImportVariant",
    "Listed",
    "Listing",
    "NewProduct",
    "NotProducts",
    "Offer",
    "OfferSort",
    "Place",
    "Product",
    "ProductChange",
    "ProductOffer",
    "Progress",
    "Status",
    "Variant",
    "import_file",
    "recognise",
]
