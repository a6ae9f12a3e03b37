// SPDX-License-Identifier: GPL-2.0
/*
 * Processes that register with khugepaged come and go, in all the ways in which
 * they can, while it scans without a pause: exit, exec, fork, forks that fail,
 * PR_SET_THP_DISABLE, full and removed memcgs, a CPU that goes offline, stopping
 * and starting khugepaged, another scan policy, readers of its files.
 *
 * khugepaged_stress SECONDS
 *
 * In the end all mms have to be forgotten, and huge pages have to have been made.
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <sys/stat.h>
#include "khugepaged.h"

#define SLAB	"/sys/kernel/slab/khugepaged_mm_slot/"
#define FAIL	"/sys/kernel/debug/failslab/"
#define CGROUPS	"/cgroups"
#define NR_MEMCGS	4

static void put_to(unsigned int memcg, const char *file, const char *text)
{
	char path[64];

	snprintf(path, sizeof(path), CGROUPS "/%u/%s", memcg, file);
	try_put(path, text);
}

static long get(const char *path)
{
	FILE *f = fopen(path, "r");
	long value = -1;

	if (f && fscanf(f, "%ld", &value) != 1)
		value = -1;
	if (f)
		fclose(f);
	return value;
}

static void use_cpu(unsigned int msecs)
{
	clock_t end = clock() + msecs * CLOCKS_PER_SEC / 1000;

	while (clock() < end)
		;
}

static void fork_some(unsigned int tries)
{
	while (tries--)
		if (!fork()) {
			usleep(rand() % 20000);
			_exit(0);
		}
}

/* Small pages that may become huge, all of them there or some. */
static char *register_mm(void)
{
	size_t size = (1 + rand() % 3) * PMD;
	size_t step = rand() % 2 ? PAGE : 16 * PAGE;
	char *map = mmap(NULL, size + PMD, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (map == MAP_FAILED)
		_exit(1);
	map = (char *)(((uintptr_t)map + PMD - 1) & ~(PMD - 1));
	for (size_t i = 0; i < size; i += step)
		map[i] = 1;
	madvise(map, size, MADV_HUGEPAGE);
	return map;
}

static void child(unsigned int seed, char *self)
{
	char *map;

	srand(seed);
	if (rand() % 4 == 0)
		put_to(rand() % NR_MEMCGS, "cgroup.procs", "0");
	map = register_mm();
	switch (rand() % 7) {
	case 0:
		prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
		break;
	case 1:
		fork_some(3);
		break;
	case 2:
		/* Most of these fail, at any point of the fork. */
		try_put("/proc/self/make-it-fail", "1");
		fork_some(20);
		break;
	case 3:
		execl(self, self, "exec", NULL);
		break;
	case 4:
		use_cpu(20);
		break;
	case 5:
		munmap(map, PMD / 2);
		break;
	}
	usleep(rand() % 60000);
	_exit(0);
}

static void set_up(void)
{
	mkdir(CGROUPS, 0700);
	mount("cgroup2", CGROUPS, "cgroup2", 0, NULL);
	try_put(CGROUPS "/cgroup.subtree_control", "+memory");
	try_put(THP "enabled", "madvise");
	try_put(KHP "scan_sleep_millisecs", "1");
	try_put(KHP "alloc_sleep_millisecs", "1");
	/* Allocations of tasks that ask for it. */
	try_put(FAIL "task-filter", "Y");
	try_put(FAIL "ignore-gfp-wait", "N");
	try_put(FAIL "verbose", "0");
	try_put(FAIL "times", "-1");
	try_put(FAIL "probability", "2");
}

static void make_memcgs(void)
{
	char path[32];

	for (unsigned int i = 0; i < NR_MEMCGS; i++) {
		snprintf(path, sizeof(path), CGROUPS "/%u", i);
		mkdir(path, 0700);
		put_to(i, "memory.max", "8000000");
	}
}

static void remove_memcgs(void)
{
	char path[32];

	for (unsigned int i = 0; i < NR_MEMCGS; i++) {
		snprintf(path, sizeof(path), CGROUPS "/%u", i);
		rmdir(path);
	}
}

/* Change what can be changed at run time. */
static void disturb(unsigned int n)
{
	static const char *const scan[] = { "1", "64", "4096", "4096" };

	for (int i = 0; i < 4; i++) {
		try_put(KHP "scan_policy", i % 2 ? "fifo" : "mm-aware");
		usleep(rand() % 8000);
	}
	try_put("/sys/devices/system/cpu/cpu1/online", n % 32 < 16 ? "1" : "0");
	if (rand() % 16 == 0) {
		try_put(THP "enabled", "never");
		usleep(rand() % 5000);
		try_put(THP "enabled", "madvise");
	}
	if (rand() % 8 == 0)
		try_put(KHP "pages_to_scan", scan[rand() % 4]);
}

/* The mms that khugepaged has forgotten have no slot any more. */
static long slots_left(void)
{
	try_put("/sys/devices/system/cpu/cpu1/online", "1");
	try_put(KHP "pages_to_scan", "4096");
	for (int i = 0; i < 3; i++) {
		try_put(KHP "scan_policy", i % 2 ? "fifo" : "mm-aware");
		sleep(1);
	}
	try_put(KHP "scan_policy", "fifo");
	try_put(THP "enabled", "never");
	sleep(1);
	try_put(SLAB "shrink", "1");
	return get(SLAB "objects");
}

int main(int argc, char **argv)
{
	unsigned int children = 0, rounds = 0;
	long before, left, collapsed;
	time_t end;

	if (argc > 1 && !strcmp(argv[1], "exec")) {
		register_mm();
		usleep(10000);
		return 0;
	}
	set_up();
	before = get(SLAB "objects");
	end = time(NULL) + (argc > 1 ? atol(argv[1]) : 10);
	for (; time(NULL) < end; rounds++) {
		make_memcgs();
		for (int i = 0; i < 8; i++, children++)
			if (!fork())
				child(children, argv[0]);
		disturb(rounds);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		if (rounds % 4)
			continue;
		while (wait(NULL) > 0)
			;
		remove_memcgs();
	}
	while (wait(NULL) > 0)
		;
	try_put(FAIL "probability", "0");

	collapsed = get(KHP "pages_collapsed");
	left = slots_left();
	printf("# %u children in %u rounds, %ld pages collapsed, %ld passes, slots before %ld and after %ld\n",
	       children, rounds, collapsed, get(KHP "full_scans"), before,
	       left);
	return left > before || !collapsed;
}
