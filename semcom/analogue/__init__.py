"""Symbols without bits: powers that fit variances, the coarse image that codecs fall back on."""
