#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# sparse 0.6.4 (Debian 12, package sparse 0.6.4-3): an attribute of a struct
# that asks for less alignment than a member has lowers it, and __int128 is
# aligned as a long, so that sparse has other sizes and offsets than the
# compilers.
#
# Seen, for x86-64: a struct of an int that is aligned to 64 and another int has
# 64 bytes; if it is aligned(8) as a whole, sparse has 8.  A packed one of such
# a char and an int has 5 in place of 64, and a char with an __int128 has 24,
# not 32.  It calls an assertion of the right size false and takes one of the
# wrong size.  gcc 12 and clang 14 agree with each other; 0.6.5~rc1 is as 0.6.4.
#
# By GCC's manual "aligned" on a type only increases the alignment, and a member
# that is "aligned" itself keeps that in a packed struct; the ABI for x86-64 has
# __int128 aligned to 16.  The kernel aligns members to cache lines, and what
# cmpxchg128() takes to 16 bytes: a static_assert() on such a struct can fail in
# sparse alone, or in the compiler alone.
#
# Ends with 0 if it is still so.

set -eu
# shellcheck source=/dev/null
. "$(dirname "$0")/lib/guest"

fetch sparse=0.6.4-3

# sizes TYPE: what the compiler and sparse take for its size, of all up to 128.
sizes() {
	for i in $(seq 128); do
		echo "_Static_assert(sizeof($1) != $i, \"size $i\");"
	done >a.c
	for checker in 'gcc -fsyntax-only' root/usr/bin/sparse; do
		# shellcheck disable=SC2086
		$checker a.c 2>&1 |
			sed -n 's/.*failed: "size \([0-9]*\)".*/\1/p'
	done | paste -sd ' '
}

line='__attribute__((aligned(64)))'
{
	sizes "struct { int a $line; int b; }"
	sizes "struct { int a $line; int b; } __attribute__((aligned(8)))"
	sizes "struct { char a $line; int b; } __attribute__((packed))"
	sizes 'struct { char a; __int128 b; }'
	sizes 'struct { char a; long b; }'
} | tee out
diff - out <<'END'
64 64
64 8
64 5
32 24
16 16
END
