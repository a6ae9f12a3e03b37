/* SPDX-License-Identifier: GPL-2.0 */
/* What file_checker does to a file of at most SIZE bytes. */
#ifndef CHECK_FILE_H
#define CHECK_FILE_H

#include <setjmp.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include "checker.h"

static const char *dir;
static unsigned int nr_files;	/* of workers, all in that directory */
static char path[300];		/* of this worker's */
static int fd, direct;
static sigjmp_buf no_page;

static void name_file(int number)
{
	snprintf(path, sizeof(path), "%s/file_checker.%d", dir, number);
}

/* No space is a fault, unless the others' files may have taken it. */
static bool full(void)
{
	struct statvfs st;

	return !statvfs(dir, &st) &&
	       st.f_bavail * st.f_frsize < nr_files * SIZE;
}

static void expect_failure(const char *what)
{
	if (errno != ENOMEM && !(errno == ENOSPC && full()))
		fault("%s", what);
}

static struct stat status_now(void)
{
	struct stat st;

	if (fstat(fd, &st))
		fault("fstat");
	return st;
}

/* False for want of memory */
static bool read_file(char *to, size_t at, size_t len)
{
	for (ssize_t n; len; to += n, at += n, len -= n) {
		n = pread(fd, to, len, at);
		if (n < 0) {
			expect_failure("pread");
			return false;
		}
		if (!n)
			fault("the file ends at %#zx", at);
	}
	return true;
}

/*
 * Of what was to become as the buffer, @n bytes are so for sure.  Of the rest
 * each is that or as before, and the file need not have grown all the way.
 */
static void adopt(size_t at, size_t len, size_t n)
{
	size_t now = status_now().st_size;
	char *found = malloc(len);

	if (!found)
		die("memory");
	if (now < max(size, n ? at + n : 0) || now > max(size, at + len))
		fault("size %#zx after a failure", now);
	size = now;
	len = clip(at, len, size);
	while (!read_file(found, at, len))
		usleep(1000);
	for (size_t i = 0; i < len; i++)
		if (i < n || found[i] == buffer[i])
			model[at + i] = buffer[i];
	compare("after a failure", found, at, len);
	free(found);
}

static void no_page_there(int sig)
{
	(void)sig;
	siglongjmp(no_page, 1);
}

/* To or from a mapping of the file; false if there is no space for a hole. */
static bool copy(char *to, const char *from, size_t len)
{
	if (sigsetjmp(no_page, 1)) {
		if (!full())
			fault("SIGBUS");
		return false;
	}
	memcpy(to, from, len);
	return true;
}

/* The last page is there as a whole, and beyond the end it is zero. */
static void read_mapping(size_t at, size_t len)
{
	len = clip(at, len, up(size, page));
	if (copy(buffer, map + at, len))
		compare("mapping", buffer, at, len);
}

static void read_by_call(size_t at, size_t len)
{
	len = clip(at, len, size);
	if (read_file(buffer, at, len))
		compare("pread", buffer, at, len);
	if (pread(fd, buffer, 1, size) > 0)
		fault("there is more than %#zx", size);
}

/* To memory and with a length of pages, so up to the end of the file. */
static void read_direct(size_t at, size_t len)
{
	widen(&at, &len, page);
	len = clip(at, len, size);
	if (direct >= 0 && len &&
	    pread(direct, buffer, up(len, page), at) == (ssize_t)len)
		compare("direct", buffer, at, len);
	else
		read_by_call(at, len);
}

static void write_by(int to, size_t at, size_t len)
{
	ssize_t n;

	fill(len);
	n = pwrite(to, buffer, len, at);
	if (n < 0)
		expect_failure("pwrite");
	if (n < (ssize_t)len) {
		adopt(at, len, n < 0 ? 0 : n);
		return;
	}
	memcpy(model + at, buffer, len);
	size = max(size, at + len);
}

static void write_by_call(size_t at, size_t len)
{
	write_by(fd, at, len);
}

static void write_direct(size_t at, size_t len)
{
	widen(&at, &len, page);
	if (direct >= 0)
		write_by(direct, at, len);
}

static void write_mapping(size_t at, size_t len)
{
	len = clip(at, len, size);
	fill(len);
	if (copy(map + at, buffer, len))
		memcpy(model + at, buffer, len);
	else
		adopt(at, len, 0);
}

/* What is written to a private mapping is there, and not in the file. */
static void write_privately(size_t at, size_t len)
{
	static const int advice[] = { MADV_COLD, MADV_PAGEOUT, MADV_COLLAPSE };
	char *private = mmap(NULL, SIZE, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_NORESERVE, fd, 0);
	size_t written = clip(at, len, size) / 2, rest = at + written;

	if (private == MAP_FAILED)
		fault("mmap");
	len = clip(at, len, up(size, page));
	fill(written);
	if (copy(private + at, buffer, written)) {
		madvise(private, SIZE, advice[rnd(3)]);
		if (memcmp(private + at, buffer, written))
			fault("private %#zx +%#zx", at, written);
		if (copy(buffer, private + rest, at + len - rest))
			compare("private", buffer, rest, at + len - rest);
	}
	munmap(private, SIZE);
	read_by_call(at, len);
}

static void truncate_file(size_t at, size_t len)
{
	size_t to = rnd(2) ? at : at + len;

	if (ftruncate(fd, to)) {
		expect_failure("ftruncate");
		to = status_now().st_size;
	}
	if (to < size)
		memset(model + to, 0, size - to);
	size = to;
}

/*
 * False if that cannot be done, and if it has failed: then what is there is as
 * the buffer or as before, if @zeroes then zero or as before.
 */
static bool changed(int mode, size_t at, size_t len, bool zeroes)
{
	static uint64_t unknown;

	if (unknown & 1ull << mode || !len)
		return false;
	if (!fallocate(fd, mode, at, len))
		return true;
	if (errno == EOPNOTSUPP) {
		unknown |= 1ull << mode;
		return false;
	}
	expect_failure("fallocate");
	memcpy(buffer, model + at, len);
	if (zeroes)
		memset(buffer, 0, len);
	adopt(at, len, 0);
	return false;
}

static void allocate(size_t at, size_t len)
{
	if (rnd(2))
		changed(FALLOC_FL_KEEP_SIZE, at, len, false);
	else if (changed(0, at, len, false))
		size = max(size, at + len);
}

static void punch(size_t at, size_t len)
{
	if (changed(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, len, true))
		memset(model + at, 0, len);
}

static void zero(size_t at, size_t len)
{
	int keep = rnd(2) ? FALLOC_FL_KEEP_SIZE : 0;

	if (!changed(FALLOC_FL_ZERO_RANGE | keep, at, len, true))
		return;
	memset(model + at, 0, len);
	if (!keep)
		size = max(size, at + len);
}

/* Blocks come; who knows what is where if that fails, so only with space. */
static void insert(size_t at, size_t len)
{
	size_t block = max(status_now().st_blksize, page);

	at = down(at, block);
	len = min(up(len, block), down(SIZE - size, block));
	if (at >= size || full() ||
	    !changed(FALLOC_FL_INSERT_RANGE, at, len, false))
		return;
	memmove(model + at + len, model + at, size - at);
	memset(model + at, 0, len);
	size += len;
}

static void collapse(size_t at, size_t len)
{
	size_t block = max(status_now().st_blksize, page);

	at = down(at, block);
	len = min(up(len, block), down(size - min(size, at + 1), block));
	if (full() || !changed(FALLOC_FL_COLLAPSE_RANGE, at, len, false))
		return;
	size -= len;
	memmove(model + at, model + at + len, size - at);
	memset(model + size, 0, len);
}

static void remove_pages(size_t at, size_t len)
{
	widen(&at, &len, page);
	if (!madvise(map + at, len, MADV_REMOVE)) {
		memset(model + at, 0, len);
		return;
	}
	expect_failure("MADV_REMOVE");
	memset(buffer, 0, len);
	adopt(at, len, 0);
}

static void write_back(size_t at, size_t len)
{
	if (rnd(4) ? sync_file_range(fd, at, len, rnd(8)) : fsync(fd))
		expect_failure("sync");
	if (!rnd(3))
		posix_fadvise(fd, at, len, POSIX_FADV_DONTNEED);
}

static void advise_file(size_t at, size_t len)
{
	advise(at, len, 9);
}

/* In the other half of the arena, mostly at a PMD */
static char *other_place(void)
{
	char *slot = map && map < arena + SLOT ? arena + SLOT : arena;

	return slot + (rnd(4) ? 0 : down(rnd(PMD), page));
}

static void move_mapping(size_t at, size_t len)
{
	char *to = other_place();

	if (mremap(map, SIZE, SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, to) != to)
		fault("mremap");
	reserve(map, SIZE);
	map = to;
	read_mapping(at, len);
}

static void open_file(void)
{
	fd = open(path, O_RDWR | O_CREAT, 0600);
	direct = open(path, O_RDWR | O_DIRECT);
	if (fd < 0)
		fault("open %s", path);
	map = mmap(other_place(), SIZE, PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_FIXED, fd, 0);
	if (map == MAP_FAILED)
		fault("mmap");
	madvise(map, SIZE, rnd(4) ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
}

static void reopen(size_t at, size_t len)
{
	reserve(map, SIZE);
	close(fd);
	close(direct);
	open_file();
	read_by_call(at, len);
}

static const struct op file_ops[] = {
	{ "pwrite", write_by_call, 6 },
	{ "write mapping", write_mapping, 6 },
	{ "write direct", write_direct, 2 },
	{ "write privately", write_privately, 2 },
	{ "pread", read_by_call, 3 },
	{ "read mapping", read_mapping, 3 },
	{ "read direct", read_direct, 1 },
	{ "truncate", truncate_file, 4 },
	{ "allocate", allocate, 2 },
	{ "punch", punch, 4 },
	{ "zero", zero, 2 },
	{ "insert", insert, 1 },
	{ "collapse", collapse, 1 },
	{ "MADV_REMOVE", remove_pages, 2 },
	{ "write back", write_back, 3 },
	{ "madvise", advise_file, 8 },
	{ "mremap", move_mapping, 1 },
	{ "reopen", reopen, 1 },
	{ }
};

#endif
