"""One file a revision; they only add."""
