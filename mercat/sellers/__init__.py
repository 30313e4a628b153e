"""Sellers: who sells here, under which name."""

from mercat.sellers.api import API
from mercat.sellers.messages import (
    AlreadySeller,
    ListingRow,
    NameTaken,
    RefusedRow,
    Seller,
    SellerHasPeople,
    SellerListing,
    SellerName,
    SellerStatus,
    SuspensionReason,
)
from mercat.sellers.service import Sellers

__all__ = [
    "API",
    "AlreadySeller",
    "ListingRow",
    "NameTaken",
    "RefusedRow",
    "Seller",
    "SellerHasPeople",
    "SellerListing",
    "SellerName",
    "SellerStatus",
    "Sellers",
    "SuspensionReason",
]
