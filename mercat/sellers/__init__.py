"""Sellers: who sells here, under which name."""

from mercat.sellers.api import API
from mercat.sellers.gift_cards import issuers
from mercat.sellers.messages import (
    FILE_NAME_MAX,
    PREVIEW_MARK_MAX,
    PRICE_EDIT,
    AlreadySeller,
    FileImport,
    ImportProblem,
    NameTaken,
    NewImport,
    NewPriceEdit,
    Seller,
    SellerHasPeople,
    SellerListing,
    SellerName,
    SellerStatus,
    SuspensionReason,
    TooManyImports,
)
from mercat.sellers.service import Sellers

__all__ = [
    "API",
    "FILE_NAME_MAX",
    "PREVIEW_MARK_MAX",
    "PRICE_EDIT",
    "AlreadySeller",
    "FileImport",
    "ImportProblem",
    "NameTaken",
    "NewImport",
    "NewPriceEdit",
    "Seller",
    "SellerHasPeople",
    "SellerListing",
    "SellerName",
    "SellerStatus",
    "Sellers",
    "SuspensionReason",
    "TooManyImports",
    "issuers",
]
