#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# QEMU 7.2 (Debian 12, qemu-user 1:7.2+dfsg-7+deb12u18+b3) without KVM: after an
# addition and then cmpxchg16b or cmpxchg8b, the flags register of an x86 guest
# can hold what was added, up to bit 31, with I/O privilege level, nested task
# and alignment check among it.  Only the zero flag is right.
#
# Seen: if 12345678 was added to 0, the flags are 206, on the CPU as in QEMU.  A
# cmpxchg8b that finds another value leaves that, on the CPU, and a cmpxchg16b
# that stores makes it 246: the zero flag.  In QEMU they make it 1234563a and
# 1234567a.  Nothing says so.
#
# By Intel's and AMD's manuals both change the zero flag alone.  SLUB allocates
# and frees by cmpxchg16b, so that in an emulated guest (-cpu max) an interrupt
# may save and restore such flags; -cpu max,-cx16 avoids that.  QEMU 10.0.13 of
# Debian 13 does as the CPU.
#
# Ends with 0 if it is still so.

set -eu
# shellcheck source=/dev/null
. "$(dirname "$0")/lib/guest"

fetch qemu-user=1:7.2+dfsg-7+deb12u18+b3

cat >flags.c <<'END'
#include <stdio.h>

/* The flags after an addition, and then one more instruction. */
#define AFTER(name, insn)						\
static unsigned long name(unsigned long x)				\
{									\
	static unsigned long mem[2] __attribute__((aligned(16))) = { 1, 2 }; \
	unsigned long flags, a = 1, d = 2, y = 0;				\
									\
	asm volatile("pushq $0x202\n\tpopfq\n\tjmp 1f\n1:\t"	\
		     "addq %[x], %[y]\n\t" insn				\
		     "pushfq\n\tpopq %[flags]"				\
		     : [flags] "=&r" (flags), [mem] "+m" (mem),		\
		       [y] "+&r" (y), "+a" (a), "+d" (d)		\
		     : [x] "r" (x), "b" (3UL), "c" (4UL) : "cc");	\
	return flags;							\
}

AFTER(add, "")
AFTER(cmpxchg8b, "cmpxchg8b %[mem]\n\t")
AFTER(cmpxchg16b, "cmpxchg16b %[mem]\n\t")

int main(void)
{
	unsigned long x = 0x12345678;

	printf("add %lx, cmpxchg8b %lx, cmpxchg16b %lx\n",
	       add(x), cmpxchg8b(x), cmpxchg16b(x));
	return 0;
}
END
gcc -static -O1 -mno-red-zone -Wall -Werror -o flags flags.c

cpu=$(./flags)
qemu=$(root/usr/bin/qemu-x86_64 ./flags)
echo "CPU:   $cpu"
echo "QEMU:  $qemu"
[ "$cpu" = "add 206, cmpxchg8b 206, cmpxchg16b 246" ]
[ "$qemu" = "add 206, cmpxchg8b 1234563a, cmpxchg16b 1234567a" ]
