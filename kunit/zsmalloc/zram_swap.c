// SPDX-License-Identifier: GPL-2.0
/*
 * Swap on zram under stress: processes with more memory than there is page it
 * out, read it back, change and unmap it, while one compacts, writes back and
 * recompresses the pool all the time and, where failslab can be told to,
 * allocations of zsmalloc fail. Each page carries what it has to hold.
 *
 * zram_swap SECONDS [MEGABYTES OF EACH PROCESS [zswap]]; boot with slab_nomerge
 * for the failures.
 */
#define _GNU_SOURCE
#include "zram.h"

#define MIN_WORKERS	4
#define CHUNK		64
#define SWAP_SIZE	(512UL << 20)

struct shared {
	unsigned long verified, wrong, unmapped, paged_out;
};

static struct shared *shared;
static time_t end;
static bool post_process;

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

/* Take turns: all that can be freed, the shrinkers alone, what makes holes. */
static void compact(void)
{
	unsigned long did[3] = {};

	state = 1;
	try_put("/proc/sys/vm/drop_caches", "4");	/* Say nothing. */
	while (time(NULL) < end) {
		int what = time(NULL) % (post_process ? 3 : 2);

		did[what]++;
		if (what == 0) {
			put(ZRAM "compact", "1");
		} else if (what == 1) {
			put("/proc/sys/vm/drop_caches", "2");
		} else {
			put(ZRAM "idle", "all");
			usleep(rnd(100000));
			/* Allocations may fail, and there is nothing to do. */
			try_put(ZRAM "recompress", "type=idle");
			try_put(ZRAM "writeback", "huge_idle");
		}
		usleep(rnd(20000));
	}
	printf("# compacted %lu times, shrunk %lu, post-processed %lu\n",
	       did[0], did[1], did[2]);
}

static unsigned long failed_writes(void)
{
	FILE *f = fopen(ZRAM "io_stat", "r");
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
	int status, failed = 0, workers = sysconf(_SC_NPROCESSORS_ONLN);
	bool failing;

	setvbuf(stdout, NULL, _IOLBF, 0);
	shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		die("memory");
	reset_zram();
	post_process = add_backing_device(SWAP_SIZE) &&
		       try_put(ZRAM "recomp_algorithm", "algo=deflate priority=1");
	swap_on(SWAP_SIZE);
	/* On top of it, or not at all. */
	try_put("/sys/module/zswap/parameters/enabled", argc > 3 ? "Y" : "N");
	failing = fail_allocations();
	if (workers < MIN_WORKERS)
		workers = MIN_WORKERS;
	end = time(NULL) + (argc > 1 ? atol(argv[1]) : 10);
	for (int id = 0; id <= workers; id++) {
		pid_t pid = fork();

		if (pid < 0)
			die("fork");
		if (pid)
			continue;
		if (id < workers)
			work(id, bytes);
		else
			compact();
		exit(0);
	}
	while (wait(&status) > 0)
		failed += !!status;

	refused = failed_writes();
	show(ZRAM "mm_stat");
	show(ZRAM "bd_stat");
	try_put("/sys/kernel/debug/failslab/probability", "0");
	if (swapoff("/dev/zram0"))
		die("swapoff");
	printf("# verified %lu pages, wrong %lu; unmapped %lu, paged out %lu, not written %lu; %d processes failed\n",
	       shared->verified, shared->wrong, shared->unmapped,
	       shared->paged_out, refused, failed);
	return shared->wrong || failed || !shared->verified ||
	       !shared->paged_out || (failing && !refused);
}
