#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# A Redis of 200 MB in huge pages that loses half of its keys, gives back what
# it can, is reclaimed from as one that is not used much, and gets a quarter of
# the keys again.  Twice: jemalloc as it is, which discards what is free when it
# is told to (MADV_DONTNEED), and with the decay of its version 5.0, which leaves
# that to the kernel (MADV_FREE).

# shellcheck source=kunit/guest/real.sh
. real.sh

keys=20000
reclaim=48M

show() {
	rollup=/proc/$redis/smaps_rollup
	say "$how $1, resident" $(($(of Rss "$rollup") / 4)) pages
	say "$how $1, huge" $(($(of AnonHugePages "$rollup") / 2048)) pages
	say "$how $1, in large folios" "$(in_large_folios)" pages
	say "$how $1, lazily freed" $(($(of LazyFree "$rollup") / 4)) pages
	say "$how $1, swapped" $(($(of Swap "$rollup") / 4)) pages
	say "$how $1, splits" $(($(splits) - splits)) splits
	say "$how $1, huge split" \
		$(($(of thp_split_page /proc/vmstat) - split)) folios
	say "$how $1, deferred" \
		$(($(of thp_deferred_split_page /proc/vmstat) - deferred)) folios
}

purge() {
	redis memory purge >/tmp/answer
}

# Time passes in jemalloc when there is something to do.
decay() {
	sleep 3
	redis_each 1 1000 "$right" >/tmp/answer
}

measure() {
	how=$1 release=$2
	splits=$(splits)
	split=$(of thp_split_page /proc/vmstat)
	deferred=$(of thp_deferred_split_page /proc/vmstat)
	start_redis
	new_cgroup "$redis"
	redis_each 1 $keys "$fill" >/tmp/answer
	show loaded
	# Every second of 64 keys, some 640 KB, goes.
	redis_each 1 $keys \
		'if i % 128 < 64 then redis.call("del", i) end' >/tmp/answer
	show deleted
	$release
	show purged
	# An error says that there was not so much.
	echo $reclaim >"$cgroup/memory.reclaim" || :
	show reclaimed
	redis_each 1 $((keys / 2)) "$fill" >/tmp/answer
	show refilled
	found=$(redis_each 1 $keys "$right")
	want=$(redis dbsize)
	[ "$found" = "$want" ] || fail "$found keys of $want are right"
	show read
	stop_redis
}

echo always >"$thp/enabled"
measure redis purge
export MALLOC_CONF=dirty_decay_ms:1000,muzzy_decay_ms:-1
measure 'lazy redis' decay
