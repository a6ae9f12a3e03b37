/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the programs share that drive khugepaged, most of them to count what it
 * does: it wakes up when they say so, among processes that they make.
 */
#ifndef KHUGEPAGED_H
#define KHUGEPAGED_H

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "put.h"

#define THP	"/sys/kernel/mm/transparent_hugepage/"
#define KHP	THP "khugepaged/"
#define TRACING	"/sys/kernel/tracing/"
#define NEVER	"600000"
#define PAGE	4096UL
#define PMD	(512 * PAGE)

static pid_t children[2048];
static unsigned int nr_children;
static pid_t khugepaged_pid;
static int khugepaged_stat;

static inline void find_khugepaged(void)
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
		    !strcmp(comm, "khugepaged\n")) {
			khugepaged_pid = atoi(entry->d_name);
			khugepaged_stat = open(path, O_RDONLY);
		}
		fclose(f);
	}
	closedir(proc);
	if (khugepaged_stat < 0)
		die("khugepaged");
}

static inline void wait_until_it_sleeps(void)
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

static inline void wake_khugepaged(void)
{
	usleep(20000);	/* Let it show who uses the CPU. */
	wait_until_it_sleeps();
	put(KHP "scan_sleep_millisecs", NEVER);
	wait_until_it_sleeps();
}

/* Small pages, one in @every of them touched, that may become huge later. */
static inline char *map_small(unsigned int pmds, unsigned int every)
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

static inline void offer(char *map, unsigned int pmds)
{
	if (madvise(map, pmds * PMD, MADV_HUGEPAGE))
		die("madvise");
}

static inline unsigned int huge_pmds(pid_t pid)
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

/* @spin tells whether the child uses the CPU once it is set up. */
static inline pid_t spawn(void (*set_up)(void), bool spin)
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

static inline void end_children(void)
{
	while (nr_children) {
		kill(children[--nr_children], SIGKILL);
		waitpid(children[nr_children], NULL, 0);
	}
}

#endif
