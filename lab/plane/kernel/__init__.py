"""The data plane `kernel`: what Linux itself has for Mobile IPv6 carries nearly all packets."""
