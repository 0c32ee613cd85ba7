"""Novita's documented errors and the shape of their body."""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web

# https://novita.ai/docs/api-reference/basic-error-code
STATUS: dict[str, int] = {
    "INVALID_REQUEST_BODY": 400,
    "IMAGE_FILE_EXCEEDS_MAX_SIZE": 400,
    "INVALID_IMAGE_FORMAT": 400,
    "IMAGE_EXCEEDS_MAX_RESOLUTION": 400,
    "INVALID_IMAGE_SIZE": 400,
    "ILLEGAL_PROMPT": 400,
    "ILLEGAL_IMAGE_CONTENT": 400,
    "MISSING_API_KEY": 400,
    "INVALID_API_KEY": 403,
    "API_NOT_ALLOWED": 403,
    "FEATURE_NOT_ALLOWED": 403,
    "NEED_REAL_NAME_VERIFY": 403,
    "BILLING_BALANCE_NOT_ENOUGH": 400,
    "NOT_ENOUGH_BALANCE": 400,
    "FAILED_TO_AUTH": 401,
    "ACCESS_DENY": 403,
    "SERVICE_NOT_AVAILABLE": 503,
    "BILLING_AUTH_FAILED": 403,
    "BILLING_FAILED": 500,
    "RATE_LIMIT_EXCEEDED": 429,
    "API_NOT_FOUND": 404,
    "FUSION_MODEL_NOT_FOUND": 404,
    "CREATE_TASK_FAILED": 500,
    "TASK_NOT_FOUND": 404,
    "GET_RESULT_FAILED": 500,
    "TASK_FAILED": 500,
}

# What a bare status is called when nobody names a reason (faults do not have to).
_REASON_BY_STATUS = {
    400: "INVALID_REQUEST_BODY",
    402: "NOT_ENOUGH_BALANCE",
    403: "INVALID_API_KEY",
    404: "API_NOT_FOUND",
    429: "RATE_LIMIT_EXCEEDED",
}


class NovitaError(Exception):
    """A refusal in Novita's words: `reason` decides the status unless one is given.

    `bare`: the body has no reason, nor metadata.
    """

    def __init__(
        self,
        reason: str,
        message: str,
        *,
        status: int | None = None,
        metadata: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
        bare: bool = False,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.bare = bare
        self.message = message
        self.status = status or STATUS[reason]
        self.metadata = metadata or {}
        self.headers = headers or {}

    def response(self) -> web.Response:
        """Return the JSON answer `{code, reason, message, metadata}`."""
        body = {
            "code": self.status,
            "reason": self.reason,
            "message": self.message,
            "metadata": self.metadata,
        }
        if self.bare:
            body = {"code": self.status, "message": self.message}
        return json_response(body, status=self.status, headers=self.headers)


def json_response(body: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """Return `body` as JSON with the bare content type `application/json`."""
    return web.Response(
        body=json.dumps(body).encode(), status=status, headers=headers, content_type="application/json"
    )


def response_for(
    status: int | None, reason: str, message: str, headers: dict[str, str] | None = None
) -> web.Response:
    """Return an error answer from whatever is known of it: a status, a reason, or neither (500)."""
    if not reason:
        reason = _REASON_BY_STATUS.get(status or 500, "")
    status = status or STATUS.get(reason, 500)
    message = message or reason.replace("_", " ").lower() or "internal error"
    return NovitaError(reason, message, status=status, headers=headers).response()
