"""The packet filter of the kernel, by its program `nft`."""

import subprocess

from lab.errors import MissingError, PlaneError


def run(script: str) -> None:
    """Carry out a script, all of it or nothing; raises `PlaneError`, or `MissingError` without nft."""
    try:
        subprocess.run(["nft", "-f", "-"], input=script, text=True, capture_output=True, check=True)
    except FileNotFoundError as error:
        raise MissingError("nft is missing: install the package nftables") from error
    except subprocess.CalledProcessError as error:
        raise PlaneError(f"nft: {error.stderr.strip()}") from error


def without(table: str) -> str:
    """Write what removes a table, whether or not it is there."""
    return f"add table ip6 {table}\ndelete table ip6 {table}\n"
