"""The kernel for virtual time: made once from a distribution's source of Linux, and kept in the user's cache.

User-Mode Linux has time travel, but no distribution builds it in. `time_travel.config` is all of the configuration, and
`EDITS` are the changes to the source. The name of the cached file tells both, so that a kernel of another making is
never taken for this one. The build is reproducible: the same source and compiler give the same octets.
"""

import contextlib
import hashlib
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from lab.emulation import leftovers
from lab.emulation.guest import Job
from lab.emulation.virtual_guest import VirtualGuest
from lab.errors import GuestError, MissingError

COMMAND = "mip6lab kernel build"
SOURCE_PACKAGE = "linux-source-6.1"
SOURCE = Path("/usr/src") / f"{SOURCE_PACKAGE}.tar.xz"
PROGRAMS = {
    **{name: name for name in ("make", "gcc", "flex", "bison", "bc", "tar")},
    "xz": "xz-utils",
    "ld": "binutils",
    "setarch": "util-linux",
}
"""What building needs, and the packages that have it."""
ROOM = 2 << 30
"""Octets that the source takes while it is built."""
NICENESS = 10
STEPS = 1300
"""About as many files does the build make."""
SHOWN_LINES = 15
CONFIG = Path(__file__).with_name("time_travel.config")
_ALWAYS_SAME = {
    "KBUILD_BUILD_TIMESTAMP": "2011-07-01",
    "KBUILD_BUILD_USER": "mip6lab",
    "KBUILD_BUILD_HOST": "mip6lab",
}
"""What the kernel would otherwise say of where and when it was made, which its randomness depends on."""
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Edit:
    """A change to one file of the source, which has `old` once."""

    path: str
    old: str
    new: str
    why: str


EDITS = (
    Edit("arch/um/Kconfig", "\tdefault 100\n", "\tdefault 1000\n", "timers that go by ticks go by milliseconds"),
    Edit(
        "arch/um/kernel/skas/syscall.c",
        "if (IS_ERR_VALUE(ret) &&",
        "if (",
        "each system call takes a microsecond, not only one that fails: no loop of them stops time",
    ),
    Edit(
        "arch/um/os-Linux/util.c",
        "return getrandom(buf, len, flags);",
        "return memset(buf, 0, len) ? len : 0;",
        "nothing random comes from the host: all is drawn from the command line",
    ),
)


def configuration() -> str:
    """Name the configuration and the changes to the source, in 12 hexadecimal digits."""
    made_of = [*_wanted(), *(text for edit in EDITS for text in (edit.path, edit.old, edit.new))]
    return hashlib.sha256("\n".join(made_of).encode()).hexdigest()[:12]


def cached() -> Path:
    """Give the place of the kernel, whether it is there or not."""
    return leftovers.cache() / f"linux-{configuration()}"


def obstacle() -> str | None:
    """Say why there is no virtual time here; None if there is."""
    return None if os.access(cached(), os.X_OK) else f"its kernel is not built yet: {COMMAND} (some minutes, once)"


def program() -> Path:
    """Give the kernel; raises `MissingError` that says how to get one."""
    if reason := obstacle():
        raise MissingError(f"no virtual time: {reason}; looked for {cached()}")
    return cached()


def release(kernel: Path) -> str:
    """Give the version of a kernel; raises `GuestError` if it does not even say that."""
    done = subprocess.run([kernel, "--version"], capture_output=True, text=True, check=False, timeout=10)
    if done.returncode != 0:
        raise GuestError(f"{kernel} does not run: {done.stderr.strip() or done.returncode}")
    return done.stdout.strip()


def lacking(config: str) -> list[str]:
    """List lines of our configuration that a configuration does not have."""
    has = config.splitlines()
    return [line for line in _wanted() if line not in has]


def _wanted() -> list[str]:
    return [line for line in CONFIG.read_text(encoding="ascii").splitlines() if line.startswith("CONFIG_")]


def described() -> str:
    """Describe the kernel that there is; raises `MissingError`, `GuestError`."""
    return f"Linux {release(program())}, configuration {configuration()}"


def verify(kernel: Path) -> None:
    """Check that a kernel has our configuration, as it tells itself, and that it boots; raises `GuestError`."""
    told = subprocess.run([kernel, "--showconfig"], capture_output=True, text=True, check=False, timeout=10)
    if lacks := lacking(told.stdout):
        raise GuestError(f"{kernel} lacks {', '.join(lacks)}")
    with VirtualGuest(Job(command=["true"]), kernel, seed=1) as guest:
        if guest.wait(lambda _: None) != 0:
            raise GuestError(f"{kernel} boots, but runs nothing")


def build(source: Path, progress: Progress) -> Path:
    """Make the kernel from a source, verify it, and put it in its place, whole or not at all.

    Raises `MissingError` that names packages, and `GuestError` if the source cannot be built.
    """
    _check_needs(source)
    with _workshop() as folder:
        progress(f"unpacking {source}")
        _do(["tar", "--extract", f"--file={source}", f"--directory={folder}", "--strip-components=1"], folder)
        for edit in EDITS:
            apply(edit, folder)
        progress(f"configuring, {CONFIG.name} {configuration()}")
        _make(folder, f"KCONFIG_ALLCONFIG={CONFIG}", "allnoconfig")
        if lacks := lacking((folder / ".config").read_text(encoding="ascii")):
            raise GuestError(f"{source} has no {', '.join(lacks)}: is it of another version than {SOURCE_PACKAGE}?")
        _make(folder, f"-j{os.cpu_count() or 1}", "linux", counting=progress)
        made = folder / "linux"
        _do(["strip", str(made)], folder)
        progress("trying it")
        verify(made)
        place = cached()
        made.replace(place)
    return place


def apply(edit: Edit, folder: Path) -> None:
    """Change a file of the source; raises `GuestError` if it is not as we know it."""
    path = folder / edit.path
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    if text.count(edit.old) != 1:
        raise GuestError(f"{edit.path} is not that of {SOURCE_PACKAGE}: cannot see to it that {edit.why}")
    path.write_text(text.replace(edit.old, edit.new), encoding="utf-8")


def _packages() -> list[str]:
    """List packages that have to be installed for building."""
    return [package for name, package in PROGRAMS.items() if shutil.which(name) is None]


def _check_needs(source: Path) -> None:
    packages = _packages()
    if source == SOURCE and not source.exists():
        packages.insert(0, SOURCE_PACKAGE)
    if packages:
        raise MissingError(f"to build the kernel: apt-get install --no-install-recommends {' '.join(packages)}")
    if not source.exists():
        raise MissingError(f"{source}: there is no such file")
    folder = leftovers.cache()
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if free < ROOM:
        raise MissingError(f"building takes {ROOM >> 20} MB in {folder}, of which {free >> 20} are free")


@contextlib.contextmanager
def _workshop() -> Iterator[Path]:
    """Make a folder to build in and remove it."""
    leftovers.clean()
    folder = leftovers.make_build_folder()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _make(folder: Path, *words: str, counting: Progress | None = None) -> None:
    _do(["make", "ARCH=um", *words], folder, counting)


def _do(command: list[str], folder: Path, counting: Progress | None = None) -> None:
    """Run a command at low priority; raises `GuestError` with its last lines. It ends with us."""
    last: list[str] = []
    process = subprocess.Popen(
        ["setpriv", "--pdeathsig=TERM", "nice", f"--adjustment={NICENESS}", *command],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=leftovers.environment() | _ALWAYS_SAME,
        start_new_session=True,
        text=True,
        errors="replace",
    )
    try:
        assert process.stdout is not None
        for number, line in enumerate(process.stdout, 1):
            last = [*last[1 - SHOWN_LINES :], line.rstrip()]
            if counting is not None and number % (STEPS // 20) == 0:
                counting(f"made {number} of about {STEPS} files")
        if process.wait() != 0:
            raise GuestError(f"{command[0]} failed:" + "".join(f"\n    {line}" for line in last))
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
