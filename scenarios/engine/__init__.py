"""How a grid of codecs, links and images becomes rows: checks, tasks, workers, journal."""
