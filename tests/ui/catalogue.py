"""The message catalogue's upkeep: sentences out of the code, catalogues brought up to date, and checked.

`make sentences` runs this as a program: it writes every sentence of the code into each language's
`locales/*/LC_MESSAGES/kinora.po`, and keeps what is translated there. `make sentences LOCALE=de` begins a
language.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

from babel import Locale
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

from bot.ui.i18n import LOCALES, SOURCE

ROOT = Path(__file__).parents[2]
PACKAGES = ("bot", "cogs")
KEYWORDS: dict[str, tuple[int, ...] | None] = {"N_": None, "locale_str": None, "plural": (1, 2)}
"""What marks a sentence in the code, and which of its arguments are sentences (None: the first)."""
MEND = "run make sentences"
HEADER = """\
# Kinora's sentences; the English ones are the ids. Written by `make sentences`: change them in the code.
msgid ""
msgstr ""
"Language: {locale}\\n"
"Plural-Forms: {plurals}\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Content-Transfer-Encoding: 8bit\\n"

"""


def extracted(root: Path = ROOT) -> Catalog:
    """Collect the sentences that are marked in the code."""
    catalog = Catalog(charset="utf-8")
    for package in PACKAGES:
        for _, _, sentence, *_ in extract_from_dir(
            root / package, [("**.py", "python")], {"**.py": {"encoding": "utf-8"}}, keywords=KEYWORDS
        ):
            catalog.add(sentence)
    return catalog


def read(file: Path) -> Catalog:
    """Read a language's catalogue."""
    with file.open("rb") as source:
        return read_po(source, locale=file.parts[-3])


def files(locales: Path = LOCALES) -> list[Path]:
    """List the catalogues there are."""
    return sorted(locales.glob("*/LC_MESSAGES/kinora.po"))


def written(catalog: Catalog, sentences: Catalog) -> bytes:
    """Bring a catalogue up to date with the code, as the bytes of its file."""
    catalog.update(sentences, no_fuzzy_matching=True)
    body = io.BytesIO()
    write_po(body, catalog, no_location=True, omit_header=True, sort_output=True, ignore_obsolete=True)
    header = HEADER.format(locale=catalog.locale_identifier, plurals=catalog.plural_forms)
    return header.encode() + body.getvalue()


def begin(locale: str, locales: Path = LOCALES) -> Path:
    """Make the empty catalogue of a language."""
    file = locales / str(Locale.parse(locale, sep="-" if "-" in locale else "_")) / "LC_MESSAGES/kinora.po"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()
    return file


def complaints(catalog: Catalog, sentences: Catalog) -> Iterator[str]:
    """Say what is wrong with a catalogue, in lines that each tell how to mend it."""
    where = f"{catalog.locale_identifier}/kinora.po"
    known, used = {message.id: message for message in catalog if message.id}, _ids(sentences)
    for sentence in used - known.keys():
        yield f"{where} lacks {sentence!r}: {MEND}"
    for sentence in known.keys() - used:
        yield f"{where} has {sentence!r}, which nobody uses any more: {MEND}"
    for message in [*catalog.obsolete.values(), *(message for message in known.values() if message.fuzzy)]:
        yield f"{where} has {message.id!r} as obsolete or fuzzy: translate it afresh, then {MEND}"
    for message in known.values():
        yield from (f"{where}: {what}; mend it, then {MEND}" for what in mismatches(message))


def mismatches(message: Message) -> Iterator[str]:
    """Say where a translation, or one form of a plural, has other placeholders than its sentence."""
    ids, strings = texts_of(message.id), [text for text in texts_of(message.string) if text]
    wanted = placeholders(*ids)
    if message.pluralizable:
        # "one" may do without its number, and nothing else.
        for text in ids:
            if placeholders(text) | {"n"} != wanted | {"n"}:
                yield f"the forms of {ids[0]!r} have other placeholders than one another"
    for text in strings:
        found = placeholders(text)
        if found != wanted and not (message.pluralizable and found | {"n"} == wanted | {"n"}):
            given, asked = ", ".join(sorted(found)) or "none", ", ".join(sorted(wanted)) or "none"
            yield f"{text!r} has the placeholders {given}, and its sentence {ids[0]!r} {asked}"


def placeholders(*texts: str) -> frozenset[str]:
    """Name the placeholders in sentences; a brace that is none is told by its error."""
    found: set[str] = set()
    for text in texts:
        try:
            found |= {name for _, name, _, _ in Formatter().parse(text) if name is not None}
        except ValueError as error:
            found.add(f"({error})")
    return frozenset(found)


def texts_of(sentence: object) -> list[str]:
    """List the forms of a sentence: one, or two of a plural."""
    return [str(text) for text in sentence] if isinstance(sentence, list | tuple) else [str(sentence)]


def _ids(catalog: Catalog) -> set[object]:
    return {message.id for message in catalog if message.id}


def main(locale: str = "") -> None:
    """Bring every catalogue up to date, and begin one for `locale` where there is none."""
    begin(SOURCE)
    if locale:
        begin(locale)
    sentences = extracted()
    for file in files():
        file.write_bytes(written(read(file), sentences))
    wrong = [line for file in files() for line in complaints(read(file), sentences)]
    sys.exit("\n".join(wrong) or None)


if __name__ == "__main__":
    main(*sys.argv[1:])
