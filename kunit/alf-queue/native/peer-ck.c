// SPDX-License-Identifier: GPL-2.0
/* Concurrency Kit's ck_ring: inline; one at a time; holds one less. */

#include <stdlib.h>
#include <ck_ring.h>
#include "bench.h"

struct ring {
	ck_ring_t ring __attribute__((__aligned__(64)));
	ck_ring_buffer_t buffer[BENCH_SIZE] __attribute__((__aligned__(64)));
};

static void *create(void)
{
	struct ring *r = aligned_alloc(4096, (sizeof(*r) + 4095) & ~4095UL);

	if (r)
		ck_ring_init(&r->ring, BENCH_SIZE);
	return r;
}

#define CK_LOOP(name, op, arg)						\
bench_inline unsigned int name(void *q, void **ptrs, unsigned int n)	\
{									\
	struct ring *r = q;						\
	unsigned int i;							\
									\
	for (i = 0; i < n; i++)						\
		if (!op(&r->ring, r->buffer, arg))			\
			break;						\
	return i;							\
}

CK_LOOP(mp, ck_ring_enqueue_mpmc, ptrs[i])
CK_LOOP(mc, ck_ring_dequeue_mpmc, &ptrs[i])
CK_LOOP(sp, ck_ring_enqueue_spsc, ptrs[i])
CK_LOOP(sc, ck_ring_dequeue_spsc, &ptrs[i])

BENCH_PEER(ck_mpmc, "ck_ring", true, create, free, mp, mc);
BENCH_PEER(ck_spsc, "ck_ring", false, create, free, sp, sc);
