// SPDX-License-Identifier: GPL-2.0
/* DPDK's rte_ring: inline; all of a batch or nothing; holds one less. */

#include <stdlib.h>
#include <rte_ring.h>
#include "bench.h"

static void *create(unsigned int flags)
{
	struct rte_ring *r = aligned_alloc(4096, 16384);

	if (!r || rte_ring_get_memsize(BENCH_SIZE) > 16384 ||
	    rte_ring_init(r, "bench", BENCH_SIZE, flags)) {
		free(r);
		return NULL;
	}
	return r;
}

static void *create_mpmc(void)
{
	return create(0);
}

static void *create_spsc(void)
{
	return create(RING_F_SP_ENQ | RING_F_SC_DEQ);
}

bench_inline unsigned int mp(void *q, void **ptrs, unsigned int n)
{
	return rte_ring_mp_enqueue_bulk(q, ptrs, n, NULL);
}

bench_inline unsigned int mc(void *q, void **ptrs, unsigned int n)
{
	return rte_ring_mc_dequeue_bulk(q, ptrs, n, NULL);
}

bench_inline unsigned int sp(void *q, void **ptrs, unsigned int n)
{
	return rte_ring_sp_enqueue_bulk(q, ptrs, n, NULL);
}

bench_inline unsigned int sc(void *q, void **ptrs, unsigned int n)
{
	return rte_ring_sc_dequeue_bulk(q, ptrs, n, NULL);
}

BENCH_PEER(rte_mpmc, "rte_ring", true, create_mpmc, free, mp, mc);
BENCH_PEER(rte_spsc, "rte_ring", false, create_spsc, free, sp, sc);
