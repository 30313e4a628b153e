"""Media: pictures of the shop's own, made safe, under addresses that never change, resized on demand.

service.py    the verbs
pictures.py   what Pillow does: read, make safe, resize; in a thread of its own
storage.py    where the files lie: a folder
names.py      the addresses of pictures and of their sizes
"""

from mercat.media.api import API
from mercat.media.messages import Alt, Medium, NotAPicture, Picture
from mercat.media.names import UPLOAD_BYTES_MAX, sizes_of
from mercat.media.service import Media

__all__ = ["API", "UPLOAD_BYTES_MAX", "Alt", "Media", "Medium", "NotAPicture", "Picture", "sizes_of"]
