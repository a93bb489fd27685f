/*
 * A plan: the jobs of one agent, extracted from the managers' configuration. It is a value:
 * managers make it (manager_config_plan); agents decode it, check it against their own
 * configuration, and schedule themselves by it (slots.h).
 *
 *   manager:  struct with borrowed texts -> manager_plan_encode -> bytes, digest
 *   agent:    bytes -> manager_plan_decode -> use -> manager_plan_free
 *
 * Used by managers and agents; depends on neither. Pure, thread-safe.
 *
 * The bytes are CBOR in the deterministic form of RFC 8949, 4.2.1: keys in the order of their
 * encodings, shortest heads, and no key whose value is the default. So equal plans have equal
 * bytes, and their SHA-256, the digest, tells whether two plans are the same. An unknown key is
 * ignored, unless it begins with an upper-case letter: then the plan is refused.
 *
 *   plan = { ? jobs: [1*256 job], agent: name, ? stores: [1*64 store] }
 *   job = {
 *     name: name, zone: text, ? after: name, ? level: 0..19, paths: [1*1024 bytes],
 *     ? before: name, ? copies: 1..16, ? jitter: seconds, stores: [1*16 name],
 *     ? exclude: [1*1024 bytes], schedule: text, ? lock-for: seconds,
 *     ? recipients: [1*16 name], ? alarm-after: seconds, ? unencrypted: true,
 *     ? exclude-caches: true, ? one-file-system: true }
 *   store = { ? key: bytes .size 32, ? uid: bytes .size 16, name: name, ? address: text }
 *
 * Defaults: copies 1, level 2, all times 0. recipients: each is the name or the fingerprint of a
 * public key that is pinned on the agent; default: all that are pinned. after, before: names of
 * hooks.
 */
#ifndef FDUMP_CMD_MANAGER_PLAN_H
#define FDUMP_CMD_MANAGER_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct err;

#define MANAGER_PLAN_MAX       (1u << 20) /* bytes of an encoded plan */
#define MANAGER_DIGEST_LEN     32
#define MANAGER_JOBS_MAX       256  /* in a plan */
#define MANAGER_STORES_MAX     64   /* in a plan */
#define MANAGER_JOB_STORES_MAX 16   /* of a job */
#define MANAGER_PATHS_MAX      1024 /* of a job; patterns likewise */
#define MANAGER_PATH_MAX       4096 /* bytes of a path or pattern */
#define MANAGER_RECIPIENTS_MAX 16
#define MANAGER_TEXT_MAX       1000           /* bytes of a schedule, zone or address */
#define MANAGER_SECONDS_MAX    (3660 * 86400) /* ten years: limit for every time in a plan */
#define MANAGER_LEVEL          2
#define MANAGER_LEVEL_MAX      19
#define MANAGER_UID_LEN        16
#define MANAGER_KEY_LEN        32

struct manager_list {
	const char **items;
	size_t count;
};

struct manager_plan_job {
	const char *name, *schedule, *zone;
	const char *before, *after; /* hooks; NULL: none */
	struct manager_list paths, exclude, stores, recipients;
	int64_t copies, level;
	int64_t jitter_sec, lock_sec, alarm_after_sec; /* 0: none */
	bool unencrypted, exclude_caches, one_file_system;
};

struct manager_plan_store {
	const char *name, *address; /* address NULL: use the one in the agent's own list */
	bool has_uid, has_key;
	uint8_t uid[MANAGER_UID_LEN], key[MANAGER_KEY_LEN];
};

struct manager_plan {
	const char *agent;
	struct manager_plan_job *jobs;
	size_t job_count;
	struct manager_plan_store *stores;
	size_t store_count;
	/* Of a decoded plan: all its strings, and the items of its lists. */
	char *texts;
	const char **items;
};

/* Appends the plan's bytes to buf. The struct must be within the limits above, which
 * manager_config_plan ensures. Returns 0, or -1 with err set: ERR_LIMIT (over MANAGER_PLAN_MAX),
 * ERR_NOMEM. */
int manager_plan_encode(const struct manager_plan *plan, struct buf *buf, struct err *err);

/* SHA-256 of a plan's bytes. */
void manager_plan_digest(const void *bytes, size_t len, uint8_t digest[MANAGER_DIGEST_LEN]);

/* Decodes a plan from untrusted bytes, into memory of its own. An accepted plan is within the
 * limits; its jobs have different names, and so have its stores; schedules are valid and have at
 * least one time; addresses are well-formed; and each job's stores are in the plan's list. Not
 * checked: whether this machine knows the time zones (tz_load does that), and whether recipients
 * and hooks exist. Returns 0, or -1 with err set (ERR_FORMAT, ERR_LIMIT, ERR_UNSUPPORTED,
 * ERR_NOMEM) and nothing to free. */
int manager_plan_decode(struct manager_plan *plan, const void *bytes, size_t len, struct err *err);

/* Frees what manager_plan_decode made. */
void manager_plan_free(struct manager_plan *plan);

/* The job of this name, or NULL. */
const struct manager_plan_job *manager_plan_job(const struct manager_plan *plan, const char *name);

#endif
