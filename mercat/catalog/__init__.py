"""Catalogue: what there is to buy. Products have variants (SKUs) that sellers offer at a price.

    service.py     the one door: which verb stands in which part
    listings.py    a seller's products: listing one, changing one
    offers.py      prices and states of what is sold
    products.py    what shoppers read, behind a cache of two levels
    categories.py  the tree, and slugs; tree.py decides what becomes of it
    retelling.py   products told again because their category or seller changed
    imports.py     taking a batch from elsewhere; importing.py reads files, formats/ has one format a file
    changes.py     what follows stock and ratings, and tells caches

A product shows its featured offer: the cheapest that is active and in stock. Every change raises a product's
version and tells the whole of it once.
"""

from mercat.catalog.api import API
from mercat.catalog.columns import BadField, Columns, path_names
from mercat.catalog.formats import FORMATS, NoSuchFormat, recognise
from mercat.catalog.importing import CategoryMap, ImportProgress, NotProducts, RowNote, import_file
from mercat.catalog.messages import (
    AskedCategory,
    Attribute,
    Attributes,
    Brand,
    Breadcrumb,
    Category,
    CategoryChange,
    CategoryDecision,
    CategoryExists,
    CategoryMaking,
    CategoryName,
    CategoryNotEmpty,
    CategoryPath,
    CategoryTitle,
    CategoryUnknown,
    CountedOffer,
    CurrencyCode,
    Description,
    ExternalId,
    GivenTexts,
    Image,
    Images,
    ImageUrl,
    ImportBatch,
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
    RefusedProduct,
    Status,
    Title,
    Variant,
    texts_of,
)
from mercat.catalog.rules import path_key
from mercat.catalog.service import Catalog

__all__ = [
    "API",
    "FORMATS",
    "AskedCategory",
    "Attribute",
    "Attributes",
    "BadField",
    "Brand",
    "Breadcrumb",
    "Catalog",
    "Category",
    "CategoryChange",
    "CategoryDecision",
    "CategoryExists",
    "CategoryMaking",
    "CategoryMap",
    "CategoryName",
    "CategoryNotEmpty",
    "CategoryPath",
    "CategoryTitle",
    "CategoryUnknown",
    "Columns",
    "CountedOffer",
    "CurrencyCode",
    "Description",
    "ExternalId",
    "GivenTexts",
    "Image",
    "ImageUrl",
    "Images",
    "ImportBatch",
    "ImportProgress",
    "ImportRow",
    "ImportVariant",
    "Imported",
    "Listed",
    "Listing",
    "ListingKey",
    "MinorPrice",
    "NewProduct",
    "NoSuchFormat",
    "NotProducts",
    "Offer",
    "OfferSort",
    "Product",
    "ProductChange",
    "ProductOffer",
    "ProductTexts",
    "RefusedProduct",
    "RowNote",
    "Status",
    "Title",
    "Variant",
    "import_file",
    "path_key",
    "path_names",
    "recognise",
    "texts_of",
]
