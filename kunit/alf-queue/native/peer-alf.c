// SPDX-License-Identifier: GPL-2.0
/* alf_queue: functions, as in the kernel; all of a batch or nothing. */

#include <linux/alf_queue.h>
#include "bench.h"

static void *create(void)
{
	struct alf_queue *q = alf_queue_alloc(BENCH_SIZE, GFP_KERNEL,
					      NUMA_NO_NODE);

	return IS_ERR(q) ? NULL : q;
}

static void destroy(void *q)
{
	alf_queue_free(q);
}

bench_inline unsigned int mp(void *q, void **ptrs, unsigned int n)
{
	return alf_mp_enqueue(q, ptrs, n);
}

bench_inline unsigned int mc(void *q, void **ptrs, unsigned int n)
{
	return alf_mc_dequeue(q, ptrs, n);
}

bench_inline unsigned int sp(void *q, void **ptrs, unsigned int n)
{
	return alf_sp_enqueue(q, ptrs, n);
}

bench_inline unsigned int sc(void *q, void **ptrs, unsigned int n)
{
	return alf_sc_dequeue(q, ptrs, n);
}

#ifdef OLD
BENCH_PEER(old_mpmc, "before", true, create, destroy, mp, mc);
BENCH_PEER(old_spsc, "before", false, create, destroy, sp, sc);
#else
BENCH_PEER(alf_mpmc, "alf_queue", true, create, destroy, mp, mc);
BENCH_PEER(alf_spsc, "alf_queue", false, create, destroy, sp, sc);
#endif
