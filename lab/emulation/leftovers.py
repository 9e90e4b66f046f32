"""Which processes and files belong to which run, and removing those of runs that are gone.

Namespaces, links and routes need no care: they are anonymous and end with the last process in them.
"""

import contextlib
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

VARIABLE = "MIP6LAB_RUN"
INSIDE = "MIP6LAB_GUEST"
"""Set in the environment of whatever runs in a guest."""
ROOT = Path("/run/mip6lab")
_OF_GUESTS, _OF_BUILDS = "mip6lab-guest-", "build-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """What `clean` did: process names by pid, and folders."""

    processes: dict[int, str]
    folders: list[Path]


def run_id() -> str:
    """Name this runner: pid and start time, so that a later process with the same pid is not taken for it."""
    return f"{os.getpid()}-{_start_time(os.getpid())}"


def make_folder() -> Path:
    """Make a folder for the sockets and configurations of one network, within that of this run."""
    run = ROOT / run_id()
    run.mkdir(parents=True, exist_ok=True, mode=0o700)
    return Path(tempfile.mkdtemp(dir=run))


def make_guest_folder() -> Path:
    """Make a folder for one guest kernel where any user can."""
    return Path(tempfile.mkdtemp(prefix=f"{_OF_GUESTS}{run_id()}-"))


def cache() -> Path:
    """Give the folder of what this user keeps between runs; it may have to be made."""
    return Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")) / "mip6lab"


def make_build_folder() -> Path:
    """Make a folder to build in what is then moved into the cache."""
    return Path(tempfile.mkdtemp(prefix=f"{_OF_BUILDS}{run_id()}-", dir=cache()))


def environment() -> dict[str, str]:
    """Give the environment that marks a process as one of this run."""
    return {**os.environ, VARIABLE: run_id()}


def clean(*, everything: bool = False) -> Removed:
    """End the processes and remove the files of runs whose runner is gone (or of all runs but this one)."""
    marked = {pid: run for pid, run in _marked_processes().items() if run != run_id()}
    ours = {pid: _name(pid) for pid, run in marked.items() if everything or not _is_alive(run)}
    if everything:  # runners first, so that they do not start anything anew
        for run in {run for run in marked.values() if _is_alive(run)}:
            runner = int(run.partition("-")[0])
            ours[runner] = _name(runner)
    for pid in ours:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
    _wait_for_end(list(ours))
    folders = []
    for folder, run in _folders():
        if run != run_id() and not _is_alive(run):
            shutil.rmtree(folder, ignore_errors=True)
            folders.append(folder)
    return Removed(processes=ours, folders=[folder for folder in folders if not folder.exists()])


def live_folders() -> list[Path]:
    """Give the folders of runs that go on, as far as this user sees them."""
    return [folder for folder, run in _folders() if folder.parent == ROOT and _is_alive(run)]


def is_live(folder: Path) -> bool:
    """Tell whether the run of a folder goes on."""
    return _is_alive(folder.name)


def started(folder: Path) -> int:
    """Tell when the runner of a run's folder started, in clock ticks."""
    return int(folder.name.partition("-")[2])


def _folders() -> Iterator[tuple[Path, str]]:
    """Give the folders of all runs, as far as this user sees them, with the names of the runs."""
    with contextlib.suppress(OSError):
        yield from ((folder, folder.name) for folder in sorted(ROOT.iterdir()))
    if INSIDE in os.environ:  # the others are of runs on the host, of whose processes nothing is seen here
        return
    for where, prefix in ((Path(tempfile.gettempdir()), _OF_GUESTS), (cache(), _OF_BUILDS)):
        for folder in sorted(where.glob(f"{prefix}*-*-*")):
            yield folder, folder.name.removeprefix(prefix).rpartition("-")[0]


def _marked_processes() -> dict[int, str]:
    found: dict[int, str] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            for item in (entry / "environ").read_bytes().split(b"\0"):
                if item.startswith(VARIABLE.encode() + b"="):
                    found[int(entry.name)] = item.partition(b"=")[2].decode()
    return found


def _is_alive(run: str) -> bool:
    pid, _, started = run.partition("-")
    return pid.isdigit() and _start_time(int(pid)) == started


def _start_time(pid: int) -> str:
    """Field 22 of /proc/PID/stat, in clock ticks; empty if there is no such process or it is a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] == "Z" else fields[19]


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return "(ended)"


def _wait_for_end(pids: list[int], within: float = 5.0) -> None:
    deadline = time.monotonic() + within
    while any(_start_time(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.01)


def remove_folder(folder: Path) -> None:
    """Remove the folder of a network, and that of this run if it was the last."""
    shutil.rmtree(folder, ignore_errors=True)
    with contextlib.suppress(OSError):
        folder.parent.rmdir()
