// SPDX-License-Identifier: GPL-2.0
/*
 * In which order khugepaged scans, from its tracepoints: a line for each PMD and
 * each turn, the mms numbered as they come, so that the lines of two kernels can
 * be compared.  Processes of several kinds come before the first wake-up, all
 * behind one that is known, and one of them goes in between.
 */
#define _GNU_SOURCE
#include "khugepaged.h"

#define EVENTS	TRACING "events/huge_memory/mm_khugepaged_"
#define NR	16
#define WAKES	24

static char *shared;
static unsigned int nr;

static void known(void)
{
	offer(map_small(1, 1), 1);
}

static void one_of_many(void)
{
	unsigned int pmds = 1 + nr * 5 % 7;

	if (nr % 4 == 3)
		offer(shared, 4);
	else
		offer(map_small(pmds, nr % 4 == 2 ? 512 : 1), pmds);
	if (nr == 5 && prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0))
		die("PR_SET_THP_DISABLE");
}

static void trace_wakes(void)
{
	put(EVENTS "scan_pmd/enable", "1");
	put(EVENTS "scan/enable", "1");
	put(TRACING "tracing_on", "1");
	for (int i = 0; i < WAKES; i++) {
		if (i == 9) {
			kill(children[1 + NR / 2], SIGKILL);
			waitpid(children[1 + NR / 2], NULL, 0);
		}
		wake_khugepaged();
	}
	put(TRACING "tracing_on", "0");
}

/* The number of the mm whose hashed address is in a line, by appearance. */
static int number_of(const char *line)
{
	static char seen[NR + 1][32];
	static int nr_seen;
	char mm[32];

	line = strstr(line, "mm=");
	if (!line || sscanf(line, "mm=%31[^, \n]", mm) != 1)
		return -1;
	for (int i = 0; i < nr_seen; i++)
		if (!strcmp(seen[i], mm))
			return i;
	if (nr_seen > NR)
		return -1;
	memcpy(seen[nr_seen], mm, sizeof(mm));
	return nr_seen++;
}

static const char *from(const char *line, const char *field)
{
	const char *found = strstr(line, field);

	return found ? found + strlen(field) : "?";
}

static unsigned int print_trace(void)
{
	FILE *trace = fopen(TRACING "trace", "r");
	unsigned int lines = 0;
	char line[512];

	if (!trace)
		die("trace");
	while (fgets(line, sizeof(line), trace)) {
		int mm = number_of(line);

		if (mm < 0)
			continue;
		lines++;
		if (strstr(line, "scan_pmd:"))
			printf("# same: mm %d, %.*s, %d none, %d unmapped\n", mm,
			       (int)strcspn(from(line, "status="), ",\n"),
			       from(line, "status="),
			       atoi(from(line, "none_or_zero=")),
			       atoi(from(line, "unmapped=")));
		else
			printf("# same: mm %d, turn of %s", mm,
			       from(line, "progress="));
	}
	fclose(trace);
	return lines;
}

int main(void)
{
	unsigned int lines;

	mount("tracefs", TRACING, "tracefs", 0, NULL);
	put(THP "enabled", "madvise");
	put(THP "hugepages-2048kB/enabled", "inherit");
	put(KHP "pages_to_scan", "2048");
	put(KHP "max_ptes_shared", "256");
	put(KHP "scan_sleep_millisecs", NEVER);
	find_khugepaged();
	shared = map_small(4, 1);
	/* The first to register wakes khugepaged up: let that be over. */
	spawn(known, false);
	for (int i = 0; i < 4; i++)
		wake_khugepaged();
	for (nr = 0; nr < NR; nr++)
		spawn(one_of_many, nr == 0);
	trace_wakes();
	lines = print_trace();
	end_children();
	return lines < 50;
}
