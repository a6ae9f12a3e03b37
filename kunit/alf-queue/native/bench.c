// SPDX-License-Identifier: GPL-2.0
/*
 * Nanoseconds an element of alf_queue and of its peers, in one process.
 *
 * bench [-r ROUNDS] [-e ELEMENTS] [-m MSEC] [-s SHAPE] [-p PEER] [-o] [-c]
 *
 * Prints a line a measurement: shape, mode, batch, peer, and the time of every
 * round. In each round every peer is measured once, in rotating order, so that
 * what disturbs the machine disturbs them alike.
 *
 * With -c the shapes are crowded: more threads than CPUs, which are preempted
 * in the place of virtual CPUs, and never yield. Each runs for MSEC. With -o
 * the program stays as nice as it was started.
 */

#define _GNU_SOURCE
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#include "bench.h"

/* The Makefile says which are there: PEERS is X(name) X(name)... */
#define X(id) extern const struct peer id##_mpmc, id##_spsc;
PEERS
#undef X

#define X(id) { &id##_mpmc, &id##_spsc },
static const struct peer *const peers[][2] = { PEERS };
#undef X

#define N_PEERS		(sizeof(peers) / sizeof(*peers))
#define ROUNDS_MAX	1000
#define THREADS_MAX	8
#define CROWD_CPUS	2

static const unsigned int bulks[] = { 1, 8, 16, 32 };
#define N_BULKS		(sizeof(bulks) / sizeof(*bulks))

static const struct shape {
	const char *name;
	unsigned int producers;	/* and as many consumers */
	unsigned int both;	/* or threads that do both */
	unsigned int fill;	/* pointers that are there before */
	bool shared;
} shapes[] = {
	{ "1 thread", .both = 1, .shared = true },
	{ "1 thread", .both = 1 },
	{ "1P+1C", .producers = 1, .shared = true },
	{ "1P+1C", .producers = 1 },
	{ "2P+2C", .producers = 2, .shared = true },
	{ "2 threads", .both = 2, .fill = BENCH_SIZE / 2, .shared = true },
}, crowds[] = {
	{ "3 crowded", .both = 3, .fill = BENCH_SIZE / 2, .shared = true },
	{ "4 crowded", .both = 4, .fill = BENCH_SIZE / 2, .shared = true },
	{ "8 crowded", .both = 8, .fill = BENCH_SIZE / 2, .shared = true },
};

unsigned int bench_spins;

static int cpus[CPU_SETSIZE];
static int n_cpus;

static struct {
	const struct peer *peer;
	void *queue;
	unsigned int bulk;
	const struct shape *shape;
	uint64_t total;		/* per thread, or per turn in a crowd */
	bool crowd, stop;
	bool quit;
} job;

static pthread_barrier_t begin, end;
static unsigned int arrived;	/* at the start line */

static struct worker {
	pthread_t thread;
	unsigned int index;
	uint64_t start, stop, sum, moved;
} __attribute__((__aligned__(128))) workers[THREADS_MAX];

static void die(const char *what)
{
	fprintf(stderr, "bench: %s\n", what);
	exit(1);
}

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

/* Producers on the CPUs in order, then consumers, as far as there are CPUs. */
static void pin(unsigned int index)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpus[index % n_cpus], &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static unsigned int threads_of(const struct shape *s)
{
	return s->both + 2 * s->producers;
}

/* In and out for as long as the crowd is measured. */
static void work_in_crowd(struct worker *w)
{
	while (!__atomic_load_n(&job.stop, __ATOMIC_RELAXED)) {
		w->sum += job.peer->both(job.queue, job.bulk, job.total);
		w->moved += job.total;
	}
}

static void measure(struct worker *w)
{
	unsigned int threads = threads_of(job.shape);

	if (w->index >= threads)
		return;

	__atomic_add_fetch(&arrived, 1, __ATOMIC_ACQ_REL);
	while (__atomic_load_n(&arrived, __ATOMIC_ACQUIRE) < threads)
		if (threads > n_cpus)
			sched_yield();

	w->sum = 0;
	w->moved = job.crowd ? 0 : job.total;
	w->start = now();
	if (job.crowd)
		work_in_crowd(w);
	else if (job.shape->both)
		w->sum = job.peer->both(job.queue, job.bulk, job.total);
	else if (w->index < job.shape->producers)
		job.peer->produce(job.queue, job.bulk, job.total);
	else
		w->sum = job.peer->consume(job.queue, job.bulk, job.total);
	w->stop = now();
}

static void *work(void *arg)
{
	struct worker *w = arg;

	pin(w->index);
	for (;;) {
		pthread_barrier_wait(&begin);
		if (job.quit)
			return NULL;
		measure(w);
		pthread_barrier_wait(&end);
	}
}

/* What @elements pointers in batches of @bulk add up to. */
static uint64_t sum_of(uint64_t elements, unsigned int bulk)
{
	return elements / bulk * (4 * bulk * (bulk + 1));
}

static void let_work(unsigned int msec)
{
	pthread_barrier_wait(&begin);
	if (job.crowd) {
		usleep(msec * 1000);
		__atomic_store_n(&job.stop, true, __ATOMIC_RELAXED);
	}
	pthread_barrier_wait(&end);
}

/* One peer, one shape, one batch size: nanoseconds an element. */
static double run(const struct peer *peer, const struct shape *shape,
		  unsigned int bulk, uint64_t elements, unsigned int msec)
{
	unsigned int threads = threads_of(shape);
	uint64_t start = UINT64_MAX, stop = 0, sum = 0, moved = 0;

	job.peer = peer;
	job.queue = peer->create();
	job.bulk = bulk;
	job.shape = shape;
	job.total = msec ? 64 : elements / (threads - shape->producers);
	job.total -= job.total % bulk;
	job.crowd = msec;
	job.stop = false;
	arrived = 0;
	bench_spins = msec ? UINT_MAX : threads > n_cpus ? 0 : 10000;
	if (!job.queue)
		die("out of memory");
	if (shape->fill)
		peer->produce(job.queue, bulk, shape->fill);

	let_work(msec);

	for (unsigned int i = 0; i < threads; i++) {
		if (workers[i].start < start)
			start = workers[i].start;
		if (workers[i].stop > stop)
			stop = workers[i].stop;
		sum += workers[i].sum;
		if (i >= shape->producers)
			moved += workers[i].moved;
	}
	if (shape->fill)
		sum += peer->consume(job.queue, bulk, shape->fill);
	peer->destroy(job.queue);

	if (sum != sum_of(moved + shape->fill, bulk)) {
		fprintf(stderr, "bench: %s lost or invented pointers\n",
			peer->name);
		exit(1);
	}
	return (double)(stop - start) / moved;
}

int main(int argc, char **argv)
{
	static double times[N_PEERS][ROUNDS_MAX];
	struct sched_param param = { .sched_priority = 1 };
	uint64_t elements = 1 << 18;
	const char *only = NULL, *only_shape = NULL;
	const struct shape *first = shapes, *last = shapes +
		sizeof(shapes) / sizeof(*shapes);
	unsigned int msec = 0;
	int rounds = 15, opt;
	bool fifo, other = false;
	cpu_set_t set;

	while ((opt = getopt(argc, argv, "r:e:m:s:p:oc")) != -1) {
		switch (opt) {
		case 'r':
			rounds = atoi(optarg);
			break;
		case 'e':
			elements = strtoull(optarg, NULL, 0);
			break;
		case 'm':
			msec = atoi(optarg);
			break;
		case 's':
			only_shape = optarg;
			break;
		case 'p':
			only = optarg;
			break;
		case 'o':
			other = true;
			break;
		case 'c':
			first = crowds;
			last = crowds + sizeof(crowds) / sizeof(*crowds);
			other = true;
			break;
		default:
			die("usage: bench [-r ROUNDS] [-e ELEMENTS] [-m MSEC] "
			    "[-s SHAPE] [-p PEER] [-o] [-c]");
		}
	}
	if (first == crowds && !msec)
		msec = 200;
	else if (first != crowds)
		msec = 0;
	if (rounds < 1 || rounds > ROUNDS_MAX || elements < 1024)
		die("ROUNDS or ELEMENTS out of range");

	/*
	 * A thread that is preempted between reserving and publishing keeps
	 * others waiting; in the kernel it is not preempted. This comes close.
	 */
	fifo = !other && !sched_setscheduler(0, SCHED_FIFO, &param);
	if (!fifo && !other)
		setpriority(PRIO_PROCESS, 0, -20);
	alarm(1800);

	sched_getaffinity(0, sizeof(set), &set);
	for (int i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, &set) && (!msec || n_cpus < CROWD_CPUS))
			cpus[n_cpus++] = i;
	printf("# cpus=%d scheduler=%s size=%u elements=%llu rounds=%d\n",
	       n_cpus, fifo ? "SCHED_FIFO" : "SCHED_OTHER", BENCH_SIZE,
	       (unsigned long long)elements, rounds);

	pthread_barrier_init(&begin, NULL, THREADS_MAX + 1);
	pthread_barrier_init(&end, NULL, THREADS_MAX + 1);
	for (unsigned int i = 0; i < THREADS_MAX; i++) {
		workers[i].index = i;
		if (pthread_create(&workers[i].thread, NULL, work, &workers[i]))
			die("no threads");
	}

	for (const struct shape *s = first; s < last; s++) {
		if (only_shape && strcmp(only_shape, s->name))
			continue;
		if (threads_of(s) > 1 && n_cpus < 2) {
			printf("# %s needs two CPUs\n", s->name);
			continue;
		}
		for (int b = 0; b < N_BULKS; b++) {
			for (int r = 0; r < rounds; r++) {
				for (int i = 0; i < N_PEERS; i++) {
					int k = (i + r) % N_PEERS;
					const struct peer *p =
						peers[k][!s->shared];

					if (only && strcmp(only, p->name))
						continue;
					times[k][r] = run(p, s, bulks[b],
							  elements, msec);
				}
			}
			for (int k = 0; k < N_PEERS; k++) {
				const struct peer *p = peers[k][!s->shared];

				if (only && strcmp(only, p->name))
					continue;
				printf("%s\t%s\t%u\t%s", s->name,
				       s->shared ? "MP/MC" : "SP/SC", bulks[b],
				       p->name);
				for (int r = 0; r < rounds; r++)
					printf("\t%.3f", times[k][r]);
				printf("\n");
			}
			fflush(stdout);
		}
	}

	job.quit = true;
	pthread_barrier_wait(&begin);
	for (int i = 0; i < THREADS_MAX; i++)
		pthread_join(workers[i].thread, NULL);
	return 0;
}
