"""It always arrives: attached, else fitted, else linked; in its place, else in the next one."""

from __future__ import annotations

from functools import cache
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from bot.media.video import probe
from sandbox.client import Message, Person, Sandbox
from tests.support.kinora import ON_SQLITE, Kinora, NewKinora
from tests.support.steps import (
    an_image,
    animate,
    assert_same_video,
    card_says,
    is_video,
    job_of,
    message_of,
    video_in,
)
from tests.support.videos import psnr

# --- the size: what the ledger does with it is the same for all, so the heavy ones are run on one engine ----


@ON_SQLITE
async def test_too_large_for_the_guild_is_fitted_with_the_original_beside_it(
    sandbox: Sandbox, kinora: Kinora, mia: Person, tmp_path: Path
) -> None:
    await sandbox.novita.settings(video_height=360)
    await sandbox.discord.settings(default_upload_limit=700_000)
    card = await animate(mia, "stills", image=("still.png", noisy()))
    video = await video_in(mia, card.id, 80)
    (file,) = video.attachments
    fitted = await file.read()
    (task,) = await sandbox.novita.tasks()
    original = await sandbox.download(f"{sandbox.control_url}/novita/tasks/{task['id']}/video")
    assert len(original) > 700_000 >= len(fitted) > 400_000
    assert "made smaller" in video.text
    assert "/files/" in video.text
    assert "<t:" in video.text
    (tmp_path / "a.mp4").write_bytes(original)
    (tmp_path / "b.mp4").write_bytes(fitted)
    assert psnr(tmp_path / "a.mp4", tmp_path / "b.mp4") > 20
    assert "made smaller" in (await card_says(mia, card, "Done")).text
    assert len(await sandbox.novita.payments()) == 1


@ON_SQLITE
async def test_a_limit_that_nobody_stated_is_learned_from_the_refusal(
    sandbox: Sandbox, kinora: Kinora, mia: Person
) -> None:
    # Discord says 10 MiB, to the library's table too, and refuses far less.
    await sandbox.novita.settings(video_height=360)
    await sandbox.faults.add(
        "discord", "error", method="POST", path=r"/channels/\d+/messages$", status=413, reason="40005"
    )
    card = await animate(mia, "stills", image=("still.png", noisy()))
    video = await video_in(mia, card.id, 80)
    assert "made smaller" in video.text
    assert len(await sandbox.novita.payments()) == 1


async def test_what_cannot_be_fitted_is_linked_with_its_end(
    sandbox: Sandbox, kinora: Kinora, mia: Person
) -> None:
    await sandbox.discord.settings(default_upload_limit=20_000)
    card = await animate(mia, "stills", image=("still.png", an_image()))
    linked = await message_of(mia, card.id, job_of(card), "as a link")
    assert linked.pings == ["mia"]
    url = next(word for word in linked.content.split() if word.startswith("http"))
    (task,) = await sandbox.novita.tasks()
    assert len(await sandbox.download(url)) == task["video"]["bytes"]
    assert "as a link" in (await card_says(mia, card, "Done")).text


@ON_SQLITE
@pytest.mark.parametrize("variant", ["hevc", "mpeg4", "moov_at_end", "odd_pixels"])
async def test_what_would_not_play_inline_is_made_to(
    sandbox: Sandbox, kinora: Kinora, mia: Person, variant: str, tmp_path: Path
) -> None:
    await sandbox.novita.settings(video_variant=variant)
    card = await animate(mia, "stills")
    video = await video_in(mia, card.id, 60)
    (tmp_path / "got.mp4").write_bytes(await video.attachments[0].read())
    assert probe(tmp_path / "got.mp4").plays_inline


@pytest.mark.parametrize("variant", ["html", "corrupt"])
async def test_a_result_that_is_no_video_ends_honestly(
    sandbox: Sandbox, kinora: Kinora, mia: Person, variant: str
) -> None:
    await sandbox.novita.settings(video_variant=variant)
    card = await animate(mia, "stills")
    told = await message_of(mia, card.id, job_of(card), "What happened", 60)
    assert "could not be fetched from Novita" in told.text
    assert "The render was paid" in told.text
    assert f"/show {job_of(card)}" in told.text
    # When Novita mends it, the same job brings it.
    await sandbox.novita.settings(video_variant="h264")


# --- the place ----------------------------------------------------------------------------------------------


async def rendering(sandbox: Sandbox, person: Person, channel: str) -> Message:
    """Have a render that will not end by itself."""
    await sandbox.novita.settings(render_seconds=600)
    card = await animate(person, channel)
    return await card_says(person, card, "Rendering")


async def test_a_locked_thread_falls_back_to_its_channel(
    sandbox: Sandbox, kinora: Kinora, mia: Person
) -> None:
    card = await rendering(sandbox, mia, "stills")
    await sandbox.discord.change_channel(card.id, locked=True, archived=True)
    await sandbox.novita.forward(3600)
    video = await video_in(mia, "stills")
    assert "the thread it was meant for is locked" in video.text
    assert video.pings == ["mia"]
    await assert_same_video(sandbox, video)


async def test_an_archived_thread_is_opened_again(sandbox: Sandbox, kinora: Kinora, mia: Person) -> None:
    card = await rendering(sandbox, mia, "stills")
    await sandbox.discord.change_channel(card.id, archived=True)
    await sandbox.novita.forward(3600)
    await assert_same_video(sandbox, await video_in(mia, card.id))


async def test_a_deleted_thread_falls_back_to_its_channel(
    sandbox: Sandbox, kinora: Kinora, mia: Person
) -> None:
    card = await rendering(sandbox, mia, "stills")
    await sandbox.discord.delete_channel(card.id)
    await sandbox.novita.forward(3600)
    video = await video_in(mia, "stills")
    assert "is gone" in video.text
    await assert_same_video(sandbox, video)


async def test_a_deleted_thread_of_ones_own_falls_back_to_its_channel(
    sandbox: Sandbox, kinora: Kinora, mia: Person
) -> None:
    thread = await sandbox.discord.start_thread("stills", "mia", "Boats")
    await rendering(sandbox, mia, thread.id)
    await sandbox.discord.delete_channel(thread.id)
    await sandbox.novita.forward(3600)
    await assert_same_video(sandbox, await video_in(mia, "stills"))


async def test_a_withdrawn_permission_falls_back_to_the_dm(
    sandbox: Sandbox, kinora: Kinora, mia: Person
) -> None:
    await rendering(sandbox, mia, "stills")
    await sandbox.discord.overwrite(
        "stills", "kinora", deny=["VIEW_CHANNEL", "SEND_MESSAGES", "SEND_MESSAGES_IN_THREADS"]
    )
    await mia.open_dm()
    await sandbox.novita.forward(3600)
    video = await video_in(mia, "dm")
    assert "may not post" in video.text
    await assert_same_video(sandbox, video)


async def test_a_bot_that_was_removed_still_reaches_the_asker(
    sandbox: Sandbox, kinora: Kinora, mia: Person
) -> None:
    await rendering(sandbox, mia, "Lounge")
    await sandbox.discord.delete_channel("Lounge")
    await mia.open_dm()
    await sandbox.novita.forward(3600)
    await assert_same_video(sandbox, await video_in(mia, "dm"))


async def test_where_nothing_is_left_it_is_kept_and_show_brings_it(
    sandbox: Sandbox, kinora: Kinora, mia: Person
) -> None:
    card = await rendering(sandbox, mia, "Lounge")
    await mia.change(accepts_dms=False)
    await sandbox.discord.overwrite("Lounge", "kinora", deny=["SEND_MESSAGES"])
    await sandbox.novita.forward(3600)
    failed = await card_says(mia, card, "Failed")
    assert "Discord takes it nowhere" in failed.text
    assert "The render was paid" in failed.text
    assert "/files/" in failed.text  # the link, while it lives
    await (await mia.run("show", "stills", {"job": job_of(card)})).wait_acknowledged()
    await assert_same_video(sandbox, await video_in(mia, "stills"))


async def test_a_crash_on_the_detour_does_not_double(sandbox: Sandbox, kinora: Kinora, mia: Person) -> None:
    card = await rendering(sandbox, mia, "stills")
    await sandbox.discord.change_channel(card.id, locked=True, archived=True)
    await sandbox.faults.add(
        "discord", "delay_after", method="POST", path=rf"/channels/{card.channel_id}/messages$", seconds=600
    )
    await sandbox.novita.forward(3600)
    await video_in(mia, "stills")
    await kinora.kill()
    await sandbox.faults.clear()
    await sandbox.discord.change_channel(card.id, locked=False, archived=False)
    await sandbox.discord.forward(3600)
    await kinora.start()
    await card_says(mia, card, "Done")
    assert len([m for m in await mia.messages("stills") if is_video(m)]) == 1
    assert not any(is_video(m) for m in await mia.messages(card.id))


# --- the time -----------------------------------------------------------------------------------------------


async def test_what_was_given_up_is_looked_for_once_more(
    sandbox: Sandbox, new_kinora: NewKinora, mia: Person
) -> None:
    await new_kinora(KINORA_RENDER_TIMEOUT_MINUTES="0.05").start()
    await sandbox.novita.settings(render_seconds=600)
    card = await animate(mia, "stills")
    told = await message_of(mia, card.id, job_of(card), "stopped waiting")
    assert "It looks once more <t:" in told.text
    await sandbox.novita.forward(3600)
    await assert_same_video(sandbox, await video_in(mia, card.id))
    await card_says(mia, card, "Done")


async def test_what_is_not_there_then_is_called_lost_and_show_still_asks(
    sandbox: Sandbox, new_kinora: NewKinora, mia: Person
) -> None:
    kinora = await new_kinora(KINORA_RENDER_TIMEOUT_MINUTES="0.03").start()
    await sandbox.novita.settings(render_seconds=600)
    card = await animate(mia, "stills")
    await message_of(mia, card.id, job_of(card), "Novita still has no video")
    await kinora.kill()
    await kinora.start()
    await (await mia.run("show", card.id, {"job": job_of(card)})).wait_acknowledged()
    await sandbox.novita.forward(3600)
    await (await mia.run("show", card.id, {"job": job_of(card)})).wait_acknowledged()
    await assert_same_video(sandbox, await video_in(mia, card.id))


async def test_deliveries_go_on_without_the_gateway(sandbox: Sandbox, kinora: Kinora, mia: Person) -> None:
    card = await rendering(sandbox, mia, "stills")
    await sandbox.discord.refuse_gateway(600)
    await sandbox.discord.close_gateway(4000, resumable=False)
    await sandbox.novita.forward(3600)
    await assert_same_video(sandbox, await video_in(mia, card.id))
    await card_says(mia, card, "Done")


@cache
def noisy() -> bytes:
    """Make an image whose video is large for its seconds."""
    file = BytesIO()
    Image.effect_noise((640, 400), 90).convert("RGB").save(file, "png")
    return file.getvalue()
