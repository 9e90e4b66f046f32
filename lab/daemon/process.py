"""A node as a whole process: what it logs, and how it ends."""

import asyncio
import logging
import sys

from lab.daemon.config import NodeConfig
from lab.daemon.service import serve
from lab.errors import ConfigError


def log(*, verbose: bool = False) -> None:
    """Log to standard error."""
    level = logging.DEBUG if verbose else logging.INFO
    logging.basicConfig(level=level, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s")


def run(config: NodeConfig) -> None:
    """Serve until SIGTERM, SIGINT or the command `stop`; raises `Mip6LabError` if the node cannot be."""
    try:
        asyncio.run(serve(config))
    except OSError as error:
        raise ConfigError(f"{config.name}: {error}") from error
