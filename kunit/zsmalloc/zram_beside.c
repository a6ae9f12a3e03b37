// SPDX-License-Identifier: GPL-2.0
/*
 * What does one notice who uses zram while another compacts it all the time?
 * The time of munmap() of memory that was paged out, which frees an object for
 * each page and makes the holes that compaction works on, and of reading back
 * what is left of it, alone and beside a process that does nothing but write to
 * "compact", on another CPU.
 *
 *   zram_beside [ROUNDS]
 */
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include "zram.h"

#define NR		8192UL
#define MAX_ROUNDS	64
#define SWAP_SIZE	(256UL << 20)

struct times {
	unsigned long us[MAX_ROUNDS];
};

static unsigned long now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000UL + t.tv_nsec / 1000;
}

static void stay_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die("a second CPU");
}

static pid_t start_compaction(void)
{
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (pid)
		return pid;
	stay_on(1);
	for (;;)
		put(ZRAM "compact", "1");
}

static void end_compaction(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* Every other page in holes of 16 pages, then what is left. */
static void one_round(unsigned long *unmap_us, unsigned long *read_us)
{
	char *mem = mmap(NULL, NR * PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned long start, sum = 0;

	if (mem == MAP_FAILED)
		die("memory");
	for (unsigned long i = 0; i < NR; i++)
		fill((uint64_t *)(mem + i * PAGE), i + 1);
	madvise(mem, NR * PAGE, MADV_PAGEOUT);

	start = now_us();
	for (unsigned long i = 0; i < NR; i += 32)
		munmap(mem + i * PAGE, 16 * PAGE);
	*unmap_us = now_us() - start;

	start = now_us();
	for (unsigned long i = 16; i < NR; i += i % 32 == 31 ? 17 : 1)
		sum += *(volatile uint64_t *)(mem + i * PAGE) == i + 1;
	*read_us = now_us() - start;
	if (sum != NR / 2)
		die("wrong data");
	munmap(mem, NR * PAGE);
}

static int by_number(const void *a, const void *b)
{
	unsigned long x = *(unsigned long *)a, y = *(unsigned long *)b;

	return x < y ? -1 : x > y;
}

static void print_times(const char *what, const char *how, struct times *t,
			int rounds)
{
	qsort(t->us, rounds, sizeof(*t->us), by_number);
	printf("# beside: %s, %s: median %lu us, worst %lu us\n", what, how,
	       t->us[rounds / 2], t->us[rounds - 1]);
}

/* Alone and beside in turn, so that what else the machine does hits both. */
int main(int argc, char **argv)
{
	static struct times unmap[2], reads[2];
	int rounds = argc > 1 ? atoi(argv[1]) : 31;

	if (rounds < 1 || rounds > MAX_ROUNDS)
		rounds = MAX_ROUNDS;
	setvbuf(stdout, NULL, _IOLBF, 0);
	stay_on(0);
	reset_zram();
	swap_on(SWAP_SIZE);
	for (int i = 0; i < rounds; i++) {
		pid_t pid;

		one_round(&unmap[0].us[i], &reads[0].us[i]);
		pid = start_compaction();
		one_round(&unmap[1].us[i], &reads[1].us[i]);
		end_compaction(pid);
	}
	print_times("munmap", "alone", &unmap[0], rounds);
	print_times("munmap", "beside compaction", &unmap[1], rounds);
	print_times("read", "alone", &reads[0], rounds);
	print_times("read", "beside compaction", &reads[1], rounds);
	return 0;
}
