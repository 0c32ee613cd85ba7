"""Catalogues made up for tests: a pseudo-language of 40 % longer sentences, and a little German."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from bot.ui import i18n
from tests.ui.catalogue import begin, extracted, read, texts_of, written

LONGER = 1.4
MARK = "ẋ"
"""Is in every pseudo-sentence, and in no other."""
_ACCENTS = str.maketrans("acdeginorstuyzACDEINORSTUYZ", "áčďéğíñöŕšťüýžÁČĎÉÍÑÖŔŠŤÜÝŽ")
_KEPT = re.compile(r"(\{[^}]*\}|`[^`]*`)")


def pseudo(sentence: str) -> str:
    """Make a sentence 40 % longer and strange, with its placeholders as they are: [Ďöñé ẋẋ]."""
    parts = _KEPT.split(sentence)
    strange = "".join(part if n % 2 else part.translate(_ACCENTS) for n, part in enumerate(parts))
    return f"[{strange} {MARK * max(1, math.ceil(len(sentence) * LONGER) - len(sentence) - 3)}]"


@contextmanager
def spoken(folder: Path, **languages: Mapping[str, str | tuple[str, str]]) -> Iterator[None]:
    """Have the bot speak the languages of a folder, whose catalogues are written first, and no others."""
    sentences = extracted()
    for locale, translations in languages.items():
        file = begin(locale, folder)
        catalog = read(file)
        catalog.update(sentences)
        for sentence, translation in translations.items():
            message = catalog.get(sentence)
            assert message is not None, f"{sentence!r} is not in the catalogue"
            message.string = translation
        file.write_bytes(written(catalog, sentences))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(i18n, "LOCALES", folder)
        i18n.texts.cache_clear()
        yield
    i18n.texts.cache_clear()


def pseudo_catalogue() -> dict[str, str | tuple[str, str]]:
    """Translate every sentence into the pseudo-language."""
    found: dict[str, str | tuple[str, str]] = {}
    for message in extracted():
        if message.id:
            forms = [pseudo(form) for form in texts_of(message.id)]
            found[texts_of(message.id)[0]] = (forms[0], forms[1]) if message.pluralizable else forms[0]
    return found
