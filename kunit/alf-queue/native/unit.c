// SPDX-License-Identifier: GPL-2.0
/* Run the KUnit suite of the tree as a program: exits with 1 if a case fails. */

#include "kunit.h"
#include KUNIT_FILE

bool shim_never_yield;

/* Run a case, for one parameter if it has any. */
static bool run_once(struct kunit_case *c, const void *param,
		     const char **skipped)
{
	static struct kunit test;

	memset(&test, 0, sizeof(test));
	test.param_value = param;
	if (!setjmp(test.end))
		c->run(&test);
	while (test.n_actions--)
		test.actions[test.n_actions].fn(test.actions[test.n_actions].arg);
	*skipped = test.skipped;
	return !test.failed;
}

static bool run_case(struct kunit_case *c, const char **skipped)
{
	char desc[KUNIT_PARAM_DESC_SIZE];
	const void *param = NULL;
	bool ok = true;

	if (!c->gen)
		return run_once(c, NULL, skipped);
	while ((param = c->gen(NULL, param, desc))) {
		if (!run_once(c, param, skipped)) {
			printf("# %s\n", desc);
			ok = false;
		}
	}
	return ok;
}

int main(void)
{
	struct kunit_case *c;
	int n = 0, failed = 0;

	for (c = kunit_suite->test_cases; c->run; c++)
		n++;
	printf("TAP version 13\n1..%d\n", n);
	for (n = 1, c = kunit_suite->test_cases; c->run; c++, n++) {
		const char *skipped = NULL;
		bool ok = run_case(c, &skipped);

		printf("%sok %d - %s%s%s\n", ok ? "" : "not ", n, c->name,
		       skipped ? " # SKIP " : "", skipped ? skipped : "");
		failed += !ok;
	}
	return !!failed;
}
