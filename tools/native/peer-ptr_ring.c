// SPDX-License-Identifier: GPL-2.0
/* The kernel's ptr_ring: inline; a lock a pointer in, a lock a batch out. */

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

#define PTR_RING_LOOP(name, op)						\
bench_inline unsigned int name(void *q, void **ptrs, unsigned int n)	\
{									\
	unsigned int i;							\
									\
	for (i = 0; i < n; i++)						\
		if (op(q, ptrs[i]))					\
			break;						\
	return i;							\
}

PTR_RING_LOOP(mp, ptr_ring_produce)
PTR_RING_LOOP(sp, __ptr_ring_produce)

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
