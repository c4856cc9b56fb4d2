"""Options that scenarios share: text as values, what is sent, what is run and written."""
