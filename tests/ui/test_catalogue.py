"""Every sentence people read is in the catalogue, is used, and is filled as it asks to be."""

from __future__ import annotations

from pathlib import Path

import pytest
from babel.messages.catalog import Catalog

from bot.ui.i18n import LOCALES
from tests.ui import catalogue, code
from tests.ui.catalogue import MEND, ROOT, complaints, extracted, files, read, written

NOT_SENTENCES = {
    ("bot/ui/results.py", " · delivered"): "ends a footer by which a video is found again",
    ("bot/ui/results.py", "job "): "begins that footer",
    ("bot/ui/status.py", "job "): "begins the footer by which a card is found again",
    ("bot/ui/status.py", " · task "): "goes on with it",
    ("bot/ui/status.py", "Kinora "): "a thread named after the bot and the job's id",
    ("bot/ui/sentences.py", "JPEG, PNG, WebP, HEIC, AVIF, GIF, BMP"): "names of formats",
}
"""What looks like a sentence in the code and is none, and why."""


# --- the catalogues as they stand ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sentences() -> Catalog:
    return extracted()


@pytest.mark.parametrize("file", files(), ids=lambda file: str(file.parts[-3]))
def test_a_catalogue_has_the_sentences_of_the_code_and_no_others(file: Path, sentences: Catalog) -> None:
    assert not list(complaints(read(file), sentences))


@pytest.mark.parametrize("file", files(), ids=lambda file: str(file.parts[-3]))
def test_make_sentences_would_change_nothing(file: Path, sentences: Catalog) -> None:
    before = file.read_bytes()
    assert written(read(file), sentences) == before, MEND
    for word in (b"ORGANIZATION", b"AUTHOR", b"EMAIL", b"Date"):
        assert word not in before


def test_english_is_its_own_id() -> None:
    english = read(LOCALES / "en/LC_MESSAGES/kinora.po")
    assert not [message.id for message in english if message.id and any(catalogue.texts_of(message.string))]


def test_what_is_marked_is_found() -> None:
    """A marker inside an f-string is not found before Python 3.12, and one around a variable never."""
    marked = {literal.text for file in code.read() for literal in file.marked()}
    found = {text for message in extracted() for text in catalogue.texts_of(message.id) if text}
    assert found == marked


def test_catalogues_are_in_the_image_that_is_shipped() -> None:
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert "!bot" in ignored
    assert not [line for line in ignored if line.endswith((".po", "locales", "locales/"))]
    assert "COPY bot ./bot" in (ROOT / "Dockerfile").read_text()


# --- the code -----------------------------------------------------------------------------------------------


def test_no_sentence_escapes_the_catalogue() -> None:
    found = [literal for file in code.read(*code.TO_PEOPLE) for literal in file.escaping()]
    left = [literal for literal in found if (literal.file, literal.text) not in NOT_SENTENCES]
    assert not left, "mark these with N_, or name them in NOT_SENTENCES"
    assert NOT_SENTENCES.keys() == {(literal.file, literal.text) for literal in found}


def test_every_call_fills_its_sentence() -> None:
    calls = [filling for file in code.read() for filling in file.fillings()]
    assert len(calls) > 40
    for call in calls:
        assert call.gives <= call.asks, call
        assert call.gives == call.asks or call.gives_more, call


# --- each check can fail ------------------------------------------------------------------------------------

SMALL = '''
"""A command."""
log.info("nobody reads this")
say(texts.text(N_("Wait {seconds} s."), seconds=3))
say(texts.plural("{n} of {all}", "{n} of all {all}", 2, all=3))
describe(locale_str("What it does"))
'''


@pytest.fixture
def small(tmp_path: Path) -> Catalog:
    (tmp_path / "bot").mkdir()
    (tmp_path / "bot/command.py").write_text(SMALL)
    return extracted(tmp_path)


def german(small: Catalog, **changes: str | tuple[str, str] | None) -> Catalog:
    """Make a German catalogue of the small one, with changes to it: None takes a sentence away."""
    translated: dict[str, str | tuple[str, str] | None] = {
        "Wait {seconds} s.": "Warte {seconds} s.",
        "{n} of {all}": ("Eins von {all}", "{n} von {all}"),
        "What it does": "Was es tut",
    }
    catalog = Catalog(locale="de")
    for sentence, translation in {**translated, **changes}.items():
        if translation is not None:
            known = small.get(sentence)
            catalog.add(known.id if known else sentence, translation)
    return catalog


def test_a_sound_catalogue_has_no_complaints(small: Catalog) -> None:
    assert len(small) == 3
    assert not list(complaints(german(small), small))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"What it does": None}, "lacks 'What it does'"),
        ({"What it did": "Was es tat"}, "has 'What it did', which nobody uses"),
        ({"Wait {seconds} s.": "Warte {sekunden} s."}, "has the placeholders sekunden, and its sentence"),
        ({"Wait {seconds} s.": "Warte."}, "has the placeholders none"),
        ({"Wait {seconds} s.": "Warte {seconds s."}, "has the placeholders (expected '}'"),
        ({"{n} of {all}": ("Eins", "{n} von {all}")}, "'Eins' has the placeholders none"),
        ({"{n} of {all}": ("Eins von {all}", "{n} von {alle}")}, "has the placeholders alle, n"),
    ],
)
def test_each_flaw_of_a_catalogue_is_told_with_the_way_to_mend_it(
    small: Catalog, changes: dict[str, str | tuple[str, str] | None], says: str
) -> None:
    (complaint,) = complaints(german(small, **changes), small)
    assert says in complaint
    assert MEND in complaint


def test_a_plural_whose_forms_differ_is_told() -> None:
    sentences = Catalog()
    sentences.add(("{n} video of {all}", "{n} videos"))
    catalog = Catalog(locale="en")
    catalog.add(("{n} video of {all}", "{n} videos"))
    (complaint,) = complaints(catalog, sentences)
    assert "other placeholders than one another" in complaint


def test_a_catalogue_is_brought_up_to_date_and_keeps_what_is_translated(
    small: Catalog, tmp_path: Path
) -> None:
    file = catalogue.begin("de", tmp_path)
    file.write_bytes(written(german(small, **{"What it does": None, "What it did": "Was es tat"}), small))
    again = read(file)
    assert written(again, small) == file.read_bytes()
    known = {message.id: message.string for message in again if message.id}
    assert known["Wait {seconds} s."] == "Warte {seconds} s."
    assert known["What it does"] == ""
    assert "What it did" not in known
    assert b"nplurals=2" in file.read_bytes()


@pytest.mark.parametrize(
    ("line", "escapes"),
    [
        ('embed.title = "Not today"', ["Not today"]),
        ('button(label="Cancel")', ["Cancel"]),
        ('say(f"{n} videos")', [" videos"]),
        ('say(texts.text("Done already"))', ["Done already"]),
        ('say(N_("Done already"))', []),
        ('texts.plural("{n} video", "{n} videos", 2, unit="a video")', ["a video"]),
        ('log.warning("not today: %s", f"because of {n}")', []),
        ('re.compile(r"a [Pp]attern")', []),
        ('"""A docstring."""', []),
        ('SECONDS = 3\n"""How long it takes."""', []),
        ('find("custom_id:of-a-button", style="secondary")', []),
        ('__all__ = ["Texts"]', []),
    ],
)
def test_what_escapes(line: str, escapes: list[str], tmp_path: Path) -> None:
    (tmp_path / "bot").mkdir()
    (tmp_path / "bot/command.py").write_text(line)
    (file,) = code.read("bot", root=tmp_path)
    assert [literal.text for literal in file.escaping()] == escapes


@pytest.mark.parametrize(
    ("line", "fills"),
    [
        ('texts.text(N_("Wait {s}."), s=3)', True),
        ('texts.text(N_("Wait {s}."), n=3)', False),
        ('texts.text(N_("Wait {s}."))', False),
        ('texts.text(N_("Wait."), s=3)', False),
        ('texts.text(N_("Wait {s}.") if s else N_("Wait."), s=3)', True),
        ('texts.plural("{n} video of {all}", "{n} videos of {all}", 3, all=4)', True),
        ('texts.plural("{n} video of {all}", "{n} videos of {all}", 3)', False),
        ('Refusal(N_("No {a}."), N_("Do {b}."), title=N_("No"), money=True, a=1, b=2)', True),
        ('Refusal(N_("No {a}."), N_("Do {b}."), a=1)', False),
        ('Refusal(N_("No {a}."), N_("Do {b}."), **values)', True),
        ('Refusal(N_("No {a}."), c=1, **values)', False),
    ],
)
def test_what_fills_a_sentence(line: str, fills: bool, tmp_path: Path) -> None:
    (tmp_path / "bot").mkdir()
    (tmp_path / "bot/command.py").write_text(line)
    (file,) = code.read("bot", root=tmp_path)
    (call,) = file.fillings()
    assert (call.gives <= call.asks and (call.gives == call.asks or call.gives_more)) is fills
