// SPDX-License-Identifier: GPL-2.0
/*
 * Swap on zram under stress: processes with more memory than there is page it
 * out, read it back, change and unmap it, while one compacts the pool all the
 * time and, where failslab can be told to, allocations of zsmalloc fail. Each
 * page carries what it has to hold.
 *
 * zram_swap SECONDS [MEGABYTES OF EACH PROCESS]; boot with slab_nomerge for the
 * failures.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/swap.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "put.h"

#define PAGE		4096UL
#define NR_WORKERS	4
#define CHUNK		64
#define SWAP_SIZE	(512UL << 20)

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT	21
#endif

struct shared {
	unsigned long verified, wrong, unmapped, paged_out;
};

static struct shared *shared;
static uint64_t state;
static time_t end;

static uint32_t rnd(uint32_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 32) % below;
}

static void die(const char *what)
{
	printf("# %s: %s\n", what, strerror(errno));
	exit(1);
}

static void swap_on(void)
{
	static unsigned char header[PAGE];
	uint32_t *info = (uint32_t *)(header + 1024);
	char size[32];
	int fd;

	/* The guest's init has made it swap already, of another size. */
	swapoff("/dev/zram0");
	try_put("/sys/block/zram0/reset", "1");
	snprintf(size, sizeof(size), "%lu", SWAP_SIZE);
	if (!try_put("/sys/block/zram0/disksize", size))
		die("disksize");
	info[0] = 1;
	info[1] = SWAP_SIZE / PAGE - 1;
	memcpy(header + PAGE - 10, "SWAPSPACE2", 10);
	fd = open("/dev/zram0", O_WRONLY);
	if (fd < 0 || write(fd, header, PAGE) != (ssize_t)PAGE || fsync(fd))
		die("/dev/zram0");
	close(fd);
	if (swapon("/dev/zram0", 0))
		die("swapon");
}

/*
 * Allocations of handles and zspages fail now and then, nobody else's. False if
 * the kernel cannot do that.
 */
static bool fail_allocations(void)
{
	static const char *const settings[][2] = {
		{ "/sys/kernel/slab/zs_handle/failslab", "1" },
		{ "/sys/kernel/slab/zspage/failslab", "1" },
		{ "/sys/kernel/debug/failslab/cache-filter", "Y" },
		{ "/sys/kernel/debug/failslab/ignore-gfp-wait", "N" },
		{ "/sys/kernel/debug/failslab/verbose", "0" },
		{ "/sys/kernel/debug/failslab/times", "-1" },
		{ "/sys/kernel/debug/failslab/probability", "5" },
	};

	for (unsigned int i = 0; i < sizeof(settings) / sizeof(*settings); i++)
		if (!try_put(settings[i][0], settings[i][1])) {
			printf("# no failing allocations: %s: %s\n",
			       settings[i][0], strerror(errno));
			return false;
		}
	return true;
}

/* Some words at random, as many zeroes, so that sizes differ. */
static void fill(uint64_t *page, uint64_t tag)
{
	uint64_t x = tag * 0x9E3779B97F4A7C15ull;
	int random = x >> 55;

	for (unsigned int i = 0; i < PAGE / 8; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		page[i] = (int)i < random ? x : tag;
	}
	page[0] = tag;
}

static void verify(const uint64_t *page, uint64_t tag)
{
	uint64_t want[PAGE / 8];

	fill(want, tag);
	__atomic_add_fetch(&shared->verified, 1, __ATOMIC_RELAXED);
	if (memcmp(page, want, PAGE)) {
		__atomic_add_fetch(&shared->wrong, 1, __ATOMIC_RELAXED);
		printf("# wrong page, tag %#llx, has %#llx\n",
		       (unsigned long long)tag, (unsigned long long)page[0]);
	}
}

/* What was unmapped must not come back from the swap. */
static void verify_zero(const uint64_t *page)
{
	static const uint64_t zero[PAGE / 8];

	if (!memcmp(page, zero, PAGE))
		return;
	__atomic_add_fetch(&shared->wrong, 1, __ATOMIC_RELAXED);
	printf("# stale page, has %#llx\n", (unsigned long long)page[0]);
}

static void verify_pages(char *mem, const uint64_t *tags, unsigned long nr)
{
	for (unsigned long i = 0; i < nr; i++) {
		if (tags[i])
			verify((uint64_t *)(mem + i * PAGE), tags[i]);
		else
			verify_zero((uint64_t *)(mem + i * PAGE));
	}
}

static void work(int id, size_t bytes)
{
	unsigned long nr = bytes / PAGE;
	uint64_t *tags = calloc(nr, sizeof(*tags));
	char *mem = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t tag = (uint64_t)(id + 1) << 48;

	if (!tags || mem == MAP_FAILED)
		die("memory");
	state = 88172645463325252ull + id;
	while (time(NULL) < end) {
		unsigned long first = rnd(nr - CHUNK);
		char *p = mem + first * PAGE;

		switch (rnd(5)) {
		case 0:
			if (mmap(p, CHUNK * PAGE, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
				 0) == MAP_FAILED)
				continue;
			memset(&tags[first], 0, CHUNK * sizeof(*tags));
			__atomic_add_fetch(&shared->unmapped, CHUNK,
					   __ATOMIC_RELAXED);
			break;
		case 1:
		case 2:
			for (int i = 0; i < CHUNK; i++) {
				tags[first + i] = ++tag;
				fill((uint64_t *)(p + i * PAGE), tag);
			}
			break;
		case 3:
			if (!madvise(p, CHUNK * PAGE, MADV_PAGEOUT))
				__atomic_add_fetch(&shared->paged_out, CHUNK,
						   __ATOMIC_RELAXED);
			break;
		default:
			verify_pages(p, tags + first, CHUNK);
		}
	}
	verify_pages(mem, tags, nr);
}

/* Every other second all that can be freed, then the shrinkers alone. */
static void compact(void)
{
	unsigned long compacted = 0, shrunk = 0;

	state = 1;
	try_put("/proc/sys/vm/drop_caches", "4");	/* Say nothing. */
	while (time(NULL) < end) {
		if (time(NULL) & 1) {
			if (!try_put("/proc/sys/vm/drop_caches", "2"))
				die("drop_caches");
			shrunk++;
		} else {
			if (!try_put("/sys/block/zram0/compact", "1"))
				die("compact");
			compacted++;
		}
		usleep(rnd(20000));
	}
	printf("# compacted %lu times, shrunk %lu times\n", compacted, shrunk);
}

static unsigned long failed_writes(void)
{
	FILE *f = fopen("/sys/block/zram0/io_stat", "r");
	unsigned long reads, writes;

	if (!f || fscanf(f, "%lu %lu", &reads, &writes) != 2)
		die("io_stat");
	fclose(f);
	return writes;
}

static void show(const char *path)
{
	char line[200];
	FILE *f = fopen(path, "r");

	while (f && fgets(line, sizeof(line), f))
		printf("# %s", line);
	if (f)
		fclose(f);
}

int main(int argc, char **argv)
{
	size_t bytes = (argc > 2 ? atol(argv[2]) : 64) << 20;
	unsigned long refused;
	int status, failed = 0;
	bool failing;

	setvbuf(stdout, NULL, _IOLBF, 0);
	shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		die("memory");
	swap_on();
	failing = fail_allocations();
	end = time(NULL) + (argc > 1 ? atol(argv[1]) : 10);
	for (int id = 0; id <= NR_WORKERS; id++) {
		pid_t pid = fork();

		if (pid < 0)
			die("fork");
		if (pid)
			continue;
		if (id < NR_WORKERS)
			work(id, bytes);
		else
			compact();
		exit(0);
	}
	while (wait(&status) > 0)
		failed += !!status;

	refused = failed_writes();
	show("/sys/block/zram0/mm_stat");
	show("/sys/kernel/debug/zsmalloc/zram0/compaction");
	try_put("/sys/kernel/debug/failslab/probability", "0");
	if (swapoff("/dev/zram0"))
		die("swapoff");
	printf("# verified %lu pages, wrong %lu; unmapped %lu, paged out %lu, not written %lu; %d processes failed\n",
	       shared->verified, shared->wrong, shared->unmapped,
	       shared->paged_out, refused, failed);
	return shared->wrong || failed || !shared->verified ||
	       !shared->paged_out || (failing && !refused);
}
