// SPDX-License-Identifier: GPL-2.0
/*
 * What a wake-up of khugepaged costs among 10, 100 and 2000 mms in which it can
 * collapse nothing: CPU time, and, where lockdep's tracepoints are, how often
 * and how long it holds khugepaged_mm_lock.  Boot with -icount: nanoseconds are
 * instructions then.
 *
 *   khugepaged_cost [WAKES]
 *
 * WAKES wake-ups are counted for each figure, or 16.
 */
#define _GNU_SOURCE
#include "khugepaged.h"

#define LOCK	TRACING "events/lock/lock_"
#define FILTER	"name == \"khugepaged_mm_lock\""
/* Before what is counted: until new mms are known, and gone stale. */
#define SETTLE	24

static bool lock_is_traced;

static void trace_lock(void)
{
	mount("tracefs", TRACING, "tracefs", 0, NULL);
	lock_is_traced = try_put(LOCK "acquire/filter", FILTER) &&
			 try_put(LOCK "release/filter", FILTER);
	if (!lock_is_traced)
		return;
	put(TRACING "tracing_on", "0");
	put(TRACING "trace_clock", "x86-tsc");
	put(TRACING "buffer_size_kb", "16384");
	put(LOCK "acquire/enable", "1");
	put(LOCK "release/enable", "1");
}

/* Two PMDs with a page each. */
static void sparse(void)
{
	char *map = mmap(NULL, 2 * PMD, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (map == MAP_FAILED)
		die("mmap");
	map[0] = 1;
	map[PMD] = 1;
	offer(map, 2);
}

static long cpu_time(void)
{
	struct timespec ts;
	clockid_t clock;

	if (clock_getcpuclockid(khugepaged_pid, &clock) ||
	    clock_gettime(clock, &ts))
		die("the clock of khugepaged");
	return ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static void count_wakes(const char *policy, unsigned int wakes)
{
	long ns = cpu_time();

	for (unsigned int i = 0; i < wakes; i++)
		wake_khugepaged();
	ns = cpu_time() - ns;
	printf("# wake-up: %u mms, %s: %ld ns\n", nr_children, policy,
	       ns / wakes);
}

static void count_holds(const char *policy, unsigned int wakes)
{
	unsigned long now, since = 0, ns = 0, holds = 0;
	char line[512], what[16];
	FILE *trace;

	put(TRACING "trace", "\n");
	put(TRACING "tracing_on", "1");
	for (unsigned int i = 0; i < wakes; i++)
		wake_khugepaged();
	put(TRACING "tracing_on", "0");
	trace = fopen(TRACING "trace", "r");
	if (!trace)
		die("trace");
	while (fgets(line, sizeof(line), trace)) {
		if (sscanf(line, " khugepaged-%*d [%*d] %*s %lu: lock_%15[^:]",
			   &now, what) != 2)
			continue;
		if (!strcmp(what, "acquire")) {
			since = now;
		} else if (since) {
			ns += now - since;
			holds++;
			since = 0;
		}
	}
	fclose(trace);
	printf("# lock: %u mms, %s: held %lu times, %lu ns each\n",
	       nr_children, policy, holds / wakes, holds ? ns / holds : 0);
}

int main(int argc, char **argv)
{
	static const char *const policies[] = { "fifo", "mm-aware" };
	static const unsigned int mms[] = { 10, 100, 2000 };
	unsigned int wakes = argc > 1 ? atoi(argv[1]) : 16;

	put(THP "enabled", "madvise");
	put(THP "hugepages-2048kB/enabled", "inherit");
	put(KHP "max_ptes_none", "0");
	put(KHP "scan_sleep_millisecs", NEVER);
	find_khugepaged();
	trace_lock();
	for (int i = 0; i < 3; i++) {
		while (nr_children < mms[i])
			spawn(sparse, false);
		for (int p = 0; p < 2; p++) {
			/* Kernels without the choice are fifo. */
			if (!try_put(KHP "scan_policy", policies[p]) && p)
				continue;
			for (int n = 0; n < SETTLE; n++)
				wake_khugepaged();
			if (lock_is_traced)
				count_holds(policies[p], wakes);
			else
				count_wakes(policies[p], wakes);
		}
	}
	try_put(KHP "scan_policy", "fifo");
	end_children();
	return 0;
}
