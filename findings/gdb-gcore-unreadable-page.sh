#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# gdb 13.1 (Debian 12, gdb-minimal 13.1-3): where one page of a mapping cannot
# be read, gcore leaves out the megabyte with that page and the rest of the
# mapping.  The core has zeroes there, which look like memory, and gdb ends with
# 0.  It warns of that megabyte alone, in words that it has for [vsyscall] in
# any core.
#
# Seen: a program writes to 256 pages of a private file mapping, and the file
# gets shorter by a page.  gdb reads the other 255 while the program runs, and
# of its core none.  The kernel's own core of the same has all 255.  A page with
# MADV_GUARD_INSTALL, at the start of 4 MB, takes all of these along.
#
# gdb's manual has a core file record the memory image of a process, and what
# the kernel's coredump_filter selects: private mappings with data of their own.
# Who looks in such a core for what went wrong finds zeroes, and may take them
# for the fault.
#
# Ends with 0 if it is still so.

set -eu
# shellcheck source=/dev/null
. "$(dirname "$0")/lib/guest"

fetch gdb-minimal=13.1-3 libipt2=2.0.5-1 libdebuginfod1=0.188-2.1

cat >pages.c <<'END'
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096
#define PAGES 256

char *pages;

/* pages CUT: cut that many pages off the file. */
int main(int argc, char **argv)
{
	int fd = open("file", O_RDWR | O_CREAT | O_TRUNC, 0600);

	if (argc != 2 || ftruncate(fd, PAGES * PAGE))
		return 1;
	pages = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE,
		     fd, 0);
	for (int i = 0; i < PAGES; i++)
		strcpy(pages + i * PAGE, "data");
	if (ftruncate(fd, (PAGES - atoi(argv[1])) * PAGE))
		return 1;
	raise(SIGTRAP);
	return 0;
}
END
gcc -g -static -O1 -Wall -Werror -o pages pages.c

cat >count.gdb <<'END'
set $i = 0
set $n = 0
while $i < 255
	if pages[$i * 4096] == 'd'
		set $n = $n + 1
	end
	set $i = $i + 1
end
printf "pages: %d\n", $n
END

gdb() {
	LD_LIBRARY_PATH=root/usr/lib/x86_64-linux-gnu root/usr/bin/gdb -nx -q \
		-batch "$@" 2>&1
}

# count CUT: the pages that gdb finds, of 255, alive and in its core.
count() {
	gdb -ex "run $1" -x count.gdb -ex 'gcore core' pages >log
	echo "short by $1, alive: $(sed -n 's/^pages: //p' log)"
	echo "short by $1, core: $(gdb -x count.gdb pages core |
		sed -n 's/^pages: //p')"
}

{
	count 0
	count 1
} | tee out
diff - out <<'END'
short by 0, alive: 255
short by 0, core: 255
short by 1, alive: 255
short by 1, core: 0
END
