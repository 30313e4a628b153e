"""Sellers: who sells here, under which name."""

from mercat.sellers.api import API
from mercat.sellers.messages import (
    FILE_NAME_MAX,
    AlreadySeller,
    FileImport,
    ImportProblem,
    NameTaken,
    NewImport,
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
    "AlreadySeller",
    "FileImport",
    "ImportProblem",
    "NameTaken",
    "NewImport",
    "Seller",
    "SellerHasPeople",
    "SellerListing",
    "SellerName",
    "SellerStatus",
    "Sellers",
    "SuspensionReason",
    "TooManyImports",
]
