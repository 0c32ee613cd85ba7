"""Novita's API: what its models are, how to speak to it, and a thin client."""
