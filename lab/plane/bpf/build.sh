#!/bin/sh
# Builds mip6.bpf.o, which is kept beside its source since only developers have clang (Debian: clang, linux-libc-dev).
set -eu
cd "$(dirname "$0")"
sha256="$(sha256sum mip6.bpf.c | cut -c1-64)"
exec clang -target bpf -mcpu=v3 -O2 -Wall -Wextra -Werror -DSHA256="\"$sha256\"" \
	-I"/usr/include/$(uname -m)-linux-gnu" -c mip6.bpf.c -o "${1:-mip6.bpf.o}"
