/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the programs share that measure work on a folio of 512 pages: making
 * one, counting what is left of it, and the median of some rounds.  Nanoseconds
 * are instructions if QEMU counts these.
 */
#ifndef COST_H
#define COST_H

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
/* The pages that all is about. */
#define FIRST		16
#define LAST		31
#define ROUNDS		9

/* In a tmpfs that has large folios. */
#define PATH		"/shmem/cost"

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

/* What kpageflags says of each page, 0 if it is not mapped. */
static void read_flags(uint64_t *flags)
{
	int pagemap = open("/proc/self/pagemap", O_RDONLY);
	int kpageflags = open("/proc/kpageflags", O_RDONLY);
	uint64_t entry[NR];

	if (pread(pagemap, entry, sizeof(entry),
		  (uintptr_t)map / PAGE * 8) != sizeof(entry))
		fail("pagemap");
	for (int i = 0; i < NR; i++) {
		uint64_t pfn = entry[i] & ((1ULL << 55) - 1);

		flags[i] = 0;
		if (!(entry[i] >> 63))
			continue;
		if (pread(kpageflags, &flags[i], 8, pfn * 8) != 8)
			fail("kpageflags");
	}
	close(pagemap);
	close(kpageflags);
}

/* Folios that have one of the pages, those in @hole not touched to look. */
static unsigned int folios(int hole)
{
	unsigned int nr = 0;
	uint64_t flags[NR];

	for (int i = 0; i < NR; i++)
		if (!hole || i < FIRST || i > LAST)
			*(volatile char *)(map + i * PAGE);
	read_flags(flags);
	for (int i = 0; i < NR; i++)
		nr += flags[i] && !(flags[i] & COMPOUND_TAIL);
	return nr;
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

/*
 * Make a folio, @prepare, @work, and see what is left; by the median of some
 * rounds.  If @hole, the pages FIRST to LAST are not to be touched afterwards.
 */
static void measure(const char *name, void (*make)(void),
		    void (*prepare)(void), void (*work)(void), int hole)
{
	unsigned int left = 0;
	long ns[ROUNDS];

	for (int i = 0; i < ROUNDS; i++) {
		file = -1;
		make();
		if (prepare)
			prepare();
		if (folios(0) != 1) {
			printf("# %s: no large folio\n", name);
			return;
		}
		ns[i] = now();
		work();
		ns[i] = now() - ns[i];
		left = folios(hole);
		munmap(map, SIZE);
		if (file >= 0)
			close(file);
		unlink(PATH);
	}
	qsort(ns, ROUNDS, sizeof(*ns), compare);
	printf("# cost: %s: %u folios, %ld ns\n", name, left, ns[ROUNDS / 2]);
}

#endif /* COST_H */
