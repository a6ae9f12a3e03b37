// SPDX-License-Identifier: GPL-2.0
/* The kernel's ptr_ring: inline; for many, a lock a batch on either side. */

#define __KERNEL__
#include <linux/ptr_ring.h>
#include "bench.h"

static void *create(void)
{
	struct ptr_ring *r = shim_alloc(sizeof(*r), 0);

	if (r && ptr_ring_init(r, BENCH_SIZE, GFP_KERNEL)) {
		free(r);
		return NULL;
	}
	return r;
}

static void destroy(void *q)
{
	ptr_ring_cleanup(q, NULL);
	free(q);
}

bench_inline unsigned int sp(void *q, void **ptrs, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		if (__ptr_ring_produce(q, ptrs[i]))
			break;
	return i;
}

/* No call produces a batch: users take the lock around a loop. */
bench_inline unsigned int mp(void *q, void **ptrs, unsigned int n)
{
	struct ptr_ring *r = q;

	spin_lock(&r->producer_lock);
	n = sp(r, ptrs, n);
	spin_unlock(&r->producer_lock);
	return n;
}

bench_inline unsigned int mc(void *q, void **ptrs, unsigned int n)
{
	return ptr_ring_consume_batched(q, ptrs, n);
}

bench_inline unsigned int sc(void *q, void **ptrs, unsigned int n)
{
	return __ptr_ring_consume_batched(q, ptrs, n);
}

BENCH_PEER(ptr_ring_mpmc, "ptr_ring", true, create, destroy, mp, mc);
BENCH_PEER(ptr_ring_spsc, "ptr_ring", false, create, destroy, sp, sc);
