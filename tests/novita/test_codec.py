from __future__ import annotations

import base64
import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.request import RenderRequest
from bot.novita.codec import (
    Kind,
    Pending,
    Probed,
    Problem,
    Repeat,
    Submitted,
    Succeeded,
    TaskFailed,
    read_balance,
    read_probe,
    read_result,
    read_submit,
    submit_frame,
)
from bot.novita.models import CATALOGUE, ENCODINGS, Encoding, Model, catalogue


def body(model: str, order: RenderRequest, mime: str = "image/png") -> dict[str, object]:
    chosen = CATALOGUE[model]
    before, after = submit_frame(chosen, order, chosen.image_encoding, [mime])
    parsed: dict[str, object] = json.loads(before + base64.b64encode(b"still") + after)
    return parsed


def test_the_seed_models_body_is_the_seed_pages() -> None:
    assert body("kling-2.5-turbo-i2v", RenderRequest("", "a cat", 10, 0)) == {
        "image": "c3RpbGw=",  # raw base64, no data: prefix
        "prompt": "a cat",
        "duration": "10",  # a string
        "mode": "pro",
    }


@pytest.mark.parametrize("model", CATALOGUE)
@pytest.mark.parametrize("way", ENCODINGS)
@pytest.mark.parametrize("ends", [False, True])
def test_one_or_two_images_go_in_any_encoding(model: str, way: Encoding, ends: bool) -> None:
    given = ['https://cdn.example/a.png?ex=1&hm="2', "https://cdn.example/b.png"][: 1 + ends]
    images = given if way == "url" else ["image/png", "image/jpeg"][: 1 + ends]
    pieces = submit_frame(CATALOGUE[model], RenderRequest("", "a cat", 5, 0), way, images)
    sent = json.loads(b"c3RpbGw=".join(pieces))
    starts = {"base64": ("", ""), "data_uri": ("data:image/png;base64,", "data:image/jpeg;base64,")}
    expected = given if way == "url" else [start + "c3RpbGw=" for start in starts[way]]
    assert [sent.get("image"), sent.get("end_image")] == [*expected[: 1 + ends], *[None] * (1 - ends)]
    assert sent["prompt"] == "a cat"


@pytest.mark.parametrize("model", CATALOGUE.values(), ids=CATALOGUE)
def test_what_sets_the_price_is_always_said(model: Model) -> None:
    (whole,) = submit_frame(model, RenderRequest(model.name, "a cat", 5, 0), "url", ["https://cdn.example/"])
    sent = json.loads(whole)
    assert sent["duration"] == ("5" if model.duration_type == "string" else 5)
    assert sent.get("sound") == (False if model.makes_sound else None)
    assert sent.get("mode") == model.extra.get("mode")
    assert not {"cfg_scale", "negative_prompt"} & set(sent)


def test_its_siblings_differ_as_their_pages_say() -> None:
    sent = body("kling-v3.0-pro-i2v", RenderRequest("", "a cat", 7, 0, "blur", 0.8), "image/jpeg")
    assert sent == {
        "image": "data:image/jpeg;base64,c3RpbGw=",
        "prompt": "a cat",
        "duration": 7,
        "cfg_scale": 0.8,
        "sound": False,
        "negative_prompt": "blur",
    }


@pytest.mark.parametrize("sound", [False, True])
def test_sound_is_said_where_a_model_makes_it_and_costs_its_own(sound: bool) -> None:
    sent = body("kling-v3.0-std-i2v", RenderRequest("", "a cat", 5, 0, sound=sound))
    assert sent["sound"] is sound
    assert CATALOGUE["kling-v3.0-std-i2v"].price(5, sound) == (6300 if sound else 4200)
    assert "sound" not in body("kling-2.5-turbo-i2v", RenderRequest("", "a cat", 5, 0, sound=sound))


@pytest.mark.parametrize(
    ("status", "answer", "said"),
    [
        (400, '{"code":400,"reason":"INVALID_REQUEST_BODY","message":"prompt: is required"}', Probed.ALIVE),
        (404, '{"code":404,"message":"route not found"}', Probed.GONE),
        (404, '{"code":404,"reason":"API_NOT_FOUND","message":""}', Probed.GONE),
        (200, '{"task_id":"t-1"}', Probed.TASK),
        (200, "", Probed.TASK),
        (404, "<html>404 page not found</html>", Probed.UNCLEAR),
        (404, "route not found", Probed.UNCLEAR),
        (400, "<html>400</html>", Probed.UNCLEAR),
        (400, '{"reason":"MISSING_API_KEY"}', Probed.UNCLEAR),
        (403, '{"reason":"ACCESS_DENY"}', Probed.UNCLEAR),
        (429, '{"reason":"RATE_LIMIT_EXCEEDED"}', Probed.UNCLEAR),
        (500, '{"reason":"CREATE_TASK_FAILED"}', Probed.UNCLEAR),
        (404, '{"reason":"TASK_NOT_FOUND"}', Probed.UNCLEAR),
        (404, '{"reason":"TASK_NOT_FOUND","message":"route not found"}', Probed.UNCLEAR),
        (302, '{"message":"route not found"}', Probed.UNCLEAR),
        (400, '{"message":"route not found"}', Probed.UNCLEAR),
        (200, "<html>back soon</html>", Probed.UNCLEAR),
        (404, '["route not found"]', Probed.UNCLEAR),
    ],
)
def test_a_probe_tells_only_what_novita_itself_says(status: int, answer: str, said: Probed) -> None:
    assert read_probe(status, answer) is said


@given(prompt=st.text(max_size=200), negative=st.text(max_size=50), cfg=st.floats(0, 1))
def test_whatever_the_prompt_holds_the_body_is_json_and_whole(prompt: str, negative: str, cfg: float) -> None:
    sent = body("kling-2.5-turbo-i2v", RenderRequest("", prompt, 5, 0, negative, cfg))
    assert sent["prompt"] == prompt
    assert sent.get("negative_prompt", "") == negative
    assert sent.get("cfg_scale", 0.5) == cfg


def test_prices_are_estimates_in_ten_thousandths() -> None:
    assert CATALOGUE["kling-2.5-turbo-i2v"].price(5) == 3500
    assert CATALOGUE["kling-2.5-turbo-i2v"].price(10) == 7000
    assert CATALOGUE["kling-v3.0-std-i2v"].price(5) == 4200
    assert catalogue({"kling-v3.0-pro-i2v": Decimal("0.2")})["kling-v3.0-pro-i2v"].price(3) == 6000


def test_every_replacement_is_in_the_catalogue() -> None:
    assert all(model.replacement in CATALOGUE for model in CATALOGUE.values() if model.retired)


# --- submit -------------------------------------------------------------------------------------------------

ERRORS = [
    # reason, status, kind, repeat, may cost
    ("INVALID_REQUEST_BODY", 400, Kind.INPUT, Repeat.NO, False),
    ("IMAGE_FILE_EXCEEDS_MAX_SIZE", 400, Kind.INPUT, Repeat.NO, False),
    ("INVALID_IMAGE_FORMAT", 400, Kind.INPUT, Repeat.NO, False),
    ("IMAGE_EXCEEDS_MAX_RESOLUTION", 400, Kind.INPUT, Repeat.NO, False),
    ("INVALID_IMAGE_SIZE", 400, Kind.INPUT, Repeat.NO, False),
    ("ILLEGAL_PROMPT", 400, Kind.MODERATION, Repeat.NO, False),
    ("ILLEGAL_IMAGE_CONTENT", 400, Kind.MODERATION, Repeat.NO, False),
    ("MISSING_API_KEY", 400, Kind.KEY, Repeat.NO, False),
    ("INVALID_API_KEY", 403, Kind.KEY, Repeat.NO, False),
    ("API_NOT_ALLOWED", 403, Kind.KEY, Repeat.NO, False),
    ("FEATURE_NOT_ALLOWED", 403, Kind.KEY, Repeat.NO, False),
    ("NEED_REAL_NAME_VERIFY", 403, Kind.KEY, Repeat.NO, False),
    ("BILLING_BALANCE_NOT_ENOUGH", 400, Kind.FUNDS, Repeat.NO, False),
    ("NOT_ENOUGH_BALANCE", 402, Kind.FUNDS, Repeat.NO, False),
    ("NOT_ENOUGH_BALANCE", 403, Kind.FUNDS, Repeat.NO, False),
    ("ACCESS_DENY", 403, Kind.KEY, Repeat.NO, False),
    ("model_access_denied", 400, Kind.KEY, Repeat.NO, False),
    ("BILLING_AUTH_FAILED", 403, Kind.PROVIDER, Repeat.LATER, False),
    ("SERVICE_NOT_AVAILABLE", 503, Kind.LOAD, Repeat.LATER, False),
    ("RATE_LIMIT_EXCEEDED", 429, Kind.LOAD, Repeat.LATER, False),
    ("API_NOT_FOUND", 404, Kind.RETIRED, Repeat.NO, False),
    ("FUSION_MODEL_NOT_FOUND", 404, Kind.RETIRED, Repeat.NO, False),
    # On the paid request a 5xx may hide a task that was made, whatever reason it names.
    ("BILLING_FAILED", 500, Kind.UNCLEAR, Repeat.ASK, True),
    ("RATE_LIMIT_EXCEEDED", 500, Kind.UNCLEAR, Repeat.ASK, True),
    ("GET_RESULT_FAILED", 500, Kind.UNCLEAR, Repeat.ASK, True),
    ("TASK_NOT_FOUND", 500, Kind.UNCLEAR, Repeat.ASK, True),
    ("INVALID_REQUEST_BODY", 500, Kind.UNCLEAR, Repeat.ASK, True),
    ("API_NOT_FOUND", 502, Kind.UNCLEAR, Repeat.ASK, True),
    ("SERVICE_NOT_AVAILABLE", 500, Kind.UNCLEAR, Repeat.ASK, True),
    ("CREATE_TASK_FAILED", 500, Kind.UNCLEAR, Repeat.ASK, True),
    ("CREATE_TASK_FAILED", 400, Kind.UNCLEAR, Repeat.ASK, True),
    ("TASK_FAILED", 400, Kind.UNCLEAR, Repeat.ASK, True),
    *(
        (reason, status, Kind.UNCLEAR, Repeat.ASK, True)
        for reason in ("ILLEGAL_PROMPT", "NOT_ENOUGH_BALANCE")
        for status in (408, 409, 499)
    ),
    ("TASK_NOT_FOUND", 404, Kind.PROVIDER, Repeat.NO, False),
    ("FAILED_TO_AUTH", 401, Kind.KEY, Repeat.NO, False),
    ("NOT_ENOUGH_BALANCE", 403, Kind.FUNDS, Repeat.NO, False),
    ("ACCESS_DENY", 403, Kind.KEY, Repeat.NO, False),
]


@pytest.mark.parametrize(("reason", "status", "kind", "repeat", "may_cost"), ERRORS)
def test_the_table_of_errors(reason: str, status: int, kind: Kind, repeat: Repeat, may_cost: bool) -> None:
    answer = read_submit(
        status, json.dumps({"code": status, "reason": reason, "message": "m", "metadata": {}})
    )
    assert answer == Problem(kind, repeat, reason, status, "m", None, may_cost)


def test_below_500_novitas_reason_decides_before_the_status() -> None:
    answer = read_submit(400, '{"code": 400, "reason": "RATE_LIMIT_EXCEEDED", "message": ""}')
    assert isinstance(answer, Problem)
    assert answer.repeat is Repeat.LATER


@pytest.mark.parametrize(
    ("status", "text", "kind", "repeat"),
    [
        (401, '{"message": "who are you"}', Kind.KEY, Repeat.NO),
        (402, '{"message": "pay"}', Kind.FUNDS, Repeat.NO),
        # What an edge says speaks of neither key, model nor image, and it came no further.
        (401, "<html>sign in</html>", Kind.PROVIDER, Repeat.LATER),
        (403, "<html>blocked</html>", Kind.PROVIDER, Repeat.LATER),
        (404, "<html>not found</html>", Kind.PROVIDER, Repeat.LATER),
        (404, "route not found", Kind.PROVIDER, Repeat.LATER),
        (405, "", Kind.PROVIDER, Repeat.LATER),
        (404, '{"message": "no"}', Kind.PROVIDER, Repeat.NO),
        (404, '{"error": {"code": 404, "message": "route not found"}}', Kind.RETIRED, Repeat.NO),
        (400, '{"message": "Route not found"}', Kind.RETIRED, Repeat.NO),
        (413, '{"message": "too large"}', Kind.INPUT, Repeat.NO),
        (418, '{"error": {"message": "teapot"}}', Kind.INPUT, Repeat.NO),
        (429, "slow down", Kind.LOAD, Repeat.LATER),
        (302, "", Kind.PROVIDER, Repeat.NO),
        (408, "", Kind.UNCLEAR, Repeat.ASK),
        (409, "<html>conflict</html>", Kind.UNCLEAR, Repeat.ASK),
        (499, "", Kind.UNCLEAR, Repeat.ASK),
        (500, '{"message": "oops"}', Kind.UNCLEAR, Repeat.ASK),
        (502, "<html>bad gateway</html>", Kind.UNCLEAR, Repeat.ASK),
        (503, "", Kind.UNCLEAR, Repeat.ASK),
        (504, "", Kind.UNCLEAR, Repeat.ASK),
        (200, "<html>", Kind.UNCLEAR, Repeat.ASK),
        (200, '{"task_id": ""}', Kind.UNCLEAR, Repeat.ASK),
        (200, "[]", Kind.UNCLEAR, Repeat.ASK),
    ],
)
def test_answers_without_a_known_reason(status: int, text: str, kind: Kind, repeat: Repeat) -> None:
    answer = read_submit(status, text)
    assert isinstance(answer, Problem)
    assert (answer.kind, answer.repeat) == (kind, repeat)
    # What a machine may not repeat for want of certainty may have cost something, and the other way round.
    assert answer.may_cost is (repeat is Repeat.ASK)
    assert "<" not in answer.message


def test_retry_after_is_read_in_seconds() -> None:
    def of(header: str | None) -> float | None:
        answer = read_submit(429, "{}", header)
        assert isinstance(answer, Problem)
        return answer.retry_after

    assert of("7") == 7.0
    assert of(None) is None
    assert of("Wed, 21 Oct 2026 07:28:00 GMT") is None


def test_a_task_id_is_found() -> None:
    assert read_submit(200, '{"task_id": "t-1"}') == Submitted("t-1")
    assert read_submit(200, '{"code": 0, "data": {"task_id": "t-2"}}') == Submitted("t-2")


# --- result -------------------------------------------------------------------------------------------------

DOCUMENTED = (
    '{"extra":{"seed":"","enable_nsfw_detection":false,"debug_info":{"request_info":"","submit_time_ms":"",'
    '"execute_time_ms":"","complete_time_ms":""}},"task":{"task_id":"t","status":"TASK_STATUS_SUCCEED",'
    '"reason":"","task_type":"IMG_TO_VIDEO","eta":0,"progress_percent":0},"images":[],"videos":[{"video_url":'
    '"https://files.example/v.mp4","video_url_ttl":"3600","video_type":"mp4"}],"audios":[]}'
)


def test_the_documented_answer() -> None:
    assert read_result(200, DOCUMENTED) == Succeeded("https://files.example/v.mp4", 3600.0)


def test_a_number_for_the_ttl_and_missing_parts_are_tolerated() -> None:
    lean = '{"task":{"status":"TASK_STATUS_SUCCEED"},"videos":[{"video_url":"https://x/v.mp4","video_url_ttl":60}]}'
    assert read_result(200, lean) == Succeeded("https://x/v.mp4", 60.0)


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        ({"status": "TASK_STATUS_QUEUED", "eta": 0, "progress_percent": 0}, Pending(False)),
        ({"status": "TASK_STATUS_PROCESSING", "eta": "41", "progress_percent": 30}, Pending(True, 41.0, 30)),
        ({"status": "TASK_STATUS_PROCESSING", "eta": -1, "progress_percent": 300}, Pending(True)),
        ({"status": "TASK_STATUS_FAILED", "reason": "worker died"}, TaskFailed("worker died")),
        ({"status": "TASK_STATUS_FAILED", "reason": ""}, TaskFailed("")),
        ({"status": "TASK_STATUS_UNKNOWN"}, Pending(False, unknown_status="TASK_STATUS_UNKNOWN")),
        ({}, Pending(False, unknown_status="no status")),
    ],
)
def test_how_a_task_stands(task: dict[str, object], expected: object) -> None:
    assert read_result(200, json.dumps({"task": task})) == expected


def test_success_without_a_video_is_still_waited_for() -> None:
    answer = read_result(200, '{"task": {"status": "TASK_STATUS_SUCCEED"}, "videos": [null, {}]}')
    assert isinstance(answer, Pending)
    assert answer.unknown_status


@pytest.mark.parametrize(
    ("status", "text", "kind"),
    [
        (404, '{"reason": "TASK_NOT_FOUND"}', Kind.NO_TASK),
        (404, "", Kind.PROVIDER),  # an edge's: it knows nothing of the task
        (404, '{"message": "route not found"}', Kind.PROVIDER),
        (404, '{"reason": "API_NOT_FOUND"}', Kind.PROVIDER),
        (400, '{"reason": "CREATE_TASK_FAILED"}', Kind.PROVIDER),
        (401, "<html>sign in</html>", Kind.PROVIDER),
        (403, "<html>blocked</html>", Kind.PROVIDER),
        (429, "<html>banned</html>", Kind.LOAD),
        (302, "", Kind.PROVIDER),
        (500, '{"reason": "GET_RESULT_FAILED"}', Kind.PROVIDER),
        (503, "<html>", Kind.PROVIDER),
        (403, '{"reason": "INVALID_API_KEY"}', Kind.KEY),
    ],
)
def test_a_poll_that_failed(status: int, text: str, kind: Kind) -> None:
    answer = read_result(status, text)
    assert isinstance(answer, Problem)
    assert answer.kind is kind
    assert answer.repeat is Repeat.LATER  # a poll is free: nobody need be asked


def test_only_the_task_itself_ends_by_a_polls_error() -> None:
    answer = read_result(500, '{"reason": "TASK_FAILED", "message": "no luck"}')
    assert answer == Problem(Kind.PROVIDER, Repeat.NO, "TASK_FAILED", 500, "no luck", None, True)


def test_a_strangers_task_is_no_answer() -> None:
    assert read_result(200, DOCUMENTED, task_id="t") == Succeeded("https://files.example/v.mp4", 3600.0)
    answer = read_result(200, DOCUMENTED, task_id="mine")
    assert isinstance(answer, Problem)
    assert (answer.repeat, answer.reason) == (Repeat.LATER, "ANOTHER_TASK")
    lean = DOCUMENTED.replace('"task_id":"t",', "")
    assert isinstance(read_result(200, lean, task_id="mine"), Succeeded)  # none named is none contradicted


SIGNED = "https://files.example/v.png"
ECHOES = [
    # what Novita was sent, and what is left of it
    ("bad key sk_live-0123", "bad key <secret>"),
    ("the key is kinora's own", "the key is <secret>"),
    ("Authorization: Bearer abc.def", "Authorization: Bearer <secret>"),
    (f"cannot fetch '{SIGNED}?ex=1&is=2&hm=3'", f"cannot fetch '{SIGNED}?<query>'"),
    ("cannot fetch /v.png?ex=1&is=2&hm=3", "cannot fetch /v.png?<query>"),
    (
        "cannot fetch https://me:word@files.example/v.png#x",
        "cannot fetch https://<secret>@files.example/v.png?<query>",
    ),
    (
        "not an image: data:image/png;base64," + "iVBORw0KGgo" * 20,
        "not an image: data:image/png;base64,<data>",
    ),
    ("token MTMyMzk4NDA2Njk2OTYwMDAwMA.GabcdE.abcdefghijklmnopqrstuvwxyz0123456789AB", "token <secret>"),
    ("POST /webhooks/123456/" + "aW50ZXJhY3Rpb24" * 2, "POST /webhooks/123456/<token>"),
    ("image: must be at least 300x300, is 20x20?", "image: must be at least 300x300, is 20x20?"),
]


@pytest.mark.parametrize(("echo", "left"), ECHOES)
def test_what_novita_echoes_opens_nothing(echo: str, left: str) -> None:
    own = ("kinora's own",)
    refused = {"reason": echo, "message": echo}
    told = [
        read_submit(400, json.dumps(refused), None, own),
        read_submit(400, json.dumps({"error": {"message": echo}}), None, own),
        read_submit(400, echo, None, own),
        read_result(500, json.dumps(refused), None, "t", own),
        read_balance(403, json.dumps(refused), own),
    ]
    assert [answer.message for answer in told if isinstance(answer, Problem)] == [left] * len(told)
    assert isinstance(told[0], Problem)
    assert told[0].reason == left[:100]
    failed = json.dumps({"task": {"status": "TASK_STATUS_FAILED", "reason": echo}})
    assert read_result(200, failed, secrets=own) == TaskFailed(left)
    strange = read_result(200, json.dumps({"task": {"status": echo}}), secrets=own)
    assert isinstance(strange, Pending)
    assert strange.unknown_status == left[:100]


@given(at=st.integers(0, 6000), cut=st.integers(0, 6000), secret=st.text("abc-_XYZ019", min_size=20))
def test_no_part_of_a_secret_is_left_by_a_cut(at: int, cut: int, secret: str) -> None:
    text = "x" * cut + " " + "A" * at + f" {secret} " + "tail " * 900
    answer = read_submit(400, json.dumps({"message": text}), None, (secret,))
    assert isinstance(answer, Problem)
    assert secret[:12] not in answer.message
    assert len(answer.message) <= 500


@given(text=st.text(st.characters()), name=st.text(st.characters()))
def test_whatever_novita_says_can_be_stored_and_logged_in_one_line(text: str, name: str) -> None:
    for answer in (
        read_submit(400, json.dumps({"reason": name, "message": text})),
        read_result(200, json.dumps({"task": {"status": "TASK_STATUS_FAILED", "reason": text}})),
        read_result(
            200, json.dumps({"task": {"status": "TASK_STATUS_SUCCEED"}, "videos": [{"video_url": text}]})
        ),
        read_submit(200, json.dumps({"task_id": text})),
    ):
        for value in vars(answer).values():
            if isinstance(value, str):
                value.encode()
                assert not set(value) & set(map(chr, [*range(9), *range(11, 32), 127, 0x85, 0x9B]))
    problem = read_submit(400, json.dumps({"reason": name}))
    assert isinstance(problem, Problem)
    assert len(problem.reason.splitlines()) == 1


@given(status=st.sampled_from([200, 400, 403, 404, 429, 500, 503]), text=st.text() | st.binary().map(repr))
def test_no_answer_breaks_the_codec(status: int, text: str) -> None:
    read_submit(status, text, text)
    read_result(status, text, text)
    read_balance(status, text)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["task", "videos", "status", "reason", "error", "video_url", "code"]), inner
        )
    ),
)


@given(status=st.sampled_from([200, 400, 500]), value=JSON)
def test_no_json_breaks_the_codec(status: int, value: object) -> None:
    read_submit(status, json.dumps(value))
    read_result(status, json.dumps(value))


def test_balance() -> None:
    assert read_balance(200, '{"availableBalance": "1000000", "cashBalance": "0"}') == 1_000_000
    assert isinstance(read_balance(200, "{}"), Problem)
    refused = read_balance(403, '{"reason": "INVALID_API_KEY"}')
    assert isinstance(refused, Problem)
    assert refused.kind is Kind.KEY


@pytest.mark.parametrize(
    ("reason", "problem"),
    [
        ("ILLEGAL_IMAGE_CONTENT", "moderation"),
        ("Failure to pass the risk control system", "moderation"),
        ("the image was found to be inappropriate", "moderation"),
        ("NSFW content detected", "moderation"),
        ("", "task_failed"),
        ("out of memory", "task_failed"),
        ("insensitive to the prompt", "task_failed"),
    ],
)
def test_a_task_that_content_rules_refused_is_withheld(reason: str, problem: str) -> None:
    assert TaskFailed(reason).problem == problem
