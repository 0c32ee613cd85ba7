"""Every exception of Kinora's own, in one tree; what other libraries raise is translated at their door.

KinoraError
├── Refusal                     said to a person: what is wrong, what to do, whether money was the topic
├── StartupError                said to the operator: the process cannot start (exit code 2)
│   ├── SettingsError           the environment, every mistake at once
│   └── DatabaseError           the database cannot be used
├── TemporaryError              the other side is unwell: the same request may help later
│   ├── RateLimited             Novita takes no more requests just now
│   ├── CardUnread              Discord does not say just now where a card's image is
│   ├── AccessRefused           the bot's token or key is refused: only the operator can mend that
│   ├── TooManyOldEdits         a channel's messages older than an hour were edited too often
│   ├── ImageUnprepared         the work on the image was left undone
│   └── OutdatedVersion         the database lets only newer versions pay
├── PermanentError              Discord refuses this place for good
│   └── MalformedMessage        Discord refuses what was sent, wherever it is sent
├── UnseenMessage               whether an earlier message arrived cannot be seen
├── LeaseLost                   another run owns the job, or it has moved on
├── TaskTaken                   another job has this task of Novita's
├── DatabaseUnavailable         the database did not answer while a person waited
├── DuplicateInteraction        somebody has acted on this interaction already
├── DownloadError               a download that failed
│   ├── AddressRefused          an address that is not fetched from
│   ├── DownloadTooLarge        more bytes than allowed
│   └── BrokenVideo             whole, and no video
├── ImageUnreachable            the source image could not be downloaded
├── NovitaError                 no answer from Novita
│   ├── NotSent                 the request certainly did not leave
│   └── AnswerLost              it left, or may have
└── MediaError                  a file that cannot be worked on
    ├── ImageRejected           it breaks a rule for source images
    ├── NotAVideo               no video can be decoded in it
    ├── CannotFit               it stays too large however small it is made
    └── MediaPoolError          the work was left undone: time-out, crash, or closed

Nothing here knows discord.py, SQL or HTTP.
"""

from __future__ import annotations

from typing import Any


def N_(msgid: str) -> str:
    """Mark a sentence for the message catalogue where it is not yet put into a language."""
    return msgid


class KinoraError(Exception):
    """The base of all others."""


class Refusal(KinoraError):
    """A request that cannot be taken, in words for the person who made it.

    `message` and `remedy` are ids of the message catalogue (marked with `N_`), `values` fill both (see
    `ui.i18n.Texts`); `title` is one too. Nothing here is in a language yet: the reader's is known when it is
    shown. `money` says that paying was the topic: only then is it worth saying that nothing was charged.
    """

    def __init__(
        self,
        message: str,
        remedy: str = "",
        *,
        title: str = N_("Not started"),
        money: bool = False,
        **values: object,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.title = title
        self.money = money
        self.values = values


class StartupError(KinoraError):
    """The process cannot start; the message is a sentence for the operator."""


class SettingsError(StartupError):
    """Every mistake of the environment, as sentences that each begin with the variable's name."""

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes


class DatabaseError(StartupError):
    """The database cannot be used; the message says why and what to do."""


class TemporaryError(KinoraError):
    """The other side did not answer, or answered that it is unwell: the same request may help later.

    `most_tries` is how often it is worth repeating (None: there is no such number). While a job is submitted,
    its card says `because`; given up, its problem is `problem`.
    """

    most_tries: int | None = None
    because = "novita_away"
    problem = "novita_away"

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class RateLimited(TemporaryError):
    """Novita's rate limit: nothing is wrong, it is only not our turn."""


class CardUnread(TemporaryError):
    """Discord does not say just now where the image on a card is."""

    because = "discord_away"
    problem = "not_started"


class AccessRefused(TemporaryError):
    """The bot's own token or key is refused, until its operator acts."""


class TooManyOldEdits(TemporaryError):
    """Discord lets a channel's messages that are older than an hour be edited a few times only."""


class ImageUnprepared(TemporaryError):
    """The work on an image was left undone: once it may be bad luck, time and again it is not."""

    most_tries = 3


class OutdatedVersion(TemporaryError):
    """The database names a newer version as the oldest that is allowed to pay."""


class PermanentError(KinoraError):
    """Discord refuses for good; `fallback_reason` names why.

    The place is "gone", "locked", "full" or "forbidden", or the file is "too_large" and nothing can be sent
    instead.
    """

    def __init__(self, message: str, fallback_reason: str = "forbidden") -> None:
        super().__init__(message)
        self.fallback_reason = fallback_reason


class MalformedMessage(PermanentError):
    """Discord finds fault with the message itself, so that no other place would take it either."""


class UnseenMessage(KinoraError):
    """A message may have been posted before, and nobody can look: a person is asked, nothing is posted."""


class LeaseLost(KinoraError):
    """Another run owns the job, or it has moved on: whoever gets this stops and touches nothing."""


class TaskTaken(KinoraError):
    """Another job has this task of Novita's: nobody gets a stranger's video."""


class DatabaseUnavailable(KinoraError):
    """The database did not answer in time; `begun` says whether the work may have been done all the same."""

    def __init__(self, begun: bool) -> None:
        super().__init__("the database does not answer")
        self.begun = begun


class DuplicateInteraction(KinoraError):
    """The interaction was acted on before; whoever gets this stops without a word."""


class DownloadError(KinoraError):
    """A download that failed; `status` is the HTTP answer, if there was one."""

    final = False
    """Whether asking again cannot help."""

    def __init__(self, message: str, status: int | None = None, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after


class AddressRefused(DownloadError):
    """An address that Kinora will not fetch from."""

    final = True


class DownloadTooLarge(DownloadError):
    """More bytes than the caller allows."""

    final = True


class BrokenVideo(DownloadError):
    """The file arrived whole, and is no video."""


class ImageUnreachable(KinoraError):
    """The source image could not be downloaded just now; `gone` when asking again cannot help."""

    def __init__(self, message: str, gone: bool) -> None:
        super().__init__(message)
        self.gone = gone


class NovitaError(KinoraError):
    """Novita gave no answer."""


class NotSent(NovitaError):
    """The connection was never made: nothing was sent, nothing can have been charged."""


class AnswerLost(NovitaError):
    """The request went out, or may have, and no answer came back."""


class MediaError(KinoraError):
    """A file that cannot be worked on."""


class ImageRejected(MediaError):
    """A file that cannot be used as an image: `rule`, and its values in `actual` (`media.values.Rule`)."""

    def __init__(self, rule: str, **actual: Any) -> None:
        super().__init__(rule, actual)
        self.rule = rule
        self.actual = actual


class NotAVideo(MediaError):
    """A file in which no video can be decoded."""


class CannotFit(MediaError):
    """A video that stays too large however small it is made; `smallest` is what was reached, in bytes."""

    def __init__(self, smallest: int, max_bytes: int) -> None:
        super().__init__(f"{smallest} bytes at the smallest, {max_bytes} allowed")
        self.smallest = smallest
        self.max_bytes = max_bytes


class MediaPoolError(MediaError):
    """Work left undone, for another reason than that its input was refused.

    `reason` is "timeout", "crashed" (`detail`: the signal), "failed" (`detail`: a traceback) or "closed".
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail
