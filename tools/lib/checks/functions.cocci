// SPDX-License-Identifier: GPL-2.0
// Name the functions that Coccinelle has parsed.
@r@
identifier f;
position p;
@@
f@p(...) { ... }

@script:python@
f << r.f;
p << r.p;
@@
print("%s:%s" % (p[0].file, f))
