"""Sentences as the code has them: those that are marked, those that escape, and what fills each."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.ui.catalogue import KEYWORDS, PACKAGES, ROOT, placeholders

# Files that word what people read; the rest of the code speaks to the operator, in English.
TO_PEOPLE = ("bot/ui", "bot/tree.py", "bot/jobs/service.py", "bot/jobs/redelivery.py", "cogs")
# Letters and a space between them or around them, or a word as it stands at a sentence's beginning.
LIKE_A_SENTENCE = re.compile(r"(?=.*[^\W\d_]).*\s|^[A-Z][a-z]+\b", re.DOTALL)
FILLS_NOTHING = frozenset({"title", "money"})
"""Keywords of `Refusal` that are no placeholders."""


@dataclass(frozen=True)
class Literal:
    """A piece of text in the code."""

    file: str
    line: int
    text: str


@dataclass(frozen=True)
class Filling:
    """A call that fills sentences: their placeholders, the names it gives, and whether it may give others."""

    file: str
    line: int
    asks: frozenset[str]
    gives: frozenset[str]
    gives_more: bool


@dataclass
class Code:
    """What one file says, by whom it is read."""

    file: str
    tree: ast.Module
    _parents: dict[ast.AST, ast.AST] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for node in ast.walk(self.tree):
            self._parents |= dict.fromkeys(ast.iter_child_nodes(node), node)

    def marked(self) -> Iterator[Literal]:
        """List the sentences that are marked for the catalogue."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call):
                for sentence in _sentences_of(node):
                    yield self._literal(sentence)

    def escaping(self) -> Iterator[Literal]:
        """List what looks like a sentence and is none of: marked, documentation, a log line, a pattern."""
        for node in ast.walk(self.tree):
            if (
                isinstance(node, ast.Constant)
                and isinstance(node.value, str)
                and LIKE_A_SENTENCE.match(node.value)
                and not self._is_excused(node)
            ):
                yield self._literal(node)

    def fillings(self) -> Iterator[Filling]:
        """List the calls that fill sentences which stand in the call itself."""
        for node in ast.walk(self.tree):
            if not isinstance(node, ast.Call):
                continue
            match _name(node.func):
                case "text":
                    filled, given = [_said(node.args[:1])], set[str]()
                case "plural":
                    filled, given = [_said(node.args[:2])], {"n"}
                case str(name) if name.endswith("Refusal"):
                    filled, given = [_said([argument]) for argument in node.args], set()
                case _:
                    continue
            if not all(filled):  # a sentence by its name: the tables are filled by the tests of limits
                continue
            named = {keyword.arg for keyword in node.keywords if keyword.arg}
            asks = placeholders(*itertools.chain.from_iterable(filled))
            gives = frozenset(named - FILLS_NOTHING | given & asks)
            yield Filling(self.file, node.lineno, asks, gives, any(not k.arg for k in node.keywords))

    def refusals(self) -> Iterator[tuple[str, ...]]:
        """List what refusals say where they are raised: each message with each remedy it may have."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call) and _name(node.func).endswith("Refusal"):
                said = [_said([argument]) for argument in node.args]
                if said and all(said):
                    yield from itertools.product(*said)

    def _literal(self, node: ast.Constant) -> Literal:
        return Literal(self.file, node.lineno, str(node.value))

    def _is_excused(self, node: ast.Constant) -> bool:
        above: ast.AST = node
        while (parent := self._parents.get(above)) is not None:
            if isinstance(parent, ast.Expr) and above is node:  # a docstring, also an attribute's
                return True
            if isinstance(parent, ast.Call) and (node in _sentences_of(parent) or _is_for_machines(parent)):
                return True
            if isinstance(parent, ast.Assign) and _names(parent.targets) == ["__all__"]:
                return True
            above = parent
        return False


def _sentences_of(call: ast.Call) -> list[ast.Constant]:
    """Return those arguments of a call that are sentences by the marker that is called."""
    name = _name(call.func)
    if name not in KEYWORDS:
        return []
    arguments = [call.args[n - 1] for n in KEYWORDS[name] or (1,) if n <= len(call.args)]
    return [a for a in arguments if isinstance(a, ast.Constant) and isinstance(a.value, str)]


def _is_for_machines(call: ast.Call) -> bool:
    """Tell calls of a log, and of `re`."""
    return isinstance(call.func, ast.Attribute) and _names([call.func.value]) in (["log"], ["re"])


def _said(nodes: list[ast.expr]) -> list[str]:
    """Return the marked literals that an argument may be, also by a condition; empty: it is no literal."""
    found: list[str] = []
    for node in nodes:
        if isinstance(node, ast.IfExp):
            found += _said([node.body]) + _said([node.orelse])
        elif isinstance(node, ast.Call):
            found += [str(sentence.value) for sentence in _sentences_of(node)]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):  # of `plural`
            found.append(node.value)
    return found


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _names(nodes: list[ast.expr]) -> list[str]:
    return [node.id for node in nodes if isinstance(node, ast.Name)]


def read(*where: str, root: Path = ROOT) -> list[Code]:
    """Read files and folders of the code."""
    found: list[Path] = []
    for name in where or PACKAGES:
        path = root / name
        found += [path] if path.is_file() else sorted(path.rglob("*.py"))
    return [Code(str(path.relative_to(root)), ast.parse(path.read_text("utf-8"))) for path in found]
