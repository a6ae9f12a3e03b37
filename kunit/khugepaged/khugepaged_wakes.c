// SPDX-License-Identifier: GPL-2.0
/*
 * How many times must khugepaged wake up until a process has huge pages?  One
 * that uses the CPU, behind others that do not, and one that does not, before
 * others that do.  For the demo, on kernels with and without the patches.
 *
 *   khugepaged_wakes [POLICY]
 *
 * khugepaged only wakes up when the program writes to scan_sleep_millisecs, and
 * scans as much as it does by default: 8 PMDs of 4 KB pages.
 */
#define _GNU_SOURCE
#include "khugepaged.h"

#define MOST	150	/* wake-ups */

static char *shared;

static void hot(void)
{
	offer(map_small(4, 1), 4);
}

static void quiet(void)
{
	offer(map_small(32, 512), 32);
}

static void idle(void)
{
	offer(map_small(1, 512), 1);
}

/* Its pages are shared with its parent and never become huge. */
static void barren(void)
{
	offer(shared, 8);
}

static void spinning(void)
{
	offer(map_small(16, 512), 16);
}

static void count_wakes(const char *others, pid_t pid, unsigned int pmds)
{
	unsigned int wakes = 0, huge;

	while (wakes < MOST && huge_pmds(pid) < pmds) {
		wake_khugepaged();
		wakes++;
	}
	huge = huge_pmds(pid);
	printf("# wakes: %u %s: %u, huge %u of %u\n", nr_children - 1, others,
	       wakes, huge, pmds);
	end_children();
}

static void hot_behind(const char *others, void (*set_up)(void))
{
	for (int i = 0; i < 200; i++)
		spawn(set_up, false);
	count_wakes(others, spawn(hot, true), 4);
}

static void quiet_before(const char *others, void (*set_up)(void))
{
	pid_t first = spawn(quiet, false);

	for (int i = 0; i < 4; i++)
		spawn(set_up, true);
	count_wakes(others, first, 32);
}

int main(int argc, char **argv)
{
	put(THP "enabled", "madvise");
	put(THP "hugepages-2048kB/enabled", "inherit");
	put(KHP "pages_to_scan", "4096");
	put(KHP "scan_sleep_millisecs", NEVER);
	if (argc > 1)
		put(KHP "scan_policy", argv[1]);
	find_khugepaged();
	shared = map_small(8, 1);
	hot_behind("idle", idle);
	hot_behind("barren", barren);
	quiet_before("spinning", spinning);
	return 0;
}
