// SPDX-License-Identifier: GPL-2.0
/*
 * What does khugepaged do for a process in a memcg at its limit?  The limit is
 * 300 MB, page cache fills what the process leaves, and one more process reads
 * that all the time, so that some of the charges for huge pages fail.  30 idle
 * processes are outside.
 *
 *   khugepaged_memcg [POLICY]
 *
 * For both values of defrag: how many of its 128 PMDs are huge after 25, 50 and
 * 100 wake-ups, which scan 8 PMDs of 4 KB pages each.
 */
#define _GNU_SOURCE
#include <sys/stat.h>
#include "khugepaged.h"

#define CGROUPS	"/cgroups"
#define CGROUP	CGROUPS "/full"
#define CACHE	"/ext4/cache"
#define PMDS	128
#define CACHE_SIZE	(200UL << 20)
#define WAKES	100

static void join(void)
{
	put(CGROUP "/cgroup.procs", "0");
}

static void small(void)
{
	join();
	offer(map_small(PMDS, 1), PMDS);
}

static void idle(void)
{
	offer(map_small(1, 512), 1);
}

static void read_cache(int fd)
{
	static char buf[1 << 20];

	for (off_t at = 0; pread(fd, buf, sizeof(buf), at) > 0;)
		at += sizeof(buf);
}

static void reader(void)
{
	int fd = open(CACHE, O_RDONLY);

	join();
	read_cache(fd);
	if (fork())
		return;
	for (;;)
		read_cache(fd);
}

static void write_cache(void)
{
	static char buf[1 << 20];
	int fd = open(CACHE, O_CREAT | O_WRONLY, 0600);

	for (size_t done = 0; done < CACHE_SIZE; done += sizeof(buf))
		if (write(fd, buf, sizeof(buf)) != sizeof(buf))
			die(CACHE);
	fsync(fd);
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	close(fd);
}

static void full_memcg(const char *defrag)
{
	pid_t pid;

	put(KHP "defrag", defrag);
	mkdir(CGROUP, 0755);
	put(CGROUP "/memory.max", "300M");
	put(CGROUP "/memory.swap.max", "0");
	pid = spawn(small, false);
	spawn(reader, false);
	for (int i = 0; i < 30; i++)
		spawn(idle, false);
	for (int wakes = 1; wakes <= WAKES; wakes++) {
		wake_khugepaged();
		if (wakes == 25 || wakes == 50 || wakes == WAKES)
			printf("# memcg: defrag %s, wakes %d: %u of %u huge\n",
			       defrag, wakes, huge_pmds(pid), PMDS);
	}
	put(CGROUP "/cgroup.kill", "1");
	end_children();
	while (rmdir(CGROUP))
		usleep(1000);
}

int main(int argc, char **argv)
{
	put(THP "enabled", "madvise");
	put(THP "hugepages-2048kB/enabled", "inherit");
	put(KHP "pages_to_scan", "4096");
	put(KHP "scan_sleep_millisecs", NEVER);
	put(KHP "alloc_sleep_millisecs", "0");
	if (argc > 1)
		put(KHP "scan_policy", argv[1]);
	find_khugepaged();
	mkdir(CGROUPS, 0755);
	if (mount("cgroup2", CGROUPS, "cgroup2", 0, NULL))
		die("cgroup2");
	put(CGROUPS "/cgroup.subtree_control", "+memory");
	write_cache();
	full_memcg("0");
	full_memcg("1");
	return 0;
}
