// SPDX-License-Identifier: GPL-2.0
/*
 * Are the contents of files and of anonymous memory right, whatever is done to
 * their large folios?  Workers, each with a file or an area of its own, do
 * operations at random and compare what they read with a copy, as fsx does for
 * file systems; the borders of ranges are close to those of pages and folios.
 * Beside them one splits, drops and compacts, and khugepaged scans.
 *
 * file_checker DIR SECONDS [SEED [MEGABYTES]]
 *
 * MEGABYTES are memory.high of a memcg for all of them: there will be reclaim.
 * For root, outside a guest, it changes settings of the machine.
 */
#define _GNU_SOURCE
#include <sys/mount.h>
#include <time.h>
#include "check_area.h"
#include "check_file.h"

#define THP	"/sys/kernel/mm/transparent_hugepage/"
#define DEBUGFS	"/sys/kernel/debug/"
#define CGROUPS	"/cgroups"
#define FILES	4
#define WORKERS	(FILES + 2)

static time_t end;
static pid_t pids[WORKERS];

/* Around @at, but not always: it brings the pages in. */
static void look_about(void (*read)(size_t, size_t), size_t at)
{
	size_t from = at - min(at, 4096);

	if (rnd(2))
		read(from, min(at + 4096, SIZE) - from);
}

static void work(const struct op *ops, void (*read)(size_t, size_t))
{
	size_t at, len;

	for (; time(NULL) < end; done[id]++) {
		const struct op *op = choose(ops);

		range(&at, &len);
		note(op->name, at, len);
		op->run(at, len);
		look_about(read, at);
		look_about(read, at + len);
		look_about(read, size);
		if (!rnd(64))
			read(0, SIZE);
	}
	note("the end", 0, SIZE);
	read(0, SIZE);
}

static void work_on_file(void)
{
	signal(SIGBUS, no_page_there);
	name_file(id);
	unlink(path);
	open_file();
	work(file_ops, read_mapping);
	read_by_call(0, SIZE);
	unlink(path);
}

static void work_on_area(void)
{
	map = arena;
	map_area(0, SIZE);
	work(area_ops, read_area);
}

/* Large folios of a file or of a process, by either of debugfs' files */
static void split(void)
{
	bool ours = rnd(2), ranges = ours && rnd(2);
	int whose = rnd(WORKERS);
	bool by_path = whose < FILES && rnd(2);
	unsigned long unit = by_path ? 1 : page;
	unsigned long first = rnd((by_path ? SIZE : 2 * SLOT) / page);
	unsigned long at = (by_path ? 0 : (unsigned long)arena) + first * unit;
	char text[400];

	name_file(whose);
	if (!by_path)
		snprintf(path, sizeof(path), "%d", pids[whose]);
	snprintf(text, sizeof(text), "%s%s,%#lx,%#lx", ranges ? "range," : "",
		 path, at, at + (1 + rnd(PMD / page)) * unit);
	/* OFFSET,ORDER and the other way round */
	if (!ranges)
		sprintf(text + strlen(text), ",%zu,%zu", rnd(ours ? 512 : 9),
			rnd(ours ? 9 : 512));
	try_put(ours ? DEBUGFS "folio_split" : DEBUGFS "split_huge_pages",
		text);
}

static void disturb(void)
{
	try_put("/proc/sys/vm/drop_caches", "4");	/* Say nothing. */
	for (; time(NULL) < end; usleep(rnd(20000))) {
		switch (rnd(16)) {
		case 0:
			try_put("/proc/sys/vm/drop_caches", "1");
			break;
		case 1:
			try_put("/proc/sys/vm/compact_memory", "1");
			break;
		case 2:
			try_put("/sys/block/zram0/compact", "1");
			break;
		default:
			split();
		}
	}
}

static void press(const char *megabytes)
{
	char text[32];

	mkdir(CGROUPS, 0700);
	mount("cgroup2", CGROUPS, "cgroup2", 0, NULL);
	put(CGROUPS "/cgroup.subtree_control", "+memory");
	mkdir(CGROUPS "/file_checker", 0700);
	snprintf(text, sizeof(text), "%sM", megabytes);
	put(CGROUPS "/file_checker/memory.high", text);
	put(CGROUPS "/file_checker/cgroup.procs", "0");
}

/* The last one knows the others and is no worker. */
static pid_t start(int number)
{
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (pid)
		return pid;
	id = number;
	state = seed * (WORKERS + 1) + id;
	state = next();
	model = map_pages(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	buffer = map_pages(NULL, SIZE + page, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE);
	if (id < FILES)
		work_on_file();
	else if (id < WORKERS)
		work_on_area();
	else
		disturb();
	exit(0);
}

static bool report(int number)
{
	bool file = number < FILES;
	int status;
	bool ok = waitpid(pids[number], &status, 0) == pids[number] &&
		  !status && done[number];

	printf("%s %d %s %d of %s # %lu operations, status %#x\n",
	       ok ? "ok" : "not ok", number + 1, file ? "file" : "area", number,
	       file ? dir : "memory", done[number], status);
	return ok;
}

int main(int argc, char **argv)
{
	bool ok = true;

	if (argc < 3) {
		printf("# file_checker DIR SECONDS [SEED [MEGABYTES]]\n");
		return 1;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	dir = argv[1];
	nr_files = FILES;
	end = time(NULL) + atol(argv[2]);
	seed = argc > 3 ? strtoull(argv[3], NULL, 0) : (uint64_t)time(NULL);
	page = sysconf(_SC_PAGESIZE);
	if (argc > 4)
		press(argv[4]);
	try_put(THP "khugepaged/scan_sleep_millisecs", "20");
	try_put(THP "khugepaged/alloc_sleep_millisecs", "20");
	done = map_pages(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED);
	arena = (char *)up((size_t)reserve(NULL, 2 * SLOT + PMD), PMD);

	printf("TAP version 13\n1..%d\n# seed %llu\n", WORKERS,
	       (unsigned long long)seed);
	for (int i = 0; i < WORKERS; i++)
		pids[i] = start(i);
	start(WORKERS);
	for (int i = 0; i < WORKERS; i++)
		ok &= report(i);
	wait(NULL);
	return !ok;
}
