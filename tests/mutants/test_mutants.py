"""The catalogue of mutants stands on what there is, and the runner tells survivors from the noticed."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from tests.mutants import __main__ as command
from tests.mutants.catalogue import MUTANTS
from tests.mutants.mutant import Mutant, StaleMutant, stale
from tests.mutants.run import HERE, Copy, UnchangedFails, Verdict, copies, run

LEAST = 60


def test_every_mutants_text_still_stands_exactly_once() -> None:
    assert stale(MUTANTS, HERE) == []


def test_every_mutant_has_a_name_of_its_own() -> None:
    assert len(MUTANTS) >= LEAST
    names = Counter(mutant.name for mutant in MUTANTS)
    assert {name for name, count in names.items() if count > 1} == set()
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name) for name in names)


def test_every_mutant_breaks_a_promise_of_its_own_in_one_sentence() -> None:
    promises = Counter(mutant.promise for mutant in MUTANTS)
    assert {promise for promise, count in promises.items() if count > 1} == set()
    assert all(re.fullmatch(r"[A-Z/][^\n]*[^.]\.", promise) for promise in promises)


def test_every_mutant_is_a_change_to_what_ships_and_can_be_read() -> None:
    for mutant in MUTANTS:
        assert mutant.file.startswith(("bot/", "cogs/")), mutant.name
        assert mutant.after != mutant.before, mutant.name
        compile(mutant.changed((HERE / mutant.file).read_text()), mutant.file, "exec")


def test_every_test_that_should_notice_exists() -> None:
    for mutant in MUTANTS:
        assert mutant.tests, mutant.name
        for test in mutant.tests:
            file, _, name = test.partition("::")
            text = (HERE / file).read_text()
            assert not name or f"def {name.partition('[')[0]}(" in text, (mutant.name, test)


# --- the runner


HOUSE = "def doubled(number):\n    return number * 2\n\n\ndef zero():\n    return 0\n"
TESTS = "import time\n\nfrom house import doubled\n\n\ndef test_doubled():\n    assert doubled(2) == 4\n"


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A repository of two files, of which one function has no test."""
    (tmp_path / "house.py").write_text(HOUSE)
    (tmp_path / "test_house.py").write_text(TESTS)
    (tmp_path / "pyproject.toml").write_text("[tool.pytest.ini_options]\n")
    return tmp_path


def a_mutant(before: str, after: str, tests: str = "test_house.py") -> Mutant:
    return Mutant("a-mutant", "A promise.", "house.py", before, after, (tests,))


def test_what_the_tests_notice_is_told_from_what_survives(house: Path) -> None:
    # Of the same length and within a second: what was compiled before is not taken for it.
    noticed, survives = a_mutant("number * 2", "number * 3"), a_mutant("return 0", "return 1")
    results = run([noticed, survives, noticed, survives], house, libraries=())
    assert [result.verdict for result in results] == [Verdict.NOTICED, Verdict.SURVIVED] * 2
    assert (house / "house.py").read_text() == HOUSE


def test_a_mutant_that_cannot_even_be_tested_is_neither(house: Path) -> None:
    (result,) = run([a_mutant("def doubled", "def tripled")], house, libraries=())
    assert result.verdict is Verdict.BROKEN
    assert "cannot import name 'doubled'" in result.output


@pytest.mark.parametrize(
    ("codes", "verdict"),
    [
        ([None, 0], Verdict.NOTICED),  # it made them hang
        ([None, None], Verdict.BROKEN),  # they are as slow without it
        ([None, 1], Verdict.BROKEN),
    ],
)
def test_a_mutant_that_makes_tests_hang_is_told_from_tests_that_are_slow(
    house: Path, monkeypatch: pytest.MonkeyPatch, codes: list[int | None], verdict: Verdict
) -> None:
    left = list(codes)
    monkeypatch.setattr(Copy, "pytest", lambda *_: {"code": left.pop(0), "output": ""})
    with copies(house, 1, ()) as (copy,):
        assert copy.judge(a_mutant("number * 2", "number * 3")).verdict is verdict
    assert left == []


def test_tests_that_fail_by_themselves_notice_nothing(house: Path) -> None:
    (house / "test_house.py").write_text(TESTS.replace("== 4", "== 5"))
    with pytest.raises(UnchangedFails, match="test_doubled"):
        run([a_mutant("number * 2", "number * 3")], house, libraries=())
    with pytest.raises(UnchangedFails, match="no_such_file"):
        run([a_mutant("number * 2", "number * 3", "no_such_file.py")], house, libraries=())


def test_a_text_that_stands_nowhere_or_twice_is_named() -> None:
    with pytest.raises(StaleMutant, match="a-mutant: its text stands 0 times"):
        a_mutant("number * 4", "0").changed(HOUSE)
    with pytest.raises(StaleMutant, match="stands 2 times"):
        a_mutant("return", "0").changed(HOUSE)


def test_the_command_says_what_is_to_be_mended(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["no-such-mutant"]) == 2
    gone = replace(MUTANTS[0], before="a text that stands nowhere")
    monkeypatch.setattr(command, "MUTANTS", (gone,))
    assert command.main([]) == 1
    assert f"{gone.name}: its text stands 0 times in {gone.file}" in capsys.readouterr().out
