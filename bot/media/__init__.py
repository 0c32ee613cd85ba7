"""Bytes: images made fit for a model, videos made fit for a chat. Knows no Discord, no HTTP and no SQL."""
