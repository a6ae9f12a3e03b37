#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# How often must khugepaged wake up, and how many page tables does it look at,
# until a Redis whose heap came in small pages has huge ones?  One that is used
# and starts behind 200 processes that sleep, and, as a worst case, one that is
# not used and came before 4 that spin.  By each policy that the kernel has;
# where it has none, all are what it does.

# shellcheck source=kunit/guest/real.sh
. real.sh

keys=4800	# of 10 KB on average
idle='idle 200 8'
spin='spin 4 16'
pages_to_scan=4096
khp=$thp/khugepaged
trigger=/sys/kernel/tracing/events/huge_memory/mm_khugepaged_scan_pmd

crowd() {
	# The words are arguments.
	# shellcheck disable=SC2086
	khugepaged_crowd $1 >/tmp/crowd &
	crowd=$!
	until_it grep -q ready /tmp/crowd
}

# Its heap in small pages, and known to khugepaged, as it grows once more.
small_redis() {
	echo madvise >"$thp/enabled"
	start_redis
	redis_each 1 $keys "$fill" >/tmp/answer
	echo always >"$thp/enabled"
	redis set large "$(printf %65536s x)" >/tmp/answer
	redis eval 'redis.call("append", "large", string.rep("x", 2^23))' 0 \
		>/tmp/answer
}

count() {
	want=$(($(of Anonymous "/proc/$redis/smaps_rollup") * 9 / 10))
	had=$(of AnonHugePages "/proc/$redis/smaps_rollup")
	[ "$had" -lt $((want / 2)) ] || fail "$had KB were huge at once"
	echo 'hist:keys=common_pid' >$trigger/trigger
	wakes=$(khugepaged_crowd until "$redis" $want) || fail "$wakes"
	say "redis $1, $policy, until huge" "$wakes" wakes
	say "redis $1, $policy, looked at" \
		"$(of Hits: $trigger/hist)" 'page tables'
	echo '!hist:keys=common_pid' >$trigger/trigger
	[ "$(redis_each 1 $keys "$right")" = $keys ] || fail 'keys are wrong'
}

mountpoint -q /sys/kernel/tracing ||
	mount -t tracefs tracefs /sys/kernel/tracing
echo $pages_to_scan >"$khp/pages_to_scan"
echo 600000 >"$khp/scan_sleep_millisecs"
for policy in fifo mm-aware; do
	[ ! -e "$khp/scan_policy" ] || echo $policy >"$khp/scan_policy"

	echo madvise >"$thp/enabled"
	crowd "$idle"
	small_redis
	redis-benchmark -s /tmp/redis.sock -c 1 -l -q -t get >/tmp/load 2>&1 &
	load=$!
	count 'behind 200 idle'
	kill "$load" "$crowd"
	wait "$crowd" || :
	stop_redis

	small_redis
	crowd "$spin"
	count 'before 4 that spin'
	kill "$crowd"
	wait "$crowd" || :
	stop_redis
done
