"""Benches: what the bot costs, measured against the sandbox on this machine. `python -m bench.NAME`."""
