// SPDX-License-Identifier: GPL-2.0
/*
 * What madvise() does to a folio of 512 pages, and what it costs: advice for
 * all of it, for 16 pages, and for one range after the other.
 */
#define _GNU_SOURCE
#include "cost.h"

static int advice;
/* Pages that each call is for. */
static unsigned int step;

static void map_by_ptes(void)
{
	/* The PMD is split, the folio is not. */
	mprotect(map, PAGE, PROT_READ);
	mprotect(map, PAGE, PROT_READ | PROT_WRITE);
}

static void advise(unsigned int first, unsigned int nr)
{
	if (madvise(map + first * PAGE, nr * PAGE, advice))
		fail("madvise");
}

static void part(void)
{
	advise(FIRST, LAST + 1 - FIRST);
}

static void sweep(void)
{
	for (unsigned int i = 0; i < NR; i += step)
		advise(i, step);
}

static void measure_anon(const char *name, int what)
{
	char text[64];

	advice = what;
	for (int ptes = 0; ptes < 2; ptes++) {
		void (*prepare)(void) = ptes ? map_by_ptes : NULL;
		const char *by = ptes ? "ptes" : "pmd";

		snprintf(text, sizeof(text), "%s part, %s", name, by);
		measure(text, new_anon, prepare, part, what == MADV_PAGEOUT);
		if (what == MADV_PAGEOUT)
			continue;
		for (step = 1; step <= NR; step *= step < NR / 2 ? 16 : 2) {
			snprintf(text, sizeof(text), "%s by %u, %s", name,
				 step, by);
			measure(text, new_anon, prepare, sweep, 0);
		}
	}
}

/* Pages that one call for part of a file pages out. */
static void count_out(void)
{
	unsigned int out = 0;
	unsigned char vec[NR];

	advice = MADV_PAGEOUT;
	new_file();
	if (folios(0) != 1) {
		printf("# pageout: no large folio\n");
		return;
	}
	part();
	if (mincore(map, SIZE, vec))
		fail("mincore");
	for (int i = FIRST; i <= LAST; i++)
		out += !(vec[i] & 1);
	printf("# out: %u of %u\n", out, LAST + 1 - FIRST);
	munmap(map, SIZE);
	close(file);
	unlink(PATH);
}

int main(void)
{
	count_out();
	measure_anon("cold", MADV_COLD);
	measure_anon("free", MADV_FREE);
	measure_anon("pageout", MADV_PAGEOUT);
	return 0;
}
