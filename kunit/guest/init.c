// SPDX-License-Identifier: GPL-2.0
/*
 * The first and only process of a test VM: mounts what tests expect, swaps to
 * zram, runs the commands of /commands one after the other, reports each as a
 * TAP line on the console, and ends the VM.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define MAX_ARGS	32
#define SKIPPED		4	/* KSFT_SKIP */
#define SWAP_SIZE	(256U << 20)

static void mount_at(const char *what, const char *type, const char *where,
		     const char *options)
{
	mkdir(where, 0755);
	if (mount(what, where, type, 0, options) && errno != EBUSY)
		printf("# mount %s: %s\n", where, strerror(errno));
}

/* A disk's serial number is a file system's type, and maybe - and a variant. */
static void mount_disks(void)
{
	char disk[] = "/dev/vda", serial[] = "/sys/block/vda/serial";
	char name[24], where[32];

	for (char c = 'a'; c <= 'z'; c++) {
		FILE *f;

		disk[7] = c;
		serial[13] = c;
		f = fopen(serial, "r");
		if (!f)
			return;
		if (fscanf(f, "%23s", name) == 1) {
			snprintf(where, sizeof(where), "/%s", name);
			name[strcspn(name, "-")] = '\0';
			mount_at(disk, name, where, NULL);
		}
		fclose(f);
	}
}

/* Persistent memory: its pages are a device's, and files are mapped to them. */
static void mount_dax(void)
{
	if (!access("/dev/pmem0", F_OK))
		mount_at("/dev/pmem0", "ext4", "/dax", "dax");
}

/* As mkswap(8) and swapon(8) do, on a compressed disk in memory. */
static int swap_to_zram(void)
{
	const unsigned int page_size = getpagesize();
	union {
		char bytes[65536];
		uint32_t words[4096];
	} header = { 0 };
	int fd, bad;

	fd = open("/sys/block/zram0/disksize", O_WRONLY);
	if (fd < 0)
		return -1;
	bad = dprintf(fd, "%u", SWAP_SIZE) < 0;
	close(fd);

	header.words[256] = 1;				/* version */
	header.words[257] = SWAP_SIZE / page_size - 1;	/* the last page */
	memcpy(header.bytes + page_size - 10, "SWAPSPACE2", 10);
	fd = open("/dev/zram0", O_WRONLY);
	if (fd < 0)
		return -1;
	bad |= write(fd, header.bytes, page_size) != page_size || fsync(fd);
	close(fd);
	return bad ? -1 : swapon("/dev/zram0", 0);
}

/* Run @line in a child; its wait status. */
static int run(char *line)
{
	char *argv[MAX_ARGS + 1] = { NULL };
	int n = 0, status;
	pid_t pid;

	for (char *word = strtok(line, " "); word && n < MAX_ARGS;
	     word = strtok(NULL, " "))
		argv[n++] = word;

	pid = fork();
	if (!pid) {
		execv(argv[0], argv);
		printf("# %s: %s\n", argv[0], strerror(errno));
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	return status;
}

static void run_all(FILE *commands)
{
	char line[1024], name[1024];

	for (int i = 1; fgets(line, sizeof(line), commands); i++) {
		int status;

		line[strcspn(line, "\n")] = '\0';
		strcpy(name, line);
		printf("# run %s\n", name);
		status = run(line);
		if (WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED)
			printf("ok %d %s # SKIP\n", i, name);
		else if (status == 0)
			printf("ok %d %s\n", i, name);
		else
			printf("not ok %d %s # wait status %#x\n", i, name,
			       status);
	}
}

int main(void)
{
	FILE *commands;

	setvbuf(stdout, NULL, _IOLBF, 0);
	mount_at("proc", "proc", "/proc", NULL);
	mount_at("sysfs", "sysfs", "/sys", NULL);
	mount_at("devtmpfs", "devtmpfs", "/dev", NULL);
	mount_at("debugfs", "debugfs", "/sys/kernel/debug", NULL);
	mount_at("tmpfs", "tmpfs", "/tmp", NULL);
	mount_at("shmem", "tmpfs", "/shmem", "huge=always");
	mount_disks();
	mount_dax();
	if (swap_to_zram())
		printf("# no swap: %s\n", strerror(errno));

	commands = fopen("/commands", "r");
	if (commands)
		run_all(commands);

	/* What the host looks for: without it the VM ended by accident. */
	printf("# guest done\n");
	fflush(NULL);
	tcdrain(STDOUT_FILENO);
	sync();
	reboot(RB_AUTOBOOT);	/* QEMU runs with -no-reboot */
	return 1;
}
