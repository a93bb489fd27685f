#include "cmd/agent/runs.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd/agent/journal.h"
#include "cmd/agent/notes.h"
#include "cmd/agent/schedule.h"
#include "cmd/store/dump.h"
#include "lib/buf.h"
#include "lib/err.h"
#include "lib/esc.h"
#include "lib/mem.h"
#include "lib/seal.h"
#include "rpc/loop.h"

#define REAP_MS      20 /* between checks whether the child has ended, after its output has */
#define RUN_LINE_MAX (256u << 10) /* bytes of a line that is read; a longer one is skipped */
#define CANCEL_SEC   60           /* until a cancelled run is killed */
#define AGENT_ENDED  "the agent ended during the run"

/* A run. It may outlive its job, if the plan changes. */
struct agent_run {
	struct agent_runs *runs;
	struct agent_run *next;
	struct manager_record record;       /* the `ended` record; .job, .run and .slot are set */
	char text[MANAGER_NOTE_MAX + 1];    /* the problem to report; "": none */
	char warning[MANAGER_NOTE_MAX + 1]; /* the first warning; "": none */
	bool given; /* the problem is with a path that the job names, not with one below it */
	bool store_changed; /* a store has another identity than before */
	bool cancelled;
	char by[NAME_LEN_MAX +
		1]; /* the manager that passed on the order; "": the agent is ending */
	pid_t pid;  /* -1: not started, or ended */
	int out;    /* the child's standard output; -1: closed */
	struct rpc_fd reader;
	struct rpc_timer reap, kill;
	struct buf line;
	bool skipping; /* inside a line that is too long */
};

/* --- the child's output ----------------------------------------------------- */

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

static void take_receipts(struct manager_record *r, const json_t *list)
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

/* Why there are too few copies, unless a worse problem was reported. */
static void take_behind(struct agent_run *run, const json_t *behind)
{
	const json_t *one;
	size_t i;

	json_array_foreach(behind, i, one)
	{
		const char *what = text_of(one, "what");

		if (run->text[0] == 0 && what != NULL &&
			!json_is_true(json_object_get(one, "caught_up")))
			snprintf(run->text, sizeof run->text, "%s", what);
	}
}

static void take_object(struct agent_run *run, const json_t *object)
{
	struct manager_record *r = &run->record;
	const char *warning =
		text_of(json_array_get(json_object_get(object, "warnings"), 0), "what");
	const char *type = text_of(object, "type"), *id = text_of(object, "id"),
		   *what = text_of(object, "what");
	bool given;

	if (type == NULL || id == NULL)
		return;
	if (strcmp(id, "backup.result") == 0) {
		r->has_dump = bytes_of(object, "dump", r->dump, sizeof r->dump);
		r->stats = (struct manager_stats){.entries = number_of(object, "entries"),
			.content = number_of(object, "content"),
			.read = number_of(object, "read"),
			.stored = number_of(object, "stored"),
			.problems = number_of(object, "problems"),
			.fewer_than = number_of(object, "fewer_than")};
		bytes_of(object, "record", r->record, sizeof r->record);
		take_receipts(r, json_object_get(object, "receipts"));
		take_behind(run, json_object_get(object, "behind"));
		if (warning != NULL)
			snprintf(run->warning, sizeof run->warning, "%s", warning);
		return;
	}
	if (strcmp(id, "backup.store_changed") == 0)
		run->store_changed = true;
	/* A missing path of the job is more important than a file that has vanished. */
	given = json_is_true(json_object_get(object, "given")) && !run->given;
	if (what != NULL && (strcmp(type, "error") == 0 || (strcmp(type, "problem") == 0 &&
								   (given || run->text[0] == 0)))) {
		const char *path = text_of(object, "path");

		snprintf(run->text, sizeof run->text, "%s%s%s%s", path != NULL ? path : "",
			given ? ", a path of the job" : "", path != NULL ? ": " : "", what);
		run->given |= given;
	}
}

static void take_line(struct agent_run *run)
{
	const struct agent_runs *s = run->runs;
	const char *id;
	json_t *object;

	if (!run->skipping) {
		object = json_loadb((const char *)run->line.data, run->line.len, 0, NULL);
		id = object != NULL ? text_of(object, "id") : NULL;
		if (id != NULL && strcmp(id, "backup.progress") == 0 && s->progress != NULL)
			s->progress(s->progress_ctx, run->record.job, number_of(object, "bytes"),
				number_of(object, "entries"));
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

/* --- the end of a run ------------------------------------------------------- */

static enum manager_result result_of(const struct agent_run *run, int status)
{
	if (run->cancelled && !run->record.has_dump)
		return run->by[0] != 0 ? MANAGER_CANCELLED : MANAGER_LOST;
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

/* Frees a run that is not in the list, and kills its child. */
static void free_run(struct agent_run *run)
{
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

/* Records the end of a run; run->record has its result. */
static void end_run(struct agent_run *run)
{
	struct manager_record *r = &run->record;
	struct agent_runs *s = run->runs;
	struct agent_run **at;

	esc_name(r->text, sizeof r->text, run->text, strlen(run->text));
	agent_notes_log(s->notes,
		manager_result_kept(r->result) || r->result == MANAGER_CANCELLED ? AGENT_LOG_NOTICE
										 : AGENT_LOG_ERROR,
		"job %s: %s%s%s", r->job, manager_result_name(r->result), r->text[0] ? ": " : "",
		r->text);
	agent_notes_happened(s->notes, r);
	if (run->store_changed)
		agent_notes_alarm(s->notes, MANAGER_SAYS_CHANGED, r->job, NULL);
	for (at = &s->first; *at != run; at = &(*at)->next)
		assert(*at != NULL);
	*at = run->next;
	assert(s->count > 0);
	s->count--;
	free_run(run);
	if (s->idle != NULL && s->count == 0)
		s->idle(s->idle_ctx);
}

static void on_reap(void *arg)
{
	struct agent_run *run = arg;
	struct manager_record *r = &run->record;
	int status;
	pid_t pid = waitpid(run->pid, &status, WNOHANG);

	if (pid == 0 || (pid < 0 && errno == EINTR)) {
		rpc_timer_start(&run->reap, run->runs->loop, REAP_MS, on_reap, run);
		return;
	}
	run->pid = -1;
	r->result = pid > 0 ? result_of(run, status) : MANAGER_FAILED;
	if (r->result == MANAGER_PARTIAL && run->text[0] == 0)
		memcpy(run->text, run->warning, sizeof run->text);
	/* A result that implies a dump needs one. */
	if (manager_result_kept(r->result) && !r->has_dump)
		r->result = MANAGER_FAILED;
	if (r->result == MANAGER_CANCELLED)
		snprintf(run->text, sizeof run->text, "by an operator, through the manager %s",
			run->by);
	if (r->result == MANAGER_LOST)
		strcpy(run->text, AGENT_ENDED);
	if (r->result == MANAGER_FAILED && run->text[0] == 0)
		snprintf(run->text, sizeof run->text,
			pid > 0 && WIFSIGNALED(status) ? "ended by signal %d"
						       : "ended with status %d",
			pid > 0 && WIFSIGNALED(status) ? WTERMSIG(status)
			: pid > 0 && WIFEXITED(status) ? WEXITSTATUS(status)
						       : -1);
	if (!manager_result_kept(r->result))
		r->has_dump = false;
	end_run(run);
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

/* by: the manager that passed on the order; "": the agent is ending. */
static void cancel_run(struct agent_run *run, const char *by)
{
	if (run->pid <= 0 || run->cancelled)
		return;
	run->cancelled = true;
	snprintf(run->by, sizeof run->by, "%s", by);
	kill(run->pid, SIGTERM);
	rpc_timer_start(&run->kill, run->runs->loop, CANCEL_SEC * 1000, on_kill, run);
}

/* --- the command line ------------------------------------------------------- */

/* A command line under construction. */
struct args {
	struct buf argv; /* char *, each allocated */
	bool failed;
};

static void add_arg(struct args *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void add_arg(struct args *a, const char *fmt, ...)
{
	va_list list;
	char *text;

	va_start(list, fmt);
	if (vasprintf(&text, fmt, list) < 0)
		text = NULL;
	va_end(list);
	if (text != NULL && buf_add(&a->argv, &text, sizeof text, NULL) == 0)
		return;
	a->failed = true;
	free(text);
}

/* Adds the public keys that the job names; if it names none, all that are pinned. */
static void add_recipients(
	const struct agent_place *place, const struct manager_plan_job *job, struct args *a)
{
	DIR *dir;
	struct dirent *entry;
	size_t i, len;

	for (i = 0; i < job->recipients.count; i++)
		add_arg(a, "--to=%s/%s.pub", place->recipients, job->recipients.items[i]);
	if (job->recipients.count > 0)
		return;
	dir = opendir(place->recipients);
	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		len = strlen(entry->d_name);
		if (len > 4 && strcmp(entry->d_name + len - 4, ".pub") == 0)
			add_arg(a, "--to=%s/%s", place->recipients, entry->d_name);
	}
	if (dir != NULL)
		closedir(dir);
}

/* Makes the command line, ended by NULL. NULL with err set: out of memory. */
static char **make_argv(const struct agent_place *place, const char *agent,
	const struct agent_order *order, struct err *err)
{
	const struct manager_plan_job *job = order->job;
	char plan[2 * STORE_PLAN_LEN + 1], *end = NULL;
	struct args args = {.failed = false}, *a = &args;
	size_t i;

	buf_init(&a->argv, SIZE_MAX);
	esc_hex(plan, order->plan, STORE_PLAN_LEN);
	add_arg(a, "%s", place->program);
	add_arg(a, "backup");
	add_arg(a, "--json");
	add_arg(a, "--progress");
	add_arg(a, "--config=%s", place->config);
	add_arg(a, "--state=%s", place->state);
	add_arg(a, "--agent=%s", agent);
	add_arg(a, "--name=%s", job->name);
	add_arg(a, "--job=%lld:%s", (long long)order->slot, plan);
	for (i = 0; i < job->stores.count; i++)
		add_arg(a, "--store=%s", job->stores.items[i]);
	if (job->copies > 0)
		add_arg(a, "--copies=%lld", (long long)job->copies);
	if (job->unencrypted)
		add_arg(a, "--unencrypted");
	else
		add_recipients(place, job, a);
	for (i = 0; i < job->exclude.count; i++)
		add_arg(a, "--exclude=%s", job->exclude.items[i]);
	add_arg(a, "--level=%lld", (long long)job->level);
	if (job->lock_sec > 0)
		add_arg(a, "--lock=%llds", (long long)job->lock_sec);
	if (job->one_file_system)
		add_arg(a, "--one-file-system");
	if (job->exclude_caches)
		add_arg(a, "--exclude-caches");
	if (job->before != NULL)
		add_arg(a, "--before=%s", job->before);
	if (job->after != NULL)
		add_arg(a, "--after=%s", job->after);
	add_arg(a, "--hooks=%s", place->hooks);
	if (place->accept_hidden)
		add_arg(a, "--accept-hidden");
	add_arg(a, "--");
	for (i = 0; i < job->paths.count; i++)
		add_arg(a, "%s", job->paths.items[i]);
	if (!a->failed && buf_add(&a->argv, &end, sizeof end, NULL) == 0)
		return (char **)(void *)a->argv.data;
	err_set(err, ERR_NOMEM, "out of memory");
	for (i = 0; i < a->argv.len / sizeof end; i++)
		free(((char **)(void *)a->argv.data)[i]);
	buf_fini(&a->argv);
	return NULL;
}

static void free_argv(char **argv)
{
	size_t i;

	for (i = 0; argv != NULL && argv[i] != NULL; i++)
		free(argv[i]);
	free(argv);
}

/* --- starting a run --------------------------------------------------------- */

/* In the child: only functions that are safe after fork in a process with threads. */
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

/* Starts the program argv[0], which is a path. Returns 0, or -1 with err set. */
static int start_child(struct agent_run *run, char *const *argv, struct err *err)
{
	pid_t parent = getpid();
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) != 0)
		return err_errno(err, errno, "pipe");
	run->out = ends[0];
	run->pid = fork();
	if (run->pid == 0)
		become(argv, ends[1], parent);
	if (run->pid < 0)
		err_errno(err, errno, "fork");
	close(ends[1]);
	if (run->pid < 0)
		return -1;
	fcntl(run->out, F_SETFL, O_NONBLOCK);
	rpc_fd_want(&run->reader, run->runs->loop, run->out, RPC_READ, on_readable, run);
	return 0;
}

static struct agent_run *find_run(const struct agent_runs *s, const char *job)
{
	struct agent_run *run;

	for (run = s->first; run != NULL && strcmp(run->record.job, job) != 0; run = run->next)
		;
	return run;
}

int agent_runs_start(struct agent_runs *s, const char *agent, const struct agent_order *order,
	uint8_t id[MANAGER_RUN_LEN], struct err *err)
{
	struct agent_run *run = mem_new(sizeof *run, err);
	struct manager_record record = {.kind = MANAGER_STARTING, .slot = order->slot};
	const char *job = order->job->name;
	char **argv = NULL;
	int ret = -1;

	assert(s->idle == NULL && find_run(s, job) == NULL);
	if (run == NULL)
		goto out;
	argv = make_argv(s->place, agent, order, err);
	if (argv == NULL || seal_random(record.run, sizeof record.run, err) != 0)
		goto out;
	snprintf(record.job, sizeof record.job, "%s", job);
	if (agent_notes_record(s->notes, &record, err) != 0) {
		err_prefix(err, "no run is started");
		goto out;
	}
	if (id != NULL)
		memcpy(id, record.run, MANAGER_RUN_LEN);
	*run = (struct agent_run){
		.runs = s, .next = s->first, .record = record, .pid = -1, .out = -1};
	run->record.kind = MANAGER_ENDED;
	buf_init(&run->line, RUN_LINE_MAX);
	s->first = run;
	s->count++;
	agent_notes_log(s->notes, AGENT_LOG_NOTICE, "job %s: started", job);
	ret = start_child(run, argv, err);
	if (ret != 0) {
		run->record.result = MANAGER_FAILED;
		snprintf(run->text, sizeof run->text, "%.400s", err->message);
		end_run(run);
	}
	run = NULL;
out:
	free_argv(argv);
	free(run);
	return ret;
}

/* --- the interface ---------------------------------------------------------- */

void agent_runs_fini(struct agent_runs *s)
{
	struct agent_run *run;

	while ((run = s->first) != NULL) {
		s->first = run->next;
		free_run(run);
	}
	s->count = 0;
}

int agent_runs_end_lost(struct agent_runs *s, struct err *err)
{
	struct agent_job_state *states;
	size_t count, i;

	assert(s->count == 0);
	states = agent_journal_states(s->notes->journal, &count);
	for (i = 0; i < count; i++) {
		struct manager_record record = {.kind = MANAGER_ENDED, .result = MANAGER_LOST};

		if (!states[i].running)
			continue;
		memcpy(record.job, states[i].job, sizeof record.job);
		memcpy(record.run, states[i].run, sizeof record.run);
		record.slot = states[i].slot;
		strcpy(record.text, AGENT_ENDED);
		if (agent_notes_record(s->notes, &record, err) != 0)
			return -1;
		states = agent_journal_states(s->notes->journal, &count);
	}
	return 0;
}

bool agent_runs_has(const struct agent_runs *s, const char *job)
{
	return find_run(s, job) != NULL;
}

int agent_runs_cancel(struct agent_runs *s, const char *job, const char *manager, struct err *err)
{
	struct agent_run *run = find_run(s, job);

	if (run == NULL)
		return err_set(err, ERR_NOTFOUND, "job '%s' is not running", job);
	cancel_run(run, manager);
	return 0;
}

void agent_runs_shutdown(struct agent_runs *s, void (*idle)(void *ctx), void *ctx)
{
	struct agent_run *run;

	assert(idle != NULL);
	s->idle = idle;
	s->idle_ctx = ctx;
	for (run = s->first; run != NULL; run = run->next)
		cancel_run(run, "");
	if (s->count == 0)
		idle(ctx);
}
