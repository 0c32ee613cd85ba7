"""The Novita site: submit, result, files and account, as the documentation has them."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import math
import secrets
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any

from aiohttp import hdrs, web

from sandbox.bus import Bus
from sandbox.faults import Faults
from sandbox.journal import Journal
from sandbox.novita.clock import Clock
from sandbox.novita.errors import NovitaError, json_response
from sandbox.novita.faults import answer
from sandbox.novita.fetch import fetch
from sandbox.novita.films import Studio
from sandbox.novita.models import MODELS, Model
from sandbox.novita.orders import LARGEST_IMAGE, Order, Rules, read_order
from sandbox.novita.settings import Settings
from sandbox.novita.tasks import Status, Task, Tasks

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

LARGEST_BODY = 6 * LARGEST_IMAGE
RATE_WINDOW_SECONDS = 60.0


@dataclass(frozen=True)
class Payment:
    """What one submit cost."""

    at: float
    task_id: str
    model: str
    price: int
    """In 1/10000 USD."""
    image_sha256: str
    prompt: str
    sound: bool
    end_image_sha256: str = ""


class Novita:
    """A stand-in for Novita's video API with its own money, time and films.

    `image_hosts` are the hosts that it fetches images from, as `host:port`.
    """

    def __init__(
        self, *, key: str, data_dir: Path, journal: Journal, faults: Faults, bus: Bus | None = None
    ) -> None:
        self.settings = Settings()
        self.clock = Clock()
        self.payments: list[Payment] = []
        self.image_hosts: frozenset[str] = frozenset()
        self._key = key
        self._journal = journal
        self._faults = faults
        self._bus = bus or Bus()
        self._secret = secrets.token_bytes(32)
        self._studio = Studio(data_dir / "films")
        self.tasks = Tasks(data_dir, self.clock, self._studio, lambda: self.settings, self._bus)
        self._submits: defaultdict[str, deque[float]] = defaultdict(deque)

    def app(self) -> web.Application:
        """Return the application that speaks Novita's wire protocol."""
        app = web.Application(
            middlewares=[
                self._journal.middleware("novita"),
                self._faults.middleware("novita", answer),
                self._edge,
                self._errors_as_json,
            ],
            client_max_size=LARGEST_BODY,
        )
        app.add_routes(
            [
                web.post("/v3/async/{model}", self._submit),
                web.get("/v3/async/task-result", self._result),
                web.get("/openapi/v1/billing/balance/detail", self._balance),
                web.get("/v3/user", self._user),
                web.get("/files/{task_id}/{name}.mp4", self._file),
            ]
        )
        return app

    async def reset(self) -> None:
        """Return to a fresh account with default settings; films already made are kept for their next use."""
        await self.tasks.clear()
        self.payments.clear()
        self._submits.clear()
        self.settings = Settings()
        self.clock.reset()

    async def close(self) -> None:
        """Stop everything, the render process too."""
        await self.tasks.clear()
        await self._studio.close()

    def change_settings(self, changes: dict[str, Any]) -> None:
        """Change settings, also for the tasks on their way; ValueError with a sentence when impossible."""
        self.settings = self.settings.patched(changes)
        self.clock.poke()
        self._bus.publish({"type": "novita_settings", "settings": self.settings.as_json()})

    # --- submit -----------------------------------------------------------------------------------------

    async def _submit(self, request: web.Request) -> web.Response:
        self._authorize(request)
        model = self._model(request)
        self._limit_rate(model)
        if request.content_type != "application/json":
            raise NovitaError("INVALID_REQUEST_BODY", "Content-Type must be application/json")
        rules = Rules(model, self.settings, partial(fetch, hosts=self.image_hosts))
        order = await asyncio.to_thread(read_order, rules, await _body(request))
        self._moderate(order)
        self._require_funds(order)
        task = self.tasks.add(order)
        self._pay(task)
        return json_response({"task_id": task.id})

    def _authorize(self, request: web.Request) -> None:
        given = request.headers.get(hdrs.AUTHORIZATION, "").strip()
        # The official JavaScript SDK sends the key with no "Bearer ".
        key = given[7:].strip() if given[:7].lower() == "bearer " else given
        if not key or key.lower() == "bearer":
            raise NovitaError("MISSING_API_KEY", "the API key is missing")
        if not hmac.compare_digest(_bytes(key), _bytes(self._key)):
            raise NovitaError("INVALID_API_KEY", "the API key is not valid")

    def _model(self, request: web.Request) -> Model:
        name = request.match_info["model"]
        model = MODELS.get(name)
        if model is None or name in self.settings.retired:
            raise self._not_found(request)
        if name in self.settings.forbidden_models:
            raise NovitaError("ACCESS_DENY", f"the API key has no access to {name}")
        return model

    def _not_found(self, request: web.Request) -> NovitaError:
        if self.settings.retired_form == "api_not_found":
            return NovitaError("API_NOT_FOUND", f"no such API: {request.path}")
        return NovitaError("", "route not found", status=404, bare=True)

    def _limit_rate(self, model: Model) -> None:
        limit = self.settings.requests_per_minute
        now = self.clock.now()
        recent = self._submits[model.name]
        while recent and recent[0] <= now - RATE_WINDOW_SECONDS:
            recent.popleft()
        if limit is not None and len(recent) >= limit:
            oldest = recent[-limit] if limit else now
            wait = math.ceil(oldest + RATE_WINDOW_SECONDS - now)
            headers = {"Retry-After": str(wait)} if self.settings.send_retry_after else None
            raise NovitaError(
                "RATE_LIMIT_EXCEEDED", f"more than {limit} requests in a minute", headers=headers
            )
        recent.append(now)

    def _moderate(self, order: Order) -> None:
        word = self.settings.illegal_word
        if word and word in order.prompt:
            raise NovitaError("ILLEGAL_PROMPT", "the prompt was found to be inappropriate")

    def _require_funds(self, order: Order) -> None:
        if self.settings.balance < order.price:
            raise NovitaError("BILLING_BALANCE_NOT_ENOUGH", "the balance is not enough")

    def _pay(self, task: Task) -> None:
        payment = Payment(
            at=task.submitted_at,
            task_id=task.id,
            model=task.order.model.name,
            price=task.price,
            image_sha256=task.order.still.sha256,
            prompt=task.order.prompt,
            sound=task.order.sound,
            end_image_sha256=task.order.end_still.sha256 if task.order.end_still else "",
        )
        self.payments.append(payment)
        self.change_settings({"balance": self.settings.balance - task.price})
        self._bus.publish({"type": "novita_payment", "payment": asdict(payment)})

    # --- result -----------------------------------------------------------------------------------------

    async def _result(self, request: web.Request) -> web.Response:
        self._authorize(request)
        task = self.tasks.find(request.query.get("task_id", ""))
        if task is None:
            raise NovitaError("TASK_NOT_FOUND", "the task does not exist")
        task.polls += 1
        return json_response(self._result_body(task, request))

    def _result_body(self, task: Task, request: web.Request) -> dict[str, Any]:
        settings = self.settings
        overridden = settings.status_override is not None and task.polls <= settings.status_override_polls
        done = task.status is Status.SUCCEED and not overridden
        full = settings.shape == "full"
        body: dict[str, Any] = {
            "task": {
                "task_id": task.id,
                "status": settings.status_override if overridden else task.status,
                "reason": "" if overridden else task.reason,
                "task_type": "IMG_TO_VIDEO",  # what Kling's tasks say here is not documented
                "eta": self.tasks.eta(task) if full else 0,
                "progress_percent": self.tasks.progress(task) if full else 0,
            },
            "videos": [self._video(task, request)] if done else [],
        }
        if full:
            body |= {"extra": _extra(task), "images": [], "audios": []}
        return body

    def _video(self, task: Task, request: web.Request) -> dict[str, str]:
        if self.settings.sign_again or not task.first_url:
            url = f"{request.url.origin()}{self._signed_path(task)}"
            task.first_url = task.first_url or url
        else:
            url = task.first_url
        return {"video_url": url, "video_url_ttl": str(int(self.settings.video_ttl)), "video_type": "mp4"}

    # --- files ------------------------------------------------------------------------------------------

    def _signed_path(self, task: Task) -> str:
        expires = math.ceil(self.clock.now() + self.settings.video_ttl)
        # As real ones do, the signature covers the address as it is written, %2F and %40 included.
        credential = "kinora%2Fvideos%40sandbox" if self.settings.escaped_links else "kinora"
        path = f"/files/{task.id}/{task.id}.mp4?Expires={expires}&Credential={credential}"
        return f"{path}&Signature={self._signature(path)}"

    def _signature(self, path: str) -> str:
        return hmac.new(self._secret, _bytes(path), hashlib.sha256).hexdigest()

    async def _file(self, request: web.Request) -> web.StreamResponse:
        signed, _, signature = request.raw_path.partition("&Signature=")
        if not hmac.compare_digest(_bytes(signature), _bytes(self._signature(signed))):
            return _storage_error(403, "SignatureDoesNotMatch", "The signature does not match.")
        if self.clock.now() >= int(request.query["Expires"]):
            return _storage_error(403, "AccessDenied", "Request has expired")
        task = self.tasks.find(request.match_info["task_id"])
        if task is None or task.film is None:
            return _storage_error(404, "NoSuchKey", "The specified key does not exist.")
        if request.method == "GET":
            task.downloads += 1
        is_page = await asyncio.to_thread(_is_page, task.film.path)
        content_type = "text/html" if is_page else "video/mp4"
        return web.FileResponse(task.film.path, headers={hdrs.CONTENT_TYPE: content_type})

    # --- account ----------------------------------------------------------------------------------------

    async def _balance(self, request: web.Request) -> web.Response:
        self._authorize(request)
        if self.settings.balance_forbidden:
            raise NovitaError("ACCESS_DENY", "the API key has no access to the balance")
        balance = str(self.settings.balance)
        return json_response(
            {
                "availableBalance": balance,
                "cashBalance": balance,
                "creditLimit": "0",
                "pendingCharges": "0",
                "outstandingInvoices": "0",
            }
        )

    async def _user(self, request: web.Request) -> web.Response:
        self._authorize(request)
        return json_response(
            {"allow_features": [], "credit_balance": self.settings.balance, "free_trial": {}}
        )

    # --- what stands around it --------------------------------------------------------------------------

    @web.middleware
    async def _edge(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        status = self.settings.edge_status
        if status is None or self.settings.edge_on not in _edges_before(request):
            return await handler(request)
        title = HTTPStatus(status).phrase if status in set(HTTPStatus) else "Error"
        page = f"<html><head><title>{status} {title}</title></head><body><h1>{title}</h1></body></html>"
        return web.Response(text=page, status=status, content_type="text/html")

    @web.middleware
    async def _errors_as_json(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except NovitaError as error:
            return error.response()
        except web.HTTPNotFound:
            return self._not_found(request).response()
        except web.HTTPMethodNotAllowed as error:
            return NovitaError("API_NOT_FOUND", str(error), status=405).response()


def _edges_before(request: web.Request) -> tuple[str, ...]:
    """Return which settings of `edge_on` mean this request."""
    if request.path.startswith("/files/"):
        return ()
    if request.path == "/v3/async/task-result":
        return "all", "result"
    if request.path.startswith("/v3/async/"):
        return "all", "submit"
    return ("all", "balance") if request.path.endswith("/balance/detail") else ("all",)


async def _body(request: web.Request) -> bytes:
    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise NovitaError("IMAGE_FILE_EXCEEDS_MAX_SIZE", "the request is too large") from None


def _bytes(text: str) -> bytes:
    """Return the bytes of a text from the wire, which may hold what is no character."""
    return text.encode(errors="replace")


def _extra(task: Task) -> dict[str, Any]:
    return {
        "seed": "",
        "enable_nsfw_detection": False,
        "debug_info": {
            "request_info": "",
            "submit_time_ms": _milliseconds(task.submitted_at),
            "execute_time_ms": _milliseconds(task.started_at),
            "complete_time_ms": _milliseconds(task.ended_at),
        },
    }


def _milliseconds(at: float) -> str:
    """Return Unix milliseconds as a string, "" for a time that has not come: Novita does both."""
    return str(int(at * 1000)) if at else ""


def _storage_error(status: int, code: str, message: str) -> web.Response:
    """Return an error as the object storage behind the links words it: XML, not Novita's JSON."""
    error = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n{error}'
    return web.Response(text=text, status=status, content_type="application/xml")


def _is_page(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(1) == b"<"
