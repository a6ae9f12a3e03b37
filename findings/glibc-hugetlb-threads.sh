#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# glibc 2.36 (Debian 12, libc6 2.36-9+deb12u14): GLIBC_TUNABLES with
# glibc.malloc.hugetlb=1, which is for transparent huge pages where they are set
# to "madvise", lets malloc advise the heap of the main thread, and nothing in
# the arenas of other threads, which it maps.
#
# Seen, with Linux 6.1.176: of 15 MB in chunks of 64 KiB, the main thread has 12
# or 14 in huge pages.  A second thread that does the same has none, and its
# arena has no flag "hg" in smaps.  A chunk of 8 MB, which gets a mapping of its
# own, has the flag in either thread.  So it is with glibc 2.41 and 2.43.
#
# NEWS of 2.35 has malloc issue madvise plus MADV_HUGEPAGE "on mmap and sbrk".
# Programs with a thread for each CPU gain hardly anything, and a test with one
# thread does not show it.
#
# Ends with 0 if it is still so.

set -eu
# shellcheck source=/dev/null
. "$(dirname "$0")/lib/guest"

fetch linux-image-6.1.0-50-cloud-amd64=6.1.176-1 libc6=2.36-9+deb12u14

cat >init.c <<'END'
#include "guest.h"

int main(void)
{
	char *env[] = { "GLIBC_TUNABLES=glibc.malloc.hugetlb=1", NULL };

	start();
	put("/sys/kernel/mm/transparent_hugepage/enabled", "madvise");
	if (!fork()) {
		execle("/bin/threads", "threads", NULL, env);
		_exit(1);
	}
	wait(NULL);
	stop();
}
END

cat >threads.c <<'END'
#include <pthread.h>
#include "guest.h"

/* Whether memory has been advised, by VmFlags. */
static int advised(const void *at)
{
	unsigned long start, end, addr = (unsigned long)at;
	FILE *f = fopen("/proc/self/smaps", "r");
	char line[512];
	int in = 0, hg = 0;

	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			in = start <= addr && addr < end;
		else if (in && !strncmp(line, "VmFlags:", 8))
			hg = strstr(line, " hg") != NULL;
	fclose(f);
	return hg;
}

static void *use(void *name)
{
	char *chunk = NULL, *large;

	for (int i = 0; i < 240; i++) {
		try((chunk = malloc(64 * KB)));
		memset(chunk, 1, 64 * KB);
	}
	try((large = malloc(8 * MB)));
	say("%s: hg %d, huge %ld MB; large chunk: hg %d", (char *)name,
	    advised(chunk), smaps(chunk, "AnonHugePages") / KB, advised(large));
	return NULL;
}

int main(void)
{
	pthread_t thread;

	setvbuf(stdout, NULL, _IOLBF, 0);
	use("main");
	try(!pthread_create(&thread, NULL, use, "thread"));
	pthread_join(thread, NULL);
	return 0;
}
END
gcc -O1 -Wall -Werror -o threads threads.c
program threads

guest >out
cat out
grep -Eqx 'main: hg 1, huge 1[0-4] MB; large chunk: hg 1' out
grep -qx 'thread: hg 0, huge 0 MB; large chunk: hg 1' out
