"""Rules of RFC 6275 that captures are checked against, with Scapy and never with our own codec."""
