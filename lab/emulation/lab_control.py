"""The control socket of a running lab: what can be done at its prompt, by another process, and what there is to see.

The lab never speaks by itself: whoever watches asks, so that no watcher can hold it up.
"""

import asyncio
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, fields
from typing import Any, Self

from lab.daemon.control import CommandError, Control
from lab.emulation.impairment import Impairment
from lab.emulation.operations import EVERY, Operations
from lab.emulation.plan import plan_of
from lab.emulation.running import SOCKET

AT_MOST = 1000
"""So many records are told at once."""


class LabControl:
    """Serves the commands of a lab in a thread of its own, for the block; see docs/live.md.

    Commands that change something are carried out one after the other in another thread, which lives as long; they are
    refused where `playing` names a scenario, which is to be judged by what itself did.
    """

    def __init__(self, operations: Operations, *, topology: str, playing: str = "") -> None:
        self._operations, self._topology, self._playing = operations, topology, playing
        self.path = operations.context.run / SOCKET
        self._driver = ThreadPoolExecutor(1, "driver")
        self._looker = ThreadPoolExecutor(1, "looker")
        self._loop = asyncio.new_event_loop()
        self._control = Control(self.path, self._commands())
        self._thread = threading.Thread(target=self._loop.run_forever, name="lab control", daemon=True)

    def __enter__(self) -> Self:
        """Listen; raises `ConfigError`."""
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._control.start(), self._loop).result()
        return self

    def __exit__(self, *_: object) -> None:
        """Carry out nothing more; what is being done is done to its end, and streams end."""
        self._driver.submit(self._operations.close).result()
        self._driver.shutdown()
        self._looker.shutdown()
        asyncio.run_coroutine_threadsafe(self._control.close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _commands(self) -> Mapping[str, Callable[[Mapping[str, Any]], Any]]:
        do = self._operations
        return {
            "network": lambda _: self._network(),
            "look": self._look,
            "bindings": lambda _: self._loop.run_in_executor(self._looker, do.bindings),
            "move": self._driving(lambda told: do.move(told.word("node"), told.word("to"), hint=told.flag("hint"))),
            "impair": self._driving(lambda told: do.impair(told.word("link"), _impairment(told))),
            "kill": self._driving(lambda told: do.kill(told.word("node"))),
            "restart": self._driving(lambda told: do.restart(told.word("node"))),
            "cutoff": self._driving(lambda told: do.cut_off(told.word("node"))),
            "readmit": self._driving(lambda told: do.readmit(told.word("node"))),
            "stream": self._driving(
                lambda told: do.stream(
                    told.word("source"), told.word("destination"), every=told.number("every", default=EVERY)
                )
            ),
            "endstream": self._driving(lambda told: do.end_stream(told.word("name"))),
        }

    def _driving(self, command: Callable[["_Told"], Any]) -> Callable[[Mapping[str, Any]], Any]:
        """Have a command carried out by the driver, in its turn."""

        def drive(request: Mapping[str, Any]) -> Any:
            if self._playing:
                raise CommandError(f"the scenario {self._playing} is being played: only it drives this lab")
            return self._loop.run_in_executor(self._driver, command, _Told(request))

        return drive

    def _network(self) -> dict[str, Any]:
        do = self._operations
        declared = do.nodes[0].topology
        visited = {link.name for node in declared.node_specs.values() for link in node.advertises}
        return {
            "topology": self._topology,
            "playing": self._playing,
            "plane": do.context.plane.name,
            **asdict(plan_of(declared)),
            "visited": sorted(visited),
            "captures": {link: str(path) for link, path in do.captures.items()},
        }

    def _look(self, request: Mapping[str, Any]) -> dict[str, Any]:
        since = request.get("since", 0)
        if not isinstance(since, int) or since < 0:
            raise CommandError(f"since: {since!r} is no number of records")
        do = self._operations
        records = do.records(since)[:AT_MOST]
        return {
            "next": since + len(records),
            "records": [record.to_json() for record in records],
            "places": do.places(),
            "impairments": do.impairments(),
            "streams": [*do.streams],
        }


class _Told:
    """The arguments of a command; each raises `CommandError` if it is not what is wanted."""

    def __init__(self, request: Mapping[str, Any]) -> None:
        self._request = request

    def word(self, name: str) -> str:
        """Give a name."""
        value = self._request.get(name)
        if not isinstance(value, str) or not value:
            raise CommandError(f"{name}: a name is wanted, not {value!r}")
        return value

    def number(self, name: str, *, default: float) -> float:
        """Give a number."""
        value = self._request.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise CommandError(f"{name}: a number is wanted, not {value!r}")
        return float(value)

    def flag(self, name: str) -> bool:
        """Give a yes or no; no if nothing is said."""
        value = self._request.get(name, False)
        if not isinstance(value, bool):
            raise CommandError(f"{name}: true or false is wanted, not {value!r}")
        return value


def _impairment(told: _Told) -> Impairment:
    return Impairment(**{field.name: told.number(field.name, default=0.0) for field in fields(Impairment)})
