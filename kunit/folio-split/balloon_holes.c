// SPDX-License-Identifier: GPL-2.0
/*
 * The memory of a guest, as a virtual machine monitor has it: a memfd in huge
 * pages, mapped.  A balloon gives half of it back, by fallocate() or by
 * MADV_REMOVE, page by page from the start up, from the middle down, or any at
 * random, or several pages at a time.  What comes back, by how many splits, and
 * is the rest right?
 */
#define _GNU_SOURCE
#include <glob.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include "put.h"

#define PAGE		4096UL
#define NR		65536UL	/* pages, 256 MB */
#define THP		"/sys/kernel/mm/transparent_hugepage/"

static uint32_t holes[NR];

/* Of folios of any size, since boot. */
static unsigned long splits(void)
{
	unsigned long value, sum = 0;
	glob_t found;

	if (glob(THP "hugepages-*kB/stats/split", 0, NULL, &found))
		die("splits");
	for (size_t i = 0; i < found.gl_pathc; i++) {
		FILE *f = fopen(found.gl_pathv[i], "r");

		if (!f || fscanf(f, "%lu", &value) != 1)
			die(found.gl_pathv[i]);
		fclose(f);
		sum += value;
	}
	globfree(&found);
	return sum;
}

/* Which half of the @nr holes that there could be is made, and in which order */
static void choose(const char *order, uint32_t nr)
{
	for (uint32_t i = 0; i < nr; i++)
		holes[i] = *order == 'd' ? nr - 1 - (nr / 2 + i) % nr : i;
	srandom(1);
	for (uint32_t i = 0; *order == 'r' && i < nr / 2; i++) {
		uint32_t other = i + random() % (nr - i), hole = holes[other];

		holes[other] = holes[i];
		holes[i] = hole;
	}
}

static unsigned long wrong(const char *map, uint32_t nr, uint32_t pages)
{
	static bool hole[NR];
	unsigned long found = 0;

	memset(hole, 0, sizeof(hole));
	for (uint32_t i = 0; i < nr / 2; i++)
		memset(hole + holes[i] * pages, true, pages);
	for (uint32_t i = 0; i < NR; i++)
		for (unsigned long word = 0; word < PAGE; word += 512)
			found += *(uint32_t *)(map + i * PAGE + word) !=
				 (hole[i] ? 0 : i + 1);
	return found;
}

static void measure(const char *order, uint32_t pages, bool madvised)
{
	const char *by = madvised ? ", MADV_REMOVE" : "";
	uint32_t nr = NR / pages;
	int file = memfd_create("guest", 0);
	unsigned long before, bad, left;
	struct stat st;
	char *map;

	if (file < 0 || ftruncate(file, NR * PAGE))
		die("memfd");
	map = mmap(NULL, NR * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	if (map == MAP_FAILED)
		die("mmap");
	for (uint32_t i = 0; i < NR; i++)
		for (unsigned long word = 0; word < PAGE; word += 512)
			*(uint32_t *)(map + i * PAGE + word) = i + 1;
	choose(order, nr);
	before = splits();
	for (uint32_t i = 0; i < nr / 2; i++) {
		off_t at = holes[i] * pages * PAGE;

		if (madvised ? madvise(map + at, pages * PAGE, MADV_REMOVE) :
		    fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			      at, pages * PAGE))
			die("a hole");
	}
	fstat(file, &st);
	left = st.st_blocks / 8;
	printf("# real: holes of %u %s%s, given back: %lu pages\n", pages, order,
	       by, NR - left);
	printf("# real: holes of %u %s%s, splits: %lu splits\n", pages, order,
	       by, splits() - before);
	bad = wrong(map, nr, pages);
	if (bad || splits() == before || left + nr / 2 * pages < NR) {
		printf("# %lu words are wrong, or what is left\n", bad);
		exit(1);
	}
	munmap(map, NR * PAGE);
	close(file);
}

int main(void)
{
	put(THP "shmem_enabled", "always");
	for (int madvised = 0; madvised < 2; madvised++) {
		measure("up", 1, madvised);
		measure("down", 1, madvised);
		measure("random", 1, madvised);
		/* As firecracker, which advises of neighbours at once. */
		measure("random", 16, madvised);
		measure("random", 11, madvised);
	}
	return 0;
}
