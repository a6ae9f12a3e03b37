#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# What the workloads with programs of Debian share: they read this, and who runs
# them names it, so that it is there.
# shellcheck disable=SC2034	# they use the variables
set -eu

thp=/sys/kernel/mm/transparent_hugepage
zram=/sys/block/zram0

fail() {
	echo "# $*"
	exit 1
}

# say NAME NUMBER UNIT
say() {
	echo "# real: $1: $2 $3"
}

# The sum of what a file says of NAME, as in /proc: of NAME FILE
of() {
	awk -v name="$1" '$1 ~ "^" name ":?$" { sum += $2 }
		END { printf "%d\n", sum }' "$2"
}

# The pages of all anonymous folios that are larger than a page.
in_large_folios() {
	awk '{ split(FILENAME, part, "-|kB"); sum += $1 * part[2] / 4 }
		END { printf "%d\n", sum }' "$thp"/hugepages-*kB/stats/nr_anon
}

# Splits of folios of any size, since boot.
splits() {
	cat "$thp"/hugepages-*kB/stats/split |
		awk '{ sum += $1 } END { printf "%d\n", sum }'
}

# until_it COMMAND...: wait for it to work
until_it() {
	tries=600
	until "$@" >/tmp/until 2>&1; do
		[ $((tries -= 1)) -gt 0 ] || fail "in vain: $*"
		sleep 0.1
	done
}

# Swap of that many megabytes on zram, not what the guest's init has made.
swap_anew() {
	swapoff /dev/zram0 2>/tmp/swapoff || :	# there may be none
	echo 1 >$zram/reset
	echo "$1M" >$zram/disksize
	mkswap /dev/zram0 >/tmp/mkswap
	swapon /dev/zram0
}

# A control group that has process PID in it and is named $cgroup.
new_cgroup() {
	mkdir -p /tmp/cgroup
	mountpoint -q /tmp/cgroup || mount -t cgroup2 cgroup2 /tmp/cgroup
	echo +memory >/tmp/cgroup/cgroup.subtree_control
	cgroup=/tmp/cgroup/$1
	mkdir -p "$cgroup"
	echo "$1" >"$cgroup/cgroup.procs"
}

redis() {
	redis-cli -s /tmp/redis.sock "$@"
}

# With huge pages, which it does without if not told so; its process is $redis.
start_redis() {
	redis-server --port 0 --unixsocket /tmp/redis.sock --save '' \
		--disable-thp no --dir /tmp >/tmp/redis.log 2>&1 &
	redis=$!
	until_it redis ping
}

stop_redis() {
	redis shutdown nosave
	wait "$redis" || fail 'redis-server failed'
}

# Do what the Lua code says with keys i from FIRST to LAST, whose values have
# 10 KB on average, 0.2 to 35 KB each, and print n.
redis_each() {
	redis eval "
		local times = { 10, 60, 250, 1500 }
		local function value(i)
			return string.rep('Key ' .. i .. ' has this value. ',
					  times[i % 4 + 1])
		end
		local n = 0
		for i = ARGV[1], ARGV[2] do $3 end
		return n" 0 "$1" "$2"
}

fill='redis.call("set", i, value(i))'
right='if redis.call("get", i) == value(i) then n = n + 1 end'
