"""The protocol, as pure state machines: inputs and `now` go in, effects come out.

No socket, clock, randomness or logging is found here, and nothing a peer sends raises an error.
"""
