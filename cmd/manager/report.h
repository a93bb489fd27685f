/*
 * What agents report to managers: the records of their journals, one for each step of a run. Used
 * by both sides; depends on neither. Pure, thread-safe, allocates nothing.
 *
 * A report is a sequence of frames, as in the journal's file:
 *
 *    0  magic "FDJ1"      4  XXH3-64 of everything after it, little-endian
 *   12  length, LE        16  this many bytes: a record, CBOR
 *
 *   record = { kind: text, time: int, number: uint,      number: from 1, rising
 *     ? job: name, ? run: bytes .size 16, ? slot: int, ? text: text,
 *     ? digest: bytes .size 32, ? result: text,
 *     ? dump: bytes .size 16, ? record: bytes .size 32,   SHA-256 of the dump's record
 *     ? stats: { read: uint, stored: uint, content: uint, entries: uint, problems: uint,
 *              ? fewer_than: uint },    entries of the last whole dump, if this one has far fewer
 *     ? receipts: [1*16 { uid: bytes .size 16, time: int, store: name,
 *                         signature: bytes .size 64 }] }
 *
 *   kind      has
 *   plan      digest                  the agent follows this plan from now on
 *   starting  run, job, slot          durable before the run's process starts
 *   ended     run, job, slot, result; dump with record, stats, receipts; text, if there is one
 *   held      job                     no scheduled run is started until
 *   released  job
 *   clock     job                     the clock was set back: slots after `time` come
 *   alarm     text, ? job             text: the alarm's id, such as "plan.refused"; if it is about
 *                                     a plan, then ": " and the reason
 *
 * slot: the time at which the job was due; absent if a person ordered the run. An unknown key or
 * kind is ignored, unless the key begins with an upper-case letter: then the record is refused.
 */
#ifndef FDUMP_CMD_MANAGER_REPORT_H
#define FDUMP_CMD_MANAGER_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cmd/manager/plan.h"
#include "lib/name.h"

struct err;

#define MANAGER_RUN_LEN       16
#define MANAGER_DUMP_LEN      16
#define MANAGER_SIGNATURE_LEN 64
#define MANAGER_RECEIPTS_MAX  MANAGER_JOB_STORES_MAX
#define MANAGER_NOTE_MAX      480 /* bytes of a record's text */
/* Ids of alarms. */
#define MANAGER_SAYS_REFUSED   "plan.refused" /* the agent's own configuration forbids the plan */
#define MANAGER_SAYS_MALFORMED "plan.malformed"
#define MANAGER_SAYS_CHANGED   "store.changed" /* of a job: a store has another key or uid */
#define MANAGER_SAYS_OVERDUE   "agent.overdue" /* no run has succeeded for the agent's warn_after */
#define MANAGER_FRAME_HEAD     16
#define MANAGER_FRAME_MAX      (256u << 10) /* bytes of a frame, including its head */
#define MANAGER_RECORD_MAX     8192         /* bytes of an encoded record */

enum manager_kind {
	MANAGER_OTHER, /* a kind of a later version */
	MANAGER_PLAN,
	MANAGER_STARTING,
	MANAGER_ENDED,
	MANAGER_HELD,
	MANAGER_RELEASED,
	MANAGER_CLOCK,
	MANAGER_ALARM,
	MANAGER_KINDS
};

/* How a run ended. */
enum manager_result {
	MANAGER_NONE, /* not ended */
	MANAGER_OK,
	MANAGER_PARTIAL, /* a dump, but some entries changed or could not be read */
	MANAGER_COPIES,  /* a dump, but on fewer stores than required */
	MANAGER_FAILED,  /* no dump */
	MANAGER_LOST,    /* its process or the agent died */
	MANAGER_CANCELLED,
	MANAGER_RESULTS
};

struct manager_receipt {
	char store[NAME_LEN_MAX + 1];
	uint8_t uid[MANAGER_UID_LEN];
	int64_t time;
	uint8_t signature[MANAGER_SIGNATURE_LEN];
};

struct manager_stats {
	uint64_t entries, content, read, stored, problems, fewer_than;
};

/* Members that its kind does not have are zero. */
struct manager_record {
	uint64_t number;
	int64_t time; /* seconds since 1970, by the agent's clock */
	enum manager_kind kind;
	enum manager_result result;
	char job[NAME_LEN_MAX + 1];      /* "": none */
	uint8_t run[MANAGER_RUN_LEN];    /* random; zeros: none */
	int64_t slot;                    /* 0: ordered by a person */
	char text[MANAGER_NOTE_MAX + 1]; /* UTF-8; "": none */
	uint8_t digest[MANAGER_DIGEST_LEN];
	bool has_dump;
	uint8_t dump[MANAGER_DUMP_LEN];
	uint8_t record[MANAGER_DIGEST_LEN]; /* digest of the dump's record, which receipts sign */
	struct manager_stats stats;
	struct manager_receipt receipts[MANAGER_RECEIPTS_MAX];
	size_t receipt_count;
};

/* Whether an id or digest is absent, that is all zeros. len: at least 1. */
bool manager_is_zero(const uint8_t *bytes, size_t len);

/* The result's name: "failed"; "none" for MANAGER_NONE. */
const char *manager_result_name(enum manager_result result);
/* Whether a run with this result made a dump that a store keeps. */
bool manager_result_kept(enum manager_result result);

/* Encodes a record as CBOR, at most MANAGER_RECORD_MAX bytes. Returns its length. */
size_t manager_record_encode(
	const struct manager_record *record, uint8_t bytes[MANAGER_RECORD_MAX]);

/* Decodes a record. Returns 0, or -1 with err set: ERR_FORMAT, ERR_LIMIT, ERR_UNSUPPORTED. */
int manager_record_decode(
	struct manager_record *record, const void *bytes, size_t len, struct err *err);

/* Writes a frame's head. The payload is already in place, at frame + MANAGER_FRAME_HEAD. */
void manager_frame_seal(uint8_t *frame, size_t payload_len);

/* Finds the first whole frame. Returns true and sets its payload, and *skipped: the bytes before it
 * that belong to no frame (damage, or a frame that was cut short). Returns false if there is none.
 * A frame that begins in the last MANAGER_FRAME_MAX bytes may continue after them: pass the rest of
 * the data, or call again with more. */
bool manager_frame_find(const uint8_t *bytes, size_t len, size_t *skipped, const uint8_t **payload,
	size_t *payload_len);

#endif
