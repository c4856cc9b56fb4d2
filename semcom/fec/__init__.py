"""5G LDPC coding after TS 38.212, at the speed of the machine."""
