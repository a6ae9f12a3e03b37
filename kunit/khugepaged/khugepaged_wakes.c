// SPDX-License-Identifier: GPL-2.0
/*
 * How many times must khugepaged wake up until a process that uses the CPU has
 * huge pages?  For the demo, on kernels with and without the patches.
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

static void idle(void)
{
	offer(map_small(1, 512), 1);
}

/* Its pages are shared with its parent and never become huge. */
static void barren(void)
{
	offer(shared, 8);
}

static unsigned int huge_pmds(pid_t pid)
{
	unsigned long kb, sum = 0;
	char path[64], line[256];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", pid);
	f = fopen(path, "r");
	if (!f)
		die(path);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "AnonHugePages: %lu kB", &kb) == 1)
			sum += kb;
	fclose(f);
	return (sum << 10) / PMD;
}

static void count_wakes(const char *others, void (*set_up)(void))
{
	unsigned int wakes = 0;
	pid_t last;

	for (int i = 0; i < 200; i++)
		spawn(set_up, false);
	last = spawn(hot, true);
	while (wakes < MOST && huge_pmds(last) < 4) {
		wake_khugepaged();
		wakes++;
	}
	printf("# wakes: 200 %s: %u, huge %u of 4\n", others, wakes,
	       huge_pmds(last));
	end_children();
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
	count_wakes("idle", idle);
	count_wakes("barren", barren);
	return 0;
}
