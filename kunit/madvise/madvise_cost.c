// SPDX-License-Identifier: GPL-2.0
/*
 * What madvise() does to a folio of 512 pages, and what it costs: advice for
 * all of it, for 16 pages, and for one range after the other; and how much
 * memory is in use afterwards, if few pages were written.
 */
#define _GNU_SOURCE
#include <stdbool.h>
#include <sys/resource.h>
#include "cost.h"

#define ANON		(1ULL << 12)
/* Where a second range begins. */
#define SECOND		256

static int advice;
/* Pages that each call is for, and how the calls follow each other. */
static unsigned int step;
static const char *order;

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
	unsigned int steps = (NR + step - 1) / step, turns[NR], at;

	if (*order == 'r')
		srandom(1);
	for (unsigned int i = 0; i < steps; i++) {
		unsigned int other = *order == 'r' ? random() % (i + 1) : i;

		turns[i] = turns[other];
		turns[other] = *order == 'd' ? steps - 1 - i : i;
	}
	for (unsigned int i = 0; i < steps; i++) {
		at = turns[i] * step;
		advise(at, at + step < NR ? step : NR - at);
	}
}

static void measure_anon(const char *name, int what)
{
	static const unsigned int steps[] = { 1, 4, 16, 17, NR };
	static const char * const orders[] = { "", "down", "random" };
	char text[64];

	advice = what;
	for (int ptes = 0; ptes < 2; ptes++) {
		void (*prepare)(void) = ptes ? map_by_ptes : NULL;
		const char *by = ptes ? "ptes" : "pmd";

		snprintf(text, sizeof(text), "%s part, %s", name, by);
		measure(text, new_anon, prepare, part, what == MADV_PAGEOUT);
		if (what == MADV_PAGEOUT)
			continue;
		for (unsigned int i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
			step = steps[i];
			for (unsigned int o = 0; o < 3; o++) {
				order = orders[o];
				snprintf(text, sizeof(text), "%s by %u%s%s, %s",
					 name, step, *order ? " " : "",
					 order, by);
				measure(text, new_anon, prepare, sweep, 0);
				if (step == NR)
					break;
			}
		}
	}
}

static bool advised(int i)
{
	return (i >= FIRST && i <= LAST) ||
		(i >= SECOND && i < SECOND + LAST + 1 - FIRST);
}

/* What two calls for parts of a file page out, and the faults that follow. */
static void count_out(void)
{
	struct rusage before, after;
	unsigned int out = 0;
	unsigned char vec[NR];

	advice = MADV_PAGEOUT;
	new_file();
	if (folios(0) != 1) {
		printf("# pageout: no large folio\n");
		return;
	}
	part();
	advise(SECOND, LAST + 1 - FIRST);
	if (mincore(map, SIZE, vec))
		fail("mincore");
	getrusage(RUSAGE_SELF, &before);
	for (int i = 0; i < NR; i++) {
		if (advised(i))
			out += !(vec[i] & 1);
		else
			*(volatile char *)(map + i * PAGE);
	}
	getrusage(RUSAGE_SELF, &after);
	printf("# out: %u pages, of 32\n", out);
	printf("# touched: %ld faults\n", after.ru_minflt - before.ru_minflt);
	munmap(map, SIZE);
	close(file);
	unlink(PATH);
}

/* Pages in use after advice for 16 of a huge page of which some are written. */
static void count_memory(const char *name, int what, unsigned int written,
			 bool spread)
{
	unsigned int nr = 0;
	uint64_t flags[NR];

	advice = what;
	new_anon();
	memset(map, 0, SIZE);
	for (unsigned int i = 0; i < written; i++)
		map[(spread ? i * NR / written : i) * PAGE] = 1;
	part();
	read_flags(flags);
	for (int i = 0; i < NR; i++)
		nr += !!(flags[i] & ANON);
	printf("# memory: %s, %u written, %s: %u pages\n", name, written,
	       spread ? "spread" : "together", nr);
	munmap(map, SIZE);
}

int main(void)
{
	static const unsigned int numbers[] = {
		1, 2, 16, 64, 128, 256, 384, 496, 511, NR
	};

	count_out();
	for (unsigned int i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
		for (int spread = 0; spread < 2; spread++) {
			count_memory("cold", MADV_COLD, numbers[i], spread);
			count_memory("free", MADV_FREE, numbers[i], spread);
			count_memory("pageout", MADV_PAGEOUT, numbers[i],
				     spread);
		}
	}
	measure_anon("cold", MADV_COLD);
	measure_anon("free", MADV_FREE);
	measure_anon("pageout", MADV_PAGEOUT);
	return 0;
}
