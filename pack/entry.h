/*
 * Entries: encodes and decodes HEAD and TAIL (CBOR), and the items between them. See
 * pack/FORMAT.md, section 4. Pure.
 *
 * Decoded structs borrow all bytes from the input and are valid as long as it is. Decoding
 * allocates nothing.
 *
 * These maps are not read with lib/cbormap. A refused HEAD or TAIL must still be read to its
 * end, and a run reads millions of them, so each value is decoded once, in place.
 */
#ifndef FDUMP_PACK_ENTRY_H
#define FDUMP_PACK_ENTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/cbor.h"
#include "lib/hash.h"

struct buf;
struct err;

#define PACK_PATH_MAX       65535               /* longest path, longest link target, in bytes */
#define PACK_NAME_MAX       255                 /* longest path component, user name, xattr name */
#define PACK_XATTR_MAX      65536               /* longest xattr value */
#define PACK_CONTENT_MAX    ((uint64_t)1 << 44) /* largest content of an entry: 16 TiB */
#define PACK_HEAD_MAX       (1u << 20)          /* largest encoded HEAD */
#define PACK_TAIL_MAX       4096                /* largest encoded TAIL */
#define PACK_DATA_HEAD      5                   /* length of a DATA head, as written here */
#define PACK_HOLE_MAX       9                   /* longest HOLE, as written here */
#define PACK_REF_ID         32                  /* length of a chunk's id */
#define PACK_REF_MAX        48                  /* longest REF */
#define PACK_REF_LEN_MAX    (4u << 20)          /* largest content of a chunk */
#define PACK_INDEX_HEAD_MAX (3 * 65536)         /* largest HEAD in an index */

/* The inode flags that packs keep. */
#define PACK_FLAGS_MASK 0x008380ffu
/* Two of them, which prevent changes and so must be set last. */
#define PACK_FLAG_IMMUTABLE 0x10u
#define PACK_FLAG_APPEND    0x20u

enum pack_type {
	PACK_REGULAR = 1,
	PACK_DIRECTORY,
	PACK_SYMLINK,
	PACK_HARDLINK,
	PACK_FIFO,
	PACK_SOCKET,
	PACK_CHAR,
	PACK_BLOCK,
	PACK_COMMAND,
};

struct pack_bytes {
	const uint8_t *at;
	size_t len;
};

struct pack_time {
	int64_t sec;
	uint32_t nsec;
};

/* Which optional fields are present. */
enum {
	PACK_HAS_MODE = 1 << 0,
	PACK_HAS_UID = 1 << 1,
	PACK_HAS_GID = 1 << 2,
	PACK_HAS_MTIME = 1 << 3,
	PACK_HAS_SIZE = 1 << 4,
	PACK_HAS_FLAGS = 1 << 5,
	PACK_HAS_RDEV = 1 << 6,
	PACK_HAS_SPARSE = 1 << 7, /* has a sparse digest (pack/digest.h) */
};

struct pack_head {
	struct pack_bytes path;
	enum pack_type type;
	unsigned has;
	uint32_t mode, uid, gid;
	struct pack_bytes user, group; /* .at NULL: none */
	struct pack_time mtime;
	uint64_t size;
	uint32_t rdev_major, rdev_minor;
	struct pack_bytes target; /* of a symbolic link */
	struct pack_bytes link;   /* of a hard link: path of the entry that is the same file */
	struct pack_bytes xattrs; /* the encoded CBOR map; .at NULL: none */
	uint32_t flags;
};

enum pack_status {
	PACK_OK,
	PACK_CHANGED,
	PACK_GROWN,
	PACK_SHRUNK,
	PACK_READ_ERROR,
	PACK_VANISHED,
	PACK_COMMAND_FAILED,
	PACK_INCOMPLETE,
	PACK_STATUSES
};

/* Bits of pack_tail.changed. */
enum {
	PACK_CHANGED_SIZE = 1,
	PACK_CHANGED_MTIME = 2,
	PACK_CHANGED_CTIME = 4,
	PACK_CHANGED_INODE = 8,
};

struct pack_tail {
	bool has_content; /* size and sum are present */
	uint64_t size;
	bool sparse; /* kind of sum (pack/digest.h) */
	uint8_t sum[HASH_LEN];
	enum pack_status status;
	unsigned changed;
	bool has_error;
	uint64_t error_offset;
	uint32_t error;
	bool has_mtime;
	struct pack_time mtime;
	bool has_exit;
	uint32_t exit;
	bool passed_by; /* decoded: something unknown was ignored */
};

/* Why these bytes are not a valid entry path, or NULL if they are. */
const char *pack_path_wrong(const uint8_t *path, size_t len);
/* Whether a path is ".", the root entry. */
bool pack_path_is_root(struct pack_bytes path);
/* Whether two paths are the same. */
bool pack_path_same(struct pack_bytes a, struct pack_bytes b);
/* Compares bytewise, as memcmp does; a prefix sorts before what it begins. */
int pack_bytes_compare(struct pack_bytes a, struct pack_bytes b);
/* Whether a path lies below a directory other than the root. */
bool pack_path_in(struct pack_bytes path, struct pack_bytes dir);

/* The type of a file system object, from its st_mode. Never a hard link or a command. */
enum pack_type pack_type_of(mode_t mode);
/* Whether entries of this type have content. */
bool pack_type_has_content(enum pack_type type);

/* Encodes in canonical order; with `index`, only the keys that INDEX blocks repeat. If there is
 * no room, `out` becomes full. */
void pack_head_put(struct cbor_out *out, const struct pack_head *head, bool index);
/* Returns the offset in the encoding of the checksum's 32 bytes, or 0 if there is no checksum. */
size_t pack_tail_put(struct cbor_out *out, const struct pack_tail *tail);

/* Upper bound for the size of an encoded HEAD. */
size_t pack_head_room(const struct pack_head *head);
/* Appends an encoded HEAD. Returns 0, or -1 with err set. */
int pack_head_add(struct buf *to, const struct pack_head *head, bool index, struct err *err);
/* Upper bound for the size of an encoded TAIL. */
#define PACK_TAIL_ROOM 256

/* Copies a HEAD and everything it borrows into `to`, which is cleared first and gets at most
 * PACK_HEAD_KEEP bytes, so that the copy outlives the input. Returns 0, or -1 with err set. */
#define PACK_HEAD_KEEP (2 * PACK_HEAD_MAX)
int pack_head_keep(
	struct buf *to, struct pack_head *copy, const struct pack_head *head, struct err *err);

/* Decode the next item as HEAD or TAIL. Return
 *    0  done; the input is after it
 *    1  well-formed but refused; err says why. The input is after it: skip this entry and go on.
 *       (head->path is set if the path was valid, else its .at is NULL.)
 *   -1  malformed, ERR_FORMAT: the rest of this block can't be read */
int pack_head_get(struct cbor_in *in, struct pack_head *head, struct err *err);
int pack_tail_get(struct cbor_in *in, struct pack_tail *tail, struct err *err);

/* Whether a TAIL matches its HEAD: has content if the type has, the same kind of digest, and so
 * on. Returns 0, or 1 with err set. */
int pack_tail_fits(const struct pack_head *head, const struct pack_tail *tail, struct err *err);

/* Whether both have equal digests of the same kind. True for two entries without content. */
bool pack_tail_same_sum(const struct pack_tail *a, const struct pack_tail *b);

/* The content has a digest other than the TAIL's. */
#define PACK_SUM_WRONG "checksum does not agree with the content"
/* An entry without a sparse digest has over PACK_HOLES_MAX bytes of holes. */
#define PACK_HOLES_WRONG "more than 1 GiB of holes, without the checksum that goes with them"

/* What may occur between HEAD and TAIL. */
enum pack_item_kind {
	PACK_ITEM_DATA,
	PACK_ITEM_HOLE,
	PACK_ITEM_TAIL,
	PACK_ITEM_NONE,
	PACK_ITEM_REF, /* manifests only */
};

struct pack_item {
	enum pack_item_kind kind;
	struct pack_bytes data; /* DATA; REF: the chunk's id, PACK_REF_ID bytes */
	uint64_t hole;          /* HOLE */
	uint32_t offset, len;   /* REF: range in the chunk's content */
};

/* Writes the head of a DATA item of len bytes. */
void pack_data_head_put(uint8_t to[PACK_DATA_HEAD], uint32_t len);

/* Reads the next item. A TAIL is only announced: the input stays before it, and pack_tail_get
 * reads it. PACK_ITEM_NONE means the end of the input. Returns 0, or -1 with err set
 * (ERR_FORMAT, ERR_UNSUPPORTED). */
int pack_item_get(struct cbor_in *in, struct pack_item *item, struct err *err);

/* The same for a manifest, where content is HOLE or REF, and DATA is refused. */
int pack_manifest_item_get(struct cbor_in *in, struct pack_item *item, struct err *err);
void pack_ref_put(
	struct cbor_out *out, const uint8_t id[PACK_REF_ID], uint32_t offset, uint32_t len);

/* Iterates over the attributes of an encoded map, which was validated when it was decoded.
 * _next returns false at the end. */
struct pack_xattr_walk {
	struct cbor_in in;
	uint64_t left;
};
void pack_xattr_start(struct pack_xattr_walk *walk, struct pack_bytes xattrs);
bool pack_xattr_next(
	struct pack_xattr_walk *walk, struct pack_bytes *name, struct pack_bytes *value);

const char *pack_status_name(enum pack_status status);
/* Writes in words how a command failed. exit: as in the pack, not 0. */
void pack_command_failed(uint32_t exit, char *text, size_t size);
/* "regular", "directory", ... */
const char *pack_type_name(enum pack_type type);

#endif
