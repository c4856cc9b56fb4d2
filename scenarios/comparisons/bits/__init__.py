"""Bits without images: the scenario ``ber``, one point of it, its table, what theory says."""
