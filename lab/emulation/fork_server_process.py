"""The warm parent of a network's daemons: everything is imported here, and each daemon is a fork.

So it starts in milliseconds and shares the memory that it does not change. Run by `fork_server.ForkServer` with the
descriptor of a socket, on which orders come. The daemons end with this process, and it ends when nobody is left who
could order.
"""

import contextlib
import gc
import os
import selectors
import socket
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path

from lab.auth import esp
from lab.daemon import process
from lab.daemon.config import load
from lab.emulation.fork_server import Order
from lab.emulation.namespace import enter
from lab.emulation.process import end_with_parent, rename
from lab.errors import Mip6LabError

FAULTY, REFUSED = 1, 2
"""Exit statuses of a daemon with a fault of ours, and of one that cannot be: as those of `mip6lab node`."""


@dataclass(frozen=True, slots=True)
class Daemon:
    """One that runs: its pid, a descriptor that tells of its end, and where its exit status goes."""

    pid: int
    handle: int
    channel: socket.socket

    def bury(self) -> None:
        """Tell its exit status; it has ended."""
        _, status = os.waitpid(self.pid, 0)
        with contextlib.suppress(OSError):  # nobody asks any more
            self.channel.send(str(os.waitstatus_to_exitcode(status)).encode())
        self.close()

    def close(self) -> None:
        """Let both descriptors go."""
        self.channel.close()
        os.close(self.handle)


def main(descriptor: int) -> int:
    """Fork as ordered. The forks come out here as well, and become daemons."""
    end_with_parent(os.getppid())
    esp.warm_up()
    gc.collect()
    gc.freeze()  # a collection in a daemon would write to all that it shares
    with socket.socket(fileno=descriptor) as orders, selectors.DefaultSelector() as selector:
        order = serve(orders, selector)
    if order is not None:
        be_daemon(order)
    return 0


def serve(orders: socket.socket, selector: selectors.BaseSelector) -> Order | None:
    """Fork for each order: gives it in the new process, and None in this one once there are no more."""
    parent = os.getpid()
    selector.register(orders, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            if key.data is not None:
                selector.unregister(key.fd)
                key.data.bury()
                continue
            order = Order.receive(orders)
            if order is None:
                return None
            daemon = fork(order)
            if os.getpid() != parent:
                end_with_parent(parent)
                for other in selector.get_map().values():
                    if other.data is not None:
                        other.data.close()
                return order
            if daemon is not None:
                selector.register(daemon.handle, selectors.EVENT_READ, daemon)
            order.close()


def fork(order: Order) -> Daemon | None:
    """Make a process for an order and tell of it; None in that process, and where there can be none."""
    channel = socket.fromfd(order.channel, socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        pid = os.fork()
    except OSError as error:
        channel.send((error.strerror or str(error)).encode())
        pid = 0
    if pid == 0:
        channel.close()
        return None
    handle = os.pidfd_open(pid)
    with contextlib.suppress(OSError):  # nobody asks any more
        socket.send_fds(channel, [str(pid).encode()], [handle])
    return Daemon(pid, handle, channel)


def be_daemon(order: Order) -> None:
    """Run a node in this process, to its end."""
    status = FAULTY
    try:
        os.setsid()  # Ctrl-C is for the network, which ends its daemons in order
        os.dup2(order.output, sys.stdout.fileno())
        os.dup2(order.log, sys.stderr.fileno())
        rename(order.name)
        enter(order.namespace)
        order.close()
        process.log()
        process.run(load(Path(order.config)), in_lab=True)
        status = 0
    except Mip6LabError as error:
        print(f"mip6lab: {error}", file=sys.stderr)
        status = REFUSED
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)  # what Python does in its last moments would write to all that is shared


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
