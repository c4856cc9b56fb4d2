"""How a grid of codecs, links and pictures becomes rows: checks, tasks, workers, journal."""
