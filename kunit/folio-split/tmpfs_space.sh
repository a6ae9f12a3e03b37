#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# The space that SQLite and git take in a tmpfs of huge pages, after what they
# delete: rows, with and without what makes the file shorter, and a branch, with
# its loose objects and in packs.

# shellcheck source=kunit/guest/real.sh
. real.sh

rows=20000	# of 3 KB
commits=12
files=10	# in each
where=/guest/shmem/space

# pages FORMAT UNIT: the sum of what find tells of the files
pages() {
	find . -type f -printf "$1\n" |
		awk -v unit="$2" '{ sum += $1 } END { printf "%d\n", sum / unit }'
}

# What there is, what it takes, and what the file system has given.
show() {
	say "$1, length" "$(pages %s 4096)" pages
	say "$1, space" "$(pages %b 8)" pages
	say "$1, of the file system" $(($(stat -f -c '%b - %f' .))) pages
	say "$1, splits" $(($(splits) - splits)) splits
}

# An empty directory there.
begin() {
	rm -rf "$where"
	mkdir "$where"
	cd "$where"
	splits=$(splits)
}

sql() {
	sqlite3 -batch db "pragma journal_mode = truncate; $*" >/tmp/answer
}

right() {
	[ "$(sqlite3 db "pragma integrity_check; select count(*) > 3000
		and count(*) = sum(v = replace(hex(zeroblob(300)), '00',
			'value ' || i || ',')) from t" | tr '\n' ' ')" = 'ok 1 ' ] ||
		fail 'the database is wrong'
}

begin
sql "pragma auto_vacuum = incremental; vacuum;
	create table t(i integer primary key, v text);
	with recursive c(i) as (select 1 union all select i + 1 from c
		where i < $rows)
	insert into t select i, replace(hex(zeroblob(300)), '00',
		'value ' || i || ',') from c"
show 'sqlite loaded'
sql 'delete from t where i % 200 < 100'
show 'sqlite deleted'
yes 'pragma incremental_vacuum(20);' | head -n 100 | sqlite3 db >/tmp/answer
show 'sqlite shortened'
sql 'delete from t where i % 3 = 0; pragma incremental_vacuum'
show 'sqlite shortened at once'
sql 'delete from t where i % 3 = 1; vacuum'
show 'sqlite vacuum'
right

export GIT_AUTHOR_NAME=test GIT_AUTHOR_EMAIL=test@example.org
export GIT_COMMITTER_NAME=test GIT_COMMITTER_EMAIL=test@example.org
begin
git init -q -b main .
git config gc.auto 0
for commit in $(seq $commits); do
	[ "$commit" != 2 ] || git checkout -q -b side
	for file in $(seq $files); do
		seq "$commit$file" $((commit * file * 100 + 9999)) >"file$file"
	done
	git add .
	git commit -q -m "$commit"
done
show 'git committed'
git gc -q
show 'git packed'
git checkout -q main
git branch -q -D side
git reflog expire --expire=now --all
git gc -q --prune=now
show 'git pruned'
git fsck --full >/tmp/answer 2>&1 || fail 'the repository is wrong'
[ "$(git rev-list --all --count)" = 1 ] || fail 'there are more commits'
cd /
rm -rf "$where"
