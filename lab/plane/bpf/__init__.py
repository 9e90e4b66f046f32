"""The `bpf` plane: packets of well-known layouts are carried by programs in the kernel, all others as by `user`."""
