"""How much of a soak there is."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field

PEOPLE = ("mia", "rosa", "adam", "olivia")
SEATS = 16
"""How many people are at it at once; a name may sit in several seats."""
MOST_OPEN = 48
"""How many jobs may be under way before people wait: more would only measure the machine."""
BALANCE = 10**10
SETTLE_SECONDS = 240.0
"""The bot's own pauses between tries grow to a minute."""
START_SECONDS = 60.0
UNFORESEEN = ("unexpected error", "never retrieved", "never awaited")
"""What the bot's log says of errors that nobody foresaw."""
AFTERMATH = 1.0
"""How long a killed bot's request may still be on its way; a new process takes longer to send one."""
IMAGES = [("png", "teal"), ("png", "maroon"), ("jpeg", "olive"), ("jpeg", "indigo")]


@dataclass(frozen=True)
class Plan:
    """How much of it there is."""

    jobs: int = 1000
    kills: int = 50
    seed: int = 0
    minutes: float = 25.0
    faults_a_second: float = 4.0

    def choices(self, topic: str) -> random.Random:
        """Give a topic its own stream of choices, so that one topic's pace does not change another's."""
        return random.Random(f"{self.seed} {topic}")  # noqa: S311


@dataclass
class Happened:
    """What the driver did, beside what the sandbox recorded."""

    asked: int = 0
    unanswered: int = 0
    kills: list[float] = field(default_factory=list)
    stops: list[float] = field(default_factory=list)
    """How long each clean stop took, in seconds."""
    troubles: list[str] = field(default_factory=list)
    """What the bot's process did that it never should."""
    storms: Counter[str] = field(default_factory=Counter)
