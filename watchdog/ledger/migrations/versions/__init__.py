"""One file for each revision. A revision only adds."""
