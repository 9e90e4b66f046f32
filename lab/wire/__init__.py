"""Octets to frozen dataclasses and back: IPv6, the Mobility Header, ICMPv6 and Neighbor Discovery.

Nothing here knows sockets or time. Parsing raises `lab.errors.WireError` and nothing else, on any octets.
"""
