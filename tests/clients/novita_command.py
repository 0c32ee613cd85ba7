"""Speak with Novita through its own command line: a question a line on stdin, its answer on stdout."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import novita_cli.core.client
from click.testing import CliRunner
from novita_cli.core.client import NovitaClient, NovitaError
from novita_cli.novita_cli import cli

Json = dict[str, Any]

novita_cli.core.client.BASE_URL = os.environ["NOVITA_API_URL"]


class Ended(Exception):
    """The command ended with an error."""


def novita(key: str, *arguments: str) -> tuple[str, str]:
    """Run `novita` with arguments; its output and what it printed to stderr."""
    ran = CliRunner().invoke(cli, ["--api-key", key, *arguments], obj={})
    if ran.exit_code:
        raise Ended(f"exit {ran.exit_code}: {ran.stderr}") from (
            None if isinstance(ran.exception, SystemExit) else ran.exception
        )
    return ran.stdout, ran.stderr


def submit(key: str, model: str, body: Json) -> Json:
    # No command takes Kling's fields: this is what those for other models do.
    try:
        return NovitaClient(key).post(f"/v3/async/{model}", body)
    except NovitaError as error:
        raise Ended(f"{error.status_code} {error}") from None


def result(key: str, task_id: str) -> Json:
    output, _ = novita(key, "--json-output", "task", "status", task_id)
    return {"status": json.loads(output)["task"]["status"]}


def film(key: str, task_id: str) -> Json:
    with tempfile.TemporaryDirectory() as folder:
        _, progress = novita(key, "task", "wait", task_id, "-o", folder)
        saved = sorted(Path(folder).iterdir())
        seen = [word for word in progress.split() if word.startswith("TASK_STATUS_")]
        return {"seen": seen, "sha256": [hashlib.sha256(path.read_bytes()).hexdigest() for path in saved]}


def balance(key: str) -> Json:
    output, _ = novita(key, "--json-output", "account", "balance")
    return {"balance": json.loads(output)["credit_balance"]}


CALLS = {"submit": submit, "result": result, "film": film, "balance": balance}

for line in sys.stdin:
    question = json.loads(line)
    try:
        answer = CALLS[question.pop("call")](**question)  # type: ignore[operator]
    except Ended as error:
        answer = {"error": str(error)}
    print(json.dumps(answer), flush=True)
