"""The message catalogue: every sentence people read, in their language; gettext, with Babel's tooling.

An English sentence is its own id. `Texts.text("…")` and `Texts.plural("…", "…", n)` mark and translate at
once; `N_("…")` marks a sentence that is put into words later. `make sentences` collects all of them into
`locales/en/LC_MESSAGES/kinora.po`, the model for every other language; a test fails when that was forgotten.
"""

from __future__ import annotations

import io
from datetime import datetime
from functools import lru_cache
from gettext import GNUTranslations, NullTranslations
from pathlib import Path

from babel import Locale, UnknownLocaleError
from babel.dates import format_date
from babel.lists import format_list
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_currency, format_decimal

from bot.errors import N_
from bot.novita.models import UNITS_PER_DOLLAR

__all__ = ["N_", "Texts", "texts"]

LOCALES = Path(__file__).parent / "locales"
SOURCE = "en"
MEGABYTE = 2**20


class Texts:
    """Sentences, numbers, money and dates in one language."""

    def __init__(self, locale: Locale, translations: NullTranslations) -> None:
        self.locale = locale
        self._translations = translations

    def text(self, msgid: str, **values: object) -> str:
        """Return a sentence with its placeholders filled in; untrusted values were escaped before."""
        return self._translations.gettext(msgid).format(**values) if msgid else ""

    def plural(self, one: str, many: str, n: int, **values: object) -> str:
        """Return the sentence for a number, which may stand in it as `{n}`."""
        return self._translations.ngettext(one, many, n).format(n=self.number(n), **values)

    def number(self, value: float) -> str:
        """Write a number with at most two decimals: 2,500 or 0.75."""
        return format_decimal(value, format="#,##0.##", locale=self.locale)

    def megabytes(self, size: int, decimals: int = 1) -> str:
        """Write a size in bytes as megabytes, without the unit."""
        pattern = "#,##0" + ("." + "0" * decimals if decimals else "")
        return format_decimal(size / MEGABYTE, format=pattern, locale=self.locale)

    def money(self, units: int) -> str:
        """Write an amount in 1/10000 USD, with a third decimal only where there is one."""
        pattern = "¤#,##0.00" if units % 100 == 0 else "¤#,##0.000"
        return format_currency(
            units / UNITS_PER_DOLLAR, "USD", format=pattern, locale=self.locale, currency_digits=False
        )

    def date(self, at: datetime) -> str:
        """Write a day."""
        return format_date(at, format="medium", locale=self.locale)

    def all_of(self, items: list[str]) -> str:
        """Write a list: one, two and three."""
        return format_list(items, "standard", locale=self.locale)

    def one_of(self, items: list[str]) -> str:
        """Write a choice: one, two or three."""
        return format_list(items, "or", locale=self.locale)


@lru_cache(maxsize=64)
def texts(locale: str = "") -> Texts:
    """Return the texts for a locale as Discord names it (`en-GB`, `pt-BR`); English where there is none."""
    try:
        wanted = Locale.parse(locale, sep="-")
    except (ValueError, UnknownLocaleError):
        wanted = Locale(SOURCE)
    for name in (str(wanted), wanted.language):
        if (file := LOCALES / name / "LC_MESSAGES" / "kinora.po").is_file():
            return Texts(wanted, _translations(file, name))
    return texts(SOURCE)


def _translations(file: Path, name: str) -> NullTranslations:
    compiled = io.BytesIO()
    with file.open("rb") as source:
        write_mo(compiled, read_po(source, locale=name))
    compiled.seek(0)
    return GNUTranslations(compiled)
