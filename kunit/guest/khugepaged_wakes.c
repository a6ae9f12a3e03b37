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
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "put.h"

#define THP	"/sys/kernel/mm/transparent_hugepage/"
#define NEVER	"600000"
#define PAGE	4096UL
#define PMD	(512 * PAGE)
#define MOST	150	/* wake-ups */

static pid_t children[256];
static unsigned int nr_children;
static int khugepaged_stat;
static char *shared;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void put(const char *path, const char *text)
{
	if (!try_put(path, text))
		die(path);
}

static void find_khugepaged(void)
{
	DIR *proc = opendir("/proc");
	char path[300], comm[32];
	struct dirent *entry;

	khugepaged_stat = -1;
	while ((entry = readdir(proc))) {
		FILE *f;

		snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
		f = fopen(path, "r");
		if (!f)
			continue;
		snprintf(path, sizeof(path), "/proc/%s/stat", entry->d_name);
		if (fgets(comm, sizeof(comm), f) &&
		    !strcmp(comm, "khugepaged\n"))
			khugepaged_stat = open(path, O_RDONLY);
		fclose(f);
	}
	closedir(proc);
	if (khugepaged_stat < 0)
		die("khugepaged");
}

static void wait_until_it_sleeps(void)
{
	char stat[256];

	do {
		ssize_t len;

		usleep(500);
		len = pread(khugepaged_stat, stat, sizeof(stat) - 1, 0);
		if (len <= 0)
			die("khugepaged");
		stat[len] = '\0';
	} while (!strstr(stat, ") S "));
}

static void wake_khugepaged(void)
{
	usleep(20000);	/* Let it show who uses the CPU. */
	wait_until_it_sleeps();
	put(THP "khugepaged/scan_sleep_millisecs", NEVER);
	wait_until_it_sleeps();
}

/* Small pages, one in @every of them touched, that may become huge later. */
static char *map_small(unsigned int pmds, unsigned int every)
{
	char *map = mmap(NULL, (pmds + 1) * PMD, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (map == MAP_FAILED)
		die("mmap");
	map = (char *)(((unsigned long)map + PMD - 1) & ~(PMD - 1));
	if (madvise(map, pmds * PMD, MADV_NOHUGEPAGE))
		die("madvise");
	for (unsigned long i = 0; i < pmds * PMD; i += every * PAGE)
		map[i] = 1;
	return map;
}

static void offer(char *map, unsigned int pmds)
{
	if (madvise(map, pmds * PMD, MADV_HUGEPAGE))
		die("madvise");
}

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

/* @spin tells whether the child uses the CPU once it is set up. */
static pid_t spawn(void (*set_up)(void), bool spin)
{
	int ready[2];
	pid_t pid;
	char byte;

	if (pipe(ready))
		die("pipe");
	pid = fork();
	if (pid < 0)
		die("fork");
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		set_up();
		if (write(ready[1], "", 1) != 1)
			_exit(1);
		while (spin)
			__asm__ volatile("" ::: "memory");
		pause();
	}
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1)
		die("a child");
	close(ready[0]);
	return children[nr_children++] = pid;
}

static void end_children(void)
{
	while (nr_children) {
		kill(children[--nr_children], SIGKILL);
		waitpid(children[nr_children], NULL, 0);
	}
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
	put(THP "khugepaged/pages_to_scan", "4096");
	put(THP "khugepaged/scan_sleep_millisecs", NEVER);
	if (argc > 1)
		put(THP "khugepaged/scan_policy", argv[1]);
	find_khugepaged();
	shared = map_small(8, 1);
	count_wakes("idle", idle);
	count_wakes("barren", barren);
	return 0;
}
