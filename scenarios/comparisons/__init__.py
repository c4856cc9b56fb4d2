"""Who is compared with whom, over what: a file for each scenario, and for its result."""
