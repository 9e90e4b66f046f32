"""What holds for every document: links lead somewhere, commands parse, examples are right."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from lab.cli import bench
from lab.cli.main import COMMANDS, _parser
from lab.daemon.config import parse
from lab.emulation.scenario import library
from lab.emulation.settings import settings_from
from lab.emulation.sweep import read_values
from lab.remote.machines import Machines
from tests.docs.markdown import DOCUMENTS, ROOT, Document, commands_of

OF_THE_READER = {"topologies/one_visited_link.py"}
"""Files that a document tells the reader to make."""


@pytest.fixture(params=DOCUMENTS, ids=lambda path: path.name)
def read(request: pytest.FixtureRequest) -> Document:
    path: Path = request.param
    return Document(path)


def test_links_lead_somewhere(read: Document) -> None:
    assert [target for target in read.links() if not leads_somewhere(read, target)] == []


def leads_somewhere(source: Document, target: str) -> bool:
    if re.match(r"https?://", target):
        return True
    file, _, anchor = unquote(target).partition("#")
    path = (source.path.parent / file).resolve() if file else source.path
    if not path.is_relative_to(ROOT) or not path.exists():
        return False
    return not anchor or (path.suffix == ".md" and anchor in Document(path).anchors)


def test_command_lines_parse(read: Document, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = []
    for words in read.commands():
        if len(words) == 1 and words[0] in COMMANDS:
            continue  # the command is only spoken of
        try:
            args = _parser(words).parse_args(words)
        except SystemExit as end:
            if end.code != 0:
                wrong.append(f"mip6lab {' '.join(words)}: {capsys.readouterr().err.splitlines()[-1]}")
            continue
        wrong += [f"mip6lab {' '.join(words)}: there is no {absent}" for absent in absentees(vars(args))]
    assert wrong == []


def absentees(args: dict[str, Any]) -> Iterator[str]:
    """Give the scenarios, topologies, benchmarks and settings of a command line that do not exist."""
    found = library()
    known: dict[str, set[str]] = {
        "scenarios": {*found.scenarios, "excursion"},  # the README's own
        "topology": {*found.topologies},
        "names": {*bench.known()},
    }
    for key, names in known.items():
        given = args.get(key, [])
        for name in given if isinstance(given, list) else [given]:
            if not re.match(r"[A-Z[]", name) and ".py" not in name and name not in names:
                yield name
    settings_from(setting for setting in args.get("settings", []) if setting != "KEY=VALUE")
    for key, values in read_values([word for word in args.get("values", []) if word != "KEY=A,B"]).items():
        for value in values:
            settings_from([f"{key}={value}"])


def test_commands_are_found_in_shell() -> None:
    text = "sudo lab/bootstrap mip6lab up x --set a=b | jq . > y  # and so on\nmip6lab list && mip6lab \\\n  clean\n"
    assert [*commands_of(text)] == [["up", "x", "--set", "a=b"], ["list"], ["clean"]]


def test_examples_are_python_and_toml(read: Document, tmp_path: Path) -> None:
    for block in read.blocks:
        if block.language == "python":
            compile(block.text, str(read.path), "exec")
        elif block.language == "toml" and block.heading == "The file of machines":
            (tmp_path / "machines.toml").write_text(block.text, encoding="utf-8")
            assert Machines(tmp_path / "machines.toml").named([])
        elif block.language == "toml":
            parse(block.text, str(read.path))


def test_paths_exist(read: Document) -> None:
    paths = [span for span in read.spans() if re.fullmatch(r"(lab|docs|tests|topologies|templates)/[\w./-]+", span)]
    placeholders = [path for path in paths if re.search(r"[A-Z]{2}", path)]
    assert [p for p in paths if p not in placeholders and p not in OF_THE_READER and not (ROOT / p).exists()] == []
