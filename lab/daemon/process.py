"""A node as a whole process: what it logs, and how it ends."""

import asyncio
import logging
import sys

from lab.daemon.config import NodeConfig, refuse_without
from lab.daemon.service import serve
from lab.errors import ConfigError


def log(*, verbose: bool = False) -> None:
    """Log to standard error."""
    level = logging.DEBUG if verbose else logging.INFO
    logging.basicConfig(level=level, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s")


def run(config: NodeConfig, *, in_lab: bool = False) -> None:
    """Serve until SIGTERM, SIGINT or the command `stop`; raises `Mip6LabError` if the node cannot be.

    `in_lab`: a laboratory started it, in a network namespace that it made; only there protections are switched off.
    """
    if not in_lab:
        refuse_without(config)
    try:
        asyncio.run(serve(config))
    except OSError as error:
        raise ConfigError(f"{config.name}: {error}") from error
