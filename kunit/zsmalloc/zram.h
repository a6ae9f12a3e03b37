/* SPDX-License-Identifier: GPL-2.0 */
/* What the programs share that fill zram. */
#ifndef ZRAM_H
#define ZRAM_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/swap.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "put.h"

#define PAGE	4096UL
#define ZRAM	"/sys/block/zram0/"

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT	21
#endif

static uint64_t state;

static inline uint32_t rnd(uint32_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 32) % below;
}

static inline void put_number(const char *path, unsigned long number)
{
	char text[32];

	snprintf(text, sizeof(text), "%lu", number);
	put(path, text);
}

/* Some words at random, as many zeroes, so that sizes differ. */
static inline void fill(uint64_t *page, uint64_t tag)
{
	uint64_t x = tag * 0x9E3779B97F4A7C15ull;
	int random = x >> 55;

	for (unsigned int i = 0; i < PAGE / 8; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		page[i] = (int)i < random ? x : tag;
	}
	page[0] = tag;
}

/* zram0 anew; the guest's init has made it swap already, of another size. */
static inline void reset_zram(void)
{
	swapoff("/dev/zram0");
	put(ZRAM "reset", "1");
}

/* One more device, to write back to; false if the kernel does not do that. */
static inline bool add_backing_device(unsigned long bytes)
{
	FILE *f = fopen("/sys/class/zram-control/hot_add", "r");
	char path[64];
	int id;

	if (access(ZRAM "backing_dev", W_OK) || !f || fscanf(f, "%d", &id) != 1)
		return false;
	fclose(f);
	snprintf(path, sizeof(path), "/sys/block/zram%d/disksize", id);
	put_number(path, bytes);
	snprintf(path, sizeof(path), "/dev/zram%d", id);
	put(ZRAM "backing_dev", path);
	return true;
}

static inline void swap_on(unsigned long bytes)
{
	static unsigned char header[PAGE];
	uint32_t *info = (uint32_t *)(header + 1024);
	int fd;

	put_number(ZRAM "disksize", bytes);
	info[0] = 1;
	info[1] = bytes / PAGE - 1;
	memcpy(header + PAGE - 10, "SWAPSPACE2", 10);
	fd = open("/dev/zram0", O_WRONLY);
	if (fd < 0 || write(fd, header, PAGE) != (ssize_t)PAGE || fsync(fd))
		die("/dev/zram0");
	close(fd);
	if (swapon("/dev/zram0", 0))
		die("swapon");
}

#endif
