#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Swap on zram in a machine whose memory is short: text and programs in a tmpfs,
# of which pieces are written anew at random, beside stress-ng.  What the pool
# takes meanwhile, what compaction moves and gives back, and how often somebody
# had to wait.  Nobody is in a control group with a limit, as reclaim for one
# calls no shrinker of zram's.

# shellcheck source=kunit/guest/real.sh
. real.sh

swap=1024	# MB
pieces=1300	# of 512 KB
steps=2000	# each writes one anew
checks=300	# of pieces
stress='--vm 2 --vm-bytes 320M --vm-keep --vm-method rand-set --vm-ops 40000'
source=/root/source
file=/tmp/pieces/file
tracing=/sys/kernel/tracing

random=1
# A number below $1, in $chosen.
choose() {
	random=$(((random * 1103515245 + 12345) & 0x7fffffff))
	chosen=$(((random >> 8) % $1))
}

# Write piece $1 from a place in the source that it remembers.
write_piece() {
	choose "$places"
	eval "from_$1=$chosen"
	dd if=$source of=$file bs=4k count=128 skip="$chosen" \
		seek=$(($1 * 128)) conv=notrunc status=none
}

check_piece() {
	from=
	eval "from=\$from_$1"
	cmp -n 524288 -i $((from * 4096)):$(($1 * 524288)) $source $file ||
		fail "piece $1 is wrong"
}

# probe NAME FUNCTION: count its calls
probe() {
	symbol=$(awk -v name="$2" '$3 ~ "^" name "(\\.(isra|constprop)\\..*)?$" {
		print $3; exit }' /proc/kallsyms)
	[ -n "$symbol" ] || fail "there is no $2"
	echo "p:$1 $symbol" >>$tracing/kprobe_events
}

# How much is swapped differs from run to run, so all is related to that.
sample() {
	read -r _ data used _ <"$zram/mm_stat"
	sum=$((sum + used / 4096))
	sum_of_data=$((sum_of_data + data / 4096))
}

of_stored() {
	say "zram, $1" $(($2 * 1000 / stored)) "$3"
}

waited() {
	sed -n "s/^$1 .*total=//p" /proc/pressure/memory
}

swap_anew $swap
mountpoint -q $tracing || mount -t tracefs tracefs $tracing
# Compaction calls the former only, who stores a page calls both.
probe stored_or_moved obj_malloc
probe stored zs_malloc
echo 1 >$tracing/events/kprobes/enable
{
	find /var/lib/dpkg /usr/share -type f -exec cat {} +
	cat /usr/bin/* | head -c 64M
} >$source
places=$(($(stat -c %s $source) / 4096 - 128))
mkdir -p "${file%/*}"
mount -t tmpfs -o size=1G,huge=never tmpfs "${file%/*}"
: >$file

for piece in $(seq 0 $((pieces - 1))); do
	write_piece "$piece"
done
stalls=$(of 'allocstall_.*' /proc/vmstat)
some=$(waited some) full=$(waited full)
# The words are arguments.
# shellcheck disable=SC2086
stress-ng $stress -q &
stress=$!
sum=0 sum_of_data=0
for _ in $(seq $steps); do
	choose $pieces
	write_piece $chosen
	sample
done
wait $stress || fail 'stress-ng failed'
read -r _ _ _ _ _ _ given_back _ _ copied <"$zram/mm_stat"
stored=$(of stored $tracing/kprobe_profile)
[ "$stored" -gt 10000 ] || fail "$stored pages are in swap"
moved=$(($(of stored_or_moved $tracing/kprobe_profile) - stored))
stalls=$(($(of 'allocstall_.*' /proc/vmstat) - stalls))
say 'zram, pool for its data' $((sum * 1000 / sum_of_data)) pages
say 'zram, stored' "$stored" objects
of_stored moved $moved objects
of_stored 'given back' "$given_back" pages
of_stored stalls $stalls stalls
say 'zram, copied' "${copied:-?}" bytes
say 'zram, some waited' $(($(waited some) - some)) us
say 'zram, all waited' $(($(waited full) - full)) us
for _ in $(seq $checks); do
	choose $pieces
	check_piece $chosen
done
