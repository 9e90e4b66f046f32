"""A node as a daemon: the only clock, the sockets, the journal, the control socket."""
