"""The page has a row for every experiment, and none for what is no longer tried."""

from __future__ import annotations

import pytest

from tests.reliability.page import keys, line, rows_of_page, writing


@pytest.mark.skipif(writing(), reason="the page is being written")
def test_the_page_has_every_experiment_once() -> None:
    begins = [line(*key).removesuffix("|") for rows in keys().values() for key in rows]
    rows = rows_of_page()
    assert [sum(row.startswith(begin + "|") for row in rows) for begin in begins] == [1] * len(begins)
    assert len(rows) == len(begins)
