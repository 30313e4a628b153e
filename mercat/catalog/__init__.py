"""Catalogue: what there is to buy. Products have variants (SKUs) that sellers offer at a price.

    service.py     the one door: which verb stands in which part
    listings.py    a seller's products: listing one, changing one
    offers.py      prices and states of what is sold
    products.py    what shoppers read, behind a cache of two levels
    categories.py  the tree, and slugs
    imports.py     taking a batch from elsewhere; importing.py reads files, formats/ has one format a file
    changes.py     what follows stock and ratings, and tells caches

A product shows its featured offer: the cheapest that is active and in stock. Every change raises a product's
version and tells the whole of it once.
"""

from mercat.catalog.api import API
from mercat.catalog.columns import BadField, Columns
from mercat.catalog.formats import recognise
from mercat.catalog.importing import ImportProgress, NotProducts, RowNote, import_file
from mercat.catalog.messages import (
    Attribute,
    Attributes,
    Brand,
    Breadcrumb,
    Category,
    CategoryName,
    CurrencyCode,
    Description,
    ExternalId,
    GivenTexts,
    Image,
    Images,
    ImageUrl,
    Imported,
    ImportRow,
    ImportVariant,
    Listed,
    Listing,
    ListingKey,
    MinorPrice,
    NewProduct,
    Offer,
    OfferSort,
    Product,
    ProductChange,
    ProductOffer,
    ProductTexts,
    Status,
    Title,
    Variant,
    texts_of,
)
from mercat.catalog.service import Catalog

__all__ = [
    "API",
    "Attribute",
    "Attributes",
    "BadField",
    "Brand",
    "Breadcrumb",
    "Catalog",
    "Category",
    "CategoryName",
    "Columns",
    "CurrencyCode",
    "Description",
    "ExternalId",
    "GivenTexts",
    "Image",
    "ImageUrl",
    "Images",
    "ImportProgress",
    "ImportRow",
    "ImportVariant",
    "Imported",
    "Listed",
    "Listing",
    "ListingKey",
    "MinorPrice",
    "NewProduct",
    "NotProducts",
    "Offer",
    "OfferSort",
    "Product",
    "ProductChange",
    "ProductOffer",
    "ProductTexts",
    "RowNote",
    "Status",
    "Title",
    "Variant",
    "import_file",
    "recognise",
    "texts_of",
]
