"""Who does the work: processes of this machine, how many, or a cluster of others."""
