"""A crowd of mobile nodes in one process, away from home, and home agents that serve it."""
