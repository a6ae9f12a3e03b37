/* SPDX-License-Identifier: GPL-2.0 */
/*
 * For Coccinelle, which leaves out a function with what it cannot parse: see
 * findings/coccinelle-scoped-guard.sh.
 */
#define scoped_guard YACFE_ITERATOR
#define scoped_cond_guard YACFE_ITERATOR
#define kunit_warning_suppress YACFE_ITERATOR
#define __typeof_unqual__ typeof
#define VISIBLE_IF_KUNIT
