// SPDX-License-Identifier: GPL-2.0
/* What compaction of mm/zsmalloc.c does, in userspace: see usage(). */

#include ZSMALLOC

#include "patterns.h"

/* Pages that can be freed, by whoever asks for them */
static unsigned long freeable(void)
{
	unsigned long pages = 0;

	for (int i = 0; i < ZS_SIZE_CLASSES; i++)
		if (pool->size_class[i]->index == i)
			pages += zs_can_compact(pool->size_class[i]);
	return pages;
}

static unsigned long scan(unsigned long nr)
{
	struct shrink_control sc = { .nr_to_scan = nr };
	unsigned long ret = pool->shrinker->scan_objects(pool->shrinker, &sc);

	BUG_ON(shim_nr_locked);
	return ret;
}

static void run_work(void)
{
	struct work_struct *work = shim_work;

	shim_work = NULL;
	if (work)
		work->fn(work);
	BUG_ON(shim_nr_locked);
}

/* How many pages a zspage has that zs_malloc() allocates */
static void print_chains(const char *name)
{
	unsigned long zspages = 0;
	int most = 0;

	for (int i = 0; i < ZS_SIZE_CLASSES; i++) {
		struct size_class *class = pool->size_class[i];

		if (class->index != i || !class->stats.objs[ZS_OBJS_ALLOCATED])
			continue;
		zspages += class->stats.objs[ZS_OBJS_ALLOCATED] /
			   class->objs_per_zspage;
		most = max(most, class->pages_per_zspage);
	}
	printf("%s, zspages: most %d, mean %.2f pages\n", name, most,
	       (double)zs_get_total_pages(pool) / zspages);
}

/*
 * A tenth is what reclaim has asked for when it returns, without the work that
 * may go on then; it asks for no more than 128 pages at a time.
 */
static void run_bench(int pattern, bool full)
{
	unsigned long can, want, freed = 0, ret = 0, bytes;
	const char *name = patterns[pattern].name;

	create_pattern();
	if (full)
		print_chains(name);
	patterns[pattern].free();
	can = freeable();
	want = full ? can : can / 10;
	bytes = shim_bytes_copied;
	if (full)
		freed = zs_compact(pool);
	else
		for (; freed < want && ret != SHRINK_STOP; freed += ret)
			ret = scan(min(want - freed, 128UL));
	bytes = shim_bytes_copied - bytes;
	BUG_ON(freed < want || freeable() != can - freed);
	printf("%s, %s: %lu bytes/page, freed %lu of %lu, left %lu pages\n", name,
	       full ? "all" : "a tenth", bytes / max(freed, 1UL), freed, can,
	       zs_get_total_pages(pool));
	destroy_pool();
}

/* Churn */

#define NR_STEPS	360
#define PHASE		60
#define LOCKSTEP	-1

/* Weights of the kinds of pages, a tenth of them noise, that take turns. */
static const u8 mixes[][NOISE + 1] = {
	{ 45, 22, 23, 10 },
	{ 10, 70, 10, 10 },
	{ 10, 10, 70, 10 },
	{ 80,  5,  5, 10 },
};

static struct {
	int priority, step, mix;
	/* Since the last call of the shrinker, and from call to call */
	int changes, interval;
	/* Only while the shrinker and its work do */
	unsigned long bytes_copied;
} churn;

static int draw_kind(void)
{
	int at = below(100), kind = 0;

	while (at >= mixes[churn.mix][kind])
		at -= mixes[churn.mix][kind++];
	return kind;
}

/* As do_shrink_slab() of mm/shrinker.c does, or in lockstep, once each call */
static void shrink(struct shrinker *shrinker)
{
	struct shrink_control sc = {};
	long batch = shrinker->batch ? shrinker->batch : 128, done = 0;
	long can = shrinker->count_objects(shrinker, &sc);
	long nr = shrinker->nr_deferred, delta, total;

	if (!can)
		return;
	if (churn.priority == LOCKSTEP) {
		scan(batch);
		return;
	}
	delta = (can >> churn.priority) * 2;
	total = min((nr >> churn.priority) + delta, 2 * can);
	while (total >= batch || total >= can) {
		long to_scan = min(batch, total);

		if (scan(to_scan) == SHRINK_STOP)
			break;
		total -= to_scan;
		done += to_scan;
	}
	shrinker->nr_deferred = min(max(nr + delta - done, 0L), 2 * can);
}

static void changed(void)
{
	unsigned long bytes = shim_bytes_copied;

	if (++churn.changes < churn.interval)
		return;
	churn.changes = 0;
	shrink(pool->shrinker);
	run_work();
	churn.bytes_copied += shim_bytes_copied - bytes;
}

/* Spread the calls of the shrinker, 8 in a step, over this many changes. */
static int plan(int changes)
{
	churn.interval = changes / 8;
	churn.changes = 0;
	return changes;
}

static void rewrite(struct object *obj)
{
	if (obj->handle) {
		drop(obj);
		put(obj, draw_size(obj->kind));
	}
	changed();
}

static void step_uniform(void)
{
	for (int i = plan(nr_objs / 10); i; i--)
		rewrite(&objs[below(nr_objs)]);
}

/* Nine of ten objects that change are among a fifth of all. */
static void step_skewed(void)
{
	for (int i = plan(nr_objs / 10); i; i--)
		rewrite(&objs[below(below(10) ? nr_objs / 5 : nr_objs)]);
}

/*
 * In each phase the pages get to be of another mix of kinds, and the objects
 * get 30 % fewer, and as many again.
 */
static void step_phases(void)
{
	bool shrinks = churn.step % PHASE < PHASE / 2;
	int resize = nr_objs * 3 / 10 / (PHASE / 2);
	int changes = plan(nr_objs / 10);

	churn.mix = churn.step / PHASE % ARRAY_SIZE(mixes);
	while (changes) {
		struct object *obj = &objs[below(nr_objs)];

		if (resize && !!obj->handle == shrinks) {
			if (shrinks)
				drop(obj);
			else
				put(obj, draw_size(obj->kind));
			resize--;
			continue;
		}
		obj->kind = draw_kind();
		rewrite(obj);
		changes--;
	}
}

/* A tenth of the processes exits, and others start and write in turns. */
static void step_owners(void)
{
	int each = nr_objs / NR_OWNERS, nr = NR_OWNERS / 10;
	struct object *owners[NR_OWNERS / 10];

	plan(2 * each * nr);
	for (int i = 0; i < nr; i++) {
		owners[i] = &objs[(churn.step * nr + i) * 37 % NR_OWNERS * each];
		for (int j = 0; j < each; j++) {
			drop(&owners[i][j]);
			changed();
		}
	}
	for (int i = 0; i < nr * each; i++) {
		struct object *obj = &owners[i % nr][i / nr];

		put(obj, draw_size(obj->kind));
		changed();
	}
}

static const struct {
	const char *name;
	void (*step)(void);
} modes[] = {
	{ "uniform", step_uniform },
	{ "skewed", step_skewed },
	{ "phases", step_phases },
	{ "owners", step_owners },
};

/* Print the pages in use after each step, and the bytes copied by then. */
static void run_churn(int mode, int priority, int nr, bool print)
{
	unsigned long pages = 0;

	memset(&churn, 0, sizeof(churn));
	churn.priority = priority;
	create_pool(nr);
	for (int i = 0; i < nr; i++) {
		objs[i].kind = draw_kind();
		put(&objs[i], draw_size(objs[i].kind));
	}
	for (; churn.step < NR_STEPS; churn.step++) {
		modes[mode].step();
		pages += zs_get_total_pages(pool);
		if (print)
			printf("%lu %lu\n", zs_get_total_pages(pool),
			       churn.bytes_copied);
	}
	printf("# %s, priority %d: mean %lu pages, %lu MB\n",
	       modes[mode].name, priority, pages / NR_STEPS,
	       churn.bytes_copied / 1000000);
	destroy_pool();
}

/* Content is checked when objects go; faults end the program. */
static void run_check(void)
{
	static const int priorities[] = { LOCKSTEP, 3, 0 };
	int nr = 0;

	content = PAGE_SIZE;
	for (int i = 0; i < ARRAY_SIZE(patterns); i++) {
		run_bench(i, false);
		run_bench(i, true);
		printf("ok %d - %s\n", ++nr, patterns[i].name);
	}
	for (int i = 0; i < ARRAY_SIZE(modes); i++) {
		for (int j = 0; j < ARRAY_SIZE(priorities); j++) {
			run_churn(i, priorities[j], 3000, false);
			printf("ok %d - churn, %s, priority %d\n", ++nr,
			       modes[i].name, priorities[j]);
		}
	}
	printf("1..%d\n", nr);
}

static int usage(void)
{
	fprintf(stderr, "usage: compaction bench    what is copied in patterns\n"
		"       compaction check    tests, with every byte checked\n"
		"       compaction churn MODE PRIORITY OBJECTS\n"
		"                           an hour of a pool under reclaim\n"
		"MODE is uniform, skewed, phases or owners; PRIORITY is that of\n"
		"reclaim, 12 to 0, or -1: one scan a call\n");
	return 2;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	int mode = 0;

	BUG_ON(shim_init());
	if (argc == 2 && !strcmp(what, "bench")) {
		for (int i = 0; i < 2 * ARRAY_SIZE(patterns); i++)
			run_bench(i / 2, i % 2);
	} else if (argc == 2 && !strcmp(what, "check")) {
		run_check();
	} else if (argc == 5 && !strcmp(what, "churn") &&
		   atoi(argv[4]) >= 1000) {
		while (strcmp(modes[mode].name, argv[2]))
			if (++mode == ARRAY_SIZE(modes))
				return usage();
		run_churn(mode, atoi(argv[3]), atoi(argv[4]), true);
	} else {
		return usage();
	}
	return 0;
}
