"""Whether a capture ends where a record ends: one that breaks off lacks frames that rules would ask for."""

from collections.abc import Iterator

SECTION_HEADER = b"\x0a\x0d\x0d\x0a"
PCAP_BIG_ENDIAN = (b"\xa1\xb2\xc3\xd4", b"\xa1\xb2\x3c\x4d")
PCAPNG_BIG_ENDIAN = b"\x1a\x2b\x3c\x4d"
PCAP_HEADER, PCAP_RECORD_HEADER = 24, 16
SMALLEST_BLOCK = 12


def is_whole(data: bytes) -> bool:
    """Walk the records of a pcap or pcapng file."""
    return _pcapng(data) if data.startswith(SECTION_HEADER) else _pcap(data)


def _pcap(data: bytes) -> bool:
    big = data[:4] in PCAP_BIG_ENDIAN
    at = PCAP_HEADER
    while at + PCAP_RECORD_HEADER <= len(data):
        at += PCAP_RECORD_HEADER + _number(data, at + 8, big)
    return at == len(data)


def _pcapng(data: bytes) -> bool:
    at = 0
    for block in blocks(data):
        at = block.stop
    return at == len(data)


def blocks(data: bytes, *, big: bool = False) -> Iterator[slice]:
    """Give the whole blocks of pcapng, up to one that is cut off or none; `big`-endian or as a section header says."""
    at = 0
    while at + SMALLEST_BLOCK <= len(data):
        if data[at : at + 4] == SECTION_HEADER:
            big = data[at + 8 : at + 12] == PCAPNG_BIG_ENDIAN
        length = _number(data, at + 4, big)
        end = at + length + -length % 4
        if length < SMALLEST_BLOCK or end > len(data):
            return
        yield slice(at, end)
        at = end


def _number(data: bytes, at: int, big: bool) -> int:
    return int.from_bytes(data[at : at + 4], "big" if big else "little")
