/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a queue has to say to be measured, and the loops that measure it. Each
 * peer is a file of its own, so that the loops are compiled around its
 * operations: inline ones are inlined, and functions are called.
 */
#ifndef _BENCH_H
#define _BENCH_H

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#define BENCH_SIZE	1024U	/* pointers in every queue */
#define BENCH_BULK_MAX	32U

/*
 * How long to spin before others get the CPU: not at all if there are more
 * threads than CPUs.
 */
extern unsigned int bench_spins;

struct peer {
	const char *name;
	bool shared;		/* MP/MC, or else SP/SC */
	void *(*create)(void);
	void (*destroy)(void *q);

	/* Move @total pointers in batches of @n; the sum of those dequeued. */
	uint64_t (*both)(void *q, unsigned int n, uint64_t total);
	void (*produce)(void *q, unsigned int n, uint64_t total);
	uint64_t (*consume)(void *q, unsigned int n, uint64_t total);
};

typedef unsigned int (*bench_enqueue_t)(void *q, void **ptrs, unsigned int n);
typedef unsigned int (*bench_dequeue_t)(void *q, void **ptrs, unsigned int n);

#define bench_inline	static inline __attribute__((__always_inline__))

bench_inline void bench_fill(void **ptrs)
{
	for (uintptr_t i = 0; i < BENCH_BULK_MAX; i++)
		ptrs[i] = (void *)(8 * i + 8);
}

bench_inline uint64_t bench_sum(void **ptrs, unsigned int n)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < n; i++) {
		sum += (uintptr_t)ptrs[i];
		/* One by one: the kernel has no vector unit to add with. */
		__asm__ __volatile__("" : "+r" (sum));
	}
	return sum;
}

bench_inline void bench_wait(unsigned int *spins)
{
	if (++*spins <= bench_spins) {
#if defined(__x86_64__)
		__asm__ __volatile__("pause" : : : "memory");
#elif defined(__aarch64__)
		__asm__ __volatile__("yield" : : : "memory");
#endif
	} else {
		*spins = 0;
		sched_yield();
	}
}

bench_inline void bench_enqueue(void *q, void **ptrs, unsigned int n,
				bench_enqueue_t enqueue)
{
	unsigned int got, done = 0, spins = 0;

	for (;;) {
		got = enqueue(q, ptrs + done, n - done);
		done += got;
		if (done == n)
			break;
		if (!got)
			bench_wait(&spins);
	}
}

bench_inline void bench_dequeue(void *q, void **ptrs, unsigned int n,
				bench_dequeue_t dequeue)
{
	unsigned int got, done = 0, spins = 0;

	for (;;) {
		got = dequeue(q, ptrs + done, n - done);
		done += got;
		if (done == n)
			break;
		if (!got)
			bench_wait(&spins);
	}
}

bench_inline uint64_t bench_both(void *q, unsigned int n, uint64_t total,
				 bench_enqueue_t enqueue,
				 bench_dequeue_t dequeue)
{
	void *in[BENCH_BULK_MAX], *out[BENCH_BULK_MAX];
	uint64_t sum = 0;

	bench_fill(in);
	for (uint64_t i = 0; i < total; i += n) {
		bench_enqueue(q, in, n, enqueue);
		bench_dequeue(q, out, n, dequeue);
		sum += bench_sum(out, n);
	}
	return sum;
}

bench_inline void bench_produce(void *q, unsigned int n, uint64_t total,
				bench_enqueue_t enqueue)
{
	void *in[BENCH_BULK_MAX];

	bench_fill(in);
	for (uint64_t i = 0; i < total; i += n)
		bench_enqueue(q, in, n, enqueue);
}

bench_inline uint64_t bench_consume(void *q, unsigned int n, uint64_t total,
				    bench_dequeue_t dequeue)
{
	void *out[BENCH_BULK_MAX];
	uint64_t sum = 0;

	for (uint64_t i = 0; i < total; i += n) {
		bench_dequeue(q, out, n, dequeue);
		sum += bench_sum(out, n);
	}
	return sum;
}

#define BENCH_PEER(id, label, mpmc, make, unmake, enqueue, dequeue)	\
static uint64_t id##_both(void *q, unsigned int n, uint64_t total)	\
{									\
	return bench_both(q, n, total, enqueue, dequeue);		\
}									\
static void id##_produce(void *q, unsigned int n, uint64_t total)	\
{									\
	bench_produce(q, n, total, enqueue);				\
}									\
static uint64_t id##_consume(void *q, unsigned int n, uint64_t total)	\
{									\
	return bench_consume(q, n, total, dequeue);			\
}									\
extern const struct peer id;						\
const struct peer id = {						\
	.name = label, .shared = mpmc, .create = make,			\
	.destroy = unmake, .both = id##_both,				\
	.produce = id##_produce, .consume = id##_consume,		\
}

#endif /* _BENCH_H */
