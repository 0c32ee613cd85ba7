"""The mutants, by the file that they change: one for each guard of a promise.

To mend one whose text has changed, find what keeps its promise now and break that. To add one, write what is
to be broken, the promise, and the quickest tests that should notice; then `make mutants MUTANT=name`.
"""

from __future__ import annotations

from tests.mutants.mutant import Mutant

_MUTANTS: list[Mutant] = []


def _mutant(file: str, name: str, promise: str, before: str, after: str, *tests: str) -> None:
    _MUTANTS.append(Mutant(name, promise, file, before, after, tests))


ADMISSION = "tests/jobs/test_admission.py::"
FENCING = "tests/jobs/test_fencing.py::"
INTERACTIONS = "tests/jobs/test_interactions.py::"
LEASE = "tests/jobs/test_lease.py::"
POLLING = "tests/jobs/test_polling.py::"
RUNNER = "tests/jobs/test_runner.py::"
SERVICE = "tests/jobs/test_service.py::"
TURNS = "tests/jobs/test_turns.py::"
STORE = "tests/jobs/test_store.py::"
CODEC = "tests/novita/test_codec.py::"
CLIENT = "tests/novita/test_client.py::"
POSTING = "tests/messaging/test_posting.py::"
POLICY = "tests/ui/test_policy.py::"
DOWNLOAD = "tests/test_download.py::"
IMAGE = "tests/media/test_image.py::"

# --- states and transitions ---------------------------------------------------------------------------------

FILE = "bot/domain/job.py"
_mutant(
    FILE,
    "unconfirmed-ordered-again",
    "From an unconfirmed job no transition leads to another payment.",
    "State.UNCONFIRMED: frozenset({State.CANCELLED}),",
    "State.UNCONFIRMED: frozenset({State.CANCELLED, State.SUBMITTING}),",
    STORE + "test_a_payment_lies_behind_one_transition_only",
)
_mutant(
    FILE,
    "paid-without-submitting",
    "No job is at Novita's without having been `submitting`.",
    "frozenset({State.SUBMITTING, State.FAILED, State.CANCELLED}),",
    "frozenset({State.SUBMITTING, State.RENDERING, State.FAILED, State.CANCELLED}),",
    STORE + "test_a_payment_lies_behind_one_transition_only",
)

# --- the store: guards --------------------------------------------------------------------------------------

FILE = "bot/store/jobs.py"
_GUARD = "guard = sa.and_(jobs.c.state.in_(states), jobs.c.fencing_token == job.fencing_token)"
_mutant(
    FILE,
    "write-without-token",
    "Only the run that owns a row writes it.",
    _GUARD,
    "guard = jobs.c.state.in_(states)",
    STORE + "test_only_the_run_that_owns_a_job_can_write",
)
_mutant(
    FILE,
    "write-from-any-state",
    "A transition is taken from the state that it leaves only.",
    _GUARD,
    "guard = jobs.c.fencing_token == job.fencing_token",
    STORE + "test_only_the_run_that_owns_a_job_can_write",
)
_mutant(
    FILE,
    "transition-not-in-the-table",
    "No transition is taken that the table does not have.",
    "if to not in TRANSITIONS[job.state]:",
    "if False:",
    STORE + "test_there_are_no_transitions_but_the_drawn_ones",
)
_mutant(
    FILE,
    "lost-commit-not-repeated",
    "A transition whose commit's answer was lost is done again, and changes nothing.",
    "if to is not None and to not in states:",
    "if False:",
    INTERACTIONS + "test_a_transition_whose_answer_was_lost_is_taken_once",
)
_mutant(
    FILE,
    "owned-by-anybody",
    "A run that was overtaken hears so when it asks whether the job is still its own.",
    "mine = sa.and_(jobs.c.id == job.id, jobs.c.fencing_token == job.fencing_token)",
    "mine = jobs.c.id == job.id",
    STORE + "test_who_was_overtaken_owns_the_job_no_longer",
)
_mutant(
    FILE,
    "claim-without-lease",
    "A worker claims a job only with a lease that is good.",
    "guard = sa.true() if lease is None else _in_hand(lease)",
    "guard = sa.true()",
    LEASE + "test_a_lease_is_good_while_its_row_is_this_workers_and_being_done",
)
_mutant(
    FILE,
    "lease-of-another-worker",
    "A lease ends when its row is given to another worker.",
    "queue.c.worker_id == lease.worker_id,",
    "",
    LEASE + "test_a_lease_is_good_while_its_row_is_this_workers_and_being_done",
)
_mutant(
    FILE,
    "lease-of-a-queued-row",
    "A lease ends when its row is queued again.",
    'sa.cast(queue.c.status, sa.Text) == "doing",',
    "",
    LEASE + "test_a_lease_is_good_while_its_row_is_this_workers_and_being_done",
)
_mutant(
    FILE,
    "newer-states-touched",
    "A row in a state of a later version is left alone.",
    ".where(jobs.c.id == job_id, KNOWN, guard)",
    ".where(jobs.c.id == job_id, guard)",
    RUNNER + "test_a_job_in_a_state_of_a_later_versions_is_left_alone",
)
_mutant(
    FILE,
    "given-up-jobs-forgotten",
    "A job that was given up stays open until it was looked for once more.",
    ", jobs.c.check_at.is_not(None))",
    ")",
    RUNNER + "test_a_late_look_finds_the_video_and_brings_it",
)
_mutant(
    FILE,
    "untold-jobs-forgotten",
    "A job that ended stays open until people were told.",
    '"charge": charge, "notified": False}',
    '"charge": charge, "notified": True}',
    RUNNER + "test_an_answer_that_ends_the_job_is_never_followed_by_another_request",
)
_mutant(
    FILE,
    "others-jobs-listed",
    "Somebody's list of jobs has nobody else's.",
    "jobs.c.requester_id == user_id, KNOWN",
    "KNOWN",
    STORE + "test_a_list_of_jobs_has_nobody_elses",
)
_mutant(
    FILE,
    "decided-in-any-state",
    "Only an unconfirmed job can be decided on, and once.",
    "undecided = sa.or_(jobs.c.state == State.UNCONFIRMED, jobs.c.fencing_token == token)",
    "undecided = sa.true()",
    INTERACTIONS + "test_only_an_unconfirmed_job_is_decided_on",
)
_mutant(
    FILE,
    "lost-decision-refused",
    "A decision whose commit's answer was lost is done again, and changes nothing.",
    '"fencing_token": token,\n            "notified": False,',
    '"notified": False,',
    INTERACTIONS + "test_a_decision_whose_answer_was_lost_is_one",
)
_mutant(
    FILE,
    "looked-again-in-any-state",
    "Only a failed job is looked for again.",
    "_change(connection, jobs.c.state == State.FAILED, job_id, changes)",
    "_change(connection, sa.true(), job_id, changes)",
    INTERACTIONS + "test_only_a_failed_job_is_looked_for_again",
)
_mutant(
    FILE,
    "look-again-leaves-the-owner",
    "A new look takes the job away from the run that sleeps on it.",
    '"notified": True,\n            "fencing_token": next(self._tokens),',
    '"notified": True,',
    INTERACTIONS + "test_looking_again_takes_the_job_away_from_whoever_sleeps_on_it",
)

# --- the store: once ----------------------------------------------------------------------------------------

_mutant(
    "bot/store/interactions.py",
    "interaction-acted-on-twice",
    "One interaction is one job.",
    "if (await connection.execute(acted)).scalar() != job_id:",
    "if False:",
    INTERACTIONS + "test_an_interaction_becomes_one_job",
)
_mutant(
    "bot/store/interactions.py",
    "own-repeat-refused",
    "An acceptance whose commit's answer was lost is repeated, and is one job.",
    "if (await connection.execute(acted)).scalar() != job_id:",
    "if True:",
    INTERACTIONS + "test_the_same_job_may_be_written_down_again",
)
_mutant(
    "bot/store/database.py",
    "inserted-by-belief",
    "Whether a row was inserted is told by what the database returns.",
    "return (await connection.execute(statement)).first() is not None",
    "return (await connection.execute(statement)).first() is not None or True",
    INTERACTIONS + "test_an_interaction_becomes_one_job",
)
_mutant(
    FILE,
    "queued-twice",
    "A job whose acceptance is repeated is in the queue once.",
    "if await inserted(connection, statement.returning(jobs.c.id)):",
    "if await inserted(connection, statement.returning(jobs.c.id)) or True:",
    INTERACTIONS + "test_an_acceptance_whose_answer_was_lost_is_one",
)
_mutant(
    "bot/store/interactions.py",
    "interactions-forgotten-at-once",
    "An interaction is remembered for as long as it may be heard again.",
    "old = interactions.c.seen_at < database.now - REMEMBER_INTERACTIONS",
    "old = interactions.c.seen_at < database.now",
    INTERACTIONS + "test_interactions_are_forgotten_when_they_are_old",
)
_mutant(
    FILE,
    "publication-twice",
    "A publication whose commit's answer was lost is one.",
    "insert(publications).values(values).on_conflict_do_nothing()",
    "insert(publications).values(values)",
    INTERACTIONS + "test_a_publication_whose_answer_was_lost_is_one",
)

# --- the store: versions ------------------------------------------------------------------------------------

_mutant(
    FILE,
    "outdated-version-pays",
    "Right before a payment, the database is asked whether this version may pay.",
    "if to is State.SUBMITTING:",
    "if to is State.RENDERING:",
    RUNNER + "test_a_version_that_becomes_outdated_at_the_last_moment_pays_nothing",
)
_mutant(
    FILE,
    "oldest-version-refused",
    "The oldest version that is allowed to pay pays.",
    "int(oldest) > PAYING_VERSION:",
    "int(oldest) >= PAYING_VERSION:",
    RUNNER + "test_a_version_that_is_new_enough_pays",
)

# --- the database and the line ------------------------------------------------------------------------------

FILE = "bot/store/database.py"
_mutant(
    FILE,
    "commits-not-on-disk",
    "A commit has reached the disk before the paid request leaves.",
    '"synchronous=FULL"',
    '"synchronous=NORMAL"',
    STORE + "test_commits_survive_a_power_cut",
)
_mutant(
    FILE,
    "two-on-one-file",
    "A second process is kept off the same file.",
    "fcntl.LOCK_EX | fcntl.LOCK_NB",
    "fcntl.LOCK_SH | fcntl.LOCK_NB",
    STORE + "test_a_second_process_is_kept_off_the_file",
)
FILE = "bot/store/rows.py"
_mutant(
    FILE,
    "halves-of-emoji-stored",
    "Half a surrogate pair does not stop a job: it is replaced before it is stored.",
    '"[\\0\\ud800-\\udfff]"',
    '"[\\0]"',
    STORE + "test_text_that_no_database_takes_is_replaced",
)
FILE = "bot/store/queue.py"
_mutant(
    FILE,
    "turns-without-limit",
    "No more render at once than the account may.",
    "room=min(limit - busy.scalar_one(), per_minute - latest.scalar_one())",
    "room=per_minute - latest.scalar_one()",
    TURNS + "test_no_more_have_turns_than_the_account_may",
)
_mutant(
    FILE,
    "turns-without-rate",
    "No more renders begin in a minute than the account may.",
    "room=min(limit - busy.scalar_one(), per_minute - latest.scalar_one())",
    "room=limit - busy.scalar_one()",
    TURNS + "test_no_more_have_turns_than_the_account_may",
)
_mutant(
    FILE,
    "renders-not-counted",
    "A render that is at Novita's counts, whoever runs it.",
    "jobs.c.state.in_([State.SUBMITTING, State.RENDERING])",
    "jobs.c.state.in_([State.SUBMITTING])",
    TURNS + "test_a_render_at_novita_takes_up_room",
)
_mutant(
    FILE,
    "pause-cut-short",
    "Of two pauses the longer counts.",
    "if seconds > await self._paused_for(connection, now):",
    "if True:",
    TURNS + "test_of_two_pauses_the_longer_counts",
)
FILE = "bot/domain/fairness.py"
_mutant(
    FILE,
    "pause-not-kept",
    "While Novita takes none, nobody gets a turn.",
    "room = max(0, room) if paused <= 0 else 0",
    "room = max(0, room)",
    TURNS + "test_of_two_pauses_the_longer_counts",
)
_mutant(
    FILE,
    "two-turns-in-a-round",
    "Nobody has two turns in one round.",
    "return this + (last.get(who) == this)",
    "return this",
    POLLING + "test_nobody_has_two_turns_in_a_round",
    POLLING + "test_one_persons_hundred_do_not_hold_up_the_others",
)
FILE = "bot/jobs/admission.py"
_mutant(
    FILE,
    "in-before-the-turn",
    "Nobody goes in before the turn.",
    "if job_id not in places:",
    "if True:",
    ADMISSION + "test_nobody_goes_in_before_the_turn",
)

# --- the paid request ---------------------------------------------------------------------------------------

FILE = "bot/jobs/submission.py"
_MOVE = "job = await self._store.move(job, State.SUBMITTING, submitted_at=time.time())\n"
_SEND = "answer = await self._novita.submit(model, job.request, encoding, content)\n"
_OPEN = "content = addresses or _opened(stack, job, images)\n"
_mutant(
    FILE,
    "paid-before-the-commit",
    "The row says `submitting` before the paid request leaves.",
    f"{_MOVE}                {_SEND}",
    f"{_SEND}                {_MOVE}",
    RUNNER + "test_the_request_finds_its_row_submitting_and_the_poll_finds_the_task",
)
_mutant(
    FILE,
    "image-opened-after-the-commit",
    "A stop that drops the image leaves no row that says that a request may be out.",
    f"{_OPEN}                {_MOVE}",
    f"{_MOVE}                {_OPEN}",
    "tests/jobs/test_submission.py",
)
_mutant(
    FILE,
    "lost-answer-ordered-again",
    "A paid request whose answer was lost is never sent again by a machine.",
    "except AnswerLost as error:\n            return await self.unconfirmed(job, str(error)), None",
    "except AnswerLost as error:\n            return await self._not_now(job, TemporaryError(str(error)))",
    RUNNER + "test_an_answer_that_ends_the_job_is_never_followed_by_another_request",
)
_mutant(
    FILE,
    "unclear-answer-ordered-again",
    "A paid request whose answer says nothing certain is never sent again by a machine.",
    "return await self.unconfirmed(job, answer.reason), None",
    "return await self._not_now(job, TemporaryError(answer.reason))",
    RUNNER + "test_an_answer_that_ends_the_job_is_never_followed_by_another_request",
)
_mutant(
    FILE,
    "payment-cancelled-by-a-stop",
    "A stop leaves a paid request on its way to reach its commit.",
    "return await asyncio.shield(task)",
    "return await task",
    RUNNER + "test_a_stop_waits_until_the_paid_request_is_answered_and_written_down",
)
_mutant(
    FILE,
    "task-id-lost",
    "The task's id is written with the transition that follows the payment.",
    "State.RENDERING, task_id=task_id, submitted_at=now)",
    "State.RENDERING, submitted_at=now)",
    RUNNER + "test_the_request_finds_its_row_submitting_and_the_poll_finds_the_task",
)
_mutant(
    FILE,
    "called-free",
    "A refusal that may have cost something is never called free.",
    "charge = Charge.UNKNOWN if answer.may_cost else Charge.NOTHING",
    "charge = Charge.NOTHING",
    RUNNER + "test_an_answer_that_ends_the_job_is_never_followed_by_another_request",
)
_mutant(
    FILE,
    "operator-not-told",
    "The operator hears at ERROR what only the operator can mend.",
    "if remedy := REMEDIES.get(problem.kind):",
    "if False and (remedy := REMEDIES.get(problem.kind)):",
    RUNNER + "test_the_operator_hears_what_only_the_operator_can_mend",
)
_mutant(
    FILE,
    "full-account-is-trouble",
    "A full account is waited for, however long.",
    "return await self._not_now(job, RateLimited(answer.reason, answer.retry_after))",
    "return await self._not_now(job, TemporaryError(answer.reason, answer.retry_after))",
    RUNNER + "test_a_full_account_pauses_everybody_and_the_job_gets_in_line_again",
)
FILE = "bot/novita/client.py"
_mutant(
    FILE,
    "lost-taken-for-not-sent",
    "Only an error from before the first byte proves that nothing was sent.",
    "except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:",
    "except (aiohttp.ClientConnectorError, aiohttp.ServerDisconnectedError) as error:",
    CLIENT + "test_a_lost_answer_is_told_as_that_and_not_repeated",
)
_mutant(
    FILE,
    "not-sent-taken-for-lost",
    "A connection that was never made proves that nothing was bought.",
    "raise NotSent(type(error).__name__) from None",
    "raise AnswerLost(type(error).__name__) from None",
    CLIENT + "test_a_refused_connection_proves_that_nothing_was_sent",
)
_mutant(
    FILE,
    "payment-redirected",
    "A paid request is sent to one address, once.",
    "headers=headers,\n                allow_redirects=False,",
    "headers=headers,\n                allow_redirects=True,",
    CLIENT + "test_a_redirect_is_not_followed",
)
_mutant(
    FILE,
    "payment-on-a-kept-connection",
    "The paid request gets a fresh connection each time.",
    "force_close=True",
    "force_close=False",
    "tests/novita/test_connections.py",
)
_mutant(
    FILE,
    "image-padded-inside",
    "The image arrives at Novita's byte for byte.",
    "PIECE = 3 * 64 * 1024",
    "PIECE = 64 * 1024",
    CLIENT + "test_the_image_arrives_byte_for_byte",
)
FILE = "bot/novita/codec.py"
_mutant(
    FILE,
    "edge-error-ordered-again",
    "A 5xx on the paid request is never repeated by a machine.",
    "if status >= 500 or status in _NOBODY_KNOWS:",
    "if status in _NOBODY_KNOWS:",
    CODEC + "test_answers_without_a_known_reason",
)
_mutant(
    FILE,
    "success-without-id-ordered-again",
    "A success without a task id is asked about, not ordered again.",
    'Problem(Kind.UNCLEAR, Repeat.ASK, "NO_TASK_ID", status, may_cost=True)',
    'Problem(Kind.UNCLEAR, Repeat.LATER, "NO_TASK_ID", status, may_cost=True)',
    CODEC + "test_answers_without_a_known_reason",
)
_mutant(
    FILE,
    "unknown-status-ends-a-job",
    "A status that nobody knows is waited on, since the task is paid.",
    'return Pending(started=False, unknown_status=_name(name, secrets) or "no status")',
    'return TaskFailed(name or "no status")',
    CODEC + "test_how_a_task_stands",
)
_mutant(
    FILE,
    "html-shown-to-people",
    "An edge's page of HTML is never shown to people.",
    'text.startswith(("<", "{", "["))',
    'text.startswith(("{", "["))',
    CODEC + "test_answers_without_a_known_reason",
)
_mutant(
    FILE,
    "odd-numbers-believed",
    "A number of Novita's that cannot be is none.",
    "return number if math.isfinite(number) and number >= 0 else None",
    "return number",
    CODEC + "test_how_a_task_stands",
)

_mutant(
    FILE,
    "edge-gave-up-ordered-again",
    "A 408, 409 or 499 on the paid request may hide a task, so a person is asked.",
    "frozenset({408, 409, 499})",
    "frozenset({408})",
    CODEC + "test_the_table_of_errors",
)
_mutant(
    FILE,
    "surge-protection-asked-about",
    "Novita's documented surge protection is waited for.",
    "if status == 503 and refusal.is_json and reason == _SURGE:",
    "if False:",
    CODEC + "test_the_table_of_errors",
)
_mutant(
    FILE,
    "any-503-is-surge-protection",
    "Only the documented 503 of the paid request is waited for.",
    "if status == 503 and refusal.is_json and reason == _SURGE:",
    "if status == 503:",
    CODEC + "test_answers_without_a_known_reason",
)
_mutant(
    FILE,
    "edges-page-retires-a-model",
    "An edge's page on a submit speaks of neither model, key nor image.",
    "return _by_an_edge(status)",
    "pass",
    CODEC + "test_answers_without_a_known_reason",
)
_mutant(
    FILE,
    "edges-page-speaks-of-the-key",
    "An edge's page on a poll speaks of neither task nor key.",
    "return _by_an_edge(refusal.status)",
    "pass",
    CODEC + "test_a_poll_that_failed",
)
_mutant(
    FILE,
    "strangers-task-believed",
    "An answer about another task is no answer.",
    'if task_id and _text(task.get("task_id")) not in ("", task_id):',
    "if False:",
    CODEC + "test_a_strangers_task_is_no_answer",
)
_mutant(
    FILE,
    "reason-forges-a-line",
    "A reason of Novita's stands on one line.",
    "plain(redacted(reason, secrets))[:100]",
    "redacted(reason, secrets)[:100]",
    CODEC + "test_whatever_novita_says_can_be_stored_and_logged_in_one_line",
)
_mutant(
    "bot/novita/client.py",
    "bomb-unpacked",
    "An answer is unpacked up to a bound.",
    "decompress(raw, LARGEST + 1)",
    "decompress(raw)",
    CLIENT + "test_an_answer_is_read_up_to_a_bound_also_once_unpacked",
)
_mutant(
    "bot/novita/client.py",
    "endless-answer-read",
    "An answer is read up to a bound.",
    "if len(raw) > LARGEST:",
    "if False:",
    CLIENT + "test_an_endless_answer_is_not_read_to_its_end",
)
_mutant(
    "bot/store/jobs.py",
    "task-of-two-jobs",
    "No task of Novita's is two jobs'.",
    "if (await connection.execute(owner)).scalar() != job_id:",
    "if False:",
    STORE + "test_a_task_is_one_jobs",
)
_mutant(
    "bot/files/download.py",
    "signature-rewritten",
    "A signed link is asked byte for byte.",
    'encoded=re.fullmatch(r"[!-~]*", url) is not None',
    "encoded=False",
    DOWNLOAD + "test_a_signed_address_is_asked_byte_for_byte",
)
_mutant(
    "bot/files/download.py",
    "address-of-two-lines",
    "No address puts a line into a request.",
    'encoded=re.fullmatch(r"[!-~]*", url) is not None',
    "encoded=True",
    DOWNLOAD + "test_a_signed_address_is_asked_byte_for_byte",
)
_mutant(
    "bot/jobs/runner.py",
    "too-large-tried-again",
    "What no further try can help is not tried again.",
    "if error.final or dead",
    "if dead",
    RUNNER + "test_what_no_further_try_can_help_is_not_tried_again",
)
_mutant(
    "bot/logs.py",
    "log-line-forged",
    "No words from outside forge a line in the log.",
    'record.message = plain(_UNSEEN.sub("", record.message))',
    "pass",
    "tests/test_logs.py::test_no_words_from_outside_forge_a_line",
)

# --- the fence ----------------------------------------------------------------------------------------------

FILE = "bot/jobs/fencing.py"
_mutant(
    FILE,
    "fence-open",
    "Nothing is sent for a job that is another run's.",
    "if not await self._owns(request.job):",
    "if not await self._owns(request.job) and False:",
    FENCING + "test_nothing_is_sent_for_a_job_that_is_anothers",
)
_mutant(
    FILE,
    "fence-not-asked",
    "Every writing request asks, once its connection stands and before a byte is sent.",
    "trace.on_request_headers_sent.append(self._connected)",
    "trace.on_request_end.append(self._connected)",
    FENCING + "test_nothing_is_sent_for_a_job_that_is_anothers",
)
_mutant(
    FILE,
    "fence-lets-posts-pass",
    "Only reading requests pass the fence unasked.",
    'READING = frozenset({"GET", "HEAD", "OPTIONS"})',
    'READING = frozenset({"GET", "HEAD", "OPTIONS", "POST"})',
    FENCING + "test_nothing_is_sent_for_a_job_that_is_anothers",
)
_mutant(
    FILE,
    "fence-open-in-mid-body",
    "A long body breaks off when its job was taken over meanwhile.",
    "trace.on_request_chunk_sent.append(self._sending)",
    "",
    FENCING + "test_a_long_body_breaks_off_when_its_job_was_taken_over",
)
_mutant(
    FILE,
    "fence-believes-a-stale-answer",
    "An answer that a pause made old is asked for again.",
    "if request.asked - began < STALE:",
    "if True:",
    FENCING + "test_an_answer_that_a_pause_made_old_is_asked_for_again",
)
_mutant(
    FILE,
    "fence-away-in-doubt",
    "A database that does not answer in front of a payment proves that nothing was bought.",
    'raise aiohttp.ConnectionTimeoutError("the database does not answer") from None',
    "raise",
    FENCING + "test_a_database_that_does_not_answer_leaves_the_money_where_it_is",
)
FILE = "bot/jobs/runner.py"
_mutant(
    FILE,
    "run-without-fence",
    "What a run sends is asked for under the token of that run.",
    "fencing.set_job(job)",
    "",
    FENCING + "test_what_a_run_sends_is_asked_for_under_its_own_token",
)

# --- the runner ---------------------------------------------------------------------------------------------

_mutant(
    FILE,
    "interrupted-ordered-again",
    "A job found `submitting` after a crash is never ordered again by a machine.",
    'return await self._submission.unconfirmed(job, "interrupted")',
    "return await self._store.move(job, State.ACCEPTED)",
    RUNNER + "test_found_submitting_it_is_unconfirmed_and_never_submitted_again",
)
_mutant(
    FILE,
    "video-fetched-and-posted-again",
    "A video that an earlier run posted is neither fetched nor posted again.",
    "if earlier is not None:",
    "if False:",
    RUNNER + "test_a_video_that_an_earlier_run_posted_is_not_posted_again",
)
_mutant(
    FILE,
    "reply-token-kept",
    "What opened the first card is not kept.",
    "reply_token=None,\n",
    "",
    RUNNER + "test_what_opened_the_first_card_is_not_kept",
)
_mutant(
    FILE,
    "turn-kept-by-a-full-account",
    "A job that Novita had no room for gets in line again.",
    "job = await self._store.update(job, turn_at=None)",
    "",
    RUNNER + "test_a_full_account_pauses_everybody_and_the_job_gets_in_line_again",
)
_mutant(
    FILE,
    "no-pause-for-a-full-account",
    "When the account's limit is hit, nobody else tries meanwhile.",
    "await self._admission.pause(delay)",
    "",
    RUNNER + "test_a_full_account_pauses_everybody_and_the_job_gets_in_line_again",
)
_mutant(
    FILE,
    "fresh-task-given-up",
    "A task that Novita does not know yet is asked for again.",
    "case Unknown() if (misses := misses + 1) > FRESH_TASK_TRIES:\n                    return",
    "case Unknown() if (misses := misses + 1) > 0:\n                    return",
    RUNNER + "test_a_fresh_task_may_be_unknown_at_first",
)
_mutant(
    FILE,
    "failed-task-called-free",
    "A task that failed is never called free.",
    "end.problem, message, Charge.UNKNOWN)",
    "end.problem, message)",
    RUNNER + "test_a_task_that_failed_may_have_been_charged",
)
_mutant(
    FILE,
    "rendered-not-paid",
    "A job whose video is there is known to be paid.",
    "charge=Charge.PAID,",
    "charge=Charge.UNKNOWN,",
    RUNNER + "test_each_thing_is_written_down_before_the_next_is_done",
)
_mutant(
    FILE,
    "broken-video-for-ever",
    "A file that stays no video is given up after a few tries.",
    "dead or broken > BROKEN_TRIES:",
    "dead:",
    RUNNER + "test_a_file_that_stays_no_video_is_given_up",
)
_mutant(
    FILE,
    "files-left-behind",
    "When a run is over, its image does not stay on disk.",
    "self._admission.nudge()\n            self._images.drop(job_id)",
    "self._admission.nudge()",
    RUNNER + "test_what_opened_the_first_card_is_not_kept",
)
FILE = "bot/domain/retry.py"
_mutant(
    FILE,
    "patience-by-the-wall-clock",
    "Patience is measured by a clock that nobody turns.",
    "time.monotonic() < self._",
    "time.time() < self._",
    POLLING + "test_patience_does_not_hear_of_the_wall_clock",
)
_mutant(
    FILE,
    "patience-without-end",
    "Patience ends.",
    "self._slows = time.monotonic() + (",
    "self._slows = time.time() + (",
    POLLING + "test_patience_does_not_hear_of_the_wall_clock",
)
_mutant(
    FILE,
    "a-wait-is-trouble",
    "A full queue is no trouble, only a wait.",
    "isinstance(trouble, RateLimited) or ",
    "",
    RUNNER + "test_a_full_account_is_waited_for_however_long",
)
_mutant(
    FILE,
    "retry-after-without-end",
    "What the other side asks to wait is honoured, up to ten minutes.",
    "return min(retry_after, ",
    "return max(retry_after, ",
    POLLING + "test_what_the_other_side_asks_for_is_honoured",
)
_mutant(
    FILE,
    "backoff-without-end",
    "Pauses grow to a minute, and no further.",
    "min(60.0, 2.0 ** min(attempt - 1, 6))",
    "2.0 ** min(attempt - 1, 12)",
    POLLING + "test_backoff_grows_to_a_minute_and_no_further",
)
FILE = "bot/jobs/redelivery.py"
_mutant(
    FILE,
    "dead-link-handed-on",
    "A link that has died is not handed on.",
    "if (job.task.video_expires_at or 0) < time.time():",
    "if False:",
    SERVICE + "test_a_link_that_has_died_is_not_handed_on",
)
FILE = "bot/jobs/service.py"
_mutant(
    FILE,
    "stop-does-not-wait",
    "A stop waits for what is being accepted.",
    "await self._all_answered.wait()",
    "pass",
    SERVICE + "test_a_stop_waits_for_what_is_being_accepted",
)
_mutant(
    FILE,
    "looked-for-without-a-task",
    "Only a job that has a task at Novita's is looked for again.",
    "and bool(job.task.task_id)",
    "",
    SERVICE + "test_what_may_turn_up",
)

# --- what is posted -----------------------------------------------------------------------------------------

FILE = "bot/messaging/publisher.py"
_mutant(
    "bot/messaging/sending.py",
    "video-without-nonce",
    "The message that brings a video has its job's id as its nonce.",
    "nonce=nonce,\n",
    'nonce=nonce if nonce.endswith("-card") else None,\n',
    POSTING + "test_a_video_carries_its_jobs_id_as_nonce",
)
_mutant(
    "bot/messaging/sending.py",
    "card-without-nonce",
    "A card that is posted has a nonce of its job's.",
    "nonce=nonce,\n",
    'nonce=None if nonce.endswith("-card") else nonce,\n',
    POSTING + "test_a_card_that_is_posted_has_a_nonce",
)
_PINGS = "everyone=False, roles=False, replied_user=False, users=[discord.Object(job.requester.user_id)]"
_mutant(
    FILE,
    "everyone-pinged",
    "A video pings nobody but its requester, whatever its prompt says.",
    _PINGS,
    _PINGS.replace("everyone=False", "everyone=True"),
    POSTING + "test_only_the_requester_is_pinged",
)
_mutant(
    FILE,
    "anybody-pinged",
    "A prompt that names other people pings none of them.",
    _PINGS,
    _PINGS.replace("users=[discord.Object(job.requester.user_id)]", "users=True"),
    POSTING + "test_only_the_requester_is_pinged",
)
_mutant(
    FILE,
    "roles-pinged",
    "A prompt that names a role pings nobody in it.",
    _PINGS,
    _PINGS.replace("roles=False", "roles=True"),
    POSTING + "test_only_the_requester_is_pinged",
)
_mutant(
    "bot/messaging/publisher.py",
    "posted-card-pings",
    "A card pings nobody.",
    "name, nobody = status.image_name(job), discord.AllowedMentions.none()",
    "name, nobody = status.image_name(job), discord.AllowedMentions.all()",
    POSTING + "test_a_card_pings_nobody",
)
_mutant(
    "bot/messaging/publisher.py",
    "shown-video-pings",
    "A video that is shown again pings nobody.",
    'nobody, name = discord.AllowedMentions.none(), f"again-{job.id}.mp4"',
    'nobody, name = discord.AllowedMentions.all(), f"again-{job.id}.mp4"',
    POSTING + "test_a_video_that_is_shown_again_pings_nobody_and_is_never_taken_for_the_first",
)
_mutant(
    FILE,
    "shown-video-taken-for-the-first",
    "A video that is shown again is never taken for the one that was to be posted.",
    'f"again-{job.id}.mp4"',
    'f"kinora-{job.id}.mp4"',
    POSTING + "test_a_video_that_is_shown_again_pings_nobody_and_is_never_taken_for_the_first",
)
_mutant(
    "bot/messaging/publisher.py",
    "posted-unlooked",
    "Before a video is posted, it is looked for in its place.",
    "if earlier := await self._look(job, maybe_there=now - begun > NONCE_SECONDS):",
    "if False and (earlier := await self._look(job, maybe_there=now - begun > NONCE_SECONDS)):",
    POSTING + "test_a_video_that_stands_is_found_and_not_posted_again",
)
_mutant(
    "bot/messaging/publisher.py",
    "card-posted-unlooked",
    "Before a card is posted, it is looked for in its channel.",
    "if found := await self._history.find(job, channel_id, lambda message: is_card(message, job)):",
    "if found := None:",
    POSTING + "test_a_card_that_stands_is_found_and_not_posted_again",
)
_mutant(
    "bot/messaging/publisher.py",
    "end-told-unlooked",
    "Before an end is told, the message that tells it is looked for.",
    "if await self._history.find(job, place_id, lambda found: says_the_end(found, job)):",
    "if False:",
    POSTING + "test_an_end_is_told_once",
)
_mutant(
    "bot/messaging/history.py",
    "forged-message-believed",
    "Somebody else's message is never taken for one of Kinora's.",
    "if message.author.id == me and wanted(message):",
    "if wanted(message):",
    POSTING + "test_somebody_elses_message_is_never_taken_for_the_video",
)
_mutant(
    "bot/domain/places.py",
    "fallback-order",
    "A video that its thread does not take goes to the channel first.",
    "return [way for way in ways if way is not None and way not in gone]",
    "return []",
    POSTING + "test_the_channel_comes_before_the_direct_message",
)
_mutant(
    "bot/messaging/sending.py",
    "deleted-card-stops-the-video",
    "A card that somebody deleted does not stop its video.",
    '"fail_if_not_exists": False',
    '"fail_if_not_exists": True',
    POSTING + "test_a_video_answers_its_card_where_it_stands_and_comes_where_it_does_not",
)
_mutant(
    "bot/messaging/uploads.py",
    "file-not-tried",
    "A video that fits comes as the file that it is.",
    "if playable and fits and (sent :=",
    "if False and playable and fits and (sent :=",
    POSTING + "test_a_video_comes_as_it_is_then_smaller_then_as_a_link",
)
_mutant(
    "bot/messaging/uploads.py",
    "refusal-of-size-forgotten",
    "A size that a place refused is not tried there again.",
    'more than Discord takes here", job.id, size)\n        self._limits.refused(upload.place, size)',
    'more than Discord takes here", job.id, size)',
    POSTING + "test_a_size_that_was_refused_is_not_tried_again",
)
_mutant(
    FILE,
    "thread-doubled",
    "A thread that an earlier run made is the place, not the channel.",
    "if error.code == THREAD_EXISTS:",
    "if False:",
    POSTING + "test_a_thread_that_exists_is_the_place",
)
FILE = "bot/messaging/errors.py"
_mutant(
    "bot/messaging/errors.py",
    "bad-day-taken-for-a-refusal",
    "A 5xx of Discord's is a bad day, and no refusal of the place.",
    "        return TemporaryError(said, _retry_after(error))",
    "        return PermanentError(said)",
    "tests/messaging/test_answers.py::test_a_bad_day_is_temporary",
)
_mutant(
    FILE,
    "dropped-line-taken-for-a-refusal",
    "A line that drops is a bad day, and no refusal of the place.",
    'raise TemporaryError(f"no connection to Discord ({type(error).__name__})") from None',
    'raise PermanentError(f"no connection to Discord ({type(error).__name__})") from None',
    "tests/messaging/test_answers.py::test_a_bad_day_is_temporary",
)
_mutant(
    FILE,
    "dead-place-tried-for-ever",
    "A place that is gone or closed is refused for good, with its reason.",
    '10003: "gone"',
    '10003: "forbidden"',
    "tests/messaging/test_answers.py::test_a_place_that_refuses_is_refused_for_good_and_says_why",
)
_mutant(
    FILE,
    "too-large-by-status-only",
    "Discord's code for a file that is too large counts, whatever its status.",
    "return error.status == 413 or error.code == ENTITY_TOO_LARGE",
    "return error.status == 413",
    "tests/messaging/test_answers.py::test_too_large_by_status_or_by_code",
)
FILE = "bot/messaging/upload_limits.py"
_mutant(
    FILE,
    "limits-not-learned",
    "What a place refused lowers its limit.",
    "(ceiling is None or size < ceiling)",
    "True",
    "tests/test_upload_limits.py::test_what_discord_stated_is_believed_until_it_refuses",
)
_mutant(
    FILE,
    "more-than-stated-tried",
    "More than Discord stated is not even tried.",
    "return size <= most and",
    "return",
    "tests/test_upload_limits.py::test_more_than_anything_stated_is_not_even_tried",
)
FILE = "bot/messaging/editor.py"
_mutant(
    FILE,
    "edited-for-nothing",
    "A card that looks as it should is not edited.",
    "return _written(look) != _written(self._painted)",
    "return True",
    "tests/messaging/test_editor.py",
)
_mutant(
    FILE,
    "overtaken-run-paints",
    "A run that was overtaken stops painting its card.",
    "if self._wanted is look:\n                            self._wanted = None\n",
    "pass\n",
    "tests/messaging/test_editor.py",
)

# --- places, patience, alerts -------------------------------------------------------------------------------

_mutant(
    "bot/domain/places.py",
    "refused-place-asked-again",
    "No place is tried twice.",
    "gone = tried(job) | {there.place_id} | set(refused)",
    "gone = {there.place_id} | set(refused)",
    "tests/jobs/test_places.py",
)
_mutant(
    "bot/domain/places.py",
    "private-thread-published",
    "From a private thread nothing goes to its parent.",
    "ways = [there.channel_id] if job.private else",
    "ways = [there.channel_id] if False else",
    "tests/jobs/test_places.py",
)
_mutant(
    "bot/domain/places.py",
    "second-message-to-a-dm",
    "A direct message has no other one beside it.",
    "return job.destination.guild_id is not None",
    "return True",
    "tests/jobs/test_places.py",
)
_mutant(
    "bot/domain/places.py",
    "found-by-our-clock",
    "A search for an earlier message begins at an id that Discord gave.",
    'return job.destination.card_id or job.options.get("interaction") or job.source.message_id',
    "return None",
    "tests/jobs/test_places.py",
)
_mutant(
    "bot/messaging/errors.py",
    "unknown-code-final",
    "A code that is not listed says nothing final of a place.",
    "if error.code in refusals:",
    "if error.status in (403, 404):",
    "tests/messaging/test_errors.py",
)
_mutant(
    "bot/messaging/errors.py",
    "our-fault-repeated-for-ever",
    "A message that Discord finds fault with is not repeated as it is.",
    "if error.status == 400 and error.code not in LATER and _is_json(error):",
    "if False:",
    "tests/messaging/test_errors.py",
)
_mutant(
    "bot/messaging/errors.py",
    "page-taken-for-our-fault",
    "A page of an edge is no fault of a message.",
    " and _is_json(error):",
    ":",
    "tests/messaging/test_errors.py",
)
_mutant(
    "bot/messaging/gate.py",
    "ban-not-heard",
    "While the address is banned, no request leaves.",
    "if (left := self._opens - time.monotonic()) > 0:",
    "if (left := self._opens - time.monotonic()) > 1e9:",
    "tests/messaging/test_gate.py",
)
_mutant(
    "bot/messaging/gate.py",
    "rate-limit-taken-for-a-ban",
    "A rate limit of Discord's own stops one route only.",
    'if answer.status != 429 or answer.content_type == "application/json":',
    "if answer.status != 429:",
    "tests/messaging/test_gate.py",
)
_mutant(
    "bot/jobs/retries.py",
    "paid-given-up-after-an-hour",
    "What is paid is never given up for want of patience.",
    "budget = RetryBudget(lasting=job.paid if lasting is None else lasting)",
    "budget = RetryBudget()",
    "tests/jobs/test_patience.py::test_what_is_paid_waits_out_a_day_and_ends_well",
)
_mutant(
    "bot/jobs/retries.py",
    "nobody-woken",
    "The next success wakes those who wait.",
    "woken.set()",
    "pass",
    "tests/jobs/test_patience.py::test_the_next_success_of_another_job_wakes_those_who_wait",
)
_mutant(
    "bot/jobs/retries.py",
    "dead-token-untold",
    "A refused token or key is told to the owner.",
    "self._operator.alert(REFUSED[side])",
    "pass",
    "tests/jobs/test_patience.py::test_a_dead_token_is_an_error_and_an_alert",
)
_mutant(
    "bot/domain/retry.py",
    "slow-tries-too-often",
    "After an hour there is a try every ten to fifteen minutes.",
    "SLOW_SECONDS = (600.0, 900.0)",
    "SLOW_SECONDS = (6.0, 9.0)",
    "tests/jobs/test_patience.py::test_after_an_hour_there_is_a_try_every_ten_to_fifteen_minutes",
)
_mutant(
    "bot/jobs/runner.py",
    "late-by-our-own-word",
    "That a render is late is said only when Novita said so.",
    "case Pending() if elapsed > self._config.render_timeout:",
    "case _ if elapsed > self._config.render_timeout:",
    "tests/jobs/test_patience.py::test_past_its_time_it_is_given_up_only_on_novitas_word",
)
_mutant(
    "bot/jobs/runner.py",
    "fault-of-ours-unalerted",
    "A message that goes in no form is told to the owner.",
    'self._operator.alert("message")',
    "pass",
    "tests/jobs/test_runner.py::test_a_message_that_discord_finds_fault_with_goes_nowhere_else",
)
_mutant(
    "bot/jobs/runner.py",
    "told-without-telling",
    "Told means that people were told.",
    "return await self._store.update(job, fallback_reason=NOWHERE)",
    "return await self._store.update(job, notified=True)",
    "tests/jobs/test_patience.py::test_an_end_is_told_however_late_and_told_means_told",
    "tests/jobs/test_runner.py",
)
_mutant(
    "bot/jobs/interactions.py",
    "unsure-taken-for-certain",
    "An acknowledgement that broke off is refused where another database was noticed.",
    "if await self._store.has_rival():",
    "if False:",
    "tests/jobs/test_acting.py::test_an_unsure_acknowledgement_is_refused_where_another_database_was_noticed",
)
_mutant(
    "bot/jobs/interactions.py",
    "anothers-card-overlooked",
    "A command is somebody else's whose card appears.",
    "if not await untouched():",
    "if False:",
    "tests/jobs/test_acting.py::test_an_unsure_acknowledgement_is_ours_unless_somebody_elses_card_appears",
)
_mutant(
    "bot/domain/limits.py",
    "shows-without-bound",
    "One person asks for so many videos at a time.",
    "if under_way >= self._at_once or len(begun) >= self._within:",
    "if False:",
    "tests/jobs/test_limits.py",
)

# --- what people wrote, and what they may -------------------------------------------------------------------

FILE = "bot/ui/text.py"
_ESCAPE = "tests/test_ui.py::test_escape"
_mutant(
    FILE,
    "everyone-unescaped",
    "A prompt's @everyone is shown without being a mention.",
    "|@(?=everyone|here))",
    ")",
    _ESCAPE,
)
_mutant(
    FILE,
    "direction-turned",
    "A prompt cannot make a card read backwards.",
    "\\u202a-\\u202e",
    "",
    _ESCAPE,
)
_mutant(
    "bot/domain/text.py",
    "halves-of-emoji-kept",
    "Broken halves of emoji do not get past the door.",
    '.encode("utf-8", "ignore").decode()',
    "",
    _ESCAPE,
)
_mutant(
    "bot/domain/text.py",
    "control-characters-kept",
    "Control characters of a prompt's do not get past the door.",
    'return _CONTROL.sub("", text)',
    "return text",
    _ESCAPE,
)
_mutant(
    FILE,
    "link-breaks-out",
    "Nothing in an address ends its link or begins markup.",
    'r"[\\s<>()\\[\\]`*|\\\\]"',
    'r"[\\s]"',
    "tests/test_ui.py::test_a_link_of_any_kind_fits_and_stays_a_link",
)
FILE = "bot/ui/components.py"
_mutant(
    FILE,
    "others-decide",
    "Only the requester decides on an unconfirmed job.",
    "if job.requester.user_id != interaction.user.id:",
    "if False:",
    POLICY + "test_a_decision_that_came_too_late_or_is_not_theirs",
)
FILE = "cogs/show.py"
_mutant(
    FILE,
    "others-videos-shown",
    "/show brings one's own videos only.",
    "found.requester.user_id != interaction.user.id",
    "False",
    "tests/cogs/test_whose.py",
)
FILE = "bot/ui/destinations.py"
_PLACES = "tests/ui/test_destinations.py::"
for _name, _permission in {
    "unseen-place": "view_channel",
    "embeds-forbidden": "embed_links",
    "files-forbidden": "attach_files",
    "history-forbidden": "read_message_history",
}.items():
    _mutant(
        FILE,
        _name,
        f"Where the bot lacks {_permission}, a command is refused before anything is paid.",
        f"allowed.{_permission},",
        "True,",
        _PLACES + "test_each_missing_permission_is_refused_by_name",
    )
_mutant(
    FILE,
    "locked-thread-paid-for",
    "A command in a locked thread is refused before anything is paid.",
    "thread.locked and",
    "False and",
    _PLACES + "test_a_locked_thread_is_refused_unless_the_bot_may_unlock_it",
)
_mutant(
    FILE,
    "no-member-of-the-server",
    "Where the bot is no member, a command is refused before anything is paid.",
    "if kind is discord.ChannelType.group or (interaction.guild_id is not None and only_theirs):",
    "if False:",
    _PLACES + "test_where_the_bot_is_no_member_nothing_is_paid",
)
_mutant(
    FILE,
    "thread-without-permission",
    "A thread is started only where the bot may start one and write in it.",
    "and allowed.create_public_threads and",
    "and",
    _PLACES + "test_a_thread_needs_both_permissions",
)
FILE = "cogs/animate/_checks.py"
_CHECKS = "tests/cogs/test_checks.py"
_mutant(
    FILE,
    "empty-prompt-paid-for",
    "A prompt of which nothing can be seen is refused before anything is paid.",
    "if not visible(prompt):",
    "if False:",
    _CHECKS,
)
_mutant(
    FILE,
    "prompt-too-long",
    "A prompt that the model does not take is refused before anything is paid.",
    "if len(prompt) > model.max_prompt:",
    "if False:",
    _CHECKS,
)
_mutant(
    FILE,
    "negative-prompt-too-long",
    "A negative prompt that the model does not take is refused before anything is paid.",
    "if len(negative_prompt) > model.max_prompt:",
    "if False:",
    _CHECKS,
)
_mutant(
    FILE,
    "scale-out-of-range",
    "A cfg_scale that cannot be is refused before anything is paid.",
    "if not math.isfinite(cfg_scale) or not 0 <= cfg_scale <= 1:",
    "if not math.isfinite(cfg_scale):",
    _CHECKS,
)
_mutant(
    FILE,
    "duration-not-on-offer",
    "A duration that the model does not make is refused before anything is paid.",
    "if duration not in model.durations:",
    "if False:",
    _CHECKS,
)
_mutant(
    FILE,
    "attachment-too-large",
    "An attachment that is too large is refused before it is downloaded.",
    "if image.size > MAX_SOURCE_BYTES:",
    "if False:",
    _CHECKS,
)
FILE = "bot/tree.py"
_TABLE = POLICY + "test_every_error_ends_in_the_answer_of_its_row"
_mutant(
    FILE,
    "duplicates-answered",
    "Who hears of an interaction that was acted on already stops without a word.",
    "case DuplicateInteraction():",
    "case DuplicateInteraction() if False:",
    _TABLE,
)
_mutant(
    FILE,
    "wrapped-errors-unknown",
    "An error that discord.py wrapped is answered as what it is.",
    'while isinstance(inner := getattr(error, "original", None), Exception):',
    'while False and isinstance(inner := getattr(error, "original", None), Exception):',
    POLICY + "test_the_same_wrapped_by_discord_py_more_than_once",
)
_mutant(
    FILE,
    "taken-while-stopping",
    "Nothing new is taken while the bot is being stopped.",
    "if self.client.jobs.stopping:",
    "if False:",
    _TABLE,
)
FILE = "bot/ui/replies.py"
_mutant(
    FILE,
    "refused-in-public",
    "A refusal is private, also after a public “thinking…”.",
    "if _is_thinking(interaction):\n            await _remove_thinking(interaction)",
    "if False:\n            await _remove_thinking(interaction)",
    _TABLE,
)

# --- files from strangers -----------------------------------------------------------------------------------

FILE = "bot/files/download.py"
_mutant(
    FILE,
    "http-fetched",
    "Only https addresses are fetched.",
    'if url.scheme != "https" and not (here and url.scheme == "http"):',
    "if False:",
    DOWNLOAD + "test_an_address_that_is_not_allowed_is_refused_before_anything_is_asked",
)
_mutant(
    FILE,
    "any-host-fetched",
    "Only the hosts that were named are asked.",
    "if self._hosts is not None and host not in self._hosts:",
    "if False:",
    DOWNLOAD + "test_an_address_that_is_not_allowed_is_refused_before_anything_is_asked",
)
_mutant(
    FILE,
    "private-address-fetched",
    "A private address is refused before it is connected to.",
    "and not is_public(host):",
    "and False:",
    DOWNLOAD + "test_an_address_that_is_not_allowed_is_refused_before_anything_is_asked",
)
_mutant(
    FILE,
    "private-name-fetched",
    "A name that resolves to a private address is not connected to.",
    'allowed = [result for result in found if self._allows(result["host"])]',
    "allowed = list(found)",
    DOWNLOAD + "test_a_name_that_resolves_to_a_private_address_is_refused",
)
_mutant(
    FILE,
    "redirect-unchecked",
    "Every address of a redirected download is checked.",
    "self._check(url)\n            async with",
    "async with",
    DOWNLOAD + "test_redirects_are_followed_a_few_times_and_checked_each",
)
_mutant(
    FILE,
    "redirects-without-end",
    "Redirects are followed a few times only.",
    "for _ in range(REDIRECTS + 1):",
    "for _ in range(100):",
    DOWNLOAD + "test_redirects_are_followed_a_few_times_and_checked_each",
)
_mutant(
    FILE,
    "download-without-cap",
    "A download ends at its cap, also when its size was not announced.",
    "if size > max_bytes:",
    "if False:",
    DOWNLOAD + "test_a_size_that_is_not_announced_is_capped_too",
)
_mutant(
    FILE,
    "download-unpacked",
    "What a download unpacks to counts for nothing: it is saved as it comes.",
    "auto_decompress=False",
    "auto_decompress=True",
    DOWNLOAD + "test_what_comes_packed_stays_packed",
)
FILE = "bot/files/images.py"
_mutant(
    FILE,
    "gone-image-waited-for",
    "An image that is gone ends its job unpaid, at once.",
    "gone = isinstance(error, AddressRefused) or error.status in (403, 404, 410)",
    "gone = False",
    RUNNER + "test_an_image_that_is_gone_ends_the_job_unpaid",
)
FILE = "bot/media/image.py"
_mutant(
    FILE,
    "image-without-cap",
    "A file over the limit is refused before it is read.",
    "if size > limits.max_source_bytes:",
    "if False:",
    IMAGE + "test_a_refusal_names_the_actual_values[png_over_25mb-actual13]",
)
_mutant(
    FILE,
    "pixels-not-counted",
    "Pixels are counted before they are decoded.",
    "if width * height > pixels:",
    "if False:",
    IMAGE + "test_pixels_are_counted_before_they_are_decoded",
)
_mutant(
    FILE,
    "side-too-small",
    "An image with too small a side is refused before anything is paid.",
    "if min(width, height) < limits.min_side:\n        raise ImageRejected",
    "if False:\n        raise ImageRejected",
    IMAGE + "test_a_refusal_names_the_actual_values[jpeg_299x1000-actual14]",
)
_mutant(
    FILE,
    "ratio-too-wide",
    "An image that is too wide is refused before anything is paid.",
    "if width > height * limits.max_ratio:",
    "if False:",
    IMAGE + "test_a_refusal_names_the_actual_values[jpeg_1001x400-actual15]",
)
_mutant(
    FILE,
    "image-over-the-models-limit",
    "An image is never larger than what the model takes.",
    "and len(bare.data) <= limits.max_bytes",
    "",
    IMAGE + "test_what_cannot_be_made_small_enough_is_refused",
)
_mutant(
    FILE,
    "metadata-kept",
    "What a file says beside its pixels does not leave with an image that was made afresh.",
    "picture.info = {}",
    "picture.info = dict(picture.info)",
    IMAGE + "test_neither_is_what_its_camera_said_of_it",
)
FILE = "bot/media/pool.py"
_mutant(
    FILE,
    "decoders-see-secrets",
    "What decodes strangers' files has neither the token nor the key.",
    "{name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}",
    "dict(os.environ)",
    "tests/media/test_pool.py::test_decoders_see_no_secrets",
)

# --- the log ------------------------------------------------------------------------------------------------

FILE = "bot/logs.py"
_LOGS = "tests/test_logs.py::"
_mutant(
    FILE,
    "secrets-logged",
    "No token or key is in a log line.",
    'text = text.replace(secret, "<secret>")',
    "pass",
    _LOGS + "test_a_traceback_of_our_own_is_printed_without_secrets",
)
_mutant(
    FILE,
    "rest-of-a-secret-logged",
    "A secret that holds another is taken out whole.",
    "key=len, reverse=True",
    "key=len",
    _LOGS + "test_what_opens_something_is_not_printed",
)
_mutant(
    FILE,
    "reply-tokens-logged",
    "No reply token is in a log line.",
    'r"\\1<token>"',
    'r"\\g<0>"',
    _LOGS + "test_what_opens_something_is_not_printed",
)
_mutant(
    FILE,
    "signatures-logged",
    "No signed address is in a log line.",
    'r"\\1?<query>"',
    'r"\\g<0>"',
    _LOGS + "test_what_opens_something_is_not_printed",
)
_mutant(
    FILE,
    "authorization-logged",
    "No Authorization header is in a log line.",
    'r"\\1<secret>"',
    'r"\\g<0>"',
    _LOGS + "test_what_opens_something_is_not_printed",
)

# --- the start, and what is looked after while it runs ------------------------------------------------------

_APP = "tests/test_app.py::"
_GATEWAY = "tests/test_gateway.py::"
_FILE = "tests/jobs/test_file.py::"
_COMMANDS = "tests/messaging/test_commands.py::"
_EDITOR = "tests/messaging/test_editor.py::"
FILE = "bot/app.py"
_mutant(
    FILE,
    "rights-stop-the-start",
    "A key that may not see the balance page does not stop the start.",
    "problem.kind is Kind.KEY and problem.status == 401",
    "problem.kind is Kind.KEY or problem.status == 403",
    _APP + "test_whatever_else_the_balance_page_says_is_a_warning",
)
_mutant(
    FILE,
    "dead-key-starts",
    "A key that Novita calls none stops the start, whatever the status.",
    "problem.reason in NO_KEY or ",
    "",
    _APP + "test_a_key_that_is_none_stops_the_start",
)
_mutant(
    FILE,
    "healthy-without-its-file",
    "A bot whose database file is gone is not healthy.",
    " and database.in_place()",
    "",
    _APP + "test_the_bot_is_of_use_while_it_is_connected_and_knows_what_is_paid",
)
FILE = "bot/store/outage.py"
_mutant(
    FILE,
    "refusal-waited-for",
    "A wrong password stops the start.",
    '"FATAL" not in str(original) or',
    "True or",
    _FILE + "test_only_a_server_that_is_away_is_waited_for",
)
_mutant(
    FILE,
    "starting-server-refused",
    "A PostgreSQL that is just starting is waited for.",
    " or STARTING.search(str(original)) is not None",
    "",
    _FILE + "test_only_a_server_that_is_away_is_waited_for",
)
_mutant(
    "bot/store/database.py",
    "paid-into-a-lost-file",
    "Nothing is accepted or paid while the database file is not in its place.",
    "if leads_to_payment and not self.in_place():",
    "if False:",
    _FILE + "test_what_leads_to_a_payment_waits_for_the_file",
)
_mutant(
    "bot/store/jobs.py",
    "queued-jobs-paid-into-a-lost-file",
    "What was accepted before the file was lost is not paid either.",
    "leads_to_payment=to is State.SUBMITTING",
    "leads_to_payment=False",
    _FILE + "test_what_leads_to_a_payment_waits_for_the_file",
)
_mutant(
    "bot/store/file.py",
    "replaced-file-believed",
    "A database file that was replaced is noticed.",
    "return os.path.samestat(found, os.fstat(self._descriptor))",
    "return found is not None",
    _FILE + "test_what_leads_to_a_payment_waits_for_the_file",
)
_mutant(
    "bot/health.py",
    "health-ends-with-a-full-disk",
    "The health file's writer survives an error.",
    "            self._failed = True\n            return",
    "            raise",
    "tests/test_health.py::test_a_file_that_cannot_be_written_is_said_once_and_tried_again",
)
_mutant(
    "bot/__main__.py",
    "health-imports-the-bot",
    "The command `health` imports only what it needs.",
    "from bot import hardening, health, settings\n",
    "import bot.app\nfrom bot import hardening, health, settings\n",
    "tests/test_health.py::test_the_look_imports_only_what_it_needs",
)
FILE = "bot/domain/gateway.py"
_mutant(
    FILE,
    "last-sessions-spent",
    "A start leaves a reserve of the day's session starts alone.",
    "self.remaining >= shards + RESERVE",
    "self.remaining >= shards",
    _GATEWAY + "test_a_reserve_is_left_for_shards_that_must_come_back",
)
_mutant(
    FILE,
    "shards-called-token",
    "Close codes are named for what they are.",
    "TOKEN, SHARDS, INTENTS = (4004,), (4010, 4011), (4013, 4014)",
    "TOKEN, SHARDS, INTENTS = (4004, 4010, 4011), (), (4013, 4014)",
    _GATEWAY + "test_close_codes_are_named_for_what_they_are",
)
_mutant(
    "bot/client.py",
    "connects-without-sessions",
    "Nobody connects while the last session starts are left.",
    "if starts.allow(len(shards.ids)):",
    "if True:",
    _GATEWAY + "test_session_starts_are_waited_for_and_said_loudly_once",
)
FILE = "bot/messaging/commands.py"
_mutant(
    FILE,
    "only-names-compared",
    "A command whose options differ is synced again.",
    "known.keys() == wanted.keys() and all(",
    "known.keys() == wanted.keys() or all(",
    _COMMANDS + "test_a_change_of_anything_is_seen",
)
_mutant(
    FILE,
    "defaults-synced-again",
    "What Discord leaves out or adds by default is no reason to sync.",
    " or DEFAULTS.get(key) is value",
    "",
    _COMMANDS + "test_what_discord_says_otherwise_is_the_same",
)
FILE = "bot/messaging/editor.py"
_mutant(
    FILE,
    "old-cards-edited-for-progress",
    "A card older than an hour is edited when its state changes only.",
    "if self._final.is_set() or not self._is_old():",
    "if True:",
    _EDITOR + "test_a_card_older_than_an_hour_is_not_edited_for_progress",
)
_mutant(
    FILE,
    "old-cards-end-not-shown",
    "The end always stands on the card, however old it is.",
    "if self._final.is_set() or not self._is_old():",
    "if not self._is_old():",
    _EDITOR + "test_an_old_cards_state_and_its_end_are_painted",
)
_mutant(
    FILE,
    "old-edits-stormed",
    "Too many edits of old messages are waited out longer each time.",
    "self._pause = min(longest, max(least, 2 * self._pause))",
    "self._pause = 0.0",
    _EDITOR + "test_a_lanes_pause_is_bounded_and_forgotten",
)

# --- how an image is sent, and what Novita echoes -----------------------------------------------------------

ENCODINGS = "tests/jobs/test_encodings.py::"
FILE = "bot/jobs/encodings.py"
_mutant(
    FILE,
    "tried-around-what-works",
    "Once an encoding has worked for a model, a refusal is the person's: no other is tried.",
    "self._chosen.get(model.name) or await self._worked(model)",
    "self._chosen.get(model.name)",
    ENCODINGS + "test_the_one_that_worked_is_remembered_and_a_refusal_is_the_persons_from_then_on",
)
_mutant(
    FILE,
    "operators-encoding-tried-around",
    "The operator's encoding is the only one that is tried.",
    "ways = (only,) if only else model.encodings",
    "ways = (only, *model.encodings) if only else model.encodings",
    ENCODINGS + "test_the_operators_choice_is_never_tried_around",
)
_mutant(
    FILE,
    "what-worked-forgotten",
    "The encoding that worked is remembered for every process.",
    "await self._memory.remember(_key(model), encoding)",
    "pass",
    ENCODINGS + "test_the_one_that_worked_is_remembered_and_a_refusal_is_the_persons_from_then_on",
)
_mutant(
    FILE,
    "refused-encoding-tried-again",
    "No encoding is sent twice for a job that it was refused for, whatever comes in between.",
    "if way not in refused), None)",
    "if way not in list(refused)[-1:]), None)",
    ENCODINGS + "test_refused_in_all_it_is_told_in_the_first_words",
)
FILE = "bot/jobs/submission.py"
_mutant(
    FILE,
    "refused-encoding-not-written",
    "What was refused is written down with the way back, so that nothing starts afresh.",
    "job = await self._store.move(job, State.ACCEPTED, options=options)",
    "job = replace(await self._store.move(job, State.ACCEPTED), options=options)",
    ENCODINGS + "test_what_is_in_between_starts_nothing_afresh",
)
_mutant(
    FILE,
    "try-without-submitting",
    "Each try of an encoding is `submitting` on its own.",
    "job = await self._store.move(job, State.SUBMITTING, submitted_at=time.time())",
    "job = job if refused_for(job) else await self._store.move(job, State.SUBMITTING)",
    ENCODINGS + "test_the_others_are_tried_each_with_a_submitting_of_its_own",
)
_mutant(
    FILE,
    "any-refusal-tried-around",
    "Only a refusal that may be about the encoding is tried around.",
    "reason=reason) if reason in DOUBTED:",
    "reason=reason) if reason:",
    ENCODINGS + "test_any_other_answer_ends_the_trying",
)
_mutant(
    FILE,
    "unclear-try-followed-by-another",
    "A try that nobody knows the end of is never followed by another.",
    "case Problem(kind=Kind.INPUT, reason=reason) if reason in DOUBTED:",
    "case Problem(reason=reason) if reason in DOUBTED:",
    ENCODINGS + "test_any_other_answer_ends_the_trying",
)
_mutant(
    FILE,
    "last-words-told",
    "A job that is refused in all encodings is told so in the first one's words.",
    "next(iter(refused.values()))",
    "list(refused.values())[-1]",
    ENCODINGS + "test_refused_in_all_it_is_told_in_the_first_words",
)
FILE = "bot/novita/codec.py"
_mutant(
    FILE,
    "duration-at-its-default",
    "The duration, which sets the price, is always said.",
    '"duration": str(request.duration)',
    '"duration" if request.duration != 5 else "seconds": str(request.duration)',
    CODEC + "test_what_sets_the_price_is_always_said",
)
_mutant(
    FILE,
    "silence-not-said",
    "Where a model makes sound, which has a price of its own, it is always said whether to.",
    "if model.makes_sound:",
    "if request.sound:",
    CODEC + "test_what_sets_the_price_is_always_said",
)
_mutant(
    FILE,
    "mode-not-said",
    "The mode, which sets the price, is always said.",
    "**model.extra,",
    "",
    CODEC + "test_what_sets_the_price_is_always_said",
)
_mutant(
    FILE,
    "default-sent",
    "A field at its default is left out: Kling's own 2.x refuses cfg_scale.",
    "if request.cfg_scale != DEFAULT_CFG_SCALE:",
    "if True:",
    CODEC + "test_what_sets_the_price_is_always_said",
)
_mutant(
    FILE,
    "page-taken-for-a-task",
    "A probe that an edge's page answers changes nothing.",
    'Probed.UNCLEAR if body.lstrip().startswith("<") else Probed.TASK',
    "Probed.TASK",
    CODEC + "test_a_probe_tells_only_what_novita_itself_says",
)
_mutant(
    FILE,
    "unknown-task-taken-for-a-gone-model",
    "Only what speaks of the path takes a model away.",
    '"TASK_NOT_FOUND": (Kind.PROVIDER, Repeat.NO),',
    "",
    CODEC + "test_a_probe_tells_only_what_novita_itself_says",
)
_mutant(
    FILE,
    "words-not-redacted",
    "Nothing that opens something is in what Novita says.",
    "return redacted(_text(value), secrets)[:500]",
    "return _text(value)[:500]",
    CODEC + "test_what_novita_echoes_opens_nothing",
)
_mutant(
    FILE,
    "task-reason-not-redacted",
    "Nothing that opens something is in why a task failed.",
    'TaskFailed(_words(task.get("reason"), secrets))',
    'TaskFailed(_text(task.get("reason")))',
    CODEC + "test_what_novita_echoes_opens_nothing",
)
_mutant(
    "bot/novita/client.py",
    "key-not-known",
    "The key is not in what Novita echoes, whatever it looks like.",
    "self._secrets = (key, *secrets)",
    "self._secrets = tuple(secrets)",
    CLIENT + "test_what_novita_echoes_of_the_request_holds_no_secret",
)
FILE = "bot/domain/text.py"
_mutant(
    FILE,
    "half-a-secret-at-the-cut",
    "No half of a secret is left at a cut.",
    'text = " ".join(text[:MOST_REDACTED].split(" ")[:-1])',
    "text = text[:MOST_REDACTED]",
    "tests/novita/test_text.py",
)
_mutant(
    FILE,
    "query-behind-a-password",
    "An address loses its query and its password both.",
    'r"(://[^\\s?#\'\\"]*)',
    'r"(://[^\\s?#@\'\\"]*)',
    CODEC + "test_what_novita_echoes_opens_nothing",
)

# --- what pictures tell besides themselves, and what content rules refuse -----------------------------------

_STRIP = "tests/media/test_strip.py::"
FILE = "bot/media/strip.py"
_mutant(
    FILE,
    "exif-kept",
    "No EXIF or XMP of a JPEG goes to Novita or onto the card.",
    "elif marker in _APPS or marker == _COM:",
    "elif marker == 0xE1:\n            kept.append(_segment(marker, body))\n"
    "        elif marker in _APPS or marker == _COM:",
    _STRIP + "test_a_whole_photo_of_a_phone_loses_all_but_its_picture",
)
_mutant(
    FILE,
    "thumbnail-kept",
    "No thumbnail of a JPEG goes on.",
    "return body[: _JFIF_LENGTH - 2] + bytes(2)",
    "return body",
    _STRIP + "test_a_thumbnail_in_jfifs_segment_goes_and_its_density_stays",
)
_mutant(
    FILE,
    "trailer-kept",
    "What stands behind a JPEG's picture, such as a film, does not go on.",
    '*kept[first:], b"\\xff\\xd9"])',
    '*kept[first:], b"\\xff\\xd9", data[at:]])',
    _STRIP + "test_a_whole_photo_of_a_phone_loses_all_but_its_picture",
)
_mutant(
    FILE,
    "text-kept",
    "No text in a PNG goes to Novita or onto the card.",
    "if name in _CRITICAL or name in _COLOURS or name in _LIGHT:",
    'if name in _CRITICAL or name in _COLOURS or name in _LIGHT or name == b"tEXt":',
    _STRIP + "test_so_does_a_png_with_chunks",
)
_mutant(
    FILE,
    "behind-png-kept",
    "What stands behind a PNG's end does not go on.",
    'return Bare(b"".join(kept), hidden',
    'return Bare(b"".join([*kept, data[at:]]), hidden',
    _STRIP + "test_so_does_a_png_with_chunks",
)
_mutant(
    FILE,
    "unsure-passed-on",
    "Bytes between a JPEG's segments, where anything may be hidden, are not passed on.",
    "if fill is None:\n        raise _Unsure\n",
    "if fill is None:\n        return _next_marker(data, at + 1)\n",
    _STRIP + "test_a_jpeg_that_may_be_read_in_another_way_is_not_passed_on",
)
_mutant(
    "bot/media/profile.py",
    "serial-number-kept",
    "No display's serial number is in a colour profile that goes on.",
    "if name in _KEPT and",
    "if",
    _STRIP + "test_a_displays_serial_number_is_blank_and_its_colours_stay",
)
_mutant(
    "bot/media/image.py",
    "fitting-image-copied-whole",
    "Also an image that fits as it is goes on bare.",
    '"png" if kind == "png" else "jpeg", bare.data, size, done',
    '"png" if kind == "png" else "jpeg", data, size, done',
    IMAGE + "test_good[jpeg_with_place]",
    IMAGE + "test_good[png_with_notes]",
)
_mutant(
    "bot/ui/status.py",
    "withheld-prompt-on-card",
    "The card of what content rules refused shows neither prompt nor reason.",
    "if job.withheld:",
    "if False:",
    POSTING + "test_what_is_withheld_is_off_the_card_and_told_by_the_token",
)
_mutant(
    "bot/messaging/publisher.py",
    "withheld-told-to-all",
    "What content rules refused is told to its requester alone.",
    "if job.withheld:\n            shown",
    "if False:\n            shown",
    POSTING + "test_what_is_withheld_is_off_the_card_and_told_by_the_token",
)
_mutant(
    "bot/messaging/publisher.py",
    "withheld-answer-shown-to-all",
    "The answer that tells it is one that only the requester sees.",
    "job, verdict, _requester_only(job), privately=True",
    "job, verdict, _requester_only(job), privately=False",
    POSTING + "test_what_is_withheld_is_off_the_card_and_told_by_the_token",
)
_mutant(
    "bot/messaging/publisher.py",
    "withheld-told-where-it-was-asked-for",
    "Without a token it is told in a direct message, and nowhere else.",
    "there.channel_id if there.guild_id is None else await self._direct(job.requester.user_id)",
    "there.channel_id",
    POSTING + "test_without_a_token_it_is_told_in_a_direct_message_and_once",
)
_mutant(
    "bot/messaging/publisher.py",
    "withheld-on-the-card-before",
    "What is refused when it is rendered again is off the first card too.",
    "await self._withdraw_earlier(job)\n",
    "pass\n",
    POSTING + "test_what_was_rendered_again_is_off_the_first_card_and_its_question",
)
_mutant(
    "bot/messaging/editor.py",
    "withheld-image-on-card",
    "The image that content rules refused comes off the card.",
    '{"attachments": []} if self._bare else {}',
    "{}",
    POSTING + "test_without_either_the_card_is_all",
)
_mutant(
    "bot/messaging/editor.py",
    "withheld-image-left-where-bot-may-not-go",
    "Where the bot may not edit its card, the image comes off by the command's token.",
    "by_reply = self._bare or isinstance(error, AccessRefused)",
    "by_reply = isinstance(error, AccessRefused)",
    POSTING + "test_where_the_bot_may_not_edit_the_image_comes_off_by_the_token",
)
_mutant(
    "bot/novita/codec.py",
    "task-refused-by-rules-told-to-all",
    "A task that failed by content rules is withheld too.",
    'return "moderation" if',
    'return "task_failed" if',
    CODEC + "test_a_task_that_content_rules_refused_is_withheld",
)

# --- secrets, files and processes ---------------------------------------------------------------------------

_HARDENING, _ERASURE = "tests/test_hardening.py::", "tests/jobs/test_erasure.py::"
FILE = "bot/logs.py"
_mutant(
    FILE,
    "payloads-logged",
    "At DEBUG no payload of the gateway, and no body of a request, is in the log.",
    'logging.INFO if level == "DEBUG" else logging.NOTSET',
    "logging.NOTSET",
    _LOGS + "test_at_debug_no_payload_is_printed_and_the_connection_is",
)
_mutant(
    FILE,
    "bare-tokens-logged",
    "An interaction's token is in no log line, wherever it stands.",
    "aW50ZXJhY3Rpb246[\\w-]+",
    "aW50ZXJhY3Rpb246$",
    _LOGS + "test_what_opens_something_is_not_printed",
)
_mutant(
    FILE,
    "token-fields-logged",
    "No field called token is in a log line.",
    "([\"']token[\"']",
    "([\"']nokent[\"']",
    _LOGS + "test_what_opens_something_is_not_printed",
)
_mutant(
    FILE,
    "traceback-forges-a-line",
    "No error's words forge a record in a traceback.",
    "return _indented(super().formatException(ei))",
    "return super().formatException(ei)",
    _LOGS + "test_no_error_from_outside_forges_a_line",
)
_mutant(
    FILE,
    "text-turned-round",
    "Nothing in a log line turns its text round.",
    'plain(_UNSEEN.sub("", record.message))',
    "plain(record.message)",
    _LOGS + "test_what_turns_text_round_is_not_printed",
)
FILE = "bot/store/database.py"
_mutant(
    FILE,
    "erased-and-still-there",
    "What is erased is overwritten in the database's pages.",
    '"secure_delete=ON"',
    '"secure_delete=OFF"',
    _ERASURE + "test_what_was_erased_is_in_none_of_the_files_bytes",
)
_mutant(
    FILE,
    "erased-and-still-in-the-log",
    "What is erased leaves SQLite's log too.",
    "PRAGMA wal_checkpoint(TRUNCATE)",
    "PRAGMA wal_checkpoint(PASSIVE)",
    _ERASURE + "test_what_was_erased_is_in_none_of_the_files_bytes",
)
_mutant(
    FILE,
    "everybody-waits-for-a-reader",
    "The checkpoint waits for nobody, since everybody waits for it.",
    "PRAGMA busy_timeout=0",
    "PRAGMA busy_timeout=9000",
    _ERASURE + "test_nobody_waits_for_a_reader_who_is_in_the_way",
)
_mutant(
    FILE,
    "database-readable-by-all",
    "The database is made for its owner alone.",
    "file.touch(mode=0o600)",
    "file.touch()",
    _ERASURE + "test_a_file_that_others_could_read_is_narrowed_with_all_beside_it",
)
_mutant(
    FILE,
    "old-database-stays-readable",
    "A database that others could read is narrowed.",
    "hardening.narrow_database(path)",
    "pass",
    _ERASURE + "test_a_file_that_others_could_read_is_narrowed_with_all_beside_it",
)
FILE = "bot/store/erasure.py"
_mutant(
    FILE,
    "dead-tokens-kept",
    "A command's token is erased once it has died.",
    ".values(token=SPENT)",
    ".values(token=interactions.c.token)",
    _ERASURE + "test_a_token_that_has_died_is_erased_and_its_command_still_told_of",
)
_mutant(
    FILE,
    "dead-tokens-command-forgotten",
    "Who lost a command is told of it, also after its token was erased.",
    ".values(token=SPENT)",
    '.values(token="")',
    _ERASURE + "test_a_token_that_has_died_is_erased_and_its_command_still_told_of",
)
_mutant(
    FILE,
    "jobs-tokens-kept",
    "A job's token is erased once it has died.",
    "dead).values(reply_token=None)",
    "dead).values(reply_token=jobs.c.reply_token)",
    _ERASURE + "test_a_jobs_token_that_has_died_is_erased_wherever_the_job_stands",
)
_mutant(
    FILE,
    "live-tokens-erased",
    "A token that lives is left to those who need it.",
    "jobs.c.created_at < now - TOKEN_LIFE",
    "jobs.c.created_at < now",
    _ERASURE + "test_a_jobs_token_that_has_died_is_erased_wherever_the_job_stands",
)
FILE = "bot/files/download.py"
for _name, _before, _after in (
    ("nat64-and-multicast", "ip not in _V6_PUBLIC or ", ""),
    ("6to4", '"2002::/16", ', ""),
    ("teredo", '"2001::/23", ', ""),
    ("zones", "bool(ip.scope_id) or ", ""),
    ("ipv4-multicast", '"224.0.0.0/4", ', ""),
    ("6to4-relays", '"192.88.99.0/24", ', ""),
    ("carriers", '"100.64.0.0/10", ', ""),
):
    _mutant(
        FILE,
        f"fetched-from-{_name}",
        f"Nothing is fetched by way of {_name}, whatever this Python calls global.",
        _before,
        _after,
        DOWNLOAD + "test_what_is_not_one_host_on_the_internet_is_not_public",
    )
_mutant(
    FILE,
    "fetched-from-a-number",
    "An address in another notation is refused like any other.",
    'if (":" in host or _NUMERIC.fullmatch(host)) and not is_public(host):',
    'if ":" in host and not is_public(host):',
    DOWNLOAD + "test_an_address_that_is_not_allowed_is_refused_before_anything_is_asked",
)
_mutant(
    FILE,
    "private-answers-asked",
    "Of a name's addresses, the private ones are not asked.",
    "return is_public(address) or (",
    "return True or (",
    DOWNLOAD + "test_of_a_name_with_many_addresses_the_public_ones_are_asked",
)
FILE = "bot/hardening.py"
_mutant(
    FILE,
    "bot-read-by-its-decoder",
    "No process of the same user reads the bot's memory or environment.",
    'if sys.platform == "linux":\n        _prctl(_SET_DUMPABLE, 0)',
    "pass",
    _HARDENING + "test_a_child_of_the_same_user_cannot_read_the_bot",
)
_mutant(
    FILE,
    "files-for-all",
    "What the bot writes is its owner's alone.",
    "os.umask(0o077)",
    "os.umask(0o022)",
    _HARDENING + "test_what_is_written_from_now_on_is_its_owners_alone",
)
_mutant(
    FILE,
    "data-folder-for-all",
    "A data folder that others could look into is narrowed.",
    "ours.append(folder)",
    "pass",
    _HARDENING + "test_a_data_folder_with_wider_rights_is_narrowed_and_said_so",
)
_mutant(
    FILE,
    "shared-folder-taken",
    "A folder with other things in it keeps its rights.",
    "if len(ours) == len(inside):",
    "if True:",
    _HARDENING + "test_a_folder_that_others_use_too_is_left_as_it_is",
)
for _name, _before, _after in (
    ("gets-rights", "_prctl(_SET_NO_NEW_PRIVS, 1)", "True"),
    ("is-looked-into", '"memory": lambda: _prctl(_SET_DUMPABLE, 0)', '"memory": lambda: True'),
    ("opens-sockets", '"socket": 41,', ""),
    ("starts-programs", '"execve": 59,', ""),
    (
        "opens-sockets-by-io-uring",
        '322,\n        "process_vm_readv": 310,\n        "process_vm_writev": 311,\n'
        '        "io_uring_setup": 425,',
        "322,",
    ),
    ("has-free-threads", "_SET_MODE_FILTER, _ALL_THREADS = 1, 1", "_SET_MODE_FILTER, _ALL_THREADS = 1, 0"),
):
    _mutant(
        FILE,
        f"decoder-{_name}",
        f"Nothing that reads strangers' bytes {_name.replace('-', ' ')}.",
        _before,
        _after,
        _HARDENING + "test_a_process_that_is_shut_in_reaches_nothing",
    )
_mutant(
    "bot/media/worker.py",
    "decoder-not-shut-in",
    "Decoders are shut in, and what a system refuses is said.",
    "left_open = hardening.shut_in()",
    "left_open: list[str] = []",
    _HARDENING + "test_a_system_that_refuses_is_told_of_once_and_decodes_all_the_same",
)
_mutant(
    "bot/settings.py",
    "secret-of-two-places",
    "A secret that is given twice is a mistake, not a guess.",
    '        if value:\n            self.mistakes.append(f"{name} and',
    '        if False:\n            self.mistakes.append(f"{name} and',
    "tests/test_settings.py::test_a_file_at_fault_is_named_and_not_quoted",
)

FILE = "bot/app.py"
_mutant(
    FILE,
    "erasure-not-begun",
    "Dead tokens leave the file while the bot runs.",
    "background += [Erasure(database).run(), ",
    "background += [",
    "tests/e2e/test_secrets.py",
)
_mutant(
    FILE,
    "old-data-folder-stays-readable",
    "A data folder with wider rights is narrowed at the start.",
    "hardening.narrow_data_folder(settings.data_dir, _own_names(settings))",
    "pass",
    "tests/e2e/test_secrets.py",
)

# --- the models on offer ------------------------------------------------------------------------------------

_OFFER = "tests/jobs/test_offer.py::"
_mutant(
    "bot/jobs/offer.py",
    "gone-model-on-offer",
    "A model that Novita does not serve leaves the choices.",
    "for name in self._names if name not in self._gone}",
    "for name in self._names}",
    _OFFER + "test_a_gone_model_leaves_the_choices_of_every_process_and_comes_back",
)
_mutant(
    "bot/jobs/offer.py",
    "successor-without-its-sound-price",
    "A price that is shown includes sound.",
    "price = model.price(seconds, sound)",
    "price = model.price(seconds)",
    _OFFER + "test_the_successor_renders_the_same_at_its_own_price",
)
_mutant(
    "bot/jobs/model_watch.py",
    "unclear-probe-believed",
    "A probe whose answer says nothing changes nothing.",
    "if found is not Probed.UNCLEAR:",
    "if True:",
    _OFFER + "test_what_says_nothing_changes_nothing",
)
_mutant(
    "bot/jobs/model_watch.py",
    "probed-after-a-task",
    "A probe that became a task ends probing.",
    "if self._round <= int(ended or 0) or 0 <= age < patience:",
    "if 0 <= age < patience:",
    _OFFER + "test_a_task_ends_probing_until_the_operator_says_otherwise",
)
_mutant(
    "bot/jobs/runner.py",
    "sent-to-a-gone-model",
    "Nothing is sent for a model that is known to be gone.",
    "if offer.is_gone(name):",
    "if False:",
    _OFFER + "test_nothing_is_sent_for_a_model_known_to_be_gone",
)
_mutant(
    "bot/store/jobs.py",
    "rendered-instead-twice",
    "One click, or many, makes one job.",
    'sa.or_(jobs.c.again_as == "", jobs.c.fencing_token == token))',
    "sa.true())",
    _OFFER + "test_of_two_presses_one_makes_a_job",
)
_mutant(
    "cogs/animate/_checks.py",
    "sound-for-the-price-of-silence",
    "The price that is stored includes sound.",
    "price=model.price(duration, sound),",
    "price=model.price(duration),",
    "tests/cogs/test_checks.py::test_sound_has_its_price",
)

_mutant(
    "bot/ui/components.py",
    "others-render-instead",
    "Only the requester has a job rendered by another model.",
    "        _only_its_requester(interaction, job)\n        if not may_render_instead(job):",
    "        if not may_render_instead(job):",
    "tests/e2e/test_models.py::test_one_click_renders_with_what_is_on_offer_once",
)

MUTANTS: tuple[Mutant, ...] = tuple(_MUTANTS)
