// SPDX-License-Identifier: GPL-2.0
/*
 * Processes that khugepaged has to get past on its way to another one, and the
 * wake-ups until that has its huge pages.
 *
 *   khugepaged_crowd idle|spin NUMBER PMDS
 *	processes that sleep, whose heap they all share with their parent, so
 *	that it does not become huge, as of a server that forks; or that spin,
 *	with a heap of their own, hardly touched; until it is killed
 *   khugepaged_crowd until PID KB
 *	wake khugepaged until so much of a process is huge
 */
#define _GNU_SOURCE
#include "khugepaged.h"

#define MOST	2000	/* wake-ups */

static char *shared;
static unsigned int pmds;

static void idle(void)
{
	offer(shared, pmds);
}

static void own(void)
{
	offer(map_small(pmds, 512), pmds);
}

static int until(pid_t pid, unsigned long kb)
{
	unsigned int wakes = 0;

	find_khugepaged();
	for (; huge_pmds(pid) * PMD < kb << 10; wakes++) {
		if (wakes == MOST) {
			printf("# not huge after %u wake-ups\n", wakes);
			return 1;
		}
		wake_khugepaged();
	}
	printf("%u\n", wakes);
	return 0;
}

int main(int argc, char **argv)
{
	bool spin;

	if (argc != 4)
		return 2;
	if (!strcmp(argv[1], "until"))
		return until(atoi(argv[2]), atol(argv[3]));
	spin = !strcmp(argv[1], "spin");
	pmds = atoi(argv[3]);
	if (!spin)
		shared = map_small(pmds, 1);
	for (int i = atoi(argv[2]); i; i--)
		spawn(spin ? own : idle, spin);
	puts("ready");
	fflush(stdout);
	pause();
	return 0;
}
