/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Just enough of KUnit to run the tree's lib/tests/alf_queue_kunit.c here, so
 * that the same cases are run under the sanitizers and on mutants. Prints TAP.
 */
#ifndef _NATIVE_KUNIT_H
#define _NATIVE_KUNIT_H

#include <setjmp.h>
#include <stdio.h>

#define KUNIT_PARAM_DESC_SIZE	128

struct kunit {
	const void *param_value;
	bool failed;
	const char *skipped;
	jmp_buf end;
	unsigned int n_actions;
	struct {
		void (*fn)(void *arg);
		void *arg;
	} actions[256];
};

struct kunit_case {
	void (*run)(struct kunit *test);
	const char *name;
	const void *(*gen)(struct kunit *test, const void *prev, char *desc);
};

struct kunit_suite {
	const char *name;
	struct kunit_case *test_cases;
};

#define KUNIT_CASE(fn)			{ .run = fn, .name = #fn }
#define KUNIT_CASE_PARAM(fn, params)	{ .run = fn, .name = #fn, .gen = params }
#define kunit_test_suite(suite)		struct kunit_suite *kunit_suite = &(suite)

#define kunit_check(test, cond, ...)					\
do {									\
	if (!(cond)) {							\
		printf("# line %d: %s\n", __LINE__, #cond);		\
		(test)->failed = true;					\
		__VA_ARGS__;						\
	}								\
} while (0)

#define KUNIT_EXPECT_TRUE(test, c)	kunit_check(test, c)
#define KUNIT_EXPECT_EQ(test, a, b)	kunit_check(test, (a) == (b))
#define KUNIT_EXPECT_EQ_MSG(test, a, b, ...) kunit_check(test, (a) == (b))
#define KUNIT_EXPECT_LE(test, a, b)	kunit_check(test, (a) <= (b))
#define KUNIT_EXPECT_GE(test, a, b)	kunit_check(test, (a) >= (b))
#define KUNIT_EXPECT_PTR_EQ(test, a, b)	kunit_check(test, (a) == (b))
#define KUNIT_ASSERT_EQ(test, a, b)					\
	kunit_check(test, (a) == (b), longjmp((test)->end, 1))
#define KUNIT_ASSERT_LE(test, a, b)					\
	kunit_check(test, (a) <= (b), longjmp((test)->end, 1))
#define KUNIT_ASSERT_PTR_EQ(test, a, b)					\
	kunit_check(test, (a) == (b), longjmp((test)->end, 1))
#define KUNIT_ASSERT_NOT_ERR_OR_NULL(test, p)				\
	kunit_check(test, (p) && !IS_ERR(p), longjmp((test)->end, 1))

#define kunit_skip(test, why)						\
do {									\
	(test)->skipped = (why);					\
	longjmp((test)->end, 1);					\
} while (0)
#define kunit_warning_suppress(test)

#define KUNIT_DEFINE_ACTION_WRAPPER(wrapper, fn, type)			\
static void wrapper(void *arg)						\
{									\
	fn((type)arg);							\
}

static inline int kunit_add_action_or_reset(struct kunit *test,
					    void (*fn)(void *arg), void *arg)
{
	if (test->n_actions == ARRAY_SIZE(test->actions))
		return -ENOMEM;
	test->actions[test->n_actions].fn = fn;
	test->actions[test->n_actions++].arg = arg;
	return 0;
}

/* An irq_work is run at once, in the middle of whatever queues it. */
struct irq_work {
	void (*fn)(struct irq_work *work);
};

#define IRQ_WORK_INIT_HARD(f)	((struct irq_work){ .fn = f })
#define irq_work_queue(work)	((work)->fn(work))
#define irq_work_sync(work)	((void)(work))

#define HZ			100
#define jiffies			0UL
#define time_before(a, b)	((long)((a) - (b)) < 0)

struct rnd_state {
	u64 x;
};

static inline void prandom_seed_state(struct rnd_state *rnd, u64 seed)
{
	rnd->x = seed * 0x9e3779b97f4a7c15ULL;
}

static inline u32 prandom_u32_state(struct rnd_state *rnd)
{
	rnd->x ^= rnd->x << 13;
	rnd->x ^= rnd->x >> 7;
	rnd->x ^= rnd->x << 17;
	return rnd->x >> 32;
}

#endif /* _NATIVE_KUNIT_H */
