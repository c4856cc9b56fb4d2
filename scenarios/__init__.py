"""Who is compared with whom, over what."""
