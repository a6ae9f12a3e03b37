/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Just enough of the kernel, over the compiler's __atomic builtins, for
 * lib/alf_queue.c, and what it is compared with, to build in userspace from
 * the very files of the kernel tree. 64-bit only.
 *
 * The Makefile includes this file before everything else; the headers that
 * those files ask for are found empty.
 */
#ifndef _NATIVE_SHIM_H
#define _NATIVE_SHIM_H

#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef uint8_t u8;
typedef uint32_t u32;
typedef long long s64;
typedef unsigned long long u64;
typedef u64 dma_addr_t;

/* Compiler and arithmetic */

#undef __always_inline
#define __always_inline		inline __attribute__((__always_inline__))
#define noinline		__attribute__((__noinline__))
#define __must_check		__attribute__((__warn_unused_result__))
#define __user
#define fallthrough		__attribute__((__fallthrough__))

#define likely(x)		__builtin_expect(!!(x), 1)
#define unlikely(x)		__builtin_expect(!!(x), 0)
#define prefetch(p)		__builtin_prefetch(p)
#define barrier()		__asm__ __volatile__("" : : : "memory")

#define __aligned(n)		__attribute__((__aligned__(n)))
#define SMP_CACHE_BYTES		64
#define ____cacheline_aligned	__aligned(SMP_CACHE_BYTES)
#define ____cacheline_aligned_in_smp ____cacheline_aligned

#define min(a, b)							\
({									\
	__auto_type _a = (a);						\
	__auto_type _b = (b);						\
									\
	_a < _b ? _a : _b;						\
})
#define BIT_U32(nr)	((u32)1 << (nr))
#define min3(a, b, c)		min(a, min(b, c))
#define max(a, b)							\
({									\
	__auto_type _a = (a);						\
	__auto_type _b = (b);						\
									\
	_a > _b ? _a : _b;						\
})
#define clamp(v, lo, hi)	min(max(v, lo), hi)

#define U32_MAX			UINT32_MAX
#define S64_MAX			INT64_MAX
#define lower_32_bits(n)	((u32)(n))
#define upper_32_bits(n)	((u32)((u64)(n) >> 32))
#define DIV_ROUND_UP(n, d)	(((n) + (d) - 1) / (d))
#define ALIGN(n, a)		(((n) + (a) - 1) & ~((__typeof__(n))(a) - 1))
#define ARRAY_SIZE(a)		(sizeof(a) / sizeof(*(a)))

#define ilog2(n)		(63 - __builtin_clzl(n))
static inline bool is_power_of_2(unsigned long n)
{
	return n && !(n & (n - 1));
}

static inline unsigned long rounddown_pow_of_two(unsigned long n)
{
	return 1UL << (63 - __builtin_clzl(n));
}

static inline unsigned long roundup_pow_of_two(unsigned long n)
{
	return n > 1 ? rounddown_pow_of_two(n - 1) << 1 : 1;
}

#define struct_size(p, member, n)					\
	(sizeof(*(p)) + (size_t)(n) * sizeof(*(p)->member))

#define ERR_PTR(error)		((void *)(long)(error))
#define PTR_ERR(ptr)		((long)(ptr))
#define IS_ERR(ptr)		((unsigned long)(ptr) >= -4095UL)

#define EXPORT_SYMBOL(name)
#define EXPORT_SYMBOL_GPL(name)
#define MODULE_DESCRIPTION(text)
#define MODULE_LICENSE(text)

/* Memory accesses and their order */

static inline void cpu_relax(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ __volatile__("yield" : : : "memory");
#endif
}

/*
 * For the stress test, SHIM_STRESS. Before what matters to others there is now
 * and then a pause, of which not all are short, so that others get in between
 * where they hardly would. A thread that waits lets others run, unless the test
 * is to show that nobody depends on that.
 *
 * For the benchmark neither: calls would have alf_queue save registers that it
 * does not in the kernel.
 */
#ifdef SHIM_STRESS
extern bool shim_never_yield;
static __thread u32 shim_random;

static inline void shim_disturb(void)
{
	shim_random = shim_random * 1664525 + 1013904223;
	if (likely(shim_random >> 26))
		return;
	if (shim_random >> 22 & 15 || shim_never_yield)
		for (u32 i = shim_random >> 16 & 63; i; i--)
			cpu_relax();
	else
		sched_yield();
}

static inline void shim_wait(unsigned int *spins)
{
	if (++*spins % 256 || shim_never_yield)
		cpu_relax();
	else
		sched_yield();
}
#else
static __always_inline void shim_disturb(void) { }
static __always_inline void shim_wait(unsigned int *spins) { cpu_relax(); }
#endif

#ifndef SHIM_TSAN
#define READ_ONCE(x)		__atomic_load_n(&(x), __ATOMIC_RELAXED)
#define WRITE_ONCE(x, v)	__atomic_store_n(&(x), v, __ATOMIC_RELAXED)
#define smp_rmb()		__atomic_thread_fence(__ATOMIC_ACQUIRE)
#define smp_wmb()		__atomic_thread_fence(__ATOMIC_RELEASE)
#define shim_claimed()		((void)0)
#else
/*
 * The thread sanitizer does not know fences. A write barrier makes releases of
 * the writes that follow, until the next claim; a read barrier acquires what
 * was read before it.
 */
#define SHIM_READS		256
static __thread bool shim_wmb;
static __thread const void *shim_reads[SHIM_READS];
static __thread unsigned int shim_n_reads;

void __tsan_acquire(void *addr);

static inline void shim_log_read(const void *addr)
{
	shim_reads[shim_n_reads++ % SHIM_READS] = addr;
}

static inline void smp_rmb(void)
{
	unsigned int n = shim_n_reads < SHIM_READS ? shim_n_reads : SHIM_READS;

	while (n)
		__tsan_acquire((void *)shim_reads[--n]);
	shim_n_reads = 0;
}

#define READ_ONCE(x)							\
	(shim_log_read(&(x)), __atomic_load_n(&(x), __ATOMIC_RELAXED))
#define WRITE_ONCE(x, v)						\
do {									\
	if (shim_wmb)							\
		__atomic_store_n(&(x), v, __ATOMIC_RELEASE);		\
	else								\
		__atomic_store_n(&(x), v, __ATOMIC_RELAXED);		\
} while (0)
#define smp_wmb()		((void)(shim_wmb = true))
#define shim_claimed()		((void)(shim_wmb = false))
#endif
#define data_race(expr)		(expr)
#define smp_load_acquire(p)						\
	(shim_disturb(), __atomic_load_n(p, __ATOMIC_ACQUIRE))
#define smp_store_release(p, v)						\
	(shim_disturb(), __atomic_store_n(p, v, __ATOMIC_RELEASE))
#define smp_acquire__after_ctrl_dep() smp_rmb()

#define smp_cond_load_relaxed(p, cond)					\
({									\
	unsigned int _spins = 0;					\
	__typeof__(*(p)) VAL;						\
									\
	for (;;) {							\
		VAL = __atomic_load_n(p, __ATOMIC_RELAXED);		\
		if (cond)						\
			break;						\
		shim_wait(&_spins);					\
	}								\
	VAL;								\
})

typedef struct {
	s64 counter;
} atomic64_t;

static __always_inline s64 atomic64_read(const atomic64_t *v)
{
	return __atomic_load_n(&v->counter, __ATOMIC_RELAXED);
}

static __always_inline s64 atomic64_read_acquire(const atomic64_t *v)
{
	return smp_load_acquire(&v->counter);
}

static __always_inline void atomic64_set(atomic64_t *v, s64 i)
{
	__atomic_store_n(&v->counter, i, __ATOMIC_RELAXED);
}

static __always_inline void atomic64_set_release(atomic64_t *v, s64 i)
{
	shim_claimed();
	__atomic_store_n(&v->counter, i, __ATOMIC_RELEASE);
}

/* A pointer to u64 does for @old in the kernel as well, where it is s64. */
#define atomic64_try_cmpxchg_release(v, old, new)			\
	(shim_disturb(), shim_claimed(),				\
	 __atomic_compare_exchange_n(&(v)->counter, (s64 *)(old), new,	\
				     false, __ATOMIC_RELEASE,		\
				     __ATOMIC_RELAXED))

/* Contexts, of which there is one, and lockdep, which has nothing to say */

#define preempt_disable()	barrier()
#define preempt_enable()	barrier()
#define in_nmi()		0
#define local_irq_save(flags)	((void)((flags) = 0))
#define local_irq_restore(flags) ((void)(flags))
#define guard(name)		shim_guard_##name
#define shim_guard_irqsave	barrier
#define shim_guard_preempt	barrier

struct lock_class_key { };
struct lockdep_map { };
enum { LD_WAIT_INV, LD_WAIT_FREE, LD_WAIT_SPIN, LD_WAIT_CONFIG };

#define IS_ENABLED(option)	SHIM_##option
#ifndef SHIM_CONFIG_DEBUG_KMEMLEAK
#define SHIM_CONFIG_DEBUG_KMEMLEAK 0
#endif
#ifdef SHIM_STRESS
#define CONFIG_ALF_QUEUE_TEST_HOOK 1
#define SHIM_CONFIG_ALF_QUEUE_DEBUG 1
#else
#define SHIM_CONFIG_ALF_QUEUE_DEBUG 0
#endif
#define SHIM_CONFIG_PROVE_LOCKING 0
#define WARN_ONCE(c, ...)	(c)
#define ASSERT_EXCLUSIVE_WRITER(var) ((void)(var))
#define lockdep_assert_once(c)	((void)(c))
#define lock_map_acquire(map)	((void)(map))
#define lock_map_release(map)	((void)(map))
#define lockdep_init_map_wait(map, name, key, subclass, inner)		\
	((void)(map), (void)(name), (void)(key))

/* A function to lock, as in the kernel, and unlocked inline. */
typedef struct {
	bool locked;
} spinlock_t;

static inline void spin_lock_init(spinlock_t *lock)
{
	lock->locked = false;
}

void _raw_spin_lock(spinlock_t *lock);
#define spin_lock(lock)		_raw_spin_lock(lock)

static inline void spin_unlock(spinlock_t *lock)
{
	__atomic_store_n(&lock->locked, false, __ATOMIC_RELEASE);
}

#define spin_lock_irq(lock)		spin_lock(lock)
#define spin_unlock_irq(lock)		spin_unlock(lock)
#define spin_lock_bh(lock)		spin_lock(lock)
#define spin_unlock_bh(lock)		spin_unlock(lock)
#define spin_lock_irqsave(lock, flags)	((void)((flags) = 0), spin_lock(lock))
#define spin_unlock_irqrestore(lock, flags)				\
	((void)(flags), spin_unlock(lock))
#define spin_lock_nested(lock, subclass) spin_lock(lock)

/* Memory */

typedef unsigned int gfp_t;
#define GFP_KERNEL		0U
#define GFP_NOWAIT		0U
#define __GFP_NOWARN		0U
#define __GFP_ZERO		1U
#define NUMA_NO_NODE		(-1)
#define KMALLOC_MAX_SIZE	(4UL << 20)
#define alloc_hooks(alloc)	(alloc)

/*
 * The kernel copies without vector registers, in words where the CPU is not
 * known to be quick at "rep movsb".
 */
static inline void *shim_memcpy(void *to, const void *from, size_t n)
{
	u64 *t = to;
	const u64 *f = from;
	u8 *tb;
	const u8 *fb;

	for (; n >= 32; n -= 32, t += 4, f += 4) {
		u64 a = f[0], b = f[1], c = f[2], d = f[3];

		t[0] = a;
		t[1] = b;
		t[2] = c;
		t[3] = d;
	}
	for (; n >= 8; n -= 8)
		*t++ = *f++;
	for (tb = (u8 *)t, fb = (const u8 *)f; n; n--)
		*tb++ = *fb++;
	return to;
}
#define memcpy(to, from, n)	shim_memcpy(to, from, n)

/* Page-aligned, so that no comparison depends on where memory comes from. */
static inline void *shim_alloc(size_t bytes, gfp_t gfp)
{
	size_t size = ALIGN(bytes, 4096);
	void *p = aligned_alloc(4096, size);

	return p && (gfp & __GFP_ZERO) ? memset(p, 0, size) : p;
}

#define kvmalloc_node_align(bytes, align, gfp, node) shim_alloc(bytes, gfp)
#define kvmalloc_node(bytes, gfp, node)		shim_alloc(bytes, gfp)
#define kvzalloc_node(bytes, gfp, node)		shim_alloc(bytes, __GFP_ZERO)
#define kvmalloc_array_noprof(n, size, gfp)	shim_alloc((n) * (size), gfp)
#define kvmalloc_array(n, size, gfp)		shim_alloc((n) * (size), gfp)
#define kmalloc_array_node(n, size, gfp, node)	shim_alloc((n) * (size), gfp)
#define kmalloc_array_noprof(n, size, gfp)	shim_alloc((n) * (size), gfp)
#define kvfree(p)				free(p)
#define kfree(p)				free(p)

/* What lib/kfifo.c wants for users and devices, and nobody here calls */

#define BUG_ON(c)		do { if (c) abort(); } while (0)
#define copy_from_user(to, from, n)	((void)memcpy(to, from, n), 0UL)
#define copy_to_user(to, from, n)	((void)memcpy(to, from, n), 0UL)
#define DMA_MAPPING_ERROR	(~(dma_addr_t)0)
#define sg_dma_address(sg)	((sg)->dma)
#define sg_dma_len(sg)		((sg)->length)

struct scatterlist {
	dma_addr_t dma;
	unsigned int length;
};

static inline void sg_set_buf(struct scatterlist *sg, const void *buf,
			      unsigned int length)
{
	(void)buf;
	sg->length = length;
}

#endif /* _NATIVE_SHIM_H */
