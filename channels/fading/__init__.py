"""Fading models: what a link's propagation does to a constant signal, as Sionna channel models.

``awgn``: noise alone. ``flat``, ``lms``: frequency-flat laws, steady, shadowed or of two states;
``p681`` holds the tables of ITU-R P.681, ``jakes`` the moving scatter, ``envelope`` the laws' pdf,
crossing rates and fade durations. ``ntn``, ``system_level``, ``delay_spread``: 3GPP TR 38.811.
``recipe`` makes a model for a device; ``draws`` is what all models share.
"""
