// SPDX-License-Identifier: GPL-2.0
/* insmod FILE...: load modules, unload them in reverse order. */
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int load(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd >= 0 && !syscall(SYS_finit_module, fd, "", 0))
		return 0;
	perror(path);
	return 1;
}

/* A module's name is that of its file, less ".ko". */
static int unload(char *path)
{
	char *name = basename(path);

	name[strcspn(name, ".")] = '\0';
	if (!syscall(SYS_delete_module, name, O_NONBLOCK))
		return 0;
	perror(name);
	return 1;
}

int main(int argc, char **argv)
{
	int failed = 0;

	for (int i = 1; i < argc; i++)
		failed |= load(argv[i]);
	for (int i = argc - 1; i > 0; i--)
		failed |= unload(argv[i]);
	return failed;
}
