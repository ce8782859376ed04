"""One file a format, with what reads it and what writes it, and their registry."""
