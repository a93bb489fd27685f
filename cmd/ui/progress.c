/* A thread prints. A semaphore wakes it: by time, by SIGUSR1, by stop. */
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

#include "cmd/ui/report.h"
#include "lib/err.h"
#include "lib/size.h"
#include "lib/uptime.h"
#include "pack/scan.h"

#define INTERVAL_MS 500
#define WIDTH       78 /* columns of the line */
#define STACK       (64u << 10)

static struct {
	_Atomic uint64_t total;
	bool live, terminal;
	pthread_t thread;
	sem_t wake;
	atomic_bool asked, over;
	_Atomic uint64_t bytes, entries;
	double began;
	pthread_mutex_t lock; /* protects .shown, drawing, and `e` */
	size_t shown;         /* columns of the line on the terminal */
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

/* Draws a text over the line, and blanks over the rest of it. */
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
	snprintf(line, sizeof line, "fdump %s: %s", ui_report_command(), text);
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

/* --- estimating the total ------------------------------------------------------- */

#define ENTRY_COST 100 /* approximate bytes of an entry besides its content */

static struct {
	bool live;
	atomic_bool over;
	pthread_t thread;
	const struct pack_scan_options *scan;
	char *const *paths;
} e;

/* The walk's .next_root. ctx belongs to the walk's other callbacks. */
static int next_path(void *ctx, const char **path, struct err *err)
{
	(void)ctx;
	(void)err;
	*path = *e.paths;
	if (*path == NULL)
		return 1;
	e.paths++;
	return 0;
}

/* Ignored: the command itself will report it. */
static void estimate_problem(void *ctx, const char *path, size_t len, const char *what, int errnum)
{
	(void)ctx;
	(void)path;
	(void)len;
	(void)what;
	(void)errnum;
}

/* Bytes of a file that will be read: holes are not. */
static uint64_t content_of(const struct stat *st)
{
	uint64_t size = (uint64_t)st->st_size, there = (uint64_t)st->st_blocks * 512;

	return !S_ISREG(st->st_mode) ? 0 : size < there ? size : there;
}

static void *estimate(void *unused)
{
	struct pack_scan_options options = *e.scan;
	struct pack_scan_item item;
	struct pack_scan *scan;
	struct err err;
	uint64_t total = 0;
	int got = -1;

	(void)unused;
	options.next_root = next_path;
	options.border = NULL;
	options.problem = estimate_problem;
	scan = pack_scan_new(&options, &err);
	while (scan != NULL && !e.over && (got = pack_scan_next(scan, &item, &err)) == 0)
		total += ENTRY_COST + content_of(&item.st);
	if (got == 1 && !e.over)
		p.total = total;
	pack_scan_free(scan);
	return NULL;
}

/* Starts the walk, once, if there is something to walk. */
static void start_estimate(void)
{
	pthread_mutex_lock(&p.lock);
	if (e.scan != NULL && !e.live)
		e.live = pthread_create(&e.thread, NULL, estimate, NULL) == 0;
	pthread_mutex_unlock(&p.lock);
}

/* --- the line ------------------------------------------------------------------- */

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
			start_estimate();
		} else if (p.terminal && now() - p.began >= 1)
			print(false);
	}
	return NULL;
}

void ui_progress_start(uint64_t total, bool quiet)
{
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
	pthread_attr_t attr;

	p.total = total;
	p.terminal = !quiet && isatty(2);
	p.began = now();
	p.bytes = p.entries = 0;
	p.asked = p.over = false;
	if (sem_init(&p.wake, 0, 0) != 0 || pthread_attr_init(&attr) != 0)
		return;
	pthread_attr_setstacksize(&attr, STACK);
	p.live = pthread_create(&p.thread, &attr, run, NULL) == 0;
	pthread_attr_destroy(&attr);
	if (!p.live)
		action.sa_handler = SIG_IGN; /* SIGUSR1 then has no effect */
	sigemptyset(&action.sa_mask);
	sigaction(SIGUSR1, &action, NULL);
}

void ui_progress_estimate(const struct pack_scan_options *scan, char *const *paths, bool shown)
{
	pthread_mutex_lock(&p.lock);
	e.scan = scan;
	e.paths = paths;
	e.over = false;
	pthread_mutex_unlock(&p.lock);
	if (shown && isatty(2))
		start_estimate();
}

void ui_progress_add(uint64_t bytes, uint64_t entries)
{
	p.bytes += bytes;
	p.entries += entries;
}

void ui_progress_set(uint64_t bytes, uint64_t entries, uint64_t total)
{
	p.total = total;
	p.bytes = bytes;
	p.entries = entries;
}

void ui_progress_stop(void)
{
	if (p.live) {
		signal(SIGUSR1, SIG_IGN);
		p.over = true;
		sem_post(&p.wake);
		pthread_join(p.thread, NULL);
		sem_destroy(&p.wake);
		p.live = false;
		ui_progress_hush();
	}
	if (e.live) {
		e.over = true;
		pthread_join(e.thread, NULL);
	}
	e.live = false;
	e.scan = NULL;
}

uint64_t ui_progress_size(int fd)
{
	struct stat st;
	off_t at;

	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || (at = lseek(fd, 0, SEEK_CUR)) < 0)
		return 0;
	return st.st_size > at ? (uint64_t)(st.st_size - at) : 0;
}
