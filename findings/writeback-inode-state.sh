#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Linux 7.3.4 (Debian 13's backports, linux-binary-7.3.4+deb13-cloud-amd64
# 7.3.4-1~bpo13+1): the formats of the writeback events have names of an enum in
# place of numbers for the inode's state, which no program can know.
#
# Seen: libtraceevent 1.7.1 of Debian 12, by which trace-cmd prints events, has
# a clean inode as I_DIRTY_SYNC, and a dirty one as a bare number.  So it is in
# all four formats with a state.  With those of 6.1.176, which have the numbers,
# it has no name for a clean inode, and the right ones for the others.
#
# samples/trace_events/trace-events-sample.h in the kernel has each enum that a
# format uses exported by TRACE_DEFINE_ENUM(), for the programs that read it.
# The reasons for writeback are; the states were macros in 6.1, which need none.
# Who looks for what dirties inodes, by trace-cmd, finds the clean ones.
#
# Ends with 0 if it is still so.

set -eu
lib=$(cd "$(dirname "$0")/lib" && pwd)
# shellcheck source=/dev/null
. "$lib/guest"
# shellcheck source=/dev/null
. "$lib/trace"

fetch linux-image-6.1.0-50-cloud-amd64=6.1.176-1
suite trixie-backports
fetch linux-binary-7.3.4+deb13-cloud-amd64=7.3.4-1~bpo13+1

# states IMAGE: what libtraceevent has for some states.
states() {
	formats "$1" I_DIRTY_SYNC >events
	echo "formats with names: $(grep -c '{I_DIRTY_SYNC,' events)" \
		"of $(wc -l <events)"
	format=$(grep '^"dev .*state %s mode' events)
	shift
	for state; do
		names=$(./event "$format" dev=0 ino=1 state="$state" mode=0 \
			dirtied_when=0 | sed 's/.*state *//; s/ *mode.*//')
		echo "$state: ${names:-none}"
	done
}

# I_DIRTY_SYNC, I_DIRTY_DATASYNC and I_DIRTY_PAGES are bits 0 to 2 in 6.1, and 4
# to 6 in 7.3.
{
	echo 6.1
	states "$(find root -name 'vmlinuz-6.1*')" 0 1 4 7
	echo 7.3
	states "$(find root -name vmlinuz)" 0 0x10 0x40 0x70
} | tee out
diff - out <<'END'
6.1
formats with names: 0 of 4
0: none
1: I_DIRTY_SYNC
4: I_DIRTY_PAGES
7: I_DIRTY_SYNC|I_DIRTY_DATASYNC|I_DIRTY_PAGES
7.3
formats with names: 4 of 4
0: I_DIRTY_SYNC
0x10: 0x10
0x40: 0x40
0x70: 0x70
END
