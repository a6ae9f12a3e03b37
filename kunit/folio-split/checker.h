/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the workers of file_checker have in common: numbers and ranges at
 * random, a copy of what there has to be, and what is said if it is not there.
 */
#ifndef CHECKER_H
#define CHECKER_H

#include <stdarg.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include "put.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ	22
#define MADV_POPULATE_WRITE	23
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE		25
#endif

#define PMD	(2UL << 20)
#define SIZE	(4 * PMD)	/* the most of a file, all of an area */
#define SLOT	(SIZE + PMD)	/* room for it at any page of a PMD */
#define LOGGED	24

struct op {
	const char *name;
	void (*run)(size_t at, size_t len);
	unsigned int weight;
};

static size_t page;		/* the size of one */
static uint64_t seed;
static char *arena;		/* addresses for two mappings, in each worker */
static unsigned long *done;	/* operations, of each worker */

/* Of this worker: */
static int id;
static uint64_t state;
static char *map;		/* the file or the area, SIZE bytes */
static char *model;		/* what it has to hold; zeroes beyond size */
static char *buffer;
static size_t size;		/* of the file */
static struct {
	const char *name;
	size_t at, len, size;
} last[LOGGED];

static inline uint64_t next(void)
{
	uint64_t x = state += 0x9e3779b97f4a7c15;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

static inline size_t rnd(size_t below)
{
	return next() % below;
}

static inline size_t min(size_t a, size_t b)
{
	return a < b ? a : b;
}

static inline size_t max(size_t a, size_t b)
{
	return a > b ? a : b;
}

static inline size_t down(size_t at, size_t unit)
{
	return at / unit * unit;
}

static inline size_t up(size_t at, size_t unit)
{
	return down(at + unit - 1, unit);
}

/* How much of a range is below @limit */
static inline size_t clip(size_t at, size_t len, size_t limit)
{
	return at < limit ? min(len, limit - at) : 0;
}

/* A place, more often than not close to where pages and folios begin */
static inline size_t border(void)
{
	size_t units[] = { page, 16 << 10, 64 << 10, PMD };
	size_t unit = units[rnd(4)], at = rnd(SIZE / unit + 1) * unit;

	switch (rnd(4)) {
	case 0:
		return rnd(SIZE);
	case 1:
		at += rnd(17) - 8;
		break;
	case 2:
		at += rnd(2 * page) - page;
	}
	return at <= SIZE ? at : SIZE;
}

static inline void range(size_t *at, size_t *len)
{
	size_t one = border(), other = rnd(3) ? one + rnd(16 * page) : border();

	*at = min(min(one, other), SIZE - 1);
	*len = max(min(max(one, other), SIZE) - *at, 1);
}

static inline void widen(size_t *at, size_t *len, size_t unit)
{
	*len = up(*at + *len, unit) - down(*at, unit);
	*at = down(*at, unit);
}

static inline const struct op *choose(const struct op *ops)
{
	size_t sum = 0;

	for (const struct op *op = ops; op->name; op++)
		sum += op->weight;
	for (sum = rnd(sum); sum >= ops->weight; ops++)
		sum -= ops->weight;
	return ops;
}

static inline void note(const char *name, size_t at, size_t len)
{
	unsigned long slot = done[id] % LOGGED;

	last[slot].name = name;
	last[slot].at = at;
	last[slot].len = len;
	last[slot].size = size;
}

static inline void __attribute__((format(printf, 1, 2), noreturn))
fault(const char *what, ...)
{
	unsigned long i = done[id] - min(done[id], LOGGED - 1);
	const char *error = errno ? strerror(errno) : "no error";
	char text[200];
	va_list args;

	va_start(args, what);
	vsnprintf(text, sizeof(text), what, args);
	va_end(args);
	printf("# worker %d, seed %llu: %s (%s); what it did last:\n", id,
	       (unsigned long long)seed, text, error);
	for (; i <= done[id]; i++)
		printf("# worker %d: %lu %s %#zx +%#zx, size %#zx\n", id, i,
		       last[i % LOGGED].name, last[i % LOGGED].at,
		       last[i % LOGGED].len, last[i % LOGGED].size);
	exit(1);
}

/* What was found at @at is as the copy has it. */
static inline void compare(const char *how, const char *found, size_t at,
			   size_t len)
{
	size_t first = 0, wrong = 0;

	if (!memcmp(found, model + at, len))
		return;
	for (size_t i = len; i--;)
		if (found[i] != model[at + i]) {
			first = i;
			wrong++;
		}
	errno = 0;
	fault("%s %#zx: expected %#x, found %#x; %zu bytes of %#zx +%#zx wrong",
	      how, at + first, model[at + first] & 255, found[first] & 255,
	      wrong, at, len);
}

/* Something new to write */
static inline void fill(size_t len)
{
	for (size_t i = 0; i < len; i += 8) {
		uint64_t word = next();

		memcpy(buffer + i, &word, 8);
	}
}

static inline void *map_pages(void *at, size_t len, int prot, int flags)
{
	void *pages = mmap(at, len, prot, MAP_ANONYMOUS | MAP_NORESERVE |
			   (at ? MAP_FIXED : 0) | flags, -1, 0);

	if (pages == MAP_FAILED)
		die("mmap");
	return pages;
}

/*
 * One of the first @nr kinds of advice that change nothing, the last of them in
 * a file only.  Much of it fails, for example beyond the end of a file.
 */
static inline void advise(size_t at, size_t len, unsigned int nr)
{
	static const struct {
		const char *name;
		int advice;
	} all[] = {
		{ "MADV_COLD", MADV_COLD },
		{ "MADV_PAGEOUT", MADV_PAGEOUT },
		{ "MADV_PAGEOUT", MADV_PAGEOUT },
		{ "MADV_COLLAPSE", MADV_COLLAPSE },
		{ "MADV_COLLAPSE", MADV_COLLAPSE },
		{ "MADV_POPULATE_READ", MADV_POPULATE_READ },
		{ "MADV_POPULATE_WRITE", MADV_POPULATE_WRITE },
		{ "MADV_WILLNEED", MADV_WILLNEED },
		{ "MADV_DONTNEED", MADV_DONTNEED },
	};
	unsigned int i = rnd(nr);

	if (all[i].advice == MADV_COLLAPSE)
		len = 1;	/* One PMD is enough, and less cannot. */
	widen(&at, &len, all[i].advice == MADV_COLLAPSE ? PMD : page);
	note(all[i].name, at, len);
	madvise(map + at, len, all[i].advice);
}

/* Addresses that nobody else takes */
static inline void *reserve(void *at, size_t len)
{
	return map_pages(at, len, PROT_NONE, MAP_PRIVATE);
}

#endif
