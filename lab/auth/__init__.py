"""What authorises a binding: secrets, nonces, keygen tokens, keys and authenticators (RFC 6275 §5.2). Pure."""
