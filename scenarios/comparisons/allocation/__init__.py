"""Bits where a diagnosis needs them, without a link: the scenario ``dmic``, its jobs and tables."""
