// SPDX-License-Identifier: GPL-2.0
/*
 * What it costs to take the pages 16 to 31 out of a folio of 512, and how many
 * folios are left: by punching a hole, and by the debugfs files where the
 * kernel has them.  Nanoseconds are instructions if QEMU counts these.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define PAGE		4096UL
#define NR		512
#define SIZE		(NR * PAGE)
#define FIRST		16
#define LAST		31
#define ROUNDS		9

#define PATH		"/shmem/folio_split_cost"
#define DEBUGFS		"/sys/kernel/debug/"

#define COMPOUND_TAIL	(1ULL << 16)

static char *map;
static int file;

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void new_file(void)
{
	static char content[SIZE];

	file = open(PATH, O_RDWR | O_CREAT | O_TRUNC, 0600);
	memset(content, 1, SIZE);
	if (file < 0 || write(file, content, SIZE) != SIZE)
		fail(PATH);
	map = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, file, 0);
	if (map == MAP_FAILED)
		fail("mmap");
}

static void new_anon(void)
{
	char *at = mmap(NULL, 2 * SIZE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		fail("mmap");
	map = (char *)(((uintptr_t)at + SIZE - 1) & -SIZE);
	munmap(at, map - at);
	munmap(map + SIZE, at + SIZE - map);
	madvise(map, SIZE, MADV_HUGEPAGE);
	memset(map, 1, SIZE);
}

/* Folios that have one of the pages; the hole would be filled by a look. */
static unsigned int folios(int hole)
{
	int pagemap = open("/proc/self/pagemap", O_RDONLY);
	int kpageflags = open("/proc/kpageflags", O_RDONLY);
	uint64_t entry[NR], flags;
	unsigned int nr = 0;

	for (int i = 0; i < NR; i++)
		if (!hole || i < FIRST || i > LAST)
			*(volatile char *)(map + i * PAGE);
	if (pread(pagemap, entry, sizeof(entry),
		  (uintptr_t)map / PAGE * 8) != sizeof(entry))
		fail("pagemap");
	for (int i = 0; i < NR; i++) {
		uint64_t pfn = entry[i] & ((1ULL << 55) - 1);

		if (!(entry[i] >> 63))
			continue;
		if (pread(kpageflags, &flags, 8, pfn * 8) != 8)
			fail("kpageflags");
		nr += !(flags & COMPOUND_TAIL);
	}
	close(pagemap);
	close(kpageflags);
	return nr;
}

static void request(const char *name, const char *text)
{
	int fd = open(name, O_WRONLY);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		fail(text);
	close(fd);
}

static void punch(void)
{
	if (fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		      FIRST * PAGE, (LAST + 1 - FIRST) * PAGE))
		fail("fallocate");
}

/* The requests are made before the clock starts. */
static char range[128], first[128], behind[128], all[128];

static void make_requests(void)
{
	unsigned long start = 0, unit = 1;
	char where[64] = PATH;

	if (file < 0) {
		snprintf(where, sizeof(where), "%d", getpid());
		start = (unsigned long)map;
		unit = PAGE;
	}
	snprintf(range, sizeof(range), "range,%s,0x%lx,0x%lx", where,
		 start + FIRST * unit, start + (LAST + 1) * unit);
	snprintf(first, sizeof(first), "%s,0x%lx,0x%lx,%d", where, start,
		 start + unit, FIRST);
	/* The folio behind the first cut that has the page after the range. */
	snprintf(behind, sizeof(behind), "%s,0x%lx,0x%lx,0", where,
		 start + (LAST + 1) * unit, start + (LAST + 2) * unit);
	snprintf(all, sizeof(all), "%s,0x%lx,0x%lx,0", where, start,
		 start + unit);
}

static void split_range(void)
{
	request(DEBUGFS "folio_split", range);
}

static void split_twice(void)
{
	request(DEBUGFS "folio_split", first);
	request(DEBUGFS "folio_split", behind);
}

static void split_uniformly(void)
{
	request(DEBUGFS "split_huge_pages", all);
}

static long now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	long x = *(const long *)a, y = *(const long *)b;

	return (x > y) - (x < y);
}

/* The median of some rounds. */
static void measure(const char *name, void (*work)(void), void (*make)(void))
{
	unsigned int left = 0;
	long ns[ROUNDS];

	for (int i = 0; i < ROUNDS; i++) {
		file = -1;
		make();
		make_requests();
		if (folios(0) != 1) {
			printf("# %s: no large folio\n", name);
			return;
		}
		ns[i] = now();
		work();
		ns[i] = now() - ns[i];
		left = folios(work == punch);
		munmap(map, SIZE);
		if (file >= 0)
			close(file);
		unlink(PATH);
	}
	qsort(ns, ROUNDS, sizeof(*ns), compare);
	printf("# cost: %s: %u folios, %ld ns\n", name, left, ns[ROUNDS / 2]);
}

int main(void)
{
	measure("punch", punch, new_file);
	measure("uniform file", split_uniformly, new_file);
	measure("uniform anon", split_uniformly, new_anon);
	if (access(DEBUGFS "folio_split", W_OK))
		return 0;
	measure("twice file", split_twice, new_file);
	measure("twice anon", split_twice, new_anon);
	measure("range file", split_range, new_file);
	measure("range anon", split_range, new_anon);
	return 0;
}
