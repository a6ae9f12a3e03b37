#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Linux 6.1.176 (Debian 12, linux-image-6.1.0-50-cloud-amd64 6.1.176-1), XFS:
# POSIX_FADV_DONTNEED drops next to nothing if it gets a file in aligned pieces
# smaller than the folios that readahead has made, and returns 0.  It leaves a
# folio alone that a call does not cover from end to end; that the calls
# together cover it does not count.
#
# Seen: of a file of 4096 pages, read and given up 64 KiB at a time, 4032 are
# still there, also when all pieces are given up again.  "dd iflag=nocache" of
# coreutils 9.1-1, which gives up 128 KiB at a time, leaves 2944 where the disk
# has a read_ahead_kb of 1024, and 0 with the default, 128.  One call for the
# whole file drops all.  ext4, whose folios have one page here, keeps nothing in
# any of these cases.  (With Linux 7.3.4, ext4 does as XFS.)
#
# posix_fadvise(2) advises who streams a large file to give up what was used now
# and then, and has only partial pages ignored, so page alignment should do.
# Backups and databases that mean to stay out of the page cache fill it.
#
# Ends with 0 if it is still so.

set -eu
# shellcheck source=/dev/null
. "$(dirname "$0")/lib/guest"

fetch linux-image-6.1.0-50-cloud-amd64=6.1.176-1 coreutils=9.1-1 \
	libc6=2.36-9+deb12u14 xfsprogs=6.1.0-1 libinih1=55-1 liburcu8=0.13.2-1
program root/bin/dd

cat >init.c <<'END'
#include "guest.h"

#define SIZE (16 * MB)
#define PIECE (64 * KB)

static char buf[PIECE];

static long resident(int fd)
{
	unsigned char vec[SIZE / 4096];
	void *p = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, fd, 0);
	long n = 0;

	try(p != MAP_FAILED);
	try(!mincore(p, SIZE, vec));
	for (long i = 0; i < SIZE / 4096; i++)
		n += vec[i] & 1;
	munmap(p, SIZE);
	return n;
}

static void dontneed(int fd, long start, long len)
{
	try(!posix_fadvise(fd, start, len, POSIX_FADV_DONTNEED));
}

int main(void)
{
	long once, twice, dd, whole;
	int fd, status;

	start();
	mkdir("/d", 0755);
	if (mount("/dev/nvme0n1", "/d", "xfs", 0, NULL))
		try(!mount("/dev/nvme0n1", "/d", "ext4", 0, NULL));
	try((fd = open("/d/f", O_RDWR | O_CREAT, 0600)) >= 0);
	for (long i = 0; i < SIZE; i += PIECE)
		try(write(fd, buf, PIECE) == PIECE);
	try(!fsync(fd));
	dontneed(fd, 0, 0);
	try(!resident(fd));

	for (long i = 0; i < SIZE; i += PIECE) {
		try(pread(fd, buf, PIECE, i) == PIECE);
		dontneed(fd, i, PIECE);
	}
	once = resident(fd);
	for (long i = 0; i < SIZE; i += PIECE)
		dontneed(fd, i, PIECE);
	twice = resident(fd);
	dontneed(fd, 0, 0);
	whole = resident(fd);

	/* Readahead by more than dd gives up at a time. */
	put("/sys/block/nvme0n1/queue/read_ahead_kb", "1024");
	if (!fork()) {
		execl("/bin/dd", "dd", "if=/d/f", "of=/dev/null", "bs=64k",
		      "iflag=nocache", "status=none", NULL);
		_exit(1);
	}
	try(wait(&status) > 0 && !status);
	dd = resident(fd);
	say("%ld %ld %ld %ld", once, twice, dd, whole);
	stop();
}
END

truncate -s 320M xfs.img
LD_LIBRARY_PATH=root/usr/lib/x86_64-linux-gnu root/sbin/mkfs.xfs -q xfs.img
truncate -s 64M ext4.img
mkfs.ext4 -q -F ext4.img

disk xfs.img
xfs=$(guest libcrc32c xfs)
disk ext4.img
ext4=$(guest libcrc32c xfs)
echo "pages left, by 64 KiB, by 64 KiB again, by dd, by one call"
echo "XFS:   $xfs"
echo "ext4:  $ext4"
[ "$ext4" = "0 0 0 0" ]
# shellcheck disable=SC2086
set -- $xfs
[ "$1" -gt 3072 ] && [ "$2" = "$1" ] && [ "$3" -gt 1024 ] && [ "$4" = 0 ]
