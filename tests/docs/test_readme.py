"""The README says what is true: commands, floors, and an example that can be played."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from lab.cli.main import COMMANDS, main
from lab.emulation.prompt import Prompt
from lab.emulation.scenario import library
from lab.emulation.settings import Settings, settings_from
from lab.emulation.spec import Kind
from tests.docs.markdown import ROOT, code, document
from tests.unit.test_floors import FLOORS, rooms

DOCUMENT = document("README.md")


def test_every_command_is_in_the_table() -> None:
    rows = DOCUMENT.table("command", "what it does").rows
    words = [code(command)[0].split() for command, _ in rows]
    assert all(program == "mip6lab" for program, *_ in words)
    assert [command for _, command, *_ in words] == [*COMMANDS]


def test_the_list_is_what_the_command_prints(capsys: pytest.CaptureFixture[str]) -> None:
    """Of files that a reader adds nothing is said here; of ours all is."""
    shown = DOCUMENT.block("text", "Scenarios").splitlines()
    found = library()
    modules = {found.topologies[line.split()[0]].__module__ for line in shown if not line.startswith(" ")}
    modules |= {found.scenarios[line.split()[0]].body.__module__ for line in shown if line.startswith(" ")}
    files = sorted(ROOT / f"{module.replace('.', '/')}.py" for module in modules)
    assert main(["list", *map(str, files)]) == 0
    assert [line.rstrip() for line in capsys.readouterr().out.splitlines()] == shown


def test_the_setting_of_a_scenario_exists() -> None:
    (assignment,) = re.findall(r"`@scenario\(OneVisitedLink, (\w+=\w+)\)`", DOCUMENT.prose)
    assert settings_from([assignment.lower()]) != Settings()


def test_commands_of_the_prompt_exist() -> None:
    (meaning,) = (
        meaning for command, meaning in DOCUMENT.table("command", "what it does").rows if "mip6lab up" in command
    )
    assert code(meaning)
    assert [command for command in code(meaning) if not hasattr(Prompt, f"do_{command}")] == []


def test_every_room_has_its_floor() -> None:
    shown = {}
    for floor, folders, _ in DOCUMENT.table("floor", "folder", "job").rows:
        for path in code(folders):
            shown[Path(path).stem] = int(floor)
    assert shown == {room: FLOORS[room] for _, room in rooms(ROOT)}


def test_the_example_declares_one_topology_and_one_scenario(tmp_path: Path) -> None:
    (block,) = (block for block in DOCUMENT.blocks if "@scenario" in block.text)
    (path,) = {found[1] for found in re.finditer(r"`topologies/(one\w+\.py)`", DOCUMENT.prose)}
    file = tmp_path / path
    file.write_text(block.text, encoding="utf-8")
    found = library(file)
    assert found.broken == {}
    assert [*found.topologies] == [file.stem]
    assert [*found.scenarios] == ["excursion"]
    assert found.scenarios["excursion"].topology is found.topologies[file.stem]
    assert ["run", "excursion"] in [*DOCUMENT.commands()]


def test_the_example_is_a_network_that_can_be_built(tmp_path: Path) -> None:
    (block,) = (block for block in DOCUMENT.blocks if "@scenario" in block.text)
    file = tmp_path / "one_visited_link.py"
    file.write_text(block.text, encoding="utf-8")
    (topology,) = library(file).topologies.values()
    nodes = topology().node_specs.values()
    assert sorted(node.kind for node in nodes) == sorted(
        [Kind.HOME_AGENT, Kind.ROUTER, Kind.CORRESPONDENT, Kind.MOBILE_NODE]
    )


@pytest.mark.privileged
def test_the_example_is_played(tmp_path: Path) -> None:
    """Its checks hold, as those of every scenario that a user begins with should."""
    (block,) = (block for block in DOCUMENT.blocks if "@scenario" in block.text)
    (tmp_path / "one_visited_link.py").write_text(block.text, encoding="utf-8")
    command = [sys.executable, "-m", "lab.cli.main", "run", str(tmp_path / "one_visited_link.py")]
    environment = {key: value for key, value in os.environ.items() if key != "SUDO_UID"}
    done = subprocess.run(
        [*command, "--out", str(tmp_path / "result")],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]


def test_the_picture_s_words_exist() -> None:
    """What a run leaves, as told under the picture, is told by the document of results too."""
    results = document("docs/results.md")
    entries = {code(entry)[0] for entry, _ in results.table("in the folder", "what it is").rows}
    (told,) = re.findall(r"leaves `results/handover/` with\n((?:.+\n)+)", DOCUMENT.prose)
    assert {entry.partition("/")[0] for entry in entries} == {entry.strip("/") for entry in code(told)}
