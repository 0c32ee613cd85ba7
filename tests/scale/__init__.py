"""Many processes on one PostgreSQL: gateways, workers, and what they must not do to one another."""
