/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Writing a text to a file of the kernel's, and an end if that fails, for the
 * programs that set it up.
 */
#ifndef PUT_H
#define PUT_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static inline bool try_put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	bool ok = fd >= 0 && write(fd, text, strlen(text)) > 0;

	if (fd >= 0)
		close(fd);
	return ok;
}

static inline void die(const char *what)
{
	printf("# %s: %s\n", what, strerror(errno));
	exit(1);
}

static inline void put(const char *path, const char *text)
{
	if (!try_put(path, text))
		die(path);
}

#endif
