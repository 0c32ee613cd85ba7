"""Jobs: one row each, run from wherever it stands to its end."""
