"""The routes of media."""

from mercat.kit.rpc import Route
from mercat.media.service import Media

API = [
    Route("POST", "/media", Media.add),
    Route("POST", "/held", Media.media),
    Route("GET", "/pictures/{name}", Media.picture),
]
