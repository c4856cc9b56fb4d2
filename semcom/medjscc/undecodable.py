"""The one way in which a receiver says that bits are not what a sender of this codec writes."""


class Undecodable(Exception):
    """Bits that no sender of this codec writes: the image is lost, the call is in order."""
