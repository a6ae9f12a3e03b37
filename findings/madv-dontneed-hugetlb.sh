#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Linux 6.1.176 (Debian 12, linux-image-6.1.0-50-cloud-amd64 6.1.176-1) against
# madvise(2) of manpages-dev 6.03-2: MADV_DONTNEED of hugetlb pages rounds the
# length down to whole huge pages, to nothing if need be, and returns 0.
#
# Seen: of two huge pages of 2 MB, advice for 4 KiB gives up none, and for
# 2052 KiB the first alone.  What was in the others is still there.  Linux 7.3.4
# does the same.
#
# The manual has the length rounded up to a multiple of the huge page size, and
# still does in man-pages 6.20.  So who gives the length that was in use keeps
# the last huge page from others, and reads old data there where MADV_DONTNEED
# promises zeroes, for private memory.
#
# Ends with 0 if it is still so.

set -eu
# shellcheck source=/dev/null
. "$(dirname "$0")/lib/guest"

fetch linux-image-6.1.0-50-cloud-amd64=6.1.176-1 manpages-dev=6.03-2

cat >init.c <<'END'
#include "guest.h"

static char *p;

static void advise(long len)
{
	long left;
	int ret;

	memset(p, 'x', 4 * MB);
	ret = madvise(p, len, MADV_DONTNEED);
	left = smaps(p, "Private_Hugetlb");
	say("%ld KiB: ret %d, left %ld kB, first %s, second %s", len / KB, ret,
	    left, p[0] ? "old" : "zero", p[2 * MB] ? "old" : "zero");
}

int main(void)
{
	start();
	put("/proc/sys/vm/nr_hugepages", "2");
	p = mmap(NULL, 4 * MB, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	try(p != MAP_FAILED);
	advise(4 * KB);
	advise(2 * MB);
	advise(2 * MB + 4 * KB);
	stop();
}
END

guest >out
cat out
zcat root/usr/share/man/man2/madvise.2.gz | tr '\n' ' ' >manual
grep -o 'the range length is rounded up to a multiple of the [A-Za-z ]*' manual
diff - out <<END
4 KiB: ret 0, left 4096 kB, first old, second old
2048 KiB: ret 0, left 2048 kB, first zero, second old
2052 KiB: ret 0, left 2048 kB, first zero, second old
END
