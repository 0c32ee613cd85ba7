"""The page: a chat that looks and feels like Discord's, for whoever opens the control site in a browser."""

from __future__ import annotations

from demo.page.site import PATH, routes

__all__ = ["PATH", "routes"]
