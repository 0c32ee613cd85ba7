from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bot.messaging.upload_limits import WORTH_WATCHING, UploadLimits

MIB = 2**20
SIZES = st.integers(1, 600 * MIB)


def test_what_discord_stated_is_believed_until_it_refuses() -> None:
    limits = UploadLimits()
    stated = [50 * MIB, 10 * MIB]  # the asker's Nitro, and the guild itself
    assert limits.allows(1, 45 * MIB, stated)
    limits.refused(1, 45 * MIB)
    assert not limits.allows(1, 45 * MIB, stated)
    assert limits.targets(1, 45 * MIB, stated)[0] == 10 * MIB
    assert limits.allows(2, 45 * MIB, stated)  # another place was not heard of


def test_when_every_stated_limit_was_too_high_it_is_halved() -> None:
    limits = UploadLimits()
    limits.refused(1, 9 * MIB)
    assert limits.targets(1, 45 * MIB, [10 * MIB]) == [9 * MIB >> 1, 9 * MIB >> 2, 9 * MIB >> 3]


def test_more_than_anything_stated_is_not_even_tried() -> None:
    assert not UploadLimits().allows(1, 11 * MIB, [10 * MIB])
    assert UploadLimits().allows(1, 11 * MIB, [])  # nothing is known, so trying tells


@given(size=SIZES, refused=st.lists(SIZES, max_size=4), stated=st.lists(SIZES, max_size=3))
def test_targets_get_smaller_and_are_always_below_what_was_refused(
    size: int, refused: list[int], stated: list[int]
) -> None:
    limits = UploadLimits()
    for bytes_refused in refused:
        limits.refused(1, bytes_refused)
    targets = limits.targets(1, size, stated)
    assert targets == sorted(targets, reverse=True)
    assert all(WORTH_WATCHING <= target < min([size, *refused]) for target in targets)
