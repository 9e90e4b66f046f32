"""A flood of frames from ever new addresses; a script of its own so that it starts fast and keeps its pace.

`INTERFACE COUNT RATE SEED FRAME VARIED BALANCED`: sends a frame, given in hexadecimal, so many times, and no faster
than so many in a second. At each offset in VARIED, numbers between commas, are eight octets of chance, the same in all
places; at BALANCED is their complement, so that a checksum over one of each stays what it is.
"""

import random
import socket
import sys
import time

_AT_ONCE = 20
"""Frames between two looks at the clock."""
_OCTETS = 8
_ALL = (1 << 8 * _OCTETS) - 1


def flood(interface: str, count: int, rate: float, seed: int, frame: bytes, varied: list[int], balanced: int) -> None:
    """Send them all."""
    dice = random.Random(seed)
    octets = bytearray(frame)
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as outlet:
        outlet.bind((interface, 0))
        began = time.monotonic()
        for number in range(count):
            chance = dice.getrandbits(8 * _OCTETS)
            for at in varied:
                octets[at : at + _OCTETS] = chance.to_bytes(_OCTETS, "big")
            octets[balanced : balanced + _OCTETS] = (_ALL - chance).to_bytes(_OCTETS, "big")
            outlet.send(octets)
            if number % _AT_ONCE == 0:
                time.sleep(max(began + number / rate - time.monotonic(), 0.0))


def main(interface: str, count: str, rate: str, seed: str, frame: str, varied: str, balanced: str) -> None:
    """Read the words of the command line."""
    places = [int(at) for at in varied.split(",")]
    flood(interface, int(count), float(rate), int(seed), bytes.fromhex(frame), places, int(balanced))


if __name__ == "__main__":
    main(*sys.argv[1:])
