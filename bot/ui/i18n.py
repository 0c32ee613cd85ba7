"""The message catalogue: every sentence people read, in their language; gettext, with Babel's tooling.

An English sentence is its own id, and `N_("…")` marks it, whether it is put into words at once, as in
`texts.text(N_("{n} of {most}"), n=1, most=2)`, or later; only `Texts.plural` marks its two by itself. `make
sentences` collects all of them into `locales/en/LC_MESSAGES/kinora.po`, the model for every other language; a
test fails when that was forgotten.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from gettext import GNUTranslations, NullTranslations
from pathlib import Path

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_timedelta
from babel.lists import format_list
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_currency, format_decimal

from bot.errors import N_
from bot.novita.models import UNITS_PER_DOLLAR

__all__ = ["N_", "Texts", "Words", "texts"]

LOCALES = Path(__file__).parent / "locales"
SOURCE = "en"
MEGABYTE = 2**20


class Texts:
    """Sentences, numbers, money and dates in one language.

    What fills a sentence is text as it is (untrusted text was escaped before), a number, which is written as
    the language does, or `Words`: what only the language can say.
    """

    def __init__(self, locale: Locale, translations: NullTranslations) -> None:
        self.locale = locale
        self._translations = translations

    def text(self, msgid: str, **values: object) -> str:
        """Return a sentence with its placeholders filled in."""
        return self._filled(self._translations.gettext(msgid), values) if msgid else ""

    def plural(self, one: str, many: str, n: int, **values: object) -> str:
        """Return the sentence for a number, which may stand in it as `{n}`."""
        return self._filled(self._translations.ngettext(one, many, n), {"n": n, **values})

    def _filled(self, sentence: str, values: Mapping[str, object]) -> str:
        return sentence.format(**{name: self._written(value) for name, value in values.items()})

    def _written(self, value: object) -> object:
        if isinstance(value, int | float):
            return self.number(value)
        return value(self) if callable(value) else value

    def number(self, value: float) -> str:
        """Write a number with at most two decimals: 2,500 or 0.75."""
        return format_decimal(value, format="#,##0.##", locale=self.locale)

    def megabytes(self, size: int, decimals: int = 1) -> str:
        """Write a size in bytes as megabytes, without the unit."""
        pattern = "#,##0" + ("." + "0" * decimals if decimals else "")
        return format_decimal(size / MEGABYTE, format=pattern, locale=self.locale)

    def money(self, units: int) -> str:
        """Write an amount in 1/10000 USD, with more than two decimals only where there are any."""
        dollars = Decimal(units) / UNITS_PER_DOLLAR
        return format_currency(dollars, "USD", locale=self.locale, decimal_quantization=False)

    def date(self, at: datetime) -> str:
        """Write a day."""
        return format_date(at, format="medium", locale=self.locale)

    def duration(self, seconds: float) -> str:
        """Write how long something took, roughly: 30 minutes."""
        return format_timedelta(timedelta(seconds=seconds), threshold=2, locale=self.locale)

    def all_of(self, items: list[str]) -> str:
        """Write a list: one, two and three."""
        return format_list(items, "standard", locale=self.locale)

    def one_of(self, items: list[str]) -> str:
        """Write a choice: one, two or three."""
        return format_list(items, "or", locale=self.locale)


Words = Callable[[Texts], str]
"""Words of a sentence that are not known before its language is, such as an amount of money or a list."""


@lru_cache(maxsize=64)
def texts(locale: str = "") -> Texts:
    """Return the texts for a locale as Discord names it (`en-GB`, `pt-BR`); English where there is none."""
    try:
        wanted = Locale.parse(locale, sep="-")
    except (ValueError, UnknownLocaleError):
        wanted = Locale(SOURCE)
    for name in (str(wanted), f"{wanted.language}_{wanted.script}", wanted.language):
        if (file := LOCALES / name / "LC_MESSAGES" / "kinora.po").is_file():
            return Texts(wanted, _translations(file, name))
    return texts(SOURCE) if wanted.language != SOURCE else Texts(wanted, NullTranslations())


def _translations(file: Path, name: str) -> NullTranslations:
    compiled = io.BytesIO()
    with file.open("rb") as source:
        write_mo(compiled, read_po(source, locale=name))
    compiled.seek(0)
    return GNUTranslations(compiled)
