// SPDX-License-Identifier: GPL-2.0
/*
 * Run a command line of a shell in the Debian root of the test machine, where
 * the guest's own root is /guest, and end as that does.
 *
 *   debian COMMAND...
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "put.h"

#define ROOT	"/ext4-debian"

/* What is mounted in the guest is seen at /guest, and at its place. */
static void bind(const char *from, const char *to)
{
	char where[64];

	snprintf(where, sizeof(where), ROOT "%s", to);
	mkdir(where, 0755);
	if (mount(from, where, NULL, MS_BIND | MS_REC, NULL))
		die(where);
}

static void enter(void)
{
	if (access(ROOT "/guest/init", F_OK)) {
		bind("/proc", "/proc");
		bind("/sys", "/sys");
		bind("/dev", "/dev");
		bind("/tmp", "/tmp");
		/* Last, or the root would be in itself without end. */
		bind("/", "/guest");
	}
	if (chroot(ROOT) || chdir("/root"))
		die("chroot");
}

static void set_environment(void)
{
	clearenv();
	setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin:/guest", 1);
	setenv("HOME", "/root", 1);
	setenv("LC_ALL", "C.UTF-8", 1);
	setenv("TERM", "linux", 1);
}

int main(int argc, char *argv[])
{
	char line[1024] = "";

	for (int i = 1; i < argc; i++) {
		strncat(line, argv[i], sizeof(line) - strlen(line) - 2);
		strcat(line, " ");
	}
	enter();
	set_environment();
	execl("/bin/sh", "sh", "-c", line, NULL);
	die("/bin/sh");
}
