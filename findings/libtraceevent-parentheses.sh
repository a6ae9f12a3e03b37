#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# libtraceevent 1.7.1 (Debian 12, libtraceevent1 1:1.7.1-1), by which trace-cmd
# prints events, loses the parentheses of an operand on the right, reads chains
# from the right, and takes all numbers as unsigned.  The values are wrong, and
# nothing says so.
#
# Seen: 2 * (1 + 2) is 4, 100 / (2 + 3) is 53, 10 - 2 - 1 is 9, and "< 0" is 0
# for a field that has -1.  The event kmem:mm_page_alloc_extfrag of Linux 7.3.4
# compares with the smaller of two constants; where C has fragmenting=1 or 0, it
# has 9 or 10.  6.1.176 has the same text.  Versions 1.8.4 and 1.9.0 do
# the same.
#
# A "print fmt" is the C text of TP_printk(), and the kernel prints by what the
# compiler makes of it, as the script does.  Who counts "fragmenting=1" in what
# trace-cmd reports, to see what fragments memory, finds none.
#
# Ends with 0 if it is still so.

set -eu
lib=$(cd "$(dirname "$0")/lib" && pwd)
# shellcheck source=/dev/null
. "$lib/guest"
# shellcheck source=/dev/null
. "$lib/trace"

suite trixie-backports
fetch linux-binary-7.3.4+deb13-cloud-amd64=7.3.4-1~bpo13+1

# compare EXPRESSION: with a field that is -1.
compare() {
	printf '%-17s C: %-4s libtraceevent: %s\n' "$1" \
		"$(compiled "\"%d\", $1" a=-1)" "$(./event "\"%d\", $1" a=-1)"
}

# extfrag ORDER: of mm_page_alloc_extfrag, with that fallback_order.
extfrag() {
	set -- "$format" pfn=4096 alloc_order=0 fallback_order="$1" \
		alloc_migratetype=0 fallback_migratetype=1 change_ownership=0
	echo "$4 C: $(compiled "$@" | grep -o 'fragmenting=[0-9]*')" \
		"libtraceevent: $(./event "$@" | grep -o 'fragmenting=[0-9]*')"
}

format=$(formats "$(find root -name vmlinuz)" fallback_order=)
{
	compare '2 * (1 + 2)'
	compare '100 / (2 + 3)'
	compare '10 - 2 - 1'
	compare 'REC->a < 0'
	compare '(1 + 2) * 2'
	extfrag 0
	extfrag 3
	extfrag 9
} | tee out
diff - out <<'END'
2 * (1 + 2)       C: 6    libtraceevent: 4
100 / (2 + 3)     C: 20   libtraceevent: 53
10 - 2 - 1        C: 7    libtraceevent: 9
REC->a < 0        C: 1    libtraceevent: 0
(1 + 2) * 2       C: 6    libtraceevent: 6
fallback_order=0 C: fragmenting=1 libtraceevent: fragmenting=9
fallback_order=3 C: fragmenting=1 libtraceevent: fragmenting=10
fallback_order=9 C: fragmenting=0 libtraceevent: fragmenting=10
END
