"""What all processes remember, in memory."""

from __future__ import annotations


class Remembered:
    """Texts by their keys, as `bot.store.coordination` keeps them."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}

    async def recall(self, key: str) -> str:
        """Return what was remembered."""
        return self.texts.get(key, "")

    async def remember(self, key: str, text: str) -> None:
        """Remember something."""
        self.texts[key] = text
