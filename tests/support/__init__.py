"""What tests and benches share; nothing here knows a test."""

from __future__ import annotations

from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
