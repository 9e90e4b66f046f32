"""A guest kernel: Debian's User-Mode Linux runs a command as root of a machine of its own, whoever the user is.

The guest sees the files of the host. What it changes stays in its memory, except in folders that are lent to it. From
a shell: `python -m lab.emulation.guest [--lend DIR]... [--memory MB] -- COMMAND...`
"""

import argparse
import contextlib
import os
import select
import selectors
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import BinaryIO, Self

from lab.emulation import leftovers
from lab.emulation.process import PATIENCE
from lab.errors import GuestError, Mip6LabError, MissingError

KERNEL = "linux.uml"
PACKAGE = "user-mode-linux"
MODULES = Path("/usr/lib/uml/modules")
"""In folders by version."""
MODULES_OF_USE = frozenset(
    {"bridge", "cls_bpf", "esp6", "ip6_tunnel", "ipv6", "mip6", "overlay", "sch_netem", "tun", "veth", "xfrm_user"}
)
INSIDE = leftovers.INSIDE
"""Set in the environment of whatever runs in a guest, to why it does."""
MEMORY = 1024
"""Megabytes of a guest; the host gives them only as they are used."""
SILENCE = 120.0
"""Seconds without a sign of life, of which there is one every 5 seconds, after which a guest is held for dead."""
SHOWN_LINES = 12
NOBODY = 65534
Flows = Mapping[int, Callable[[bytes], object]]
"""Descriptors, and what is done with octets that come from them; none at all are their end."""
NOWHERE = -1
"""In place of a descriptor: nothing comes from there, and what goes there is gone."""
TO_LOG = (NOWHERE, 1)
"""A console that nothing comes from, and whose output is the kernel's own."""
END_OF_INPUT = b"\x04\x04"
"""Ctrl-D, which consoles take for the end of what is typed; the first may only end a line that has no end."""
_BOOT = ("root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro", "selinux=0", "con=null", "init=/bin/sh")
_IN_FOLDER = ("uml_dir=uml", "--", "/proc/self/cwd/init")
"""What the kernel is told of the guest's folder, in which it starts: the same words wherever that is."""
_INIT = Path(__file__).with_name("guest_init.sh")
_PROGRAMS = "/usr/local/sbin:/usr/sbin:/sbin"
_OF_ROOT = [
    *(f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--securebits=+no_setuid_fixup"),
    *(f"--{which}=-all,+dac_read_search" for which in ("inh-caps", "ambient-caps", "bounding-set")),
]
"""A guest of root may read on the host whatever root reads, and change only what is lent to it. Read-only mounts alone
would not do: root of the guest can mount the host's files anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A command for a guest, with the working directory and the environment that it would have on the host."""

    command: Sequence[str]
    lent: Sequence[Path] = ()
    """Folders in which the guest may change files; they must exist."""
    at: Path | None = None
    """Where the one folder that is lent is found inside, if not where it is on the host."""
    memory: int = MEMORY
    logs: Sequence[Path] = ()
    """Files that get what the guest's kernel said, once it has ended."""
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    directory: Path = field(default_factory=Path.cwd)


def inside() -> bool:
    """Tell whether this process runs in a guest."""
    return INSIDE in os.environ


def obstacle() -> str | None:
    """Say why no guest can be started here; None if one can."""
    if inside():
        return "this is the guest kernel already"
    if shutil.which(KERNEL) is None:
        return f"{KERNEL} is missing: install the package {PACKAGE}"
    version = release()
    if not version or not (MODULES / version).is_dir():
        return f"{MODULES} has no modules for {KERNEL}, Linux {version or '(none)'}: install the package {PACKAGE} anew"
    return None


def release() -> str:
    """Give the version of the guest kernel that is installed."""
    done = subprocess.run([KERNEL, "--version"], capture_output=True, text=True, check=False, timeout=10)
    return done.stdout.strip()


def modules() -> set[str]:
    """Name the modules of the guest kernel."""
    return {path.stem for path in (MODULES / release()).rglob("*.ko")}


def run(job: Job) -> int:
    """Run a command in a guest and give its exit status; what it writes is written here as it comes.

    Raises `MissingError` where there is no guest kernel, and `GuestError` with the last words of the kernel if the
    guest dies before the command has ended.
    """
    with Guest(job) as guest:
        os.write(guest.typed, END_OF_INPUT)
        return guest.wait(guest.shown())


class Machine:
    """The process of a guest, and what it holds of the host, until `close`; as a context manager it closes itself."""

    def __init__(self, job: Job) -> None:
        leftovers.clean()
        self._folder = leftovers.make_guest_folder()
        self._log, self._logs = self._folder / "console.log", job.logs
        self._process: subprocess.Popen[bytes] | None = None
        self._status: int | None = None
        self._held = contextlib.ExitStack()
        self._held.callback(shutil.rmtree, self._folder, ignore_errors=True)
        try:
            for folder in (self._folder, *job.lent):
                self._held.enter_context(_lent(folder))
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _boot(
        self, job: Job, kernel: Sequence[str], *words: str, said: Mapping[str, str], pass_fds: Collection[int] = ()
    ) -> None:
        """Start a kernel, by a command, with `words` on its command line; `guest_init.sh` finds variables as `said`.

        What it says on standard output is its log.
        """
        script = self._folder / "job"
        script.write_text(_script(job, {**said, "script": str(script)}), encoding="utf-8")
        shutil.copyfile(_INIT, self._folder / "init")
        command = [*kernel, f"mem={job.memory}M", *_BOOT, *words, *_IN_FOLDER]
        with self._log.open("wb") as log:
            try:
                self._process = subprocess.Popen(
                    ["setpriv", "--pdeathsig=TERM", *(_OF_ROOT if os.geteuid() == 0 else []), *command],
                    cwd=self._folder,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=leftovers.environment() | {"TMPDIR": _memory_folder(job.memory)},
                    pass_fds=pass_fds,
                    start_new_session=True,  # Ctrl-C is ours; and one signal reaches all threads of the guest
                )
            except FileNotFoundError as error:
                raise MissingError("setpriv is missing: install the package util-linux") from error

    def _take(self, line: bytes) -> None:
        """Take what `guest_init.sh` says: that it lives, or with which status the command has ended."""
        word, _, status = line.partition(b" ")
        if word == b"status":
            self._status = int(status)

    def _last_words(self) -> str:
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()[-SHOWN_LINES:]
        return "; the last that it said:" + "".join(f"\n    {line}" for line in lines)

    def close(self) -> None:
        """End the guest with all of its threads, and give back what was lent; may be called twice."""
        if self._process is not None:
            pid = self._process.pid  # ours until it is waited for
            os.kill(pid, signal.SIGTERM)  # it ends its threads, also those that left its process group
            watched = os.pidfd_open(pid)
            select.select([watched], [], [], PATIENCE)
            os.close(watched)
            os.killpg(pid, signal.SIGKILL)  # what is left if it crashed or hangs
            self._process.wait()
            self._process = None
            for log in self._logs:
                log.parent.mkdir(exist_ok=True)
                shutil.copyfile(self._log, log)
        self._held.close()


class Guest(Machine):
    """Debian's kernel from its boot to its end, with pipes or a terminal for what the command reads and writes."""

    def __init__(self, job: Job, *, terminal: int | None = None) -> None:
        """Boot; with a `terminal` (a descriptor), the command reads from there and writes to it.

        Without, it reads what is written to `typed`; see `shown` for what it writes.
        """
        if reason := obstacle():
            raise MissingError(f"no guest kernel: {reason}")
        super().__init__(job)
        self._heard = b""
        try:
            self._connect(job, terminal)
        except BaseException:
            self.close()
            raise

    def _connect(self, job: Job, terminal: int | None) -> None:
        """Boot with consoles that lead here."""
        with contextlib.ExitStack() as ends:  # those of the guest, which closes them as it ends
            self._out, out = self._pipe(ends)
            self._err, err = self._pipe(ends)
            self._said, says = self._pipe(ends)
            self.typed, reads = self._pipe(ends, typed=True)
            shown = (NOWHERE, out) if terminal is None else (terminal, terminal)
            consoles = [TO_LOG, shown, (NOWHERE, err), (NOWHERE, says), (reads, NOWHERE)]
            said = {"modules": str(MODULES), "terminal": "" if terminal is None else "yes"}
            ours = {end for pair in consoles for end in pair if end != NOWHERE}
            self._boot(job, [KERNEL], *consoles_to(consoles), said=said, pass_fds=ours)

    def _pipe(self, ends: contextlib.ExitStack, *, typed: bool = False) -> tuple[int, int]:
        """Make a pipe; give our end, which is the one to write to if it is for what is typed, and the guest's."""
        reads, writes = os.pipe()
        ours, theirs = (writes, reads) if typed else (reads, writes)
        self._held.callback(os.close, ours)
        ends.callback(os.close, theirs)
        return ours, theirs

    def shown(self) -> Flows:
        """Have what the command writes written here."""
        return {self._out: partial(write, sys.stdout.buffer), self._err: partial(write, sys.stderr.buffer)}

    def wait(self, shown: Flows, typed: Flows | None = None) -> int:
        """Pass on what the guest shows and what is typed for it until the command has ended; give its exit status."""
        typed = typed or {}
        with selectors.DefaultSelector() as selector:
            for descriptor, flow in {**shown, **typed, self._said: self._hear}.items():
                selector.register(descriptor, selectors.EVENT_READ, flow)
            while self._status is None:
                if not _pass_on(selector, SILENCE):
                    raise GuestError(f"the guest kernel gave no sign of life for {SILENCE:g} s{self._last_words()}")
            for descriptor in typed.keys() & selector.get_map().keys():
                selector.unregister(descriptor)
            while _pass_on(selector, 0):
                pass  # what it showed before its status is here, if not yet passed on
        return self._status

    def _hear(self, octets: bytes) -> None:
        """Take what the console says that is for us."""
        if not octets:
            raise GuestError(f"the guest kernel ended before its command did{self._last_words()}")
        *lines, self._heard = (self._heard + octets).split(b"\n")
        for line in lines:
            self._take(line)


def _pass_on(selector: selectors.BaseSelector, within: float) -> bool:
    """Pass on what comes in so many seconds; False if nothing did."""
    ready = selector.select(within)
    for key, _ in ready:
        try:
            octets = os.read(key.fd, 1 << 16)
        except OSError:  # how a terminal ends
            octets = b""
        if not octets:
            selector.unregister(key.fd)
        key.data(octets)
    return bool(ready)


def write(out: BinaryIO, octets: bytes) -> None:
    """Write at once."""
    out.write(octets)
    out.flush()


def _script(job: Job, said: Mapping[str, str]) -> str:
    """Write the script that `guest_init.sh` reads."""
    lend = []
    for folder in map(str, job.lent):
        if "," in folder:
            raise GuestError(f"{folder}: a folder with a comma in its name cannot be lent to a guest")
        place = folder if job.at is None else str(job.at)
        lend.append(shlex.join(["mkdir", "-p", place]))
        lend.append(shlex.join(["mount", "-t", "hostfs", "-o", folder, "none", place]))
    path = f"{job.environment.get('PATH', os.defpath)}:{_PROGRAMS}"
    environment = {INSIDE: "it runs here", **job.environment, "PATH": path}
    command = ["env", "-i", *(f"{name}={value}" for name, value in environment.items()), *job.command]
    lines = [f"{name}={shlex.quote(value)}" for name, value in said.items()]
    lines += ["lend() {", *(lend or [":"]), "}"]
    lines += ["job() {", f"cd {shlex.quote(str(job.directory))} && exec {shlex.join(command)}", "}"]
    return "\n".join(lines) + "\n"


@contextlib.contextmanager
def _lent(folder: Path) -> Iterator[None]:
    """Have a folder writable for a guest of root; what the guest left in it gets the owner of the folder."""
    if os.geteuid() != 0:
        yield
        return
    owner = folder.stat()
    os.chown(folder, NOBODY, NOBODY)
    try:
        yield
    finally:
        for path in (folder, *folder.rglob("*")):
            if path.lstat().st_uid == NOBODY:
                os.lchown(path, owner.st_uid, owner.st_gid)


def _memory_folder(memory: int) -> str:
    """Say where the file is that is a guest's memory: in memory, but where that is too small (as in containers)."""
    shared = Path("/dev/shm")
    with contextlib.suppress(OSError):
        if os.access(shared, os.W_OK) and shutil.disk_usage(shared).free >= memory << 20:
            return str(shared)
    return tempfile.gettempdir()


def consoles_to(consoles: Sequence[tuple[int, int]]) -> list[str]:
    """Say to the kernel where its consoles get what is typed, and where to what they show goes."""
    pairs = [("null" if end == NOWHERE else f"fd:{end}" for end in pair) for pair in consoles]
    return [f"con{number}={reads},{writes}" for number, (reads, writes) in enumerate(pairs)]


def main() -> int:
    """Run a command in a guest, by the command line."""
    parser = argparse.ArgumentParser(prog="python -m lab.emulation.guest", description=__doc__)
    parser.add_argument("--lend", type=Path, action="append", default=[], metavar="DIR", help="may be changed inside")
    parser.add_argument("--memory", type=int, default=MEMORY, metavar="MB")
    parser.add_argument("command", nargs="+", metavar="COMMAND")
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    lent = [folder.resolve(strict=True) for folder in args.lend]
    try:
        return run(Job(command=args.command, lent=lent, memory=args.memory))
    except Mip6LabError as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
