"""Where the sandbox listens."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.house import House


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as somebody:
        yield somebody.getsockname()[1]


async def test_a_taken_port_is_an_error(tmp_path: Path, taken: int) -> None:
    with pytest.raises(OSError, match="address already in use"):
        await House(data_dir=tmp_path, control_port=taken).start()


async def test_with_any_port_a_taken_one_is_replaced(tmp_path: Path, taken: int) -> None:
    house = House(data_dir=tmp_path, control_port=taken, any_port=True)
    await house.start()
    assert not house.control_url.endswith(f":{taken}")
    await house.stop()
