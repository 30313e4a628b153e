"""Media: pictures of the shop's own, made safe, under addresses that never change, resized on demand.

service.py    the verbs
pictures.py   what Pillow does: read, make safe, resize; in a thread of its own
fetching.py   pictures of imports, fetched in the background
storage.py    where the files lie: a folder, or a bucket (s3.py)
"""

from mercat.kit.picture_names import UPLOAD_BYTES_MAX, sizes_of, tint_of
from mercat.media.api import API
from mercat.media.fetching import PictureFetching
from mercat.media.messages import (
    Alt,
    GivenPicture,
    Medium,
    NotAPicture,
    NotTaken,
    Picture,
    PictureGone,
    ProductPictures,
    TakenPictures,
)
from mercat.media.service import Media
from mercat.media.storage import Storage, bucket_of, folder_of, storage_of

__all__ = [
    "API",
    "UPLOAD_BYTES_MAX",
    "Alt",
    "GivenPicture",
    "Media",
    "Medium",
    "NotAPicture",
    "NotTaken",
    "Picture",
    "PictureFetching",
    "PictureGone",
    "ProductPictures",
    "Storage",
    "TakenPictures",
    "bucket_of",
    "folder_of",
    "sizes_of",
    "storage_of",
    "tint_of",
]
