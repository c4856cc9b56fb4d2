"""Image coders that fill a budget of bytes: HEVC, AV1, JPEG 2000, JPEG XL.

``hevc``, ``avif``, ``jpeg2000`` and ``jpegxl`` call the libraries and are each an
``image_format``, which says which of their bytes are sent; ``formats`` names them. ``source``
searches scale and quality for a budget by ``rate``, and ``payloads`` caches what it found.
"""
