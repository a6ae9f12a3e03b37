// SPDX-License-Identifier: GPL-2.0
/*
 * A round of a daemon that pages out what a process does not use: DAMON tells
 * which memory that is, and process_madvise() takes out a part of the ranges of
 * 64 KiB in it, those that chance chooses.
 *
 *   page_out_cold PID
 */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include "put.h"

#define RANGE		65536UL
#define PERCENT		50	/* of the cold ranges */
#define MOST		4096
#define BATCH		64	/* ranges in a call */
#define SAMPLE		"20000"	/* us */
#define AGGREGATE	"400000"
#define WATCH		2400000

#define KDAMONDS	"/sys/kernel/mm/damon/admin/kdamonds/"
#define CONTEXT		KDAMONDS "0/contexts/0/"
#define SCHEME		CONTEXT "schemes/0/"

static struct iovec cold[MOST];
static unsigned int nr_cold;

static void watch(const char *pid)
{
	const char *const settings[][2] = {
		{ KDAMONDS "nr_kdamonds", "1" },
		{ KDAMONDS "0/contexts/nr_contexts", "1" },
		{ CONTEXT "operations", "vaddr" },
		{ CONTEXT "monitoring_attrs/intervals/sample_us", SAMPLE },
		{ CONTEXT "monitoring_attrs/intervals/aggr_us", AGGREGATE },
		{ CONTEXT "monitoring_attrs/nr_regions/max", "100" },
		{ CONTEXT "targets/nr_targets", "1" },
		{ CONTEXT "targets/0/pid_target", pid },
		{ CONTEXT "schemes/nr_schemes", "1" },
		{ SCHEME "action", "stat" },
		{ SCHEME "access_pattern/sz/max", "1000000000000" },
		{ SCHEME "access_pattern/nr_accesses/max", "0" },
		{ SCHEME "access_pattern/age/min", "2" },
		{ SCHEME "access_pattern/age/max", "1000000" },
		{ KDAMONDS "0/state", "on" },
	};

	/* Where it watches all memory, nobody else may. */
	try_put("/sys/module/damon_stat/parameters/enabled", "N");
	for (unsigned int i = 0; i < sizeof(settings) / sizeof(*settings); i++)
		put(settings[i][0], settings[i][1]);
	usleep(WATCH);
	put(KDAMONDS "0/state", "update_schemes_tried_regions");
}

static uint64_t number(unsigned int region, const char *name)
{
	char path[128];
	uint64_t value = 0;
	FILE *f;

	snprintf(path, sizeof(path), SCHEME "tried_regions/%u/%s", region, name);
	f = fopen(path, "r");
	if (f && fscanf(f, "%" SCNu64, &value) != 1)
		die(path);
	if (f)
		fclose(f);
	return value;
}

/* Ranges from @start to @end that are the process's own, and no file's. */
static void add(const char *pid, uint64_t start, uint64_t end)
{
	char path[64], line[512], perms[5];
	uint64_t first, last;
	unsigned long inode;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%s/maps", pid);
	f = fopen(path, "r");
	if (!f)
		die(path);
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %*s %*s %lu",
			   &first, &last, perms, &inode) != 4)
			die(line);
		if (inode || strcmp(perms, "rw-p"))
			continue;
		first = first > start ? first : start;
		last = last < end ? last : end;
		first = (first + RANGE - 1) / RANGE * RANGE;
		for (; first + RANGE <= last && nr_cold < MOST; first += RANGE)
			cold[nr_cold++] = (struct iovec){ (void *)first, RANGE };
	}
	fclose(f);
}

int main(int argc, char **argv)
{
	unsigned int calls = 0, wanted;
	struct rusage before, after;
	uint64_t end;
	int pidfd;

	if (argc < 2)
		return 2;
	watch(argv[1]);
	for (unsigned int i = 0; (end = number(i, "end")); i++)
		add(argv[1], number(i, "start"), end);
	put(KDAMONDS "0/state", "off");
	put(KDAMONDS "nr_kdamonds", "0");
	srandom(1);
	for (unsigned int i = 1; i < nr_cold; i++) {
		unsigned int other = random() % (i + 1);
		struct iovec range = cold[i];

		cold[i] = cold[other];
		cold[other] = range;
	}
	wanted = nr_cold * PERCENT / 100;

	/* A range may have been unmapped meanwhile. */
	pidfd = syscall(SYS_pidfd_open, atoi(argv[1]), 0);
	getrusage(RUSAGE_SELF, &before);
	for (unsigned int i = 0; i < wanted; i += BATCH, calls++)
		if (syscall(SYS_process_madvise, pidfd, cold + i,
			    wanted - i < BATCH ? wanted - i : BATCH,
			    MADV_PAGEOUT, 0) < 0 && errno != ENOMEM)
			die("process_madvise");
	getrusage(RUSAGE_SELF, &after);
	printf("%u %u %ld\n", wanted, calls,
	       (after.ru_stime.tv_sec - before.ru_stime.tv_sec) * 1000000 +
	       after.ru_stime.tv_usec - before.ru_stime.tv_usec);
	return 0;
}
