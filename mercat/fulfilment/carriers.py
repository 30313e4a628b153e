"""Where a carrier shows a parcel to who knows its number. Source: the carriers' own sites, November 2026."""

from urllib.parse import quote

_PAGES = {
    "australiapost": "https://auspost.com.au/mypost/track/details/{}",
    "canadapost": "https://www.canadapost-postescanada.ca/track-reperage/en#/search?searchFor={}",
    "colissimo": "https://www.laposte.fr/outils/suivre-vos-envois?code={}",
    "dhl": "https://www.dhl.com/global-en/home/tracking.html?tracking-id={}",
    "dpd": "https://tracking.dpd.de/status/en_US/parcel/{}",
    "evri": "https://www.evri.com/track/parcel/{}",
    "fedex": "https://www.fedex.com/fedextrack/?trknbr={}",
    "gls": "https://gls-group.com/track/{}",
    "japanpost": "https://trackings.post.japanpost.jp/services/srv/search/direct?locale=en&reqCodeNo1={}",
    "laposte": "https://www.laposte.fr/outils/suivre-vos-envois?code={}",
    "postnord": "https://tracking.postnord.com/en/?id={}",
    "purolator": "https://www.purolator.com/en/shipping/tracker?pins={}",
    "royalmail": "https://www.royalmail.com/track-your-item#/tracking-results/{}",
    "ups": "https://www.ups.com/track?tracknum={}",
    "usps": "https://tools.usps.com/go/TrackConfirmAction?tLabels={}",
}
"""By the carrier's name in small letters without spaces and signs; a new carrier is one line."""


def tracking_url(carrier: str, number: str) -> str | None:
    """Return the page on which a carrier shows a parcel; None for an unknown carrier or no number."""
    page = _PAGES.get("".join(each for each in carrier.casefold() if each.isalnum()))
    return page.format(quote(number, safe="")) if page and number else None
