/* SPDX-License-Identifier: GPL-2.0 */
/* What file_checker does to anonymous memory: an area of SIZE bytes. */
#ifndef CHECK_AREA_H
#define CHECK_AREA_H

#include "checker.h"

static bool maybe_free[SIZE / 4096];	/* by MADV_FREE, each page */

static bool is_zero(const char *at, size_t len)
{
	return !*at && !memcmp(at, at + 1, len - 1);
}

/* After MADV_FREE a page is as before until, at any time, it becomes zero. */
static void read_area(size_t at, size_t len)
{
	widen(&at, &len, page);
	for (size_t p = at; p < at + len; p += page) {
		if (maybe_free[p / page] && memcmp(map + p, model + p, page) &&
		    is_zero(map + p, page)) {
			memset(model + p, 0, page);
			maybe_free[p / page] = false;
		}
		compare("area", map + p, p, page);
	}
}

/* This takes pages back, each with the rest of it as it was or zero. */
static void write_area(size_t at, size_t len)
{
	fill(len);
	memcpy(map + at, buffer, len);
	memcpy(model + at, buffer, len);
	for (size_t p = down(at, page); p < at + len; p += page) {
		if (maybe_free[p / page] && memcmp(map + p, model + p, page))
			memset(model + p, 0, page);
		maybe_free[p / page] = false;
	}
	memcpy(model + at, buffer, len);
	read_area(at, len);
}

static void now_zero(size_t at, size_t len)
{
	memset(model + at, 0, len);
	memset(maybe_free + at / page, false, len / page);
}

static void map_area(size_t at, size_t len)
{
	map_pages(map + at, len, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	madvise(map + at, len, MADV_HUGEPAGE);
	now_zero(at, len);
}

static void discard(size_t at, size_t len)
{
	widen(&at, &len, page);
	if (madvise(map + at, len, MADV_DONTNEED))
		fault("MADV_DONTNEED");
	now_zero(at, len);
}

static void let_free(size_t at, size_t len)
{
	widen(&at, &len, page);
	if (madvise(map + at, len, MADV_FREE))
		fault("MADV_FREE");
	memset(maybe_free + at / page, true, len / page);
}

static void advise_area(size_t at, size_t len)
{
	advise(at, len, 7);
}

/* A part goes elsewhere; if that fails, the place there is lost as well. */
static void move_part(size_t at, size_t len)
{
	bool *free = maybe_free;
	size_t to = down(rnd(SIZE), rnd(2) ? page : PMD);

	widen(&at, &len, page);
	len = min(min(len, SIZE - to), max(to, at) - min(to, at));
	if (!len)
		return;
	if (mremap(map + at, len, len, MREMAP_MAYMOVE | MREMAP_FIXED,
		   map + to) == MAP_FAILED) {
		map_area(to, len);
	} else {
		memcpy(model + to, model + at, len);
		memcpy(free + to / page, free + at / page, len / page);
	}
	map_area(at, len);
	read_area(to, len);
}

/* Both have what was there, and write. */
static void fork_area(size_t at, size_t len)
{
	pid_t pid = fork();
	int status;

	if (pid < 0)
		return;
	if (!pid) {
		state = ~state;
		read_area(0, SIZE);
		write_area(at, len);
		read_area(0, SIZE);
		exit(0);
	}
	write_area(at, len);
	if (waitpid(pid, &status, 0) != pid || status)
		fault("a child ended with %#x", status);
	read_area(0, SIZE);
}

static void protect(size_t at, size_t len)
{
	bool readable = rnd(2);

	widen(&at, &len, page);
	mprotect(map + at, len, readable ? PROT_READ : PROT_NONE);
	if (readable)
		read_area(at, len);
	if (mprotect(map + at, len, PROT_READ | PROT_WRITE))
		fault("mprotect");
}

/* Now and then, so that it is one mapping again */
static void anew(size_t at, size_t len)
{
	map_area(0, SIZE);
	write_area(at, len);
}

static const struct op area_ops[] = {
	{ "write", write_area, 12 },
	{ "read", read_area, 4 },
	{ "MADV_DONTNEED", discard, 4 },
	{ "MADV_FREE", let_free, 4 },
	{ "madvise", advise_area, 14 },
	{ "mremap", move_part, 3 },
	{ "fork", fork_area, 2 },
	{ "mprotect", protect, 2 },
	{ "anew", anew, 2 },
	{ }
};

#endif
