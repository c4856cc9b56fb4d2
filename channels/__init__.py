"""Satellite links: symbols in, received symbols out. Knows nothing of images.

>>> import channels
>>> channels.link("awgn").name
'awgn'
"""

from channels.errors import InputError
from channels.link import Link, link, links
from channels.ofdm import Grid
from channels.signal import Reception, Session, Transmission

__all__ = ["Grid", "InputError", "Link", "Reception", "Session", "Transmission", "link", "links"]
