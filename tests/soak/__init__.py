"""Hundreds of jobs while everything goes wrong: `python -m tests.soak`, and its short version as a test."""
