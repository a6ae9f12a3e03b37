#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Linux 7.3.4 (Debian 13's backports, linux-binary-7.3.4+deb13-cloud-amd64
# 7.3.4-1~bpo13+1): a mapping of a part of a large page of tmpfs that is
# swapped out in one piece has all of that piece as its "Swap:" in smaps, so
# that this exceeds "Size:", and each such mapping has it again.
#
# Seen: of a huge page that is swapped out, four mappings of 64 KiB each have
# Size: 64 kB, Rss: 0 kB and Swap: 2048 kB.  smaps_rollup of the process has
# Swap: 8192 kB; the swap device has 2048 kB in use.  6.12.95 does the same.
# 6.1.176, which splits what it swaps out, has Swap: 64 kB.
#
# Documentation/filesystems/proc.rst: "Swap" includes the size of the mapped
# part of the underlying shmem object that is out on swap.  Who adds up "Swap:"
# to find who fills the swap device, or takes Rss + Swap as bounded by Size,
# blames the wrong process.
#
# Ends with 0 if it is still so.

set -eu
# shellcheck source=/dev/null
. "$(dirname "$0")/lib/guest"

version=7.3.4-1~bpo13+1
suite trixie-backports
fetch linux-binary-7.3.4+deb13-cloud-amd64=$version \
	linux-modules-7.3.4+deb13-cloud-amd64=$version

cat >init.c <<'END'
#include "guest.h"

static long number(const char *file, const char *after)
{
	static char buf[4096];
	int fd = open(file, O_RDONLY);
	long len;

	try(fd >= 0 && (len = read(fd, buf, sizeof(buf) - 1)) > 0);
	buf[len] = 0;
	close(fd);
	return atol(strstr(buf, after) + strlen(after));
}

int main(void)
{
	static char header[4096];
	unsigned int *info = (unsigned int *)(header + 1024);
	char *huge, *part[4];
	int fd;

	start();
	put("/sys/block/zram0/disksize", "64M");
	info[0] = 1;			/* version */
	info[1] = 64 * MB / 4096 - 1;	/* last page */
	memcpy(header + 4086, "SWAPSPACE2", 10);
	try((fd = open("/dev/zram0", O_WRONLY)) >= 0);
	try(write(fd, header, 4096) == 4096 && !fsync(fd));
	close(fd);
	try(!swapon("/dev/zram0", 0));

	mkdir("/t", 0755);
	try(!mount("t", "/t", "tmpfs", 0, "huge=always"));
	try((fd = open("/t/f", O_RDWR | O_CREAT, 0600)) >= 0);
	try(!ftruncate(fd, 2 * MB));
	huge = mmap((void *)(1024 * MB), 2 * MB, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_FIXED_NOREPLACE, fd, 0);
	try(huge != MAP_FAILED);
	for (long i = 0; i < 2 * MB; i += 8)
		*(long *)(huge + i) = i + 1;
	try(smaps(huge, "ShmemPmdMapped") == 2048);
	for (int i = 0; i < 9 && smaps(huge, "Swap") < 2048; i++)
		try(!madvise(huge, 2 * MB, MADV_PAGEOUT));
	try(!munmap(huge, 2 * MB));

	/* Apart, lest they become one mapping. */
	for (long i = 0; i < 4; i++) {
		part[i] = mmap((void *)((1024 + i) * MB), 64 * KB, PROT_READ,
			       MAP_SHARED | MAP_FIXED_NOREPLACE, fd,
			       i * 256 * KB);
		try(part[i] != MAP_FAILED);
		say("Size %ld Rss %ld Swap %ld", smaps(part[i], "Size"),
		    smaps(part[i], "Rss"), smaps(part[i], "Swap"));
	}
	say("all Swap %ld", number("/proc/self/smaps_rollup", "Swap:"));
	say("device %ld", number("/proc/meminfo", "SwapTotal:") -
	    number("/proc/meminfo", "SwapFree:"));
	stop();
}
END

guest lz4hc_compress zram >out
cat out
[ "$(tr '\n' ' ' <out)" = "\
Size 64 Rss 0 Swap 2048 Size 64 Rss 0 Swap 2048 \
Size 64 Rss 0 Swap 2048 Size 64 Rss 0 Swap 2048 \
all Swap 8192 device 2048 " ]
