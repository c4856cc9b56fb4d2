"""Bits on the air: QAM, MCS tables, transport blocks under 5G LDPC, and what a link lets through.

``transport`` is the chain from bytes to symbols and back; ``mcs`` and ``qam`` are the standard's
tables; ``awgn_bler``, ``normal_approximation``, ``information`` and ``capacity`` say what a block
or an ideal code achieves; ``realisations``, ``adaptation`` and ``measured`` choose an MCS.
"""
