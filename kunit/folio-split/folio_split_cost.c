// SPDX-License-Identifier: GPL-2.0
/*
 * What it costs to take the pages 16 to 31 out of a folio of 512, and how many
 * folios are left: by punching a hole, and by the debugfs files where the
 * kernel has them.
 */
#define _GNU_SOURCE
#include "cost.h"

#define DEBUGFS		"/sys/kernel/debug/"

static void request(const char *name, const char *text)
{
	int fd = open(name, O_WRONLY);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		fail(text);
	close(fd);
}

static void punch(void)
{
	if (fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		      FIRST * PAGE, (LAST + 1 - FIRST) * PAGE))
		fail("fallocate");
}

/* The requests are made before the clock starts. */
static char range[128], first[128], behind[128], all[128];

static void make_requests(void)
{
	unsigned long start = 0, unit = 1;
	char where[64] = PATH;

	if (file < 0) {
		snprintf(where, sizeof(where), "%d", getpid());
		start = (unsigned long)map;
		unit = PAGE;
	}
	snprintf(range, sizeof(range), "range,%s,0x%lx,0x%lx", where,
		 start + FIRST * unit, start + (LAST + 1) * unit);
	snprintf(first, sizeof(first), "%s,0x%lx,0x%lx,%d", where, start,
		 start + unit, FIRST);
	/* The folio behind the first cut that has the page after the range. */
	snprintf(behind, sizeof(behind), "%s,0x%lx,0x%lx,0", where,
		 start + (LAST + 1) * unit, start + (LAST + 2) * unit);
	snprintf(all, sizeof(all), "%s,0x%lx,0x%lx,0", where, start,
		 start + unit);
}

static void split_range(void)
{
	request(DEBUGFS "folio_split", range);
}

static void split_twice(void)
{
	request(DEBUGFS "folio_split", first);
	request(DEBUGFS "folio_split", behind);
}

static void split_uniformly(void)
{
	request(DEBUGFS "split_huge_pages", all);
}

int main(void)
{
	measure("punch", new_file, NULL, punch, 1);
	measure("uniform file", new_file, make_requests, split_uniformly, 0);
	measure("uniform anon", new_anon, make_requests, split_uniformly, 0);
	if (access(DEBUGFS "folio_split", W_OK))
		return 0;
	measure("twice file", new_file, make_requests, split_twice, 0);
	measure("twice anon", new_anon, make_requests, split_twice, 0);
	measure("range file", new_file, make_requests, split_range, 0);
	measure("range anon", new_anon, make_requests, split_range, 0);
	return 0;
}
