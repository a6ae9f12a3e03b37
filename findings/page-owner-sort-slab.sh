#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# tools/mm/page_owner_sort.c of Linux 7.3.4 (Debian 13's backports, package
# linux-source-7.3 7.3.4-1~bpo13+1): "--cull=allocator" counts no page of slab,
# as it looks for a page flag that the kernel no longer has.
#
# Seen: three blocks in the form of mm/page_owner.c, of new_slab(), are 3 pages
# "allocated by OTHERS".  With the word "slab" among the flags, as 6.1 has it,
# they are "allocated by SLAB".  The list of flags in
# include/trace/events/mmflags.h of the same source, by which the kernel prints
# them, has no "slab", and 6.1.176's has: it is a page type now, and page_owner
# prints none.  In sum the pages are right.
#
# Documentation/mm/page_owner.rst has "ator" for "memory allocator for pages".
# Who compares kernels by it sees slab's memory go to nil and OTHERS grow.
#
# Ends with 0 if it is still so.

set -eu
# shellcheck source=/dev/null
. "$(dirname "$0")/lib/guest"

fetch linux-headers-6.1.0-50-common=6.1.176-1
suite trixie-backports
fetch linux-source-7.3=7.3.4-1~bpo13+1
tar xf root/usr/src/linux-source-7.3.tar.xz --strip-components=1 \
	linux-source-7.3/include/trace/events/mmflags.h \
	linux-source-7.3/tools/mm/page_owner_sort.c
gcc -O1 -w -o page_owner_sort tools/mm/page_owner_sort.c

# culled FLAGS: what becomes of three pages with these flags.
culled() {
	for i in 1 2 3; do
		printf 'Page allocated via order 0, mask 0xcc0(GFP_KERNEL), '
		echo "pid 1, tgid 1 (init), ts $i ns"
		printf 'PFN 0x%d type Unmovable Block 0 type Unmovable ' "$i"
		echo "Flags $1"
		cat <<-END
		 post_alloc_hook+0x1/0x2
		 get_page_from_freelist+0x1/0x2
		 new_slab+0x1/0x2
		 kmem_cache_alloc_noprof+0x1/0x2

		END
	done >blocks.txt
	./page_owner_sort --cull=allocator blocks.txt sorted.txt >log
	sed 's/ $//' sorted.txt
}

# named FOLDER: which of two flags have a name in a kernel's source.
named() {
	grep -Eo '\<(slab|reserved)\>' "$1/include/trace/events/mmflags.h" |
		sort -u | paste -sd ' '
}

{
	echo "flags of 6.1: $(named root/usr/src/linux-headers-6.1*-common)"
	echo "flags of 7.3: $(named .)"
	echo "as in 6.1: $(culled '0x200(slab|node=0|zone=0)')"
	echo "as in 7.3: $(culled '0x0(node=0|zone=0)')"
} | tee out
diff - out <<'END'
flags of 6.1: reserved slab
flags of 7.3: reserved
as in 6.1: 3 times, 3 pages, allocated by SLAB
as in 7.3: 3 times, 3 pages, allocated by OTHERS
END
