"""Building the kernel for virtual time: what it is made of, where it is kept, and what is said where it cannot be."""

import os
import shutil
import signal
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from lab.cli.main import main
from lab.emulation import leftovers, time_travel
from lab.emulation.time_travel import EDITS, Edit, apply, build, cached, configuration, lacking, obstacle, program
from lab.errors import GuestError, MissingError
from tests.lab.networks import until
from tests.lab.session import marked

OPTION = "CONFIG_UML_TIME_TRAVEL_SUPPORT=y"
AS_ASKED = 'cp "$config" .config'
"""What stands for configuring in a source that only looks like Linux."""
MAKE = """#!/bin/sh
for word; do
    case $word in
    KCONFIG_ALLCONFIG=*) config=${word#*=} ;;
    allnoconfig) . ./configuring ;;
    linux) . ./linking ;;
    esac
done
"""
"""What stands for make."""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a cache of one's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "mip6lab"


def source(folder: Path, *, configuring: str = AS_ASKED, linking: str = "exit 1") -> Path:
    """Make what looks like the source of Linux, and does this and that when it is built."""
    tree = folder / "linux"
    for edit in EDITS:
        (tree / edit.path).parent.mkdir(parents=True, exist_ok=True)
        (tree / edit.path).write_text(f"before\n{edit.old}\nafter\n", encoding="utf-8")
    (tree / "configuring").write_text(configuring, encoding="utf-8")
    (tree / "linking").write_text(linking, encoding="utf-8")
    path = folder / "linux.tar"
    with tarfile.open(path, "w") as archive:
        archive.add(tree, "linux")
    shutil.rmtree(tree)
    return path


def test_the_name_tells_the_configuration_and_the_changes(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = configuration()
    assert cached() == cache / f"linux-{first}"
    monkeypatch.setattr(time_travel, "EDITS", EDITS[1:])
    second = configuration()
    monkeypatch.setattr(time_travel, "CONFIG", cache.parent.parent / "config")
    time_travel.CONFIG.write_text(f"{OPTION}\n", encoding="ascii")
    assert len({first, second, configuration()}) == 3


def test_lines_that_a_configuration_lacks_are_told() -> None:
    ours = time_travel.CONFIG.read_text(encoding="ascii")
    assert OPTION in ours
    assert lacking(ours) == []
    assert lacking(ours.replace(OPTION, f"# {OPTION[:-2]} is not set")) == [OPTION]


def test_nothing_is_asked_of_modules_or_of_the_host_s_randomness() -> None:
    lines = time_travel.CONFIG.read_text(encoding="ascii").splitlines()
    assert {"CONFIG_RANDOM_TRUST_CPU=y", "CONFIG_HZ=1000"} <= {*lines}
    assert not {line.partition("=")[0] for line in lines} & {"CONFIG_MODULES", "CONFIG_UML_RANDOM", "CONFIG_HW_RANDOM"}
    assert not [line for line in lines if line.endswith("=m")]


def test_without_the_kernel_one_error_says_what_to_do(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "handover", "--time", "virtual"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("mip6lab: no virtual time: its kernel is not built yet: mip6lab kernel build")
    assert str(cache) in said
    assert said.count("\n") == 1
    assert main(["kernel"]) == 1
    assert "mip6lab kernel build" in capsys.readouterr().out


def test_this_machine_s_kernel_has_no_virtual_time(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "handover", "--time", "virtual", "--kernel", "host"]) == 2
    assert "--kernel host: this machine's kernel has no virtual time" in capsys.readouterr().err


def test_packages_that_are_missing_are_told(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time_travel, "SOURCE", cache / "not-there.tar.xz")
    monkeypatch.setattr(shutil, "which", lambda name: None if name in ("flex", "xz") else name)
    with pytest.raises(MissingError, match=r"install .*recommends linux-source-6\.1 flex xz-utils$"):
        build(time_travel.SOURCE, print)


def test_a_disk_that_is_too_small_is_told(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time_travel, "_packages", list)
    monkeypatch.setattr(time_travel, "ROOM", 1 << 80)
    with pytest.raises(MissingError, match=f"MB in {cache}, of which"):
        build(source(tmp_path), print)


@pytest.mark.parametrize("text", ["", "once\nonce\n"])
def test_a_source_that_is_not_as_we_know_it_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "file.c").write_text(text, encoding="utf-8")
    with pytest.raises(GuestError, match=r"file\.c is not that of linux-source-6\.1: cannot see to it that it works"):
        apply(Edit("file.c", "once", "twice", "it works"), tmp_path)


@pytest.fixture
def tools(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have all that building needs, as far as it is looked for."""
    monkeypatch.setattr(time_travel, "_packages", list)
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, script in (("make", MAKE), ("strip", "#!/bin/sh\n")):
        (folder / name).write_text(script, encoding="utf-8")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


@pytest.mark.usefixtures("tools")
def test_a_build_that_succeeds_is_moved_to_its_place(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a program that stands for the kernel: what is built is stripped, verified and moved; nothing else is left."""
    tried: list[Path] = []
    monkeypatch.setattr(time_travel, "verify", tried.append)
    said: list[str] = []
    place = build(source(tmp_path, linking="cp /bin/true linux"), said.append)
    assert place == program() == cached()
    assert [*cache.iterdir()] == [place]
    assert obstacle() is None
    assert [path.name for path in tried] == ["linux"]
    assert [text.split()[0] for text in said] == ["unpacking", "configuring,", "trying"]


@pytest.mark.usefixtures("tools")
def test_the_source_is_changed_before_it_is_built(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time_travel, "verify", lambda _: None)
    checks = " && ".join(f"grep -qF -e '{edit.new.strip()}' {edit.path}" for edit in EDITS)
    assert build(source(tmp_path, linking=f"{checks} && cp /bin/true linux"), print) == cached()


@pytest.mark.usefixtures("tools")
def test_a_source_without_an_option_is_refused(cache: Path, tmp_path: Path) -> None:
    path = source(tmp_path, configuring="grep -v TIME_TRAVEL $config >.config")
    with pytest.raises(GuestError, match=f"has no {OPTION}: is it of another version"):
        build(path, print)
    assert [*cache.iterdir()] == []


@pytest.mark.usefixtures("tools")
def test_a_build_that_fails_shows_its_last_lines_and_leaves_nothing(cache: Path, tmp_path: Path) -> None:
    with pytest.raises(GuestError, match=r"(?s)make failed:.*file\.c:1: error"):
        build(source(tmp_path, linking="echo file.c:1: error; exit 1"), print)
    assert [*cache.iterdir()] == []


@pytest.mark.usefixtures("tools")
def test_a_kernel_that_does_not_boot_is_not_kept(cache: Path, tmp_path: Path) -> None:
    with pytest.raises(GuestError, match="lacks"):
        build(source(tmp_path, linking="cp /bin/true linux"), print)
    assert [*cache.iterdir()] == []


def build_that_waits(tmp_path: Path, cache: Path) -> "subprocess.Popen[bytes]":
    """Start a build that does not end; wait until it has begun."""
    path = source(tmp_path, linking="touch began; sleep 1000")
    code = f"""
from pathlib import Path
from lab.emulation import time_travel
time_travel._packages = list
time_travel.build(Path({str(path)!r}), print)
"""
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
    until(lambda: [*cache.glob("*/began")] != [], "the build has begun")
    return process


@pytest.mark.usefixtures("tools")
def test_ctrl_c_leaves_nothing(cache: Path, tmp_path: Path) -> None:
    process = build_that_waits(tmp_path, cache)
    process.send_signal(signal.SIGINT)
    process.wait(30)
    assert [*cache.iterdir()] == []
    assert marked(process.pid) == []


@pytest.mark.usefixtures("tools")
def test_what_a_build_that_was_killed_left_is_removed(cache: Path, tmp_path: Path) -> None:
    process = build_that_waits(tmp_path, cache)
    process.kill()
    process.wait()
    assert [*cache.iterdir()] != []
    assert leftovers.clean().folders != []
    assert [*cache.iterdir()] == []
    assert marked(process.pid) == []
