/* SPDX-License-Identifier: GPL-2.0 */
/* Writing a text to a file of the kernel's, for the programs that set it up. */
#ifndef PUT_H
#define PUT_H

#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

static bool try_put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	bool ok = fd >= 0 && write(fd, text, strlen(text)) > 0;

	if (fd >= 0)
		close(fd);
	return ok;
}

#endif
