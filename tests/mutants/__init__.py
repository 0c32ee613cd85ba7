"""Mutants: small changes that each break one promise, and the tests that should notice (`make mutants`)."""
