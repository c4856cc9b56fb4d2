"""Where the satellite is and what follows from it.

``geometry``: range, delay, Doppler and visibility in closed form. ``passes``, ``tle``: a pass over
time, of a circular orbit or of two-line elements. ``doppler``: what pre-compensation leaves.
``link_budget``: the SNR at an elevation.
"""
