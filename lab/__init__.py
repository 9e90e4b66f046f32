"""mip6lab: Mobile IPv6 (RFC 6275) as a living laboratory."""
