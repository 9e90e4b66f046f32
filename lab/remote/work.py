"""What is done on one machine: bring the lab there, play something on it, bring results back."""

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path

from lab.errors import RemoteError
from lab.remote import parcel
from lab.remote.session import Lines, Session, Sink

DESK = "results/remote"
"""The folder of the checkout over there in which commands of ours run; nothing else is touched."""
MIP6LAB = ("../../lab/bootstrap", "mip6lab")

Say = Callable[[str], object]


def provision(session: Session, archive: bytes, *, update: bool, within: float, say: Say) -> None:
    """Bring the checkout to where there is none (with `update`, over what is there), and have it set itself up.

    Raises `RemoteError`.
    """
    folder = shlex.quote(session.machine.folder)
    there = session.ask(f"if test -e {folder}/{parcel.BOOTSTRAP}; then echo yes; fi") == "yes"
    if there and not update:
        say("has a checkout, which stays as it is (--update brings ours)")
    else:
        say(f"gets the checkout, {len(archive) / 1e6:.1f} MB")
        session.ask(f"mkdir -p {folder} && tar -xzf - -C {folder}", archive)
    lines = Lines(say)
    status = session.run(["lab/bootstrap", "true"], said=lines, within=within)
    lines.close()
    if status != 0:
        raise RemoteError(f"lab/bootstrap gave status {status}: {lines.last}")
    say("is ready")


def play(
    session: Session, words: Sequence[str], files: Sequence[Path], *, within: float | None, say: Say
) -> tuple[int, str]:
    """Have `mip6lab run` play what the words say; give its exit status and the last that it said.

    `files` are brought along, and are beside the command by their names. Raises `RemoteError`.
    """
    need_checkout(session)
    desk = shlex.quote(f"{session.machine.folder}/{DESK}")
    session.ask(
        f"rm -rf {desk} && mkdir -p {desk}/results && tar -xzf - -C {desk}",
        parcel.pack({path.name: path for path in files}),
    )
    lines = Lines(say)
    folder = f"{session.machine.folder}/{DESK}"
    status = session.run([*MIP6LAB, "run", *words], said=lines, folder=folder, within=within)
    lines.close()
    return status, lines.last


def bring_back(session: Session, into: Path, *, everything: bool = False) -> list[Path]:
    """Copy the results of the last `play` here (or `everything` that the checkout's folder `results` has).

    Gives the files. Raises `RemoteError`.
    """
    folder = session.machine.folder if everything else f"{session.machine.folder}/{DESK}"
    where = shlex.quote(f"{folder}/results")
    session.ask(f"test -d {where} || {{ echo there are no results; false; }}")
    try:
        with session.reading(f"tar -czf - -C {where} --exclude=./remote .") as archive:
            return parcel.unpack(archive, into)
    except TimeoutError as error:
        raise RemoteError("the connection broke while results came") from error


def capture(session: Session, link: str, *, said: Sink, complained: Sink) -> int:
    """Have `mip6lab capture` say what a link of a running lab carries; give its exit status."""
    need_checkout(session)
    return session.run(["lab/bootstrap", "mip6lab", "capture", link], said=said, complained=complained)


def describe(session: Session) -> str:
    """Tell what system a machine has, and whether the lab is there."""
    folder = shlex.quote(session.machine.folder)
    return session.ask(
        f'. /etc/os-release && echo "$PRETTY_NAME, $(uname -m), $(nproc) processors," && '
        f"if test -e {folder}/.venv/.bootstrap; then echo ready; "
        f"elif test -e {folder}/{parcel.BOOTSTRAP}; then echo not set up; else echo no checkout; fi"
    )


def need_checkout(session: Session) -> None:
    """Raise `RemoteError` where the lab is not."""
    folder = session.machine.folder
    session.ask(
        f"test -e {shlex.quote(folder)}/{parcel.BOOTSTRAP} || "
        f"{{ echo {shlex.quote(f'no checkout in {folder}: mip6lab remote provision {session.machine.name}')}; false; }}"
    )
