"""The process in which hostile bytes are decoded: `python -m bot.media.worker NICE`, run by `pool.py`.

It says `{"ready": true, "open": […]}` on stdout, with what the system did not let it be kept from, then
answers each line of JSON on stdin with one of its own: `{"done": …}`, `{"refused": …}` or `{"failed": …}`. It
ends with its stdin, so also when the bot was killed.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import resource
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from bot import hardening
from bot.errors import CannotFit, ImageRejected, NotAVideo
from bot.media import image, video
from bot.media.values import ImageLimits, Video

_ADDRESS_SPACE = 3 * 2**30  # bytes; four times what the largest image allowed takes

Words = dict[str, Any]


def _image(request: Words) -> Words:
    made = image.prepare(
        Path(request["source"]), Path(request["target_stem"]), ImageLimits(**request["limits"])
    )
    return {**vars(made), "path": str(made.path)}


def _probe(request: Words) -> Words:
    return _video(video.probe(Path(request["source"])))


def _remux(request: Words) -> Words:
    return _video(video.remux(Path(request["source"]), Path(request["target"])))


def _fit(request: Words) -> Words:
    return _video(video.fit(Path(request["source"]), Path(request["target"]), request["max_bytes"]))


def _video(found: Video) -> Words:
    return {**vars(found), "path": str(found.path)}


_CALLS: dict[str, Callable[[Words], Words]] = {
    "image": _image,
    "probe": _probe,
    "remux": _remux,
    "fit": _fit,
}


def answer(request: Words) -> Words:
    """Do what a request asks for; whatever happens becomes an answer."""
    try:
        return {"done": _CALLS[request["call"]](request)}
    except ImageRejected as refusal:
        return {"refused": "image", "rule": refusal.rule, "actual": refusal.actual}
    except NotAVideo as refusal:
        return {"refused": "video", "detail": str(refusal)}
    except CannotFit as refusal:
        return {"refused": "size", "smallest": refusal.smallest, "max_bytes": refusal.max_bytes}
    except Exception:
        return {"failed": traceback.format_exc()[-4000:]}


def main() -> None:
    """Answer requests until stdin ends."""
    _bound(int(sys.argv[1]))
    left_open = hardening.shut_in()  # all is imported, and nothing of a stranger's was read yet
    answers = _private_stdout()
    requests: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(requests,), daemon=True).start()
    _say(answers, {"ready": True, "open": left_open})
    while True:
        _say(answers, answer(json.loads(requests.get())))


def _bound(nice: int) -> None:
    """Bound what a file can use up; leave signals to the bot, which ends this process by stdin or by kill."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.nice(nice)
    with contextlib.suppress(ValueError, OSError):  # not every system lets itself be asked
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (_ADDRESS_SPACE, _ADDRESS_SPACE))


def _private_stdout() -> TextIO:
    """Keep stdout for answers: what a C library prints goes to stderr."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return answers


def _read(requests: queue.SimpleQueue[str]) -> None:
    """Hand requests on, and end with the bot even in the middle of a long piece of work."""
    for line in sys.stdin:
        requests.put(line)
    os._exit(0)


def _say(answers: TextIO, words: Words) -> None:
    try:
        answers.write(json.dumps(words) + "\n")
        answers.flush()
    except BrokenPipeError:  # nobody is left to hear it
        os._exit(0)


if __name__ == "__main__":
    main()
