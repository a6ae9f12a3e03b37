// SPDX-License-Identifier: GPL-2.0
/*
 * Stress lib/alf_queue.c from as many threads as asked for.
 *
 * stress [-n ELEMENTS] [-p PRODUCERS -c CONSUMERS [-s SIZE]] [-t SECONDS] [-y]
 *
 * Without -p and -c: a matrix of modes, threads and sizes with ELEMENTS
 * pointers each, then objects that circulate between two queues. With -y no
 * thread yields its CPU, whatever it waits for. Prints TAP; a test that takes
 * longer than SECONDS has failed, and is the last.
 *
 * A pointer says who produced it and as its how manyeth. Every consumer sees
 * to it that those of one producer come in order, and marks what it has got in
 * a bitmap of its own; in the end each bit is set in exactly one of them.
 */

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <linux/alf_queue.h>

#define BATCH_MAX	64U
#define SIDE_MAX	16
#define WORD(seq)	((seq) / 64)
#define BIT(seq)	(1ULL << ((seq) % 64))

typedef unsigned int (*enqueue_t)(struct alf_queue *, void *const *,
				  unsigned int);
typedef unsigned int (*dequeue_t)(struct alf_queue *, void **, unsigned int);

static const struct { enqueue_t bulk, burst; } enqueue[2] = {
	{ alf_sp_enqueue, alf_sp_enqueue_burst },
	{ alf_mp_enqueue, alf_mp_enqueue_burst },
};

static const struct { dequeue_t bulk, burst; } dequeue[2] = {
	{ alf_sc_dequeue, alf_sc_dequeue_burst },
	{ alf_mc_dequeue, alf_mc_dequeue_burst },
};

bool shim_never_yield;
static int test, failed, cpus[CPU_SETSIZE], n_cpus;
static unsigned int seconds = 120;

/* TAP */

static void result(bool ok, const char *name)
{
	printf("%sok %d - %s\n", ok ? "" : "not ", ++test, name);
	fflush(stdout);
	failed += !ok;
}

static void diag(const char *what, unsigned int who, u64 seq)
{
	printf("# %s (%u, %llu)\n", what, who, (unsigned long long)seq);
}

/* A busy machine is slow, but a queue that hangs does not move at all. */
static struct alf_queue *watched;
static u64 seen_at;

static void watch(struct alf_queue *q)
{
	watched = q;
	seen_at = 0;
	alarm(seconds);
}

static void late(int sig)
{
	static const char text[] = "Bail out! no end: the queue hangs\n";
	u64 head = atomic64_read(&watched->cons.head);

	if (head != seen_at) {
		seen_at = head;
		alarm(seconds);
		return;
	}

	(void)!write(1, text, sizeof(text) - 1);
	_exit(1);
}

/* Put an empty queue's indices to @start, where time would take them. */
static void start_at(struct alf_queue *q, u64 start)
{
	atomic64_set(&q->prod.head, start);
	atomic64_set(&q->prod.limit, start);
	atomic64_set(&q->cons.head, start);
	for (u64 i = start; i != start + q->size; i++)
		q->ring[i & (q->size - 1)] = !!(i & q->size);
}

/* Many threads */

static struct {
	struct alf_queue *q;
	unsigned int size, producers, consumers;
	u64 each;			/* pointers a producer */
	unsigned int at_work;		/* producers */
	bool crowded;			/* more threads than CPUs */
	pthread_barrier_t start;
} job;

struct thread {
	pthread_t thread;
	unsigned int index;
	u64 random;
	u64 *seen[SIDE_MAX];		/* a consumer's, of each producer */
	u64 count;			/* objects that it got */
	bool ok;
};

static u32 pick(struct thread *t, u32 bound)
{
	t->random ^= t->random << 13;
	t->random ^= t->random >> 7;
	t->random ^= t->random << 17;
	return (t->random >> 32) % bound;
}

static void pin(unsigned int index)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpus[index % n_cpus], &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static void wait_for_others(unsigned int *spins)
{
	if (job.crowded && !shim_never_yield)
		sched_yield();
	else
		shim_wait(spins);
}

/* Even, and never NULL. */
static void *encode(unsigned int producer, u64 seq)
{
	return (void *)((u64)(producer + 1) << 48 | seq << 1);
}

static void *produce(void *arg)
{
	struct thread *t = arg;
	bool many = job.producers > 1;
	unsigned int i, n, got, spins = 0;
	void *ptrs[BATCH_MAX];
	u64 seq = 0;

	pin(t->index);
	pthread_barrier_wait(&job.start);
	while (seq < job.each) {
		bool burst = pick(t, 2);

		n = 1 + pick(t, burst ? BATCH_MAX : min(BATCH_MAX, job.size));
		n = min((u64)n, job.each - seq);
		for (i = 0; i < n; i++)
			ptrs[i] = encode(t->index, seq + i);
		if (burst)
			got = enqueue[many].burst(job.q, ptrs, n);
		else
			got = enqueue[many].bulk(job.q, ptrs, n);
		if (got > n || (got < n && got && !burst)) {
			diag("enqueued a wrong number", t->index, got);
			t->ok = false;
			break;
		}
		seq += got;
		if (!got)
			wait_for_others(&spins);
	}
	__atomic_sub_fetch(&job.at_work, 1, __ATOMIC_RELEASE);
	return NULL;
}

static bool take(struct thread *t, s64 *last, u64 ptr)
{
	unsigned int producer = (ptr >> 48) - 1;
	u64 seq = (ptr & ((1ULL << 48) - 1)) >> 1;

	if (ptr & 1 || producer >= job.producers || seq >= job.each) {
		diag("not a pointer that was enqueued", t->index, ptr);
		return false;
	}
	if ((s64)seq <= last[producer]) {
		diag("out of order", producer, seq);
		return false;
	}
	last[producer] = seq;
	t->seen[producer][WORD(seq)] |= BIT(seq);
	return true;
}

static void *consume(void *arg)
{
	struct thread *t = arg;
	bool many = job.consumers > 1;
	unsigned int i, n, got, spins = 0;
	void *ptrs[BATCH_MAX];
	s64 last[SIDE_MAX];
	bool end = false;

	memset(last, -1, sizeof(last));
	pin(t->index);
	pthread_barrier_wait(&job.start);
	for (;;) {
		/* Bulks could leave a rest. */
		bool burst = end || pick(t, 2);

		n = 1 + pick(t, burst ? BATCH_MAX : min(BATCH_MAX, job.size));
		if (burst)
			got = dequeue[many].burst(job.q, ptrs, n);
		else
			got = dequeue[many].bulk(job.q, ptrs, n);
		if (got > n || (got < n && got && !burst)) {
			diag("dequeued a wrong number", t->index, got);
			t->ok = false;
			got = 0;
		}
		/* After a failure only empty the queue. */
		for (i = 0; i < got && t->ok; i++)
			t->ok = take(t, last, (u64)ptrs[i]);
		if (alf_queue_count(job.q) > job.size) {
			diag("count above size", t->index, job.size);
			t->ok = false;
		}
		if (got)
			continue;
		if (end)
			break;
		if (!__atomic_load_n(&job.at_work, __ATOMIC_ACQUIRE))
			end = true;
		else
			wait_for_others(&spins);
	}
	return NULL;
}

/* Each bit in exactly one of the consumers' bitmaps. */
static bool all_once(struct thread *consumers)
{
	u64 words = WORD(job.each - 1) + 1;

	for (unsigned int p = 0; p < job.producers; p++) {
		for (u64 w = 0; w < words; w++) {
			u64 once = 0, twice = 0, all = ~0ULL;

			if (w == words - 1 && job.each % 64)
				all = BIT(job.each) - 1;
			for (unsigned int c = 0; c < job.consumers; c++) {
				u64 bits = consumers[c].seen[p][w];

				twice |= once & bits;
				once |= bits;
			}
			if (twice) {
				diag("dequeued twice", p, w * 64 +
				     __builtin_ctzll(twice));
				return false;
			}
			if (once != all) {
				diag("lost", p, w * 64 +
				     __builtin_ctzll(once ^ all));
				return false;
			}
		}
	}
	return true;
}

static void stress(u64 elements, unsigned int producers,
		   unsigned int consumers, unsigned int size, u64 start)
{
	struct thread *threads, *t;
	struct timespec t0, t1;
	unsigned int p, i, total = producers + consumers;
	bool ok = true;
	char name[120];

	job.q = alf_queue_alloc(size, GFP_KERNEL, NUMA_NO_NODE);
	if (IS_ERR(job.q)) {
		result(false, "alf_queue_alloc");
		return;
	}
	start_at(job.q, start);
	job.size = size;
	job.producers = producers;
	job.consumers = consumers;
	job.each = (elements + producers - 1) / producers;
	job.at_work = producers;
	job.crowded = total > n_cpus;
	pthread_barrier_init(&job.start, NULL, total + 1);

	threads = calloc(total, sizeof(*threads));
	for (i = 0; i < total; i++) {
		t = &threads[i];
		t->index = i;
		t->ok = true;
		t->random = 0x9e3779b97f4a7c15ULL * (i + 1 + start);
		for (p = 0; p < producers && i >= producers; p++)
			t->seen[p] = calloc(WORD(job.each - 1) + 1, 8);
		if (pthread_create(&t->thread, NULL,
				   i < producers ? produce : consume, t)) {
			printf("Bail out! no threads\n");
			exit(1);
		}
	}

	watch(job.q);
	clock_gettime(CLOCK_MONOTONIC, &t0);
	pthread_barrier_wait(&job.start);
	for (i = 0; i < total; i++) {
		pthread_join(threads[i].thread, NULL);
		ok = ok && threads[i].ok;
	}
	clock_gettime(CLOCK_MONOTONIC, &t1);
	alarm(0);

	if (ok && alf_queue_count(job.q)) {
		diag("not empty in the end", 0, alf_queue_count(job.q));
		ok = false;
	}
	ok = ok && all_once(threads + producers);

	snprintf(name, sizeof(name), "%uP+%uC %s/%s size %u from %#llx: "
		 "%llu in %.2f s", producers, consumers,
		 producers > 1 ? "mp" : "sp", consumers > 1 ? "mc" : "sc",
		 size, start, job.each * producers,
		 (t1.tv_sec - t0.tv_sec) + (t1.tv_nsec - t0.tv_nsec) / 1e9);
	result(ok, name);

	for (i = producers; i < total; i++)
		for (p = 0; p < producers; p++)
			free(threads[i].seen[p]);
	free(threads);
	pthread_barrier_destroy(&job.start);
	alf_queue_free(job.q);
}

/* Objects that everybody changes who gets them out of one of two queues. */

#define OBJECTS		256U
#define THREADS		4

static struct object {
	unsigned int used, users;	/* plain: a data race shows */
} objects[OBJECTS];

static struct {
	struct alf_queue *q[2];
	u64 each;
	pthread_barrier_t start;
} circle;

static void *circulate(void *arg)
{
	struct thread *t = arg;
	unsigned int i, n, to;
	void *ptrs[BATCH_MAX];
	u64 done;

	pin(t->index);
	pthread_barrier_wait(&circle.start);
	for (done = 0; done < circle.each; done++) {
		to = pick(t, 2);
		n = alf_mc_dequeue_burst(circle.q[!to], ptrs,
					 1 + pick(t, BATCH_MAX / 2));
		for (i = 0; i < n; i++) {
			struct object *o = ptrs[i];

			if (o->users++) {
				diag("not the only user", t->index, o->users);
				t->ok = false;
			}
			o->used++;
			t->random ^= o->used;
			o->users--;
		}
		t->count += n;
		/* Another dequeue may be about to free its slots. */
		for (i = 0; i < n; )
			i += alf_mp_enqueue_burst(circle.q[to], ptrs + i,
						  n - i);
	}
	return NULL;
}

static void test_circle(u64 elements)
{
	struct thread *threads = calloc(THREADS, sizeof(*threads));
	u64 used = 0, count = 0;
	char name[80];
	bool ok = true;
	unsigned int i;

	circle.each = elements / 16 + 1;
	for (i = 0; i < 2; i++) {
		circle.q[i] = alf_queue_alloc(OBJECTS, GFP_KERNEL,
					      NUMA_NO_NODE);
		start_at(circle.q[i], U32_MAX - OBJECTS);
	}
	for (i = 0; i < OBJECTS; i++) {
		void *o = &objects[i];

		objects[i].used = 0;
		alf_mp_enqueue(circle.q[0], &o, 1);
	}
	pthread_barrier_init(&circle.start, NULL, THREADS);
	watch(circle.q[0]);
	for (i = 0; i < THREADS; i++) {
		threads[i].index = i;
		threads[i].ok = true;
		threads[i].random = 0x9e3779b97f4a7c15ULL * (i + 1);
		if (pthread_create(&threads[i].thread, NULL, circulate,
				   &threads[i])) {
			printf("Bail out! no threads\n");
			exit(1);
		}
	}
	for (i = 0; i < THREADS; i++) {
		pthread_join(threads[i].thread, NULL);
		count += threads[i].count;
		ok = ok && threads[i].ok;
	}
	alarm(0);
	for (i = 0; i < OBJECTS; i++)
		used += objects[i].used;
	if (used != count || alf_queue_count(circle.q[0]) +
	    alf_queue_count(circle.q[1]) != OBJECTS) {
		diag("objects lost or used twice", 0, used);
		ok = false;
	}
	snprintf(name, sizeof(name), "%u threads, %u objects in two queues: "
		 "%llu", THREADS, OBJECTS, count);
	result(ok, name);
	alf_queue_free(circle.q[0]);
	alf_queue_free(circle.q[1]);
	free(threads);
}

static const struct { unsigned int p, c; } sides[] = {
	{ 1, 1 }, { 2, 1 }, { 1, 2 }, { 2, 2 }, { 4, 4 },
};
/* Without chunks, with a few, and with many. */
static const unsigned int sizes[] = { 1, 2, 8, 64, 1024 };

int main(int argc, char **argv)
{
	unsigned int p = 0, c = 0, size = 1024;
	u64 elements = 1000000;
	cpu_set_t set;
	int opt;

	while ((opt = getopt(argc, argv, "n:p:c:s:t:y")) != -1) {
		switch (opt) {
		case 'n':
			elements = strtoull(optarg, NULL, 0);
			break;
		case 'p':
			p = atoi(optarg);
			break;
		case 'c':
			c = atoi(optarg);
			break;
		case 's':
			size = atoi(optarg);
			break;
		case 't':
			seconds = atoi(optarg);
			break;
		case 'y':
			shim_never_yield = true;
			break;
		default:
			return 2;
		}
	}
	if (p > SIDE_MAX || c > SIDE_MAX || !p != !c || !elements) {
		fprintf(stderr, "stress: -p and -c go together, up to %d\n",
			SIDE_MAX);
		return 2;
	}

	signal(SIGALRM, late);
	sched_getaffinity(0, sizeof(set), &set);
	for (int i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, &set))
			cpus[n_cpus++] = i;

	printf("TAP version 13\n");
	if (p) {
		printf("1..1\n");
		stress(elements, p, c, size, U32_MAX - size);
		return !!failed;
	}

	printf("1..%zu\n", ARRAY_SIZE(sides) * ARRAY_SIZE(sizes) + 1);
	for (int i = 0; i < ARRAY_SIZE(sides); i++)
		for (int k = 0; k < ARRAY_SIZE(sizes); k++)
			/* Small queues have their threads wait for each other. */
			stress(sizes[k] < 8 ? elements / 8 + 1 : elements,
			       sides[i].p, sides[i].c, sizes[k],
			       U32_MAX - 3 * sizes[k]);
	test_circle(elements);
	return !!failed;
}
