"""Codecs for semantic image communication: images → symbols → images."""
