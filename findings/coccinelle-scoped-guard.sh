#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Coccinelle 1.1.1 (Debian 12, package coccinelle 1.1.1.deb-2+b1) leaves out a
# whole function that has scoped_guard() or __typeof_unqual__, and says so
# neither in what it prints with --very-quiet, which the kernel's coccicheck
# uses, nor in its exit status.  Linux has thousands of such functions.
#
# Seen: of four functions with the same fault the script below finds that in
# plain() and, behind guard(), in guard_only(); none in guarded() and unqual().
# With two macros that --macro-file defines it finds all four.
#
# Ends with 0 if it is still so.

set -eu
version=1.1.1.deb-2+b1
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"

apt-get download -q "coccinelle=$version" >log 2>&1 || { cat log; exit 1; }
dpkg -x coccinelle_*.deb root
spatch=root/usr/bin/spatch
export COCCINELLE_HOME="$tmp/root/usr/lib/coccinelle"

cat >a.c <<'EOF'
void plain(struct item *item)
{
	if (item)
		kfree(item);
}

void guard_only(struct item *item)
{
	guard(mutex)(&lock);
	if (item)
		kfree(item);
}

void guarded(struct item *item)
{
	if (item)
		kfree(item);
	scoped_guard(mutex, &lock)
		count++;
}

void unqual(struct item *item)
{
	__typeof_unqual__(item->n) n = item->n;

	if (item)
		kfree(item);
	use(n);
}
EOF

cat >a.cocci <<'EOF'
@r@
expression E;
identifier f;
position p;
@@
f(...) {
...
if@p (E)
	kfree(E);
...
}

@script:python@
f << r.f;
@@
print(f)
EOF

cat >macros.h <<'EOF'
#define scoped_guard YACFE_ITERATOR
#define __typeof_unqual__ typeof
EOF

found() {
	"$spatch" --very-quiet --cocci-file a.cocci "$@" a.c | sort | tr '\n' ' '
}

"$spatch" --version | head -n 1
plain=$(found)
macros=$(found --macro-file macros.h)
echo "as it is:     $plain"
echo "with macros:  $macros"
[ "$plain" = "guard_only plain " ]
[ "$macros" = "guard_only guarded plain unqual " ]
