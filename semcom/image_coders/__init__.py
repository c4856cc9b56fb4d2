"""Image coders that fill a budget of bytes: HEVC, AV1, JPEG 2000, JPEG XL.

``hevc``, ``avif``, ``jpeg2000`` and ``jpegxl`` call the libraries, ``*_format`` says which bytes of
theirs are sent; ``source`` searches scale and quality for a budget by ``rate``.
"""
