"""A home agent under load: the real daemon in its namespace, with what it costs the machine."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from lab.auth.esp import INTEGRITY_KEY_OCTETS, Association
from lab.auth.ipsec_policy import Protection, Protects
from lab.auth.secrets import Secrets
from lab.bench.crowd.place import home_address
from lab.daemon.config import PlaneName, Role
from lab.daemon.control import CommandError, ask
from lab.emulation.associations import ENCRYPTION_KEY_OCTETS, FIRST_SPI, as_object
from lab.emulation.node import LabNode
from lab.emulation.process import end, used_by, wait_until
from lab.templating import render

READY_WITHIN = 300.0


def protections(agent: LabNode, size: int) -> list[Protection]:
    """Make the associations that protect the registrations of a crowd (§5.1)."""
    secrets = Secrets(b"crowd")

    def association(spi: int) -> Association:
        return Association(
            spi=spi,
            integrity_key=secrets.octets(INTEGRITY_KEY_OCTETS),
            encryption_key=secrets.octets(ENCRYPTION_KEY_OCTETS),
        )

    return [
        Protection(
            home_address=home_address(agent, number),
            home_agent=agent.spec.address,
            protects=Protects.REGISTRATION,
            to_home_agent=association(FIRST_SPI + 2 * number),
            from_home_agent=association(FIRST_SPI + 2 * number + 1),
        )
        for number in range(size)
    ]


class HomeAgentDaemon:
    """The daemon of one home agent; it serves for the block, and may be killed and started again meanwhile."""

    def __init__(
        self,
        node: LabNode,
        folder: Path,
        *,
        plane: PlaneName = PlaneName.AUTO,
        protections: Sequence[Protection] = (),
    ) -> None:
        self._node = node
        self.journal = folder / f"{node.name}.jsonl"
        self._log, self._config = folder / f"{node.name}.log", folder / f"{node.name}.toml"
        self._control = folder / f"{node.name}.sock"
        self._state = folder / f"{node.name}.state"
        assert node.spec.home is not None
        plug = node.spec.plug_on(node.spec.home)
        assert plug is not None
        text = render(
            "node.toml.j2",
            name=node.name,
            role=Role.HOME_AGENT.value,
            plane=plane.value,
            journal=str(self.journal),
            control=str(self._control),
            state=str(self._state),
            encapsulation_limit=4,
            table=Role.HOME_AGENT.table,
            options={
                "interface": plug.interface,
                "address": str(plug.address),
                "home_prefixes": [str(node.spec.home.prefix)],
            },
            ipsec=[],
            **({"associations": str(_written(protections, folder / f"{node.name}.json"))} if protections else {}),
        )
        self._config.write_text(text, encoding="utf-8")
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        end([self._process])

    def start(self) -> float:
        """Start it; give the seconds until it serves. Raises `ScenarioError` if it does not."""
        began = time.perf_counter()
        command = [sys.executable, "-m", "lab.cli.main", "node", "--config", str(self._config)]
        with self._log.open("ab") as log:
            self._process = self._node.namespace.spawn(command, stdout=log, stderr=log)
        wait_until(self._serves, self._process, self._node.name, self._log, within=READY_WITHIN, fault="does not serve")
        return time.perf_counter() - began

    def kill(self) -> None:
        """End it as a crash would."""
        end([self._process], signal.SIGKILL)

    def cpu(self) -> float:
        """Give the seconds of a processor that it has had so far."""
        return used_by(self._pid).cpu

    def memory(self) -> int:
        """Give the octets of memory that it has (RSS)."""
        return used_by(self._pid).memory

    def drops(self) -> dict[str, int]:
        """Give what it dropped, by reason."""
        return dict(ask(self._control, "counters", within=READY_WITHIN)["drops"])

    def bindings(self) -> list[dict[str, Any]]:
        """Give its binding cache."""
        return list(ask(self._control, "bindings", within=READY_WITHIN))

    def stop(self) -> int:
        """End it in order; give the octets of the file that survives, which is in one piece then."""
        end([self._process])
        return self._state.stat().st_size

    def empty_journal(self) -> None:
        """Let go of what it wrote: a crowd says much."""
        os.truncate(self.journal, 0)

    @property
    def _pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def _serves(self) -> bool:
        try:
            ask(self._control, "ping")
        except CommandError:
            return False
        return True


def _written(protections: Sequence[Protection], path: Path) -> Path:
    """Write a file of associations."""
    path.write_text(json.dumps([as_object(protection) for protection in protections]), encoding="ascii")
    return path
