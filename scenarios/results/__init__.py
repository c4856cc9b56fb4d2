"""What a run leaves behind: tables, their columns and intervals, curves, files."""
