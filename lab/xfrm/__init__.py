"""Transformations of packets by the kernel (XFRM), by netlink: what Linux has for IPsec and for Mobile IPv6.

A policy says which packets need which transformations, a state is one of them: ESP with its keys, or a header of
RFC 6275 with the care-of address that it tells of.
"""
