// SPDX-License-Identifier: GPL-2.0
/*
 * The first and only process of a test VM: mounts what tests expect, runs the
 * commands of /commands one after the other, reports each as a TAP line on
 * the console, and ends the VM.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_ARGS	32
#define SKIPPED		4	/* KSFT_SKIP */

static void must_mount(const char *type, const char *where)
{
	mkdir(where, 0755);
	if (mount(type, where, type, 0, NULL) && errno != EBUSY)
		printf("# mount %s: %s\n", where, strerror(errno));
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
	must_mount("proc", "/proc");
	must_mount("sysfs", "/sys");
	must_mount("devtmpfs", "/dev");
	must_mount("debugfs", "/sys/kernel/debug");
	must_mount("tmpfs", "/tmp");

	commands = fopen("/commands", "r");
	if (commands)
		run_all(commands);

	/* What the host looks for: without it the VM ended by accident. */
	printf("# guest done\n");
	fflush(NULL);
	sync();
	reboot(RB_AUTOBOOT);	/* QEMU runs with -no-reboot */
	return 1;
}
