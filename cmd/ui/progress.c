/* A semaphore wakes the thread: by time, by SIGUSR1, by stop. */
#include "cmd/ui/progress.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/size.h"
#include "lib/uptime.h"

#define INTERVAL_MS 500
#define WIDTH       78 /* of the line */
#define STACK       (64u << 10)

static struct {
	const char *command;
	_Atomic uint64_t total;
	bool live, terminal;
	pthread_t thread;
	sem_t wake;
	atomic_bool asked, over;
	_Atomic uint64_t bytes, entries;
	double began;
	pthread_mutex_t lock; /* of what follows */
	size_t shown;         /* columns of the line that stands there */
	void (*first)(void);  /* to be called when it is asked */
} p = {.lock = PTHREAD_MUTEX_INITIALIZER};

static double now(void)
{
	return (double)uptime_ms() / 1000;
}

static void on_signal(int number)
{
	int saved = errno;

	(void)number;
	p.asked = true;
	sem_post(&p.wake);
	errno = saved;
}

/* "5.0 GiB of 12.5 GiB (40 %), 1234 entries, 310 MiB/s, 0:00:24 left" */
static void describe(char *to, size_t len)
{
	uint64_t bytes = p.bytes, whole = p.total;
	double spent = now() - p.began, rate = spent > 0 ? (double)bytes / spent : 0, left;
	char size[SIZE_TEXT_MAX], total[48] = "", speed[SIZE_TEXT_MAX], end[40] = "";

	size_print(size, (double)bytes);
	size_print(speed, rate);
	if (whole > 0) {
		char all[SIZE_TEXT_MAX];

		size_print(all, (double)whole);
		snprintf(total, sizeof total, " of %s (%.0f %%)", all,
			bytes < whole ? 100.0 * (double)bytes / (double)whole : 100.0);
		left = rate > 0 && bytes < whole ? (double)(whole - bytes) / rate : 0;
		if ((rate > 0 || bytes >= whole) && left < 1e6)
			snprintf(end, sizeof end, ", %d:%02d:%02d left", (int)left / 3600,
				(int)left / 60 % 60, (int)left % 60);
	}
	snprintf(to, len, "%s%s, %llu entries, %s/s%s", size, total, (unsigned long long)p.entries,
		speed, end);
}

/* Puts a text where the line is, and blanks over what is left of it. */
static void draw(const char *text)
{
	size_t len = strlen(text);

	if (len > WIDTH)
		len = WIDTH;
	fprintf(stderr, "\r%.*s%*s\r", (int)len, text, p.shown > len ? (int)(p.shown - len) : 0,
		"");
	fflush(stderr);
	p.shown = len;
}

void ui_progress_hush(void)
{
	pthread_mutex_lock(&p.lock);
	if (p.shown > 0)
		draw("");
	pthread_mutex_unlock(&p.lock);
}

static void print(bool whole)
{
	char text[160], line[256];

	describe(text, sizeof text);
	snprintf(line, sizeof line, "fdump %s: %s", p.command, text);
	pthread_mutex_lock(&p.lock);
	if (whole) {
		if (p.shown > 0)
			draw("");
		fprintf(stderr, "%s\n", line);
		fflush(stderr);
	} else {
		draw(line);
	}
	pthread_mutex_unlock(&p.lock);
}

static void call_first(void)
{
	void (*first)(void);

	pthread_mutex_lock(&p.lock);
	first = p.first;
	p.first = NULL;
	pthread_mutex_unlock(&p.lock);
	if (first != NULL)
		first();
}

static void *run(void *unused)
{
	struct timespec until;

	(void)unused;
	while (!p.over) {
		until = uptime_timespec(uptime_ms() + INTERVAL_MS);
		if (p.terminal)
			sem_clockwait(&p.wake, CLOCK_MONOTONIC, &until);
		else
			sem_wait(&p.wake);
		if (p.over)
			break;
		if (atomic_exchange(&p.asked, false)) {
			print(true);
			call_first();
		} else if (p.terminal && now() - p.began >= 1)
			print(false);
	}
	return NULL;
}

void ui_progress_start(const char *command, uint64_t total, bool quiet)
{
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
	pthread_attr_t attr;

	p.command = command;
	p.total = total;
	p.terminal = !quiet && isatty(2);
	p.began = now();
	p.bytes = p.entries = 0;
	p.asked = p.over = false;
	p.first = NULL;
	if (sem_init(&p.wake, 0, 0) != 0 || pthread_attr_init(&attr) != 0)
		return;
	pthread_attr_setstacksize(&attr, STACK);
	p.live = pthread_create(&p.thread, &attr, run, NULL) == 0;
	pthread_attr_destroy(&attr);
	if (!p.live)
		action.sa_handler = SIG_IGN; /* who asks gets no answer, and does no harm */
	sigemptyset(&action.sa_mask);
	sigaction(SIGUSR1, &action, NULL);
}

void ui_progress_total(uint64_t total)
{
	p.total = total;
}

void ui_progress_first(void (*asked)(void))
{
	pthread_mutex_lock(&p.lock);
	p.first = asked;
	pthread_mutex_unlock(&p.lock);
}

void ui_progress_add(uint64_t bytes, uint64_t entries)
{
	p.bytes += bytes;
	p.entries += entries;
}

void ui_progress_set(uint64_t bytes, uint64_t entries)
{
	p.bytes = bytes;
	p.entries = entries;
}

void ui_progress_stop(void)
{
	if (!p.live)
		return;
	signal(SIGUSR1, SIG_IGN);
	p.over = true;
	sem_post(&p.wake);
	pthread_join(p.thread, NULL);
	sem_destroy(&p.wake);
	p.live = false;
	ui_progress_hush();
}

uint64_t ui_progress_size(int fd)
{
	struct stat st;
	off_t at;

	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || (at = lseek(fd, 0, SEEK_CUR)) < 0)
		return 0;
	return st.st_size > at ? (uint64_t)(st.st_size - at) : 0;
}
