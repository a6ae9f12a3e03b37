// SPDX-License-Identifier: GPL-2.0
/*
 * How many pages does a pool keep when a part of its objects is gone?  zram0 has
 * pages of all sizes, half of which are written back or compressed anew.  Each
 * page must have its data in the end, and the pool no more than a quarter of
 * its pages in vain.
 *
 *   zram_holes
 */
#define _GNU_SOURCE
#include "zram.h"

#define NR	8192UL
#define KSFT_SKIP	4

static uint64_t page[PAGE / 8] __attribute__((aligned(4096)));
static uint64_t want[PAGE / 8];
static bool failed;

static void mm_stat(unsigned long *needed, unsigned long *used)
{
	FILE *f = fopen(ZRAM "mm_stat", "r");

	if (!f || fscanf(f, "%*u %lu %lu", needed, used) != 2)
		die("mm_stat");
	fclose(f);
	*needed = (*needed + PAGE - 1) / PAGE;
	*used /= PAGE;
}

/* Without compaction it is half as much again, and more. */
static void check_pages(const char *what)
{
	unsigned long needed, used;

	mm_stat(&needed, &used);
	printf("# holes: %s: %lu pages in use, data of %lu\n", what, used,
	       needed);
	if (used * 4 > needed * 5)
		failed = true;
}

/* Repeats within a page what only the second algorithm finds. */
static void fill_for(const char *what, unsigned long i)
{
	fill(page, i + 1);
	if (strstr(what, "recompress"))
		for (unsigned int j = 0; j < PAGE / 8; j++)
			page[j] &= 0x0f0f0f0f0f0f0f0full;
}

static int open_disk(void)
{
	int fd = open("/dev/zram0", O_RDWR | O_DIRECT);

	if (fd < 0)
		die("/dev/zram0");
	return fd;
}

static void write_disk(const char *what)
{
	int fd = open_disk();

	for (unsigned long i = 0; i < NR; i++) {
		fill_for(what, i);
		if (pwrite(fd, page, PAGE, i * PAGE) != (ssize_t)PAGE)
			die("write");
	}
	close(fd);
}

static void read_page(int fd, unsigned long i)
{
	if (pread(fd, page, PAGE, i * PAGE) != (ssize_t)PAGE)
		die("read");
}

static void verify_disk(const char *what)
{
	int fd = open_disk();

	for (unsigned long i = 0; i < NR; i++) {
		fill_for(what, i);
		memcpy(want, page, PAGE);
		read_page(fd, i);
		if (memcmp(page, want, PAGE))
			die(what);
	}
	close(fd);
}

/* What is read is not idle. */
static void leave_half_idle(void)
{
	int fd = open_disk();

	put(ZRAM "idle", "all");
	state = 88172645463325252ull;
	for (unsigned long i = 0; i < NR; i++)
		if (rnd(2))
			read_page(fd, i);
	close(fd);
}

/* What has the name of a file of zram's is done to half of the pages. */
static void post_process(const char *file, const char *what)
{
	put_number(ZRAM "disksize", NR * PAGE);
	write_disk(file);
	leave_half_idle();
	put(file, what);
	check_pages(file + strlen(ZRAM));
	verify_disk(file);
}

static void write_back(void)
{
	reset_zram();
	if (!add_backing_device(NR * PAGE))
		die("backing_dev");
	/* 6.12 takes no "type=" here. */
	post_process(ZRAM "writeback", "idle");
}

static void recompress(void)
{
	reset_zram();
	put(ZRAM "recomp_algorithm", "algo=deflate priority=1");
	post_process(ZRAM "recompress", "type=idle");
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (sysconf(_SC_PAGESIZE) != PAGE || access(ZRAM "writeback", W_OK) ||
	    access(ZRAM "recompress", W_OK))
		return KSFT_SKIP;
	write_back();
	recompress();
	/* As the guest's init had made it */
	reset_zram();
	swap_on(256UL << 20);
	return failed;
}
