/*
 * The offset of every MARK_EVERY-th record is kept in memory, so that reading need not begin at the
 * start of the file.
 */
#include "cmd/agent/journal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/agent/schedule.h"
#include "lib/buf.h"
#include "lib/cbor.h"
#include "lib/cbormap.h"
#include "lib/err.h"
#include "lib/file.h"
#include "lib/fs.h"
#include "lib/seal.h"

#define MARK_EVERY 256
#define WINDOW     (2 * MANAGER_FRAME_MAX)
#define STATES_MAX 512     /* jobs that fit into the head */
#define AHEAD_MAX  1000000 /* records that a manager may have of a later copy of the journal */
#define ACKED_MAX  8192    /* bytes of PATH.acked; AGENT_MANAGERS_MAX managers need far less */

struct mark {
	uint64_t number, offset;
};

/* The contents of PATH.acked. */
struct acked {
	uint8_t journal[AGENT_JOURNAL_ID_LEN];
	struct acked_one {
		char name[NAME_LEN_MAX + 1];
		uint64_t number;
	} of[AGENT_MANAGERS_MAX];
	size_t count;
};

struct agent_journal {
	char path[PATH_MAX + 8], acked_path[PATH_MAX + 16];
	int fd;
	bool broken;
	uint8_t id[AGENT_JOURNAL_ID_LEN];
	uint64_t max, size;
	uint64_t last;    /* number of the last record; 0: none */
	struct buf marks; /* struct mark; the first one is for the first record */
	uint64_t since_mark;
	struct agent_job_state *states;
	size_t state_count;
	struct acked acked;
};

static int no_memory(struct err *err)
{
	return err_set(err, ERR_NOMEM, "journal: out of memory");
}

/* ---- the head ---- */

/* clang-format off */
#define STATE(kind, member) .need = true, CBORMAP_OF(struct agent_job_state, kind, member)
/* clang-format on */
static const struct cbormap_field state_fields[] = {
	{STATE(NAME, job)},
	{STATE(BYTES, run)},
	{STATE(BOOL, held)},
	{.key = "once",
		.type = CBORMAP_BOOL,
		.need = true,
		CBORMAP_IN(struct agent_job_state, started_once)},
	{STATE(INT, seen)},
	{STATE(INT, slot)},
	{STATE(INT, ended)},
	{STATE(INT, since)},
	{STATE(UINT, losses)},
	{STATE(UINT, result), .max = MANAGER_RESULTS - 1},
	{STATE(BOOL, running)},
	{STATE(INT, started)},
	{STATE(UINT, failures)},
	{STATE(INT, succeeded)},
	{0},
};

static const struct cbormap_field state_item = {.type = CBORMAP_MAP, .sub = state_fields};

enum { HEAD_STATES, HEAD_JOURNAL, HEAD_FIELDS };

static const struct cbormap_field head_fields[] = {
	[HEAD_STATES] = {.key = "states", CBORMAP_LIST_OF(state_item, STATES_MAX), .need = true},
	[HEAD_JOURNAL] = {.key = "journal", CBORMAP_FIXED(AGENT_JOURNAL_ID_LEN), .need = true},
	[HEAD_FIELDS] = {0},
};

/* Makes the head's frame, with these states. The caller frees it. NULL with err set. */
static uint8_t *make_head(const uint8_t id[AGENT_JOURNAL_ID_LEN],
	const struct agent_job_state *states, size_t count, size_t *len, struct err *err)
{
	uint8_t *frame = malloc(MANAGER_FRAME_MAX);
	struct cbor_out out;
	size_t i;

	if (frame == NULL) {
		no_memory(err);
		return NULL;
	}
	cbor_out_init(&out, frame + MANAGER_FRAME_HEAD, MANAGER_FRAME_MAX - MANAGER_FRAME_HEAD);
	cbor_put_map(&out, 2);
	cbor_put_text(&out, "states");
	cbor_put_array(&out, count);
	for (i = 0; i < count; i++)
		cbormap_put(&out, state_fields, &states[i]);
	cbor_put_text(&out, "journal");
	cbor_put_bytes(&out, id, AGENT_JOURNAL_ID_LEN);
	assert(!cbor_out_full(&out)); /* STATES_MAX of them fit */
	manager_frame_seal(frame, cbor_out_len(&out));
	*len = MANAGER_FRAME_HEAD + cbor_out_len(&out);
	return frame;
}

struct agent_job_state *agent_journal_state(struct agent_journal *journal, const char *job)
{
	struct agent_job_state *grown;
	size_t i;

	assert(strlen(job) <= NAME_LEN_MAX);
	for (i = 0; i < journal->state_count; i++)
		if (strcmp(journal->states[i].job, job) == 0)
			return &journal->states[i];
	grown = realloc(journal->states, (journal->state_count + 1) * sizeof *grown);
	if (grown == NULL)
		return NULL;
	journal->states = grown;
	grown += journal->state_count++;
	*grown = (struct agent_job_state){0};
	strcpy(grown->job, job);
	return grown;
}

struct agent_job_state *agent_journal_states(struct agent_journal *journal, size_t *count)
{
	*count = journal->state_count;
	return journal->states;
}

static int take_head(
	struct agent_journal *journal, const uint8_t *payload, size_t len, struct err *err)
{
	struct cbormap_value v[HEAD_FIELDS], item;
	struct agent_job_state *state, found;

	if (cbormap_get(v, head_fields, payload, len, err) != 0)
		return err_prefix(err, "%s: head", journal->path);
	memcpy(journal->id, v[HEAD_JOURNAL].bytes, sizeof journal->id);
	while (cbormap_next(&v[HEAD_STATES], &state_item, &item)) {
		found = (struct agent_job_state){0};
		cbormap_store_item(&found, &state_item, &item);
		state = agent_journal_state(journal, found.job);
		if (state == NULL)
			return no_memory(err);
		*state = found;
	}
	return 0;
}

/* ---- reading the file ------------ */

struct walk {
	int fd;
	uint8_t *window; /* WINDOW bytes */
	uint64_t offset; /* of the window's first byte */
	size_t at, end;
	bool eof;
};

/* Fills the window so that it has a whole frame after `at`, or everything up to the end of the
 * file. */
static int walk_fill(struct walk *walk, struct err *err)
{
	ssize_t n;

	if (walk->eof || walk->end - walk->at >= MANAGER_FRAME_MAX)
		return 0;
	memmove(walk->window, walk->window + walk->at, walk->end - walk->at);
	walk->offset += walk->at;
	walk->end -= walk->at;
	walk->at = 0;
	while (!walk->eof && walk->end < WINDOW) {
		n = pread(walk->fd, walk->window + walk->end, WINDOW - walk->end,
			(off_t)(walk->offset + walk->end));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(err, errno, "read the journal");
		walk->eof = n == 0;
		walk->end += (size_t)n;
	}
	return 0;
}

struct found {
	uint64_t offset; /* of the frame */
	size_t len;      /* of the frame */
	const uint8_t *payload;
	size_t payload_len;
	uint64_t skipped; /* bytes before it that are not part of a frame */
};

/* Finds the next frame. Returns 0; 1 if there is none (found->skipped: bytes after the last one);
 * -1 with err set. */
static int walk_next(struct walk *walk, struct found *found, struct err *err)
{
	size_t skipped, skip;

	*found = (struct found){0};
	for (;;) {
		if (walk_fill(walk, err) != 0)
			return -1;
		if (manager_frame_find(walk->window + walk->at, walk->end - walk->at, &skipped,
			    &found->payload, &found->payload_len)) {
			found->skipped += skipped;
			walk->at += skipped;
			found->offset = walk->offset + walk->at;
			found->len = MANAGER_FRAME_HEAD + found->payload_len;
			walk->at += found->len;
			return 0;
		}
		if (walk->eof) {
			found->skipped += walk->end - walk->at;
			walk->at = walk->end;
			return 1;
		}
		/* No whole frame is in the window, but one may begin near its end. */
		skip = walk->end - walk->at - (MANAGER_FRAME_MAX - 1);
		found->skipped += skip;
		walk->at += skip;
	}
}

static int walk_init(struct walk *walk, int fd, uint64_t offset, struct err *err)
{
	*walk = (struct walk){.fd = fd, .offset = offset, .window = malloc(WINDOW)};
	return walk->window != NULL ? 0 : no_memory(err);
}

/* ---- opening ---- */

static struct mark *marks_of(const struct agent_journal *journal, size_t *count)
{
	*count = journal->marks.len / sizeof(struct mark);
	return (struct mark *)(void *)journal->marks.data;
}

static int add_mark(
	struct agent_journal *journal, uint64_t number, uint64_t offset, struct err *err)
{
	const struct mark mark = {number, offset};

	if (journal->marks.len > 0 && ++journal->since_mark < MARK_EVERY)
		return 0;
	journal->since_mark = 0;
	return buf_add(&journal->marks, &mark, sizeof mark, err);
}

/* Applies a record that was read from the file. */
static int take_record(struct agent_journal *journal, const struct found *found, struct err *err)
{
	struct agent_job_state *state;
	struct manager_record record;

	if (manager_record_decode(&record, found->payload, found->payload_len, err) != 0)
		return -1;
	if (record.number <= journal->last)
		return err_set(err, ERR_DAMAGE, "record %llu comes after record %llu",
			(unsigned long long)record.number, (unsigned long long)journal->last);
	if (add_mark(journal, record.number, found->offset, err) != 0)
		return -1;
	journal->last = record.number;
	if (record.job[0] == 0)
		return 0;
	state = agent_journal_state(journal, record.job);
	if (state == NULL)
		return no_memory(err);
	agent_state_apply(state, &record);
	return 0;
}

/* Reads the head, and the records before this offset. */
static int take_file(struct agent_journal *journal, uint64_t end, struct agent_journal_found *seen,
	struct err *err)
{
	struct found found;
	struct walk walk;
	int ret = -1, got;

	if (walk_init(&walk, journal->fd, 0, err) != 0)
		return -1;
	got = walk_next(&walk, &found, err);
	if (got >= 0 && (got != 0 || found.offset != 0))
		err_set(err, ERR_DAMAGE,
			"%s: not a journal, or its head is damaged (move it away to begin a new "
			"one)",
			journal->path);
	if (got != 0 || found.offset != 0 ||
		take_head(journal, found.payload, found.payload_len, err) != 0)
		goto out;
	journal->size = found.len;
	while ((got = walk_next(&walk, &found, err)) == 0 && found.offset < end) {
		seen->damaged += found.skipped;
		if (take_record(journal, &found, err) != 0) {
			err_prefix(err, "%s", journal->path);
			goto out;
		}
		journal->size = found.offset + found.len;
	}
	if (got == 1)
		seen->cut = found.skipped;
	ret = got < 0 ? -1 : 0;
out:
	free(walk.window);
	return ret;
}

static int load(struct agent_journal *journal, struct agent_journal_found *seen, struct err *err)
{
	if (take_file(journal, UINT64_MAX, seen, err) != 0)
		return -1;
	/* After the last whole frame there is only a record that a crash cut short. */
	if (seen->cut > 0 &&
		(ftruncate(journal->fd, (off_t)journal->size) != 0 || fsync(journal->fd) != 0))
		return err_errno(err, errno, "%s: cut off its torn end", journal->path);
	return 0;
}

/* Creates the journal. Its name appears only when the file is complete. */
static int create(struct agent_journal *journal, struct err *err)
{
	uint8_t *head;
	size_t len;
	int ret;

	if (seal_random(journal->id, sizeof journal->id, err) != 0)
		return -1;
	head = make_head(journal->id, NULL, 0, &len, err);
	if (head == NULL)
		return -1;
	ret = file_write_new(journal->path, head, len, 0600, err);
	free(head);
	return ret;
}

static int open_locked(const char *path, int flags, struct err *err)
{
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | flags, 0600);
	struct stat opened, named;

	if (fd < 0 && errno == ENOENT)
		return err_set(err, ERR_NOTFOUND, "%s: not found", path);
	if (fd < 0)
		return err_errno(err, errno, "%s", path);
	if (flock(fd, LOCK_EX | LOCK_NB) != 0 && errno != EWOULDBLOCK) {
		err_errno(err, errno, "%s: lock", path);
	} else if (flock(fd, LOCK_EX | LOCK_NB) != 0 || fstat(fd, &opened) != 0 ||
		   stat(path, &named) != 0 || opened.st_ino != named.st_ino) {
		/* The inode differs: the file was replaced between our open and our lock. */
		err_set(err, ERR_BUSY, "%s: another process has it open", path);
	} else {
		return fd;
	}
	close(fd);
	return -1;
}

/* ---- acknowledgements ------------------- */

static const struct cbormap_field one_fields[] = {
	{.need = true, CBORMAP_OF(struct acked_one, NAME, name)},
	{.need = true, .max = INT64_MAX, CBORMAP_OF(struct acked_one, UINT, number)},
	{0},
};

static const struct cbormap_field one_item = {
	.type = CBORMAP_MAP, .sub = one_fields, .size = sizeof(struct acked_one)};

static const struct cbormap_field acked_fields[] = {
	{.need = true, CBORMAP_OF(struct acked, BYTES, journal)},
	{.key = "managers", .need = true, CBORMAP_LIST_IN(struct acked, of, count, one_item)},
	{0},
};

/* If the file is missing, damaged, or belongs to another journal, it counts as empty. */
static int load_acked(struct agent_journal *journal, struct err *err)
{
	size_t len, skipped, payload_len, i;
	struct acked acked = {.count = 0};
	struct err ignored = {0};
	const uint8_t *payload;
	uint8_t mem[ACKED_MAX];

	memcpy(journal->acked.journal, journal->id, AGENT_JOURNAL_ID_LEN);
	if (file_read(journal->acked_path, mem, sizeof mem, &len, NULL, &ignored) != 0)
		return ignored.code == ERR_NOMEM ? no_memory(err) : 0;
	if (!manager_frame_find(mem, len, &skipped, &payload, &payload_len) ||
		cbormap_read(&acked, acked_fields, payload, payload_len, &ignored) != 0 ||
		memcmp(acked.journal, journal->id, AGENT_JOURNAL_ID_LEN) != 0)
		return 0;
	journal->acked = acked;
	/* If records at the end were lost to damage, their numbers must still not be used again. */
	for (i = 0; i < acked.count; i++)
		if (acked.of[i].number > journal->last)
			journal->last = acked.of[i].number;
	return 0;
}

static int save_acked(const struct agent_journal *journal, struct err *err)
{
	uint8_t frame[ACKED_MAX];
	struct cbor_out out;

	cbor_out_init(&out, frame + MANAGER_FRAME_HEAD, sizeof frame - MANAGER_FRAME_HEAD);
	cbormap_put(&out, acked_fields, &journal->acked);
	assert(!cbor_out_full(&out));
	manager_frame_seal(frame, cbor_out_len(&out));
	return file_write(
		journal->acked_path, frame, MANAGER_FRAME_HEAD + cbor_out_len(&out), 0600, err);
}

/* The index of a manager; .acked.count if it has none. */
static size_t find_acked(const struct agent_journal *journal, const char *manager)
{
	size_t i = 0;

	while (i < journal->acked.count && strcmp(journal->acked.of[i].name, manager) != 0)
		i++;
	return i;
}

static int set_acked(
	struct agent_journal *journal, const char *manager, uint64_t number, struct err *err)
{
	size_t i = find_acked(journal, manager);

	assert(name_ok(manager, strlen(manager)));
	if (i == AGENT_MANAGERS_MAX)
		return err_set(err, ERR_LIMIT, "more than %d managers", AGENT_MANAGERS_MAX);
	if (i == journal->acked.count) {
		journal->acked.of[i] = (struct acked_one){.number = 0};
		strcpy(journal->acked.of[i].name, manager);
		journal->acked.count++;
	}
	journal->acked.of[i].number = number;
	return save_acked(journal, err);
}

const char *agent_journal_manager(const struct agent_journal *journal, size_t i)
{
	return i < journal->acked.count ? journal->acked.of[i].name : NULL;
}

uint64_t agent_journal_acknowledged(const struct agent_journal *journal, const char *manager)
{
	size_t i = find_acked(journal, manager);

	return i < journal->acked.count ? journal->acked.of[i].number : 0;
}

int agent_journal_acknowledge(
	struct agent_journal *journal, const char *manager, uint64_t number, struct err *err)
{
	if (number > journal->last)
		return err_set(err, ERR_USAGE,
			"manager %s acknowledges %llu, the last record is %llu", manager,
			(unsigned long long)number, (unsigned long long)journal->last);
	if (number <= agent_journal_acknowledged(journal, manager))
		return 0;
	return set_acked(journal, manager, number, err);
}

int agent_journal_forget(struct agent_journal *journal, const char *manager, struct err *err)
{
	size_t i = find_acked(journal, manager);

	if (i == journal->acked.count)
		return 0;
	journal->acked.count--;
	memmove(&journal->acked.of[i], &journal->acked.of[i + 1],
		(journal->acked.count - i) * sizeof journal->acked.of[i]);
	return save_acked(journal, err);
}

int agent_journal_lacks(
	struct agent_journal *journal, const char *manager, uint64_t number, struct err *err)
{
	bool ahead = number > journal->last;

	if (ahead && number - journal->last > AHEAD_MAX)
		return err_set(err, ERR_LIMIT,
			"manager %s claims to have record %llu, the last one is %llu", manager,
			(unsigned long long)number, (unsigned long long)journal->last);
	if (!ahead && number >= agent_journal_acknowledged(journal, manager))
		return 0;
	if (ahead)
		journal->last = number;
	return set_acked(journal, manager, number, err) != 0 ? -1 : ahead;
}

/* ---- dropping old records ---- */

/* The last record that all managers have; if there are no managers, the last record. */
static uint64_t least_acked(const struct agent_journal *journal)
{
	uint64_t least = journal->last;
	size_t i;

	for (i = 0; i < journal->acked.count; i++)
		if (journal->acked.of[i].number < least)
			least = journal->acked.of[i].number;
	return least;
}

/* Chooses where to cut: in the middle of the file; or earlier, if that makes enough room, so that
 * no record is lost that a manager has not acknowledged. */
static const struct mark *choose_cut(const struct agent_journal *journal)
{
	uint64_t acked = least_acked(journal);
	size_t half, kept, count;
	const struct mark *marks = marks_of(journal, &count);

	for (half = 0; half + 1 < count; half++)
		if (journal->size - marks[half].offset <= journal->max / 2)
			break;
	for (kept = half; kept > 0 && marks[kept].number > acked + 1; kept--)
		continue;
	return journal->size - marks[kept].offset <= journal->max / 4 * 3 ? &marks[kept]
									  : &marks[half];
}

/* Copies the bytes from `offset` to `end` to the other file, from `at` on. */
static int copy_range(int from, uint64_t offset, uint64_t end, int to, uint64_t at, struct err *err)
{
	uint8_t *mem = malloc(WINDOW);
	int ret = 0;

	if (mem == NULL)
		return no_memory(err);
	while (ret == 0 && offset < end) {
		size_t n = end - offset < WINDOW ? (size_t)(end - offset) : WINDOW;

		ret = fs_read_at(from, mem, n, offset, err);
		if (ret == 0)
			ret = fs_write_at(to, mem, n, at, err);
		offset += n;
		at += n;
	}
	free(mem);
	return ret;
}

/* Most recently active first. */
static int by_activity(const void *a, const void *b)
{
	const struct agent_job_state *x = a, *y = b;
	int64_t s = x->started > x->since ? x->started : x->since;
	int64_t t = y->started > y->since ? y->started : y->since;

	return (s < t) - (s > t);
}

/* Rewrites the journal without the records before this offset. The old file stays until the new one
 * is durable and is renamed over it. */
static int rewrite(struct agent_journal *journal, uint64_t offset, struct err *err)
{
	struct agent_journal old = {.fd = journal->fd};
	struct agent_journal_found ignored = {0};
	struct mark *marks;
	uint8_t *head = NULL;
	char path[sizeof journal->path + 8];
	size_t head_len = 0, i, n = 0, count;
	int fd = -1, ret = -1;

	strcpy(old.path, journal->path);
	snprintf(path, sizeof path, "%s.new", journal->path);
	buf_init(&old.marks, SIZE_MAX);
	/* Compute the states before the first record that stays. */
	if (take_file(&old, offset, &ignored, err) != 0)
		goto out;
	if (old.state_count > 0)
		qsort(old.states, old.state_count, sizeof *old.states, by_activity);
	head = make_head(journal->id, old.states,
		old.state_count < STATES_MAX ? old.state_count : STATES_MAX, &head_len, err);
	if (head == NULL)
		goto out;
	fd = open_locked(path, O_CREAT | O_TRUNC, err);
	if (fd < 0)
		goto out;
	if (fs_write_at(fd, head, head_len, 0, err) != 0 ||
		copy_range(journal->fd, offset, journal->size, fd, head_len, err) != 0) {
		err_prefix(err, "%s", path);
		goto out;
	}
	if (fsync(fd) != 0 || rename(path, journal->path) != 0) {
		err_errno(err, errno, "%s", path);
		goto out;
	}
	marks = marks_of(journal, &count);
	for (i = 0; i < count; i++) {
		if (marks[i].offset < offset)
			continue;
		marks[n] = marks[i];
		marks[n++].offset -= offset - head_len;
	}
	assert(n > 0 && marks[0].offset == head_len);
	journal->marks.len = n * sizeof *marks;
	journal->size -= offset - head_len;
	close(journal->fd);
	journal->fd = fd;
	fd = -1;
	journal->broken = file_sync_folder(journal->path, err) != 0;
	ret = journal->broken ? -1 : 0;
out:
	if (fd >= 0) {
		unlink(path);
		close(fd);
	}
	free(head);
	free(old.states);
	buf_fini(&old.marks);
	return ret;
}

static int drop_old(struct agent_journal *journal, uint64_t *lost, struct err *err)
{
	uint64_t acked = least_acked(journal);
	struct mark cut;

	if (journal->marks.len < 2 * sizeof cut)
		return 0; /* only with a tiny limit, as in tests */
	cut = *choose_cut(journal);
	if (lost != NULL && cut.number > acked + 1)
		*lost = cut.number - acked - 1;
	return rewrite(journal, cut.offset, err);
}

/* ---- the interface ---- */

int agent_journal_open(const char *path, uint64_t max, struct agent_journal **out,
	struct agent_journal_found *found, struct err *err)
{
	struct agent_journal *journal = calloc(1, sizeof *journal);

	*found = (struct agent_journal_found){0};
	if (journal == NULL)
		return no_memory(err);
	journal->fd = -1;
	buf_init(&journal->marks, SIZE_MAX);
	journal->max = max != 0 ? max : AGENT_JOURNAL_MAX;
	snprintf(journal->path, sizeof journal->path, "%s", path);
	snprintf(journal->acked_path, sizeof journal->acked_path, "%s.acked", journal->path);
	journal->fd = open_locked(journal->path, 0, err);
	if (journal->fd < 0 && err->code == ERR_NOTFOUND) {
		*err = (struct err){0};
		if (create(journal, err) != 0)
			goto fail;
		journal->fd = open_locked(journal->path, 0, err);
	}
	if (journal->fd < 0 || load(journal, found, err) != 0 || load_acked(journal, err) != 0)
		goto fail;
	*out = journal;
	return 0;
fail:
	agent_journal_close(journal);
	return -1;
}

void agent_journal_close(struct agent_journal *journal)
{
	if (journal == NULL)
		return;
	if (journal->fd >= 0)
		close(journal->fd);
	buf_fini(&journal->marks);
	free(journal->states);
	free(journal);
}

const uint8_t *agent_journal_id(const struct agent_journal *journal)
{
	return journal->id;
}

uint64_t agent_journal_last(const struct agent_journal *journal)
{
	return journal->last;
}

int agent_journal_append(struct agent_journal *journal, struct manager_record *record,
	uint64_t *lost, struct err *err)
{
	uint8_t frame[MANAGER_FRAME_HEAD + MANAGER_RECORD_MAX];
	struct agent_job_state *state = NULL;
	size_t len;

	if (lost != NULL)
		*lost = 0;
	if (journal->broken)
		return err_set(err, ERR_IO, "%s: a write failed before; it must be opened again",
			journal->path);
	if (record->job[0] != 0 && (state = agent_journal_state(journal, record->job)) == NULL)
		return no_memory(err);
	record->number = journal->last + 1;
	len = manager_record_encode(record, frame + MANAGER_FRAME_HEAD);
	manager_frame_seal(frame, len);
	len += MANAGER_FRAME_HEAD;
	if (journal->size + len > journal->max && drop_old(journal, lost, err) != 0) {
		/* If there is no room for a rewrite, a journal that is too long is better than
		 * none. */
		if (journal->broken || journal->size > 2 * journal->max)
			return -1;
		*err = (struct err){0};
	}
	if (fs_write_at(journal->fd, frame, len, journal->size, err) != 0) {
		/* Remove what the failed write left. */
		journal->broken = ftruncate(journal->fd, (off_t)journal->size) != 0 ||
				  fsync(journal->fd) != 0;
		return err_prefix(err, "%s", journal->path);
	}
	if (fdatasync(journal->fd) != 0) {
		journal->broken = true;
		return err_errno(err, errno, "%s: sync", journal->path);
	}
	if (add_mark(journal, record->number, journal->size, err) != 0) {
		journal->broken = true;
		return -1;
	}
	journal->size += len;
	journal->last = record->number;
	if (state != NULL)
		agent_state_apply(state, record);
	return 0;
}

int agent_journal_read(struct agent_journal *journal, uint64_t number, void *mem, size_t cap,
	size_t *len, uint64_t *last, struct err *err)
{
	uint64_t offset = 0;
	struct manager_record record;
	struct found found;
	struct walk walk;
	size_t i, count;
	const struct mark *marks = marks_of(journal, &count);
	int got;

	assert(cap >= MANAGER_FRAME_HEAD + MANAGER_RECORD_MAX);
	*len = 0;
	if (number > journal->last || count == 0)
		return 1;
	for (i = 0; i < count && (i == 0 || marks[i].number <= number); i++)
		offset = marks[i].offset;
	if (walk_init(&walk, journal->fd, offset, err) != 0)
		return -1;
	while ((got = walk_next(&walk, &found, err)) == 0) {
		got = manager_record_decode(&record, found.payload, found.payload_len, err);
		if (got != 0 || *len + found.len > cap)
			break;
		if (record.number < number)
			continue;
		memcpy((uint8_t *)mem + *len, found.payload - MANAGER_FRAME_HEAD, found.len);
		*len += found.len;
		*last = record.number;
	}
	free(walk.window);
	return got < 0 ? -1 : *len == 0;
}
