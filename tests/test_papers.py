"""The papers are held against the code: settings, files, commands, the permission integer, quoted lines."""

from __future__ import annotations

import ast
import functools
import re
from dataclasses import replace
from decimal import Decimal
from fnmatch import fnmatch
from pathlib import Path

import discord
import pytest

from bot.errors import SettingsError
from bot.novita.models import DEFAULT_MODEL, catalogue
from bot.settings import Settings, load

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
OPERATING = ROOT / "docs/operating.md"
SCALING = ROOT / "docs/scaling.md"
PAPERS = [
    README,
    *(ROOT / name for name in ("CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "tests/README.md")),
    *(ROOT / f"docs/{name}.md" for name in ("architecture", "glossary", "operating", "scaling")),
]
ENV_EXAMPLE = ROOT / ".env.example"
SECRETS = {"DISCORD_TOKEN": "abc.def.ghi", "NOVITA_API_KEY": "sk_123"}


def rows(paper: Path, heading: str) -> list[list[str]]:
    """Read the cells of every table row in one section, header rows left out."""
    section = re.split(rf"^#+ {re.escape(heading)}$", paper.read_text(), maxsplit=1, flags=re.MULTILINE)[1]
    section = re.split(r"^#+ ", section, maxsplit=1, flags=re.MULTILINE)[0]
    tables = re.findall(r"^\|[-|]+\|\n((?:\|.*\n)+)", section, flags=re.MULTILINE)
    return [[cell.strip() for cell in line[1:-1].split("|")] for t in tables for line in t.splitlines()]


def code(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def variables_read() -> list[str]:
    source = (ROOT / "bot/settings.py").read_text()
    return re.findall(r'reader\.(?:secret|read)\(\s*"(\w+)"', source)


def meant(settings: Settings) -> tuple[Settings, object]:
    """Put the prices as what they do to the catalogue: none given and the defaults given are the same."""
    return replace(settings, prices={}), catalogue(settings.prices)


# --- settings -----------------------------------------------------------------------------------------------


def settings_table() -> dict[str, str]:
    return {code(name)[0]: default for name, default, _ in rows(README, "Settings")}


def examples() -> dict[str, str]:
    """Read the optional lines of `.env.example`, which are commented out."""
    return dict(re.findall(r"^# (\w+)=(.*)$", ENV_EXAMPLE.read_text(), flags=re.MULTILINE))


def test_the_settings_table_names_what_is_read() -> None:
    assert sorted(settings_table()) == sorted(variables_read())


@pytest.mark.parametrize("name", sorted(set(variables_read()) - set(SECRETS)))
def test_a_default_in_the_papers_is_the_true_one(name: str) -> None:
    defaults = load(None, SECRETS)
    for written in ((code(settings_table()[name]) or [""])[0], examples()[name]):  # without code: nothing
        assert meant(load(None, {**SECRETS, name: written})) == meant(defaults)


@pytest.mark.parametrize("name", SECRETS)
def test_what_is_required_is_said_to_be(name: str) -> None:
    assert settings_table()[name] == "required, secret"


def test_the_example_names_what_is_read() -> None:
    given = re.findall(r"^(\w+)=", ENV_EXAMPLE.read_text(), flags=re.MULTILINE)
    assert sorted([*given, *examples()]) == sorted(variables_read())


def test_the_example_is_refused_until_both_secrets_are_in() -> None:
    with pytest.raises(SettingsError) as caught:
        load(ENV_EXAMPLE, {})
    assert [mistake.split(":")[0] for mistake in caught.value.mistakes] == [
        f"{name} still holds a placeholder" for name in SECRETS
    ]


def test_the_example_with_every_line_in_use_is_the_default(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text(re.sub(r"^# (?=\w+=)", "", ENV_EXAMPLE.read_text(), flags=re.MULTILINE))
    assert meant(load(file, SECRETS)) == meant(load(None, SECRETS))


# --- what the papers say of the code ------------------------------------------------------------------------


def test_the_models_and_prices() -> None:
    written = [
        (title.removesuffix(" (default)"), code(name)[0], Decimal(estimate.split()[0][1:]), five)
        for title, name, estimate, five in rows(README, "Models and prices")
    ]
    assert written == [
        (model.title, name, model.dollars_per_second, f"${5 * model.dollars_per_second:.2f}")
        for name, model in catalogue({}).items()
    ]
    assert [name for title, name, *_ in rows(README, "Models and prices") if title.endswith("(default)")] == [
        f"`{DEFAULT_MODEL}`"
    ]


def test_the_permissions() -> None:
    needed = discord.Permissions(
        view_channel=True,
        send_messages=True,
        embed_links=True,
        attach_files=True,
        read_message_history=True,
        send_messages_in_threads=True,
        create_public_threads=True,
        connect=True,
    )
    assert re.findall(r"permissions=(\d+)", README.read_text()) == [str(needed.value)]
    shown = {"View Channels": "view_channel"}  # Discord's screens have the plural, its API the singular
    written = [shown.get(name) or name.lower().replace(" ", "_") for name, _ in rows(README, "2. Invite it")]
    assert discord.Permissions(**dict.fromkeys(written, True)) == needed


def quoted_lines() -> list[tuple[Path, str]]:
    sections = [
        (README, "4. Start"),
        (OPERATING, "Start"),
        (OPERATING, "Log lines that ask for something"),
    ]
    return [
        (paper, line) for paper, heading in sections for row in rows(paper, heading) for line in code(row[0])
    ]


@functools.cache
def said() -> list[str]:
    """List every piece of text in the bot's code."""
    files = [file for folder in ("bot", "cogs") for file in (ROOT / folder).rglob("*.py")]
    nodes = [node for file in files for node in ast.walk(ast.parse(file.read_text()))]
    return [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]


@pytest.mark.parametrize(("paper", "line"), quoted_lines())
def test_a_quoted_line_is_one_that_the_bot_says(paper: Path, line: str) -> None:
    for piece in filter(None, (piece.strip() for piece in line.split("…"))):
        assert any(piece in text for text in said()), f"{paper.name}: {piece}"


# --- files, commands, links ---------------------------------------------------------------------------------


def anchors(paper: Path) -> set[str]:
    """List the anchors GitHub gives a paper's headings."""
    headings = re.findall(r"^#+ (.+)$", paper.read_text(), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("paper", PAPERS, ids=lambda paper: paper.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(paper: Path) -> None:
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)", paper.read_text()):
        file = (paper.parent / target).resolve() if target else paper
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), f"{target}#{anchor}"


@pytest.mark.parametrize("paper", PAPERS, ids=lambda paper: paper.relative_to(ROOT).as_posix())
def test_named_files_exist(paper: Path) -> None:
    named = re.findall(r"`((?:bot|cogs|sandbox|demo|tests|docs|bench)/[\w./-]*)`", paper.read_text())
    assert [name for name in named if "NAME" not in name and not (ROOT / name).exists()] == []


@pytest.mark.parametrize("paper", PAPERS, ids=lambda paper: paper.relative_to(ROOT).as_posix())
def test_named_make_targets_exist(paper: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    named = set(re.findall(r"(?:`|^)make ([a-z-]+)", paper.read_text(), flags=re.MULTILINE))
    assert named <= targets


def test_the_architecture_names_every_file_and_the_contracts() -> None:
    text = (ROOT / "docs/architecture.md").read_text()
    tree = text.split("```")[1]
    files = {file.name for file in (ROOT / "bot").rglob("*.py") if "versions" not in file.parts}
    assert {name for name in files - {"__init__.py", "env.py"} if name not in tree} == set()
    contracts = set(re.findall(r'^name = "(.+)"$', (ROOT / "pyproject.toml").read_text(), flags=re.MULTILINE))
    table = text.split("| contract | what it keeps |")[1].split("\n\n")[0]
    assert set(re.findall(r"\*([A-Z][^*]+)\*", table)) <= contracts


# --- the image ----------------------------------------------------------------------------------------------


def test_the_image_copies_what_exists_and_is_not_ignored() -> None:
    copied = re.findall(r"^COPY (\S+) ", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    patterns = [
        line
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line and not line.startswith("#")
    ]
    assert copied
    for name in copied:
        assert (ROOT / name).exists(), name
        ignored = False  # the last pattern that fits decides, as in Docker
        for pattern in patterns:
            if fnmatch(name, pattern.removeprefix("!")):
                ignored = not pattern.startswith("!")
        assert not ignored, name


def test_the_image_keeps_its_data_in_its_volume() -> None:
    dockerfile, compose = (ROOT / "Dockerfile").read_text(), (ROOT / "compose.yaml").read_text()
    volumes = re.findall(r"^VOLUME (\S+)$", dockerfile, flags=re.MULTILINE)
    assert volumes == ["/data"]
    for paper, sign in ((dockerfile, "="), (compose.partition("\n  postgres:\n")[0], ": ")):
        given = dict(re.findall(rf"(KINORA_DATA_DIR|DATABASE_URL){sign}(\S+)", paper))
        settings = load(None, {**SECRETS, **given})
        assert settings.data_dir == Path("/data")
        assert settings.database_url == "sqlite:////data/kinora.db"


def test_the_profile_for_many_processes_shares_out_every_shard() -> None:
    scale = (ROOT / "compose.yaml").read_text().partition("\n  postgres:\n")[2]
    (url,) = set(re.findall(r"DATABASE_URL: (\S+)", scale))
    assert load(None, {**SECRETS, "DATABASE_URL": url}).database_is_shared
    clusters = [
        load(None, {**SECRETS, "KINORA_SHARDS": shards}).shards
        for shards in re.findall(r"KINORA_SHARDS: (\S+)", scale)
    ]
    (count,) = {cluster.count for cluster in clusters}
    assert [shard for cluster in clusters for shard in cluster.ids] == list(range(count))
    assert scale.count("python, -m, bot, gateway") == len(clusters) == scale.count("python, -m, bot, worker")
