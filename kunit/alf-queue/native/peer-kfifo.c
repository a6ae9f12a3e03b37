// SPDX-License-Identifier: GPL-2.0
/* The kernel's kfifo: functions; for many, a lock a batch on either side. */

#include <linux/kfifo.h>
#include "bench.h"

struct fifo {
	DECLARE_KFIFO_PTR(fifo, void *);
	spinlock_t in ____cacheline_aligned;
	spinlock_t out ____cacheline_aligned;
};

static void *create(void)
{
	struct fifo *f = shim_alloc(sizeof(*f), 0);

	if (!f || kfifo_alloc(&f->fifo, BENCH_SIZE, GFP_KERNEL)) {
		free(f);
		return NULL;
	}
	spin_lock_init(&f->in);
	spin_lock_init(&f->out);
	return f;
}

static void destroy(void *q)
{
	struct fifo *f = q;

	kfifo_free(&f->fifo);
	free(f);
}

bench_inline unsigned int mp(void *q, void **ptrs, unsigned int n)
{
	struct fifo *f = q;

	return kfifo_in_spinlocked(&f->fifo, ptrs, n, &f->in);
}

bench_inline unsigned int mc(void *q, void **ptrs, unsigned int n)
{
	struct fifo *f = q;

	return kfifo_out_spinlocked(&f->fifo, ptrs, n, &f->out);
}

bench_inline unsigned int sp(void *q, void **ptrs, unsigned int n)
{
	struct fifo *f = q;

	return kfifo_in(&f->fifo, ptrs, n);
}

bench_inline unsigned int sc(void *q, void **ptrs, unsigned int n)
{
	struct fifo *f = q;

	return kfifo_out(&f->fifo, ptrs, n);
}

BENCH_PEER(kfifo_mpmc, "kfifo", true, create, destroy, mp, mc);
BENCH_PEER(kfifo_spsc, "kfifo", false, create, destroy, sp, sc);
