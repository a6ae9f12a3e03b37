#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# QEMU 7.2 (Debian 12, qemu-user 1:7.2+dfsg-7+deb12u18+b3): mremap() that
# shrinks a mapping in place takes away as much memory behind it, if the guest
# is of 32 bits.  It returns what it should.
#
# Seen, for an i386 program on x86-64: of 12 pages in a row that the program has
# filled, mremap() shrinks the first 4 to 2.  Pages 2 and 3 are gone, and so are
# 4 and 5: write() from there has EFAULT, and reading there would be a fault.
# The same program as one of 64 bits loses 2 and 3 alone, in QEMU and on the
# CPU.  QEMU 10.0.13 of Debian 13 is right for both.
#
# mremap(2) has no more than the mapping at old_address change.  With
# MREMAP_MAYMOVE, as glibc's realloc() has it, QEMU moves the mapping instead,
# so this is for programs that call it themselves: allocators, tests of
# mremap().
#
# Ends with 0 if it is still so.

set -eu
# shellcheck source=/dev/null
. "$(dirname "$0")/lib/guest"

fetch qemu-user=1:7.2+dfsg-7+deb12u18+b3 \
	libc6-dev-i386=2.36-9+deb12u14 lib32gcc-12-dev=12.2.0-14+deb12u1

cat >shrink.c <<'END'
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096
#define PAGES 12

int main(void)
{
	char *p = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd[2];

	if (p == MAP_FAILED || pipe(fd))
		return 1;
	memset(p, 1, PAGES * PAGE);
	if (mremap(p, 4 * PAGE, 2 * PAGE, 0) != p)
		return 1;
	printf("gone:");
	for (int i = 0; i < PAGES; i++)
		if (write(fd[1], p + i * PAGE, 1) != 1)
			printf(" %d", i);
	puts("");
	return 0;
}
END
gcc -static -O1 -Wall -Werror -o shrink64 shrink.c
gcc -m32 -static -O1 -Wall -Werror -isystem root/usr/include \
	-isystem /usr/include/x86_64-linux-gnu -Broot/usr/lib32/ \
	-Broot/usr/lib/gcc/x86_64-linux-gnu/12/32/ -Lroot/usr/lib32 \
	-Lroot/usr/lib/gcc/x86_64-linux-gnu/12/32 -o shrink32 shrink.c

cpu=$(./shrink64)
qemu64=$(root/usr/bin/qemu-x86_64 ./shrink64)
qemu32=$(root/usr/bin/qemu-i386 ./shrink32)
echo "CPU, 64 bits:   $cpu"
echo "QEMU, 64 bits:  $qemu64"
echo "QEMU, 32 bits:  $qemu32"
[ "$cpu" = "gone: 2 3" ]
[ "$qemu64" = "gone: 2 3" ]
[ "$qemu32" = "gone: 2 3 4 5" ]
