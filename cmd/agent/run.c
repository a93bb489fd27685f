#include "cmd/agent/run.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/err.h"
#include "lib/esc.h"
#include "rpc/loop.h"

#define REAP_MS 20 /* between looks whether the child has ended, once its output has */

struct agent_run {
	struct rpc_loop *loop;
	void (*ended)(void *ctx, const struct agent_run_result *result);
	void (*progress)(void *ctx, uint64_t bytes, uint64_t entries);
	void *ctx;
	pid_t pid;
	int out; /* the child's standard output; -1: it has ended */
	struct rpc_fd reader;
	struct rpc_timer reap, kill;
	struct buf line;
	bool skipping; /* the rest of a line that is too long */
	bool cancelled;
	bool given; /* the problem is with a path that the job names, not with one below it */
	char warning[MANAGER_NOTE_MAX + 1]; /* the first one; "": none */
	struct agent_run_result result;
};

/* --- what the child says ---------------------------------------------------- */

static const char *text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static bool bytes_of(const json_t *object, const char *key, void *bytes, size_t len)
{
	const char *text = text_of(object, key);

	return text != NULL && esc_unhex(bytes, len, text);
}

static uint64_t number_of(const json_t *object, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(object, key));
}

static void take_receipts(struct agent_run_result *r, const json_t *list)
{
	size_t i;

	for (i = 0; i < json_array_size(list) && r->receipt_count < MANAGER_RECEIPTS_MAX; i++) {
		const json_t *one = json_array_get(list, i);
		struct manager_receipt *to = &r->receipts[r->receipt_count];
		const char *store = text_of(one, "store");

		if (store == NULL || !name_ok(store, strlen(store)) ||
			!bytes_of(one, "uid", to->uid, sizeof to->uid) ||
			!bytes_of(one, "signature", to->signature, sizeof to->signature))
			continue;
		snprintf(to->store, sizeof to->store, "%s", store);
		to->time = json_integer_value(json_object_get(one, "time"));
		r->receipt_count++;
	}
}

/* Why there are too few copies, unless something worse was told. */
static void take_behind(struct agent_run_result *r, const json_t *behind)
{
	const json_t *one;
	size_t i;

	json_array_foreach(behind, i, one)
	{
		const char *what = text_of(one, "what");

		if (r->text[0] == 0 && what != NULL &&
			!json_is_true(json_object_get(one, "caught_up")))
			snprintf(r->text, sizeof r->text, "%s", what);
	}
}

static void take_object(struct agent_run *run, const json_t *object)
{
	struct agent_run_result *r = &run->result;
	const char *warning =
		text_of(json_array_get(json_object_get(object, "warnings"), 0), "what");
	const char *type = text_of(object, "type"), *id = text_of(object, "id"),
		   *what = text_of(object, "what");
	bool given;

	if (type == NULL || id == NULL)
		return;
	if (strcmp(id, "backup.result") == 0) {
		r->has_dump = bytes_of(object, "dump", r->dump, sizeof r->dump);
		r->has_stats = true;
		r->stats = (struct manager_stats){.entries = number_of(object, "entries"),
			.content = number_of(object, "content"),
			.read = number_of(object, "read"),
			.stored = number_of(object, "stored"),
			.problems = number_of(object, "problems"),
			.fewer_than = number_of(object, "fewer_than")};
		bytes_of(object, "record", r->record, sizeof r->record);
		take_receipts(r, json_object_get(object, "receipts"));
		take_behind(r, json_object_get(object, "behind"));
		if (warning != NULL)
			snprintf(run->warning, sizeof run->warning, "%s", warning);
		return;
	}
	if (strcmp(id, "backup.store_changed") == 0)
		r->store_changed = true;
	/* A path of the job that is not there is worth more than a file that has vanished. */
	given = json_is_true(json_object_get(object, "given")) && !run->given;
	if (what != NULL && (strcmp(type, "error") == 0 ||
				    (strcmp(type, "problem") == 0 && (given || r->text[0] == 0)))) {
		const char *path = text_of(object, "path");

		snprintf(r->text, sizeof r->text, "%s%s%s%s", path != NULL ? path : "",
			given ? ", a path of the job" : "", path != NULL ? ": " : "", what);
		run->given |= given;
	}
}

static void take_line(struct agent_run *run)
{
	const char *id;
	json_t *object;

	if (!run->skipping) {
		object = json_loadb((const char *)run->line.data, run->line.len, 0, NULL);
		id = object != NULL ? text_of(object, "id") : NULL;
		if (id != NULL && strcmp(id, "backup.progress") == 0 && run->progress != NULL)
			run->progress(
				run->ctx, number_of(object, "bytes"), number_of(object, "entries"));
		else if (object != NULL)
			take_object(run, object);
		json_decref(object);
	}
	run->skipping = false;
	buf_clear(&run->line);
}

static void take_bytes(struct agent_run *run, const char *bytes, size_t len)
{
	size_t n;

	while (len > 0) {
		const char *end = memchr(bytes, '\n', len);

		n = end != NULL ? (size_t)(end - bytes) : len;
		if (buf_add(&run->line, bytes, n, NULL) != 0)
			run->skipping = true;
		if (end != NULL) {
			take_line(run);
			n++;
		}
		bytes += n;
		len -= n;
	}
}

/* --- its end ---------------------------------------------------------------- */

static enum manager_result result_of(const struct agent_run *run, int status)
{
	if (run->cancelled && !run->result.has_dump)
		return MANAGER_CANCELLED;
	if (!WIFEXITED(status))
		return MANAGER_FAILED;
	switch (WEXITSTATUS(status)) {
	case 0:
		return MANAGER_OK;
	case 1:
		return MANAGER_PARTIAL;
	case 4:
		return MANAGER_COPIES;
	default:
		return MANAGER_FAILED;
	}
}

static void on_reap(void *arg)
{
	struct agent_run *run = arg;
	struct agent_run_result *r = &run->result;
	int status;
	pid_t pid = waitpid(run->pid, &status, WNOHANG);

	if (pid == 0 || (pid < 0 && errno == EINTR)) {
		rpc_timer_start(&run->reap, run->loop, REAP_MS, on_reap, run);
		return;
	}
	run->pid = -1;
	r->result = pid > 0 ? result_of(run, status) : MANAGER_FAILED;
	if (r->result == MANAGER_PARTIAL && r->text[0] == 0)
		memcpy(r->text, run->warning, sizeof r->text);
	/* What made no dump has none to show. */
	if (manager_result_kept(r->result) && !r->has_dump)
		r->result = MANAGER_FAILED;
	if (r->result == MANAGER_FAILED && r->text[0] == 0)
		snprintf(r->text, sizeof r->text,
			pid > 0 && WIFSIGNALED(status) ? "ended by signal %d"
						       : "ended with status %d",
			pid > 0 && WIFSIGNALED(status) ? WTERMSIG(status)
			: pid > 0 && WIFEXITED(status) ? WEXITSTATUS(status)
						       : -1);
	if (!manager_result_kept(r->result))
		r->has_dump = false;
	run->ended(run->ctx, r);
	agent_run_free(run);
}

static void on_readable(void *arg, int events)
{
	struct agent_run *run = arg;
	char bytes[16384];
	ssize_t n;

	(void)events;
	n = read(run->out, bytes, sizeof bytes);
	if (n > 0) {
		take_bytes(run, bytes, (size_t)n);
		return;
	}
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	rpc_fd_stop(&run->reader);
	close(run->out);
	run->out = -1;
	on_reap(run);
}

static void on_kill(void *arg)
{
	struct agent_run *run = arg;

	if (run->pid > 0)
		kill(run->pid, SIGKILL);
}

void agent_run_cancel(struct agent_run *run)
{
	if (run->pid <= 0 || run->cancelled)
		return;
	run->cancelled = true;
	kill(run->pid, SIGTERM);
	rpc_timer_start(&run->kill, run->loop, AGENT_CANCEL_SEC * 1000, on_kill, run);
}

void agent_run_free(struct agent_run *run)
{
	if (run == NULL)
		return;
	rpc_fd_stop(&run->reader);
	rpc_timer_stop(&run->reap);
	rpc_timer_stop(&run->kill);
	if (run->out >= 0)
		close(run->out);
	if (run->pid > 0) {
		kill(run->pid, SIGKILL);
		while (waitpid(run->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	buf_fini(&run->line);
	free(run);
}

/* --- its start -------------------------------------------------------------- */

/* In the child: only what is safe after fork in a process with threads. */
static void become(char *const *argv, int out, pid_t parent)
{
	sigset_t none;
	int null = open("/dev/null", O_RDONLY);

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	if (prctl(PR_SET_PDEATHSIG, SIGTERM) != 0 || getppid() != parent || null < 0 ||
		dup2(null, 0) < 0 || dup2(out, 1) < 0)
		_exit(2);
	execv(argv[0], argv);
	_exit(2);
}

struct agent_run *agent_run_start(struct rpc_loop *loop, char *const *argv,
	void (*ended)(void *ctx, const struct agent_run_result *result),
	void (*progress)(void *ctx, uint64_t bytes, uint64_t entries), void *ctx, struct err *err)
{
	struct agent_run *run = calloc(1, sizeof *run);
	pid_t parent = getpid();
	int ends[2];

	if (run == NULL) {
		err_set(err, ERR_NOMEM, "out of memory");
		return NULL;
	}
	if (pipe2(ends, O_CLOEXEC) != 0) {
		err_errno(err, errno, "pipe");
		free(run);
		return NULL;
	}
	run->loop = loop;
	run->ended = ended;
	run->progress = progress;
	run->ctx = ctx;
	buf_init(&run->line, AGENT_RUN_LINE_MAX);
	run->out = ends[0];
	run->pid = fork();
	if (run->pid == 0)
		become(argv, ends[1], parent);
	close(ends[1]);
	if (run->pid < 0) {
		err_errno(err, errno, "fork");
		agent_run_free(run);
		return NULL;
	}
	fcntl(run->out, F_SETFL, O_NONBLOCK);
	rpc_fd_want(&run->reader, loop, run->out, RPC_READ, on_readable, run);
	return run;
}
