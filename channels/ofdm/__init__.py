"""The OFDM waveform: from symbols to resource elements, over the channel, and back.

``grid``: numerology and pilots. ``response``: what a channel does to each resource element.
``ici``: how offset and motion couple subcarriers. ``time_domain``: every sample of the waveform.
``realisation``: all that is drawn for a batch. ``estimation``, ``tracking``: what the receiver
learns from pilots. ``amplifier``, ``papr``: what the transmitter's amplifier does, and to which
peaks.
"""
