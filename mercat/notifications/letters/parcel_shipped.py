"""A parcel of an order is on its way."""

from mercat.notifications.letters._parcel import parcel_letter

KIND = parcel_letter("shipped")
