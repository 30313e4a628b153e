"""A parcel of an order has arrived."""

from mercat.notifications.letters._parcel import parcel_letter

KIND = parcel_letter("delivered")
