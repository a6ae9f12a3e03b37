// SPDX-License-Identifier: GPL-2.0
/*
 * Nanoseconds an element of alf_queue and of its peers, in one process.
 *
 * bench [-r ROUNDS] [-e ELEMENTS] [-s SHAPE] [-p PEER] [-o]
 *
 * Prints a line a measurement: shape, mode, batch, peer, and the time of every
 * round. In each round every peer is measured once, in rotating order, so that
 * what disturbs the machine disturbs them alike.
 */

#define _GNU_SOURCE
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
#define THREADS_MAX	4

static const unsigned int bulks[] = { 1, 8, 16, 32 };
#define N_BULKS		(sizeof(bulks) / sizeof(*bulks))

static const struct shape {
	const char *name;
	unsigned int pairs;	/* 0: one thread does both */
	bool shared;
} shapes[] = {
	{ "1 thread", 0, true },
	{ "1 thread", 0, false },
	{ "1P+1C", 1, true },
	{ "1P+1C", 1, false },
	{ "2P+2C", 2, true },
};

unsigned int bench_spins;

static int cpus[CPU_SETSIZE];
static int n_cpus;

static struct {
	const struct peer *peer;
	void *queue;
	unsigned int bulk;
	unsigned int pairs;
	uint64_t total;		/* per thread */
	bool quit;
} job;

static pthread_barrier_t begin, end;
static unsigned int arrived;	/* at the start line */

static struct worker {
	pthread_t thread;
	unsigned int index;
	uint64_t start, stop, sum;
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

static void measure(struct worker *w)
{
	unsigned int threads = job.pairs ? 2 * job.pairs : 1;

	if (w->index >= threads)
		return;

	__atomic_add_fetch(&arrived, 1, __ATOMIC_ACQ_REL);
	while (__atomic_load_n(&arrived, __ATOMIC_ACQUIRE) < threads)
		if (threads > n_cpus)
			sched_yield();

	w->sum = 0;
	w->start = now();
	if (!job.pairs)
		w->sum = job.peer->both(job.queue, job.bulk, job.total);
	else if (w->index < job.pairs)
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

/* One peer, one shape, one batch size: nanoseconds an element. */
static double run(const struct peer *peer, const struct shape *shape,
		  unsigned int bulk, uint64_t elements)
{
	unsigned int threads = shape->pairs ? 2 * shape->pairs : 1;
	uint64_t per_thread = elements / (shape->pairs ? shape->pairs : 1);
	uint64_t start = UINT64_MAX, stop = 0, sum = 0, expected;

	job.peer = peer;
	job.queue = peer->create();
	job.bulk = bulk;
	job.pairs = shape->pairs;
	job.total = per_thread - per_thread % bulk;
	arrived = 0;
	bench_spins = threads > n_cpus ? 0 : 10000;
	if (!job.queue)
		die("out of memory");

	pthread_barrier_wait(&begin);
	pthread_barrier_wait(&end);
	peer->destroy(job.queue);

	for (unsigned int i = 0; i < threads; i++) {
		if (workers[i].start < start)
			start = workers[i].start;
		if (workers[i].stop > stop)
			stop = workers[i].stop;
		sum += workers[i].sum;
	}

	elements = job.total * (shape->pairs ? shape->pairs : 1);
	expected = elements / bulk * (4 * bulk * (bulk + 1));
	if (sum != expected) {
		fprintf(stderr, "bench: %s lost or invented pointers\n",
			peer->name);
		exit(1);
	}
	return (double)(stop - start) / elements;
}

int main(int argc, char **argv)
{
	static double times[N_PEERS][ROUNDS_MAX];
	struct sched_param param = { .sched_priority = 1 };
	uint64_t elements = 1 << 18;
	const char *only = NULL, *only_shape = NULL;
	int rounds = 15, opt;
	bool fifo, other = false;
	cpu_set_t set;

	while ((opt = getopt(argc, argv, "r:e:s:p:o")) != -1) {
		switch (opt) {
		case 'r':
			rounds = atoi(optarg);
			break;
		case 'e':
			elements = strtoull(optarg, NULL, 0);
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
		default:
			die("usage: bench [-r ROUNDS] [-e ELEMENTS] "
			    "[-s SHAPE] [-p PEER] [-o]");
		}
	}
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
		if (CPU_ISSET(i, &set))
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

	for (const struct shape *s = shapes;
	     s < shapes + sizeof(shapes) / sizeof(*shapes); s++) {
		if (only_shape && strcmp(only_shape, s->name))
			continue;
		if (s->pairs && n_cpus < 2) {
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
							  elements);
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
