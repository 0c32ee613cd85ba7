"""What is left of words from outside: nothing that opens something, also where they are cut."""

from __future__ import annotations

import pytest

from bot.domain.text import MOST_REDACTED, redacted

LINK = "https://files.example/v.png?Signature=0123456789"


@pytest.mark.parametrize("left", range(len(LINK) + 1))
def test_a_cut_leaves_no_half_of_anything(left: int) -> None:
    """`left` characters of an address with a signature stand before the cut, behind base64 that shrinks."""
    before = "A" * (MOST_REDACTED - left - 1) + " "
    assert "01" not in redacted(before + LINK + " and more" * 10)


def test_one_word_that_is_too_long_is_no_word() -> None:
    assert redacted("x." * MOST_REDACTED) == ""


def test_a_secret_that_holds_another_is_taken_out_whole() -> None:
    assert redacted("it is word-and-more", ["word", "word-and-more", ""]) == "it is <secret>"


def test_ordinary_words_stay() -> None:
    said = "duration: must be one of 5, 10; see https://novita.ai/docs (image 3/4, 50% @ 0.5)"
    assert redacted(said) == said
