// SPDX-License-Identifier: GPL-2.0
/*
 * insmod [-N] FILE...: load modules, unload them in reverse order, N times.
 * Then shows what kmemleak finds, if the kernel has it.
 */
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>

#include "put.h"

#define KMEMLEAK	"/sys/kernel/debug/kmemleak"

static int load(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int failed = fd < 0 || syscall(SYS_finit_module, fd, "", 0);

	if (failed)
		perror(path);
	if (fd >= 0)
		close(fd);
	return failed;
}

/* A module's name is that of its file, less ".ko". */
static int unload(const char *path)
{
	char copy[256], *name;

	snprintf(copy, sizeof(copy), "%s", path);
	name = basename(copy);
	name[strcspn(name, ".")] = '\0';
	if (!syscall(SYS_delete_module, name, O_NONBLOCK))
		return 0;
	perror(name);
	return 1;
}

/* Show leaks; objects count as such once they are a few seconds old. */
static void scan(void)
{
	char text[4096];
	ssize_t n;
	int fd;

	sleep(6);
	if (!try_put(KMEMLEAK, "scan") || !try_put(KMEMLEAK, "scan"))
		return;
	fd = open(KMEMLEAK, O_RDONLY);
	while ((n = read(fd, text, sizeof(text))) > 0)
		fwrite(text, 1, n, stdout);
	printf("# kmemleak has scanned\n");
	close(fd);
}

int main(int argc, char **argv)
{
	int first = argc > 1 && argv[1][0] == '-' ? 2 : 1;
	int times = first > 1 ? atoi(argv[1] + 1) : 1;
	int failed = 0;

	for (int n = 0; n < times && !failed; n++) {
		for (int i = first; i < argc; i++)
			failed |= load(argv[i]);
		for (int i = argc - 1; i >= first; i--)
			failed |= unload(argv[i]);
	}
	scan();
	return failed;
}
