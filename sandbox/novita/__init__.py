"""A stand-in for Novita's asynchronous video API."""

from __future__ import annotations

from sandbox.novita.control import control_routes
from sandbox.novita.site import Novita

__all__ = ["Novita", "control_routes"]
