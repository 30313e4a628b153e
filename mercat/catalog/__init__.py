"""Catalogue: what there is to buy. Products have variants (SKUs) that sellers offer at a price.

    service.py     the one door: which verb stands in which part
    listings.py    a seller's products: listing one, changing one, taking it out
    variants.py    which variants there are after a change, and what may not be
    formatted.py   descriptions with HTML: made safe, and their plain words
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
    VARIANTS_MAX,
    Attribute,
    Attributes,
    Brand,
    Breadcrumb,
    Category,
    CategoryName,
    Changed,
    ChangedTexts,
    Condition,
    CurrencyCode,
    Description,
    ExternalId,
    GivenTexts,
    GivenVariant,
    GivenVariants,
    Grams,
    Gtin,
    Image,
    Images,
    ImageUrl,
    Imported,
    ImportRow,
    ImportVariant,
    Listed,
    ListedProduct,
    ListedVariant,
    Listing,
    ListingKey,
    ListingStatus,
    MinorPrice,
    NewProduct,
    Offer,
    OfferSort,
    OptionName,
    Options,
    OptionValues,
    Product,
    ProductChange,
    ProductOffer,
    ProductTexts,
    SellerSku,
    SkuTaken,
    Status,
    Title,
    Variant,
    VariantOptions,
    texts_of,
)
from mercat.catalog.rules import given_texts
from mercat.catalog.service import Catalog
from mercat.catalog.variants import matched

__all__ = [
    "API",
    "VARIANTS_MAX",
    "Attribute",
    "Attributes",
    "BadField",
    "Brand",
    "Breadcrumb",
    "Catalog",
    "Category",
    "CategoryName",
    "Changed",
    "ChangedTexts",
    "Columns",
    "Condition",
    "CurrencyCode",
    "Description",
    "ExternalId",
    "GivenTexts",
    "GivenVariant",
    "GivenVariants",
    "Grams",
    "Gtin",
    "Image",
    "ImageUrl",
    "Images",
    "ImportProgress",
    "ImportRow",
    "ImportVariant",
    "Imported",
    "Listed",
    "ListedProduct",
    "ListedVariant",
    "Listing",
    "ListingKey",
    "ListingStatus",
    "MinorPrice",
    "NewProduct",
    "NotProducts",
    "Offer",
    "OfferSort",
    "OptionName",
    "OptionValues",
    "Options",
    "Product",
    "ProductChange",
    "ProductOffer",
    "ProductTexts",
    "RowNote",
    "SellerSku",
    "SkuTaken",
    "Status",
    "Title",
    "Variant",
    "VariantOptions",
    "given_texts",
    "import_file",
    "matched",
    "recognise",
    "texts_of",
]
