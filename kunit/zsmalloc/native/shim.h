/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Just enough of the kernel for mm/zsmalloc.c to build in userspace from the
 * very file of a kernel tree, and to run in one thread. 64-bit only.
 *
 * The Makefile includes this file before everything else; the headers that the
 * tree's files ask for are found empty, but for a few of the tree.
 */
#ifndef _NATIVE_SHIM_H
#define _NATIVE_SHIM_H

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32, __u32;
typedef unsigned long long u64;
typedef unsigned int gfp_t;
typedef int isolate_mode_t;

#define KBUILD_MODNAME		"zsmalloc"
#define IS_ENABLED(option)	false
#define BITS_PER_LONG		64
#define MAX_PHYSMEM_BITS	46
#define PAGE_SHIFT		12
#define PAGE_SIZE		(1UL << PAGE_SHIFT)

/* Compiler and arithmetic */

#define likely(x)		__builtin_expect(!!(x), 1)
#define unlikely(x)		__builtin_expect(!!(x), 0)
#define __must_check		__attribute__((__warn_unused_result__))
#define __maybe_unused		__attribute__((__unused__))
#define __init			__maybe_unused
#define __exit			__maybe_unused
#define __percpu
#define __acquires(x)
#define __releases(x)
#define __context_unsafe(comment)
#undef __always_inline
#define __always_inline		inline __attribute__((__always_inline__))
#define _RET_IP_		0UL

#define _AC(x, y)		(x##y)
#define U32_MAX			UINT32_MAX
#define SZ_16M			(16 << 20)
#define MAX(a, b)		((a) > (b) ? (a) : (b))
#define max(a, b)		MAX(a, b)
#define min(a, b)		((a) < (b) ? (a) : (b))
#define min_t(type, a, b)	min((type)(a), (type)(b))
#define DIV_ROUND_UP(n, d)	(((n) + (d) - 1) / (d))
#define ARRAY_SIZE(a)		(sizeof(a) / sizeof(*(a)))
#define offset_in_page(p)	((unsigned long)(p) & (PAGE_SIZE - 1))
#define is_power_of_2(n)	((n) && !((n) & ((n) - 1)))
#define container_of(p, type, member)					\
	((type *)((char *)(p) - offsetof(type, member)))

#define IS_ERR_VALUE(x)		((unsigned long)(x) >= -4095UL)
#define IS_ERR_OR_NULL(p)	(!(p) || IS_ERR_VALUE(p))
#define ERR_PTR(error)		((void *)(long)(error))

#define EXPORT_SYMBOL(name)
#define EXPORT_SYMBOL_GPL(name)
#define MODULE_DESCRIPTION(text)
#define MODULE_AUTHOR(text)
#define MODULE_LICENSE(text)
/* The program calls it. */
#define module_init(fn)		static int (*const shim_init)(void) = fn;
#define module_exit(fn)

/* Faults end the program. */

#define BUG_ON(c)		assert(!(c))
#define WARN_ON(c)		(BUG_ON(c), false)
#define VM_BUG_ON(c)		BUG_ON(c)
#define VM_BUG_ON_PAGE(c, page)	BUG_ON(c)
#define VM_WARN_ON_ONCE(c)	BUG_ON(c)
#define BUILD_BUG_ON(c)		_Static_assert(!(c), #c)
#define pr_err(...)		(fprintf(stderr, __VA_ARGS__), abort())
#define pr_warn(...)		fprintf(stderr, __VA_ARGS__)

/* Memory accesses: of one thread */

#define READ_ONCE(x)		(*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v)	(*(volatile __typeof__(x) *)&(x) = (v))
#define data_race(expr)		(expr)
#define smp_load_acquire(p)	READ_ONCE(*(p))
#define smp_store_release(p, v)	WRITE_ONCE(*(p), v)

typedef struct { int counter; } atomic_t;
typedef struct { long counter; } atomic_long_t, atomic64_t;

#define atomic_read(v)		((v)->counter)
#define atomic_set(v, i)	((void)((v)->counter = (i)))
#define atomic_xchg(v, i)	__atomic_exchange_n(&(v)->counter, i, 0)
#define atomic_long_read(v)	atomic_read(v)
#define atomic_long_set(v, i)	atomic_set(v, i)
#define atomic_long_add(i, v)	((void)((v)->counter += (i)))
#define atomic_long_sub(i, v)	((void)((v)->counter -= (i)))
#define atomic64_read(v)	atomic_read(v)
#define atomic64_set(v, i)	atomic_set(v, i)
#define atomic64_add(i, v)	atomic_long_add(i, v)

/* Locks: nobody else is there, so nobody has one that is asked for. */

static unsigned int shim_nr_locked;

typedef struct { bool locked; } spinlock_t, rwlock_t;
struct lock_class_key { };
struct lockdep_map { };

#define assert_spin_locked(l)	BUG_ON(!(l)->locked)
#define spin_lock_init(l)	((void)((l)->locked = false))
#define spin_lock(l)							\
	(BUG_ON((l)->locked), (l)->locked = true, (void)shim_nr_locked++)
#define spin_unlock(l)							\
	(BUG_ON(!(l)->locked), (l)->locked = false, (void)shim_nr_locked--)
#define spin_is_contended(l)	((void)(l), false)

#define rwlock_init(l)		spin_lock_init(l)
#define read_lock(l)		spin_lock(l)
#define read_unlock(l)		spin_unlock(l)
#define write_lock(l)		spin_lock(l)
#define write_unlock(l)		spin_unlock(l)
#define rwlock_is_contended(l)	spin_is_contended(l)

#define lockdep_init_map(map, name, key, sub) ((void)(key))
#define rwsem_acquire(map, sub, try, ip) ((void)(map))
#define rwsem_acquire_read(map, sub, try, ip) ((void)(map))
#define rwsem_release(map, ip)	((void)(map))
#define lock_acquired(map, ip)	((void)(map))

#define cond_resched()		BUG_ON(shim_nr_locked)
#define current			NULL
#define fatal_signal_pending(t)	((void)(t), false)
#define current_work()		((struct work_struct *)NULL)

/* Lists and objects: of a class whose lock is held wherever they change. */

#define LIST_POISON1		((void *)0x100)
#define LIST_POISON2		((void *)0x122)

struct list_head {
	struct list_head *next, *prev;
};

struct hlist_node {
	struct hlist_node *next, **pprev;
};

struct hlist_head {
	struct hlist_node *first;
};

#include <linux/list.h>

#define list_add(entry, head)						\
	(assert_spin_locked(&class->lock), (list_add)(entry, head))
#define list_del_init(entry)						\
	(assert_spin_locked(&class->lock), (list_del_init)(entry))

static unsigned long shim_bytes_copied;

#define shim_compacts		(!__builtin_strcmp(__func__, "zs_object_copy"))
#define memcpy(to, from, n)						\
	(BUG_ON(shim_compacts && !shim_nr_locked),			\
	 shim_bytes_copied += shim_compacts ? (n) : 0,			\
	 __builtin_memcpy(to, from, n))

/* Pages: each is an allocation, so that sanitizers know its ends. */

#define GFP_KERNEL		0U
#define __GFP_HIGHMEM		1U
#define __GFP_MOVABLE		2U
#define NUMA_NO_NODE		(-1)
#define NR_ZSPAGES		0

struct page {
	unsigned long flags;
	struct list_head lru;
	unsigned long mapping;
	unsigned long __folio_index;
	unsigned long private;
	unsigned int page_type;
	atomic_t _refcount;
	char *memory;
};

#define folio			page
#define PG_locked		1UL
#define PG_private		2UL
#define PGTY_zsmalloc		0xf6000000U
#define SHIM_NR_PAGES		(1UL << 19)
/* So that no object has the value 0 */
#define SHIM_FIRST_PFN		0x100000UL

static struct page shim_pages[SHIM_NR_PAGES], *shim_free_pages;
static unsigned long shim_nr_fresh, shim_nr_used;

#define page_to_pfn(p)		((p) - shim_pages + SHIM_FIRST_PFN)
#define pfn_to_page(pfn)	(&shim_pages[(pfn) - SHIM_FIRST_PFN])

static struct page *alloc_pages_node(int nid, gfp_t gfp, unsigned int order)
{
	struct page *page = shim_free_pages;

	BUG_ON(order || (!page && shim_nr_fresh == SHIM_NR_PAGES));
	if (page)
		shim_free_pages = (struct page *)page->private;
	else
		page = &shim_pages[shim_nr_fresh++];
	*page = (struct page){ ._refcount.counter = 1,
			       .memory = malloc(PAGE_SIZE) };
	BUG_ON(!page->memory);
	shim_nr_used++;
	return page;
}

static void __free_page(struct page *page)
{
	BUG_ON(page->flags || --page->_refcount.counter);
	free(page->memory);
	page->private = (unsigned long)shim_free_pages;
	shim_free_pages = page;
	shim_nr_used--;
}

#define SetPagePrivate(p)	((void)((p)->flags |= PG_private))
#define ClearPagePrivate(p)	((void)((p)->flags &= ~PG_private))
#define PagePrivate(p)		(!!((p)->flags & PG_private))
#define __SetPageZsmalloc(p)	((void)((p)->page_type = PGTY_zsmalloc))
#define PageZsmalloc(p)		((p)->page_type >> 24 == PGTY_zsmalloc >> 24)
#define SetPageMovableOps(p)	((void)(p))
#define page_zone(p)		NULL
#define inc_zone_page_state(p, item) ((void)(p))
#define dec_zone_page_state(p, item) ((void)(p))

#define folio_test_locked(f)	(!!((f)->flags & PG_locked))
#define folio_wait_locked(f)	BUG_ON(folio_test_locked(f))
#define folio_trylock(f)						\
	(!folio_test_locked(f) && ((f)->flags |= PG_locked))
#define folio_lock(f)		BUG_ON(!folio_trylock(f))
#define folio_unlock(f)							\
	(BUG_ON(!folio_test_locked(f)), (void)((f)->flags &= ~PG_locked))
#define folio_get(f)		((void)(f)->_refcount.counter++)
#define folio_put(f)		__free_page(f)

#define kmap_local_page(p)	((void *)(p)->memory)
#define kunmap_local(addr)	((void)(addr))
#define memcpy_from_page(to, p, off, n)					\
	__builtin_memcpy(to, (p)->memory + (off), n)
#define memcpy_to_page(p, off, from, n)					\
	__builtin_memcpy((p)->memory + (off), from, n)

/* A cache is no more than the size of its objects. */
#define kmem_cache_create(name, size, ...) ((struct kmem_cache *)(size))
#define kmem_cache_destroy(c)	((void)(c))
#define kmem_cache_alloc(c, gfp) malloc((size_t)(c))
#define kmem_cache_zalloc(c, gfp) calloc(1, (size_t)(c))
#define kmem_cache_free(c, p)	free(p)
#define kzalloc_obj(obj, ...)	calloc(1, sizeof(obj))
#define kstrdup(s, gfp)		strdup(s)
#define kfree(p)		free((void *)(p))

/* The program does not use them. */
#define sg_init_table(sg, n)	((void)(sg))
#define sg_next(sg)		(sg)
#define sg_set_page(sg, p, len, off) ((void)(len))

/* Reclaim: the program finds the shrinker of a pool in the pool. */

#define SHRINK_STOP		(~0UL)

struct shrink_control {
	unsigned long nr_to_scan;
};

struct shrinker {
	unsigned long (*count_objects)(struct shrinker *shrinker,
				       struct shrink_control *sc);
	unsigned long (*scan_objects)(struct shrinker *shrinker,
				      struct shrink_control *sc);
	void *private_data;
	long batch;
	/* The kernel has one for each node. */
	long nr_deferred;
};

#define shrinker_alloc(flags, ...) calloc(1, sizeof(struct shrinker))
#define shrinker_register(s)	((void)(s))
#define shrinker_free(s)	free(s)

/* Work: the program runs it, when what has queued it is over. */

struct work_struct {
	void (*fn)(struct work_struct *work);
};

static struct work_struct *shim_work;

#define INIT_WORK(w, f)		((void)((w)->fn = (f)))
#define queue_work(wq, w)	((void)(shim_work = (w)))
#define cancel_work_sync(w)	((void)(shim_work = NULL))

/* Random numbers that are the same everywhere: lib/random32.c */

#include <linux/prandom.h>

u32 prandom_u32_state(struct rnd_state *s)
{
	s->s1 = (s->s1 & ~1U) << 18 ^ (s->s1 << 6 ^ s->s1) >> 13;
	s->s2 = (s->s2 & ~7U) << 2 ^ (s->s2 << 2 ^ s->s2) >> 27;
	s->s3 = (s->s3 & ~15U) << 7 ^ (s->s3 << 13 ^ s->s3) >> 21;
	s->s4 = (s->s4 & ~127U) << 13 ^ (s->s4 << 3 ^ s->s4) >> 12;
	return s->s1 ^ s->s2 ^ s->s3 ^ s->s4;
}

#endif /* _NATIVE_SHIM_H */
