"""Speak with Novita through PyPI `novita-client`: a question a line on stdin, its answer on stdout."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from typing import Any

from novita_client import NovitaClient
from novita_client.exceptions import NovitaError

Json = dict[str, Any]


def submit(client: NovitaClient, model: str, body: Json) -> Json:
    # The package knows no Kling model: this is what its methods for other models do.
    return client._post(f"/v3/async/{model}", body)


def result(client: NovitaClient, task_id: str) -> Json:
    return {"status": client.async_task_result(task_id).task.status.value}


def film(client: NovitaClient, task_id: str) -> Json:
    seen: list[str] = []
    done = client.wait_for_task_v3(task_id, callback=lambda answer: seen.append(answer.task.status.value))
    done.download_videos()
    return {
        "seen": seen,
        "reason": done.task.reason,
        "sha256": [hashlib.sha256(data).hexdigest() for data in getattr(done, "video_bytes", [])],
    }


def balance(client: NovitaClient) -> Json:
    return {"balance": client.user_info().credit_balance}


CALLS = {"submit": submit, "result": result, "film": film, "balance": balance}

for line in sys.stdin:
    question = json.loads(line)
    client = NovitaClient(question.pop("key"), base_url=os.environ["NOVITA_API_URL"])
    try:
        answer = CALLS[question.pop("call")](client, **question)  # type: ignore[operator]
    except NovitaError as error:
        answer = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer), flush=True)
