// SPDX-License-Identifier: GPL-2.0
/*
 * Stress lib/alf_queue.c from as many threads as asked for.
 *
 * stress [-n ELEMENTS] [-p PRODUCERS -c CONSUMERS [-s SIZE]] [-t SECONDS]
 *
 * Without -p and -c: the unit cases and a matrix of modes, threads and sizes
 * with ELEMENTS pointers each. Prints TAP; a test that takes longer than
 * SECONDS has failed, and is the last.
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
}, enqueue_irqsave = { alf_mp_enqueue_irqsave, alf_mp_enqueue_burst_irqsave };

static const struct { dequeue_t bulk, burst; } dequeue[2] = {
	{ alf_sc_dequeue, alf_sc_dequeue_burst },
	{ alf_mc_dequeue, alf_mc_dequeue_burst },
}, dequeue_irqsave = { alf_mc_dequeue_irqsave, alf_mc_dequeue_burst_irqsave };

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

static void late(int sig)
{
	static const char text[] = "Bail out! no end: the queue hangs\n";

	(void)!write(1, text, sizeof(text) - 1);
	_exit(1);
}

/* Put an empty queue's indices to @start, where time would take them. */
static void start_at(struct alf_queue *q, u32 start)
{
	atomic64_set(&q->prod.head, (u64)start << 32 | (u32)(start + q->size));
	atomic64_set(&q->cons.head, (u64)start << 32 | start);
	q->prod.tail = start;
	q->cons.tail = start;
}

/* Unit cases, one thread */

#define CHECK(cond)							\
do {									\
	if (!(cond)) {							\
		printf("# line %d: %s\n", __LINE__, #cond);		\
		return false;						\
	}								\
} while (0)

static bool unit_errors(void)
{
	unsigned int bad[] = { 0, 3, 6, 1000, ALF_QUEUE_MAX_SIZE - 1,
			       ALF_QUEUE_MAX_SIZE + 1, ALF_QUEUE_MAX_SIZE * 2,
			       U32_MAX };

	for (int i = 0; i < ARRAY_SIZE(bad); i++)
		CHECK(PTR_ERR(alf_queue_alloc(bad[i], GFP_KERNEL,
					      NUMA_NO_NODE)) == -EINVAL);
	/* More than INT_MAX bytes. */
	CHECK(PTR_ERR(alf_queue_alloc(ALF_QUEUE_MAX_SIZE, GFP_KERNEL,
				      NUMA_NO_NODE)) == -ENOMEM);
	alf_queue_free(NULL);
	return true;
}

static bool is_count(struct alf_queue *q, unsigned int size, unsigned int count)
{
	return alf_queue_count(q) == count &&
	       alf_queue_avail_space(q) == size - count &&
	       alf_queue_empty(q) == !count &&
	       alf_queue_full(q) == (count == size);
}

static bool unit_ops(struct alf_queue *q, unsigned int size, enqueue_t bulk_in,
		     enqueue_t burst_in, dequeue_t bulk_out,
		     dequeue_t burst_out)
{
	void *in[20], *out[20];
	unsigned int i, n;

	for (i = 0; i < 20; i++)
		in[i] = &in[i];

	/* Nothing, and from nothing. */
	memset(out, 0, sizeof(out));
	CHECK(is_count(q, size, 0));
	CHECK(!bulk_in(q, in, 0) && !burst_in(q, in, 0));
	CHECK(!bulk_out(q, out, 0) && !burst_out(q, out, 0));
	CHECK(!bulk_out(q, out, 1) && !burst_out(q, out, 1));
	CHECK(!bulk_in(q, in, size + 1) && !bulk_in(q, in, U32_MAX));
	CHECK(is_count(q, size, 0) && !out[0]);

	/* All that there is room for, at once, and one by one. */
	CHECK(bulk_in(q, in, size) == size && is_count(q, size, size));
	CHECK(!bulk_in(q, in, 1) && !burst_in(q, in, 1));
	CHECK(!bulk_out(q, out, size + 1) && !out[0]);
	CHECK(bulk_out(q, out, size) == size && is_count(q, size, 0));
	CHECK(!memcmp(in, out, size * sizeof(*in)) && !out[size]);
	for (i = 0; i < size; i++)
		CHECK(bulk_in(q, in + i, 1) == 1 && is_count(q, size, i + 1));
	CHECK(!bulk_in(q, in, 1));
	for (i = 0; i < size; i++)
		CHECK(burst_out(q, out, 1) == 1 && out[0] == in[i]);
	CHECK(is_count(q, size, 0));

	/* Bursts take what fits and give what is there. */
	memset(out, 0, sizeof(out));
	CHECK(burst_in(q, in, size + 1) == size && is_count(q, size, size));
	CHECK(!burst_in(q, in, size + 1));
	CHECK(burst_out(q, out, size + 2) == size && !out[size]);
	CHECK(!memcmp(in, out, size * sizeof(*in)));
	for (n = 1; n < size; n++) {
		memset(out, 0, sizeof(out));
		CHECK(bulk_in(q, in, n) == n);
		CHECK(!bulk_in(q, in + n, size - n + 1));
		CHECK(burst_in(q, in + n, size) == size - n);
		CHECK(bulk_out(q, out, n) == n && is_count(q, size, size - n));
		CHECK(!bulk_out(q, out + n, size - n + 1) && !out[n]);
		CHECK(burst_out(q, out + n, size) == size - n && !out[size]);
		CHECK(!memcmp(in, out, size * sizeof(*in)));
	}

	/* Every alignment of a batch to the ring. */
	for (i = 0; i < 3 * size; i++) {
		n = i % size + 1;
		memset(out, 0, sizeof(out));
		CHECK(bulk_in(q, in, n) == n && bulk_out(q, out, n) == n);
		CHECK(!memcmp(in, out, n * sizeof(*in)) && !out[n]);
	}
	CHECK(is_count(q, size, 0));
	return true;
}

static bool unit(unsigned int size, u32 start)
{
	struct alf_queue *q = alf_queue_alloc(size, GFP_KERNEL, NUMA_NO_NODE);
	bool ok = true;

	CHECK(!IS_ERR(q));
	for (int i = 0; i < 4; i++) {
		int p = i & 1, c = i >> 1;

		start_at(q, start);
		ok = ok && unit_ops(q, size, enqueue[p].bulk, enqueue[p].burst,
				    dequeue[c].bulk, dequeue[c].burst);
	}
	start_at(q, start);
	ok = ok && unit_ops(q, size, enqueue_irqsave.bulk,
			    enqueue_irqsave.burst, dequeue_irqsave.bulk,
			    dequeue_irqsave.burst);
	alf_queue_free(q);
	return ok;
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
	if (job.crowded)
		sched_yield();
	else
		shim_wait(spins);
}

/* Never 0, so that a pointer is not NULL. */
static void *encode(unsigned int producer, u64 seq)
{
	return (void *)((u64)(producer + 1) << 48 | seq);
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
	u64 seq = ptr & ((1ULL << 48) - 1);

	if (producer >= job.producers || seq >= job.each) {
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
		   unsigned int consumers, unsigned int size, u32 start)
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

	alarm(seconds);
	clock_gettime(CLOCK_MONOTONIC, &t0);
	pthread_barrier_wait(&job.start);
	for (i = 0; i < total; i++) {
		pthread_join(threads[i].thread, NULL);
		ok = ok && threads[i].ok;
	}
	clock_gettime(CLOCK_MONOTONIC, &t1);
	alarm(0);

	if (ok && !alf_queue_empty(job.q)) {
		diag("not empty in the end", 0, alf_queue_count(job.q));
		ok = false;
	}
	ok = ok && all_once(threads + producers);

	snprintf(name, sizeof(name), "%uP+%uC %s/%s size %u from %#x: "
		 "%llu in %.2f s", producers, consumers,
		 producers > 1 ? "mp" : "sp", consumers > 1 ? "mc" : "sc",
		 size, start, (unsigned long long)job.each * producers,
		 (t1.tv_sec - t0.tv_sec) + (t1.tv_nsec - t0.tv_nsec) / 1e9);
	result(ok, name);

	for (i = producers; i < total; i++)
		for (p = 0; p < producers; p++)
			free(threads[i].seen[p]);
	free(threads);
	pthread_barrier_destroy(&job.start);
	alf_queue_free(job.q);
}

static void unit_cases(void)
{
	unsigned int sizes[] = { 1, 2, 4, 16 };
	char name[80];

	result(unit_errors(), "allocation errors");
	for (int i = 0; i < ARRAY_SIZE(sizes); i++) {
		for (int wrap = 0; wrap < 2; wrap++) {
			u32 start = wrap ? U32_MAX - sizes[i] : 0;

			snprintf(name, sizeof(name), "size %u from %#x",
				 sizes[i], start);
			result(unit(sizes[i], start), name);
		}
	}
}

static const struct { unsigned int p, c; } sides[] = {
	{ 1, 1 }, { 2, 1 }, { 1, 2 }, { 2, 2 }, { 4, 4 },
};
static const unsigned int sizes[] = { 1, 2, 8, 1024 };

int main(int argc, char **argv)
{
	unsigned int p = 0, c = 0, size = 1024;
	u64 elements = 1000000;
	cpu_set_t set;
	int opt;

	while ((opt = getopt(argc, argv, "n:p:c:s:t:")) != -1) {
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

	printf("1..%zu\n", 9 + ARRAY_SIZE(sides) * ARRAY_SIZE(sizes));
	unit_cases();
	for (int i = 0; i < ARRAY_SIZE(sides); i++)
		for (int k = 0; k < ARRAY_SIZE(sizes); k++)
			/* Small queues have their threads wait for each other. */
			stress(sizes[k] < 8 ? elements / 8 + 1 : elements,
			       sides[i].p, sides[i].c, sizes[k],
			       U32_MAX - 3 * sizes[k]);
	return !!failed;
}
