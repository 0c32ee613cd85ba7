"""Jobs: one row each, driven from wherever it stands to its end."""
