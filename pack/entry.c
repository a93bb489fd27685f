/*
 * HEAD and TAIL as CBOR maps. Keys have one or two letters. Each known key has a bit, so that
 * duplicates are found.
 */
#include "pack/entry.h"

#include <assert.h>
#include <ctype.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/buf.h"
#include "lib/cbor.h"
#include "lib/err.h"
#include "lib/esc.h"

#define DATA_HEAD  0x5a /* CBOR: byte string, its length in 4 bytes */
#define SKIP_DEPTH 8    /* deepest nesting of a value whose key is unknown */
#define SPARSE     1    /* HEAD's Z: the only kind of sparse digest */

static const char *const type_names[] = {"?", "regular", "directory", "symlink", "hardlink", "fifo",
	"socket", "char-device", "block-device", "command"};
static const char *const status_names[] = {"ok", "changed", "grown", "shrunk", "read-error",
	"vanished", "command-failed", "incomplete"};
static const char *const changed_names[] = {"size", "mtime", "ctime", "inode"};

const char *pack_type_name(enum pack_type type)
{
	return (unsigned)type <= PACK_COMMAND ? type_names[type] : "?";
}

const char *pack_status_name(enum pack_status status)
{
	return (unsigned)status < PACK_STATUSES ? status_names[status] : "?";
}

void pack_command_failed(uint32_t exit, char *text, size_t size)
{
	if (exit > 128 && exit < 128 + NSIG) /* a shell reports its child so too */
		snprintf(text, size, "the command was killed by signal %u (status %u)", exit - 128,
			exit);
	else
		snprintf(text, size, "the command failed with status %u", exit);
}

const char *pack_path_wrong(const uint8_t *path, size_t len)
{
	const uint8_t *at = path, *end = path + len, *slash;

	if (len == 0)
		return "empty path";
	if (len > PACK_PATH_MAX)
		return "path too long";
	if (memchr(path, 0, len) != NULL)
		return "NUL in the path";
	if (len == 1 && path[0] == '.')
		return NULL;
	if (path[0] == '/')
		return "absolute path";
	for (;; at = slash + 1) {
		size_t n;

		slash = memchr(at, '/', (size_t)(end - at));
		n = (size_t)((slash != NULL ? slash : end) - at);
		if (n == 0)
			return "empty component in the path";
		if (n > PACK_NAME_MAX)
			return "component of the path too long";
		if (at[0] == '.' && n == 1)
			return "'.' in the path";
		if (at[0] == '.' && at[1] == '.' && n == 2)
			return "'..' in the path";
		if (slash == NULL)
			return NULL;
	}
}

bool pack_path_is_root(struct pack_bytes path)
{
	return path.len == 1 && path.at[0] == '.';
}

bool pack_path_same(struct pack_bytes a, struct pack_bytes b)
{
	return a.len == b.len && memcmp(a.at, b.at, a.len) == 0;
}

int pack_bytes_compare(struct pack_bytes a, struct pack_bytes b)
{
	int got = memcmp(a.at, b.at, a.len < b.len ? a.len : b.len);

	return got != 0 ? got : (a.len > b.len) - (a.len < b.len);
}

bool pack_path_in(struct pack_bytes path, struct pack_bytes dir)
{
	return path.len > dir.len && path.at[dir.len] == '/' &&
	       memcmp(path.at, dir.at, dir.len) == 0;
}

enum pack_type pack_type_of(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFDIR:
		return PACK_DIRECTORY;
	case S_IFLNK:
		return PACK_SYMLINK;
	case S_IFIFO:
		return PACK_FIFO;
	case S_IFSOCK:
		return PACK_SOCKET;
	case S_IFCHR:
		return PACK_CHAR;
	case S_IFBLK:
		return PACK_BLOCK;
	default:
		return PACK_REGULAR;
	}
}

bool pack_type_has_content(enum pack_type type)
{
	return type == PACK_REGULAR || type == PACK_COMMAND;
}

/* --- encoding ---------------------------------------------------------- */

static void put_pair(struct cbor_out *out, const char *key, int64_t a, uint64_t b)
{
	cbor_put_text(out, key);
	cbor_put_array(out, 2);
	cbor_put_int(out, a);
	cbor_put_uint(out, b);
}

static void put_number(struct cbor_out *out, const char *key, uint64_t value)
{
	cbor_put_text(out, key);
	cbor_put_uint(out, value);
}

static void put_bytes(struct cbor_out *out, const char *key, struct pack_bytes bytes)
{
	cbor_put_text(out, key);
	cbor_put_bytes(out, bytes.at, bytes.len);
}

void pack_head_put(struct cbor_out *out, const struct pack_head *h, bool index)
{
	unsigned has = index ? h->has & ~(unsigned)(PACK_HAS_SIZE | PACK_HAS_FLAGS) : h->has;
	size_t count = 2 + (size_t)__builtin_popcount(has) + (h->user.at != NULL) +
		       (h->group.at != NULL) + (h->target.at != NULL) + (h->link.at != NULL) +
		       (!index && h->xattrs.at != NULL);

	cbor_put_map(out, count);
	put_bytes(out, "P", h->path);
	put_number(out, "T", h->type);
	if (has & PACK_HAS_MODE)
		put_number(out, "m", h->mode);
	if (has & PACK_HAS_UID)
		put_number(out, "u", h->uid);
	if (has & PACK_HAS_GID)
		put_number(out, "g", h->gid);
	if (h->user.at != NULL)
		put_bytes(out, "un", h->user);
	if (h->group.at != NULL)
		put_bytes(out, "gn", h->group);
	if (has & PACK_HAS_MTIME)
		put_pair(out, "t", h->mtime.sec, h->mtime.nsec);
	if (has & PACK_HAS_SIZE)
		put_number(out, "s", h->size);
	if (has & PACK_HAS_RDEV)
		put_pair(out, "D", h->rdev_major, h->rdev_minor);
	if (h->target.at != NULL)
		put_bytes(out, "L", h->target);
	if (h->link.at != NULL)
		put_bytes(out, "H", h->link);
	if (!index && h->xattrs.at != NULL) {
		cbor_put_text(out, "x");
		cbor_put_encoded(out, h->xattrs.at, h->xattrs.len);
	}
	if (has & PACK_HAS_FLAGS)
		put_number(out, "f", h->flags);
	if (has & PACK_HAS_SPARSE)
		put_number(out, "Z", SPARSE);
}

size_t pack_tail_put(struct cbor_out *out, const struct pack_tail *t)
{
	size_t i, start = cbor_out_len(out), sum = 0;

	cbor_put_map(out, 2u * t->has_content + (t->status != PACK_OK) + (t->changed != 0) +
				  t->has_error + t->has_mtime + t->has_exit);
	if (t->has_content) {
		put_number(out, "n", t->size);
		put_bytes(out, t->sparse ? "Z" : "h", (struct pack_bytes){t->sum, HASH_LEN});
		sum = cbor_out_len(out) - start - HASH_LEN;
	}
	if (t->status != PACK_OK)
		put_number(out, "S", t->status);
	if (t->changed != 0) {
		cbor_put_text(out, "c");
		cbor_put_array(out, (size_t)__builtin_popcount(t->changed));
		for (i = 0; i < sizeof changed_names / sizeof *changed_names; i++)
			if (t->changed & 1u << i)
				cbor_put_text(out, changed_names[i]);
	}
	if (t->has_error)
		put_pair(out, "e", (int64_t)t->error_offset, t->error);
	if (t->has_mtime)
		put_pair(out, "t", t->mtime.sec, t->mtime.nsec);
	if (t->has_exit)
		put_number(out, "X", t->exit);
	return sum;
}

size_t pack_head_room(const struct pack_head *h)
{
	return 256 + h->path.len + h->user.len + h->group.len + h->target.len + h->link.len +
	       h->xattrs.len;
}

int pack_head_add(struct buf *to, const struct pack_head *head, bool index, struct err *err)
{
	size_t room = pack_head_room(head) - (index ? head->xattrs.len : 0);
	struct cbor_out out;
	uint8_t *at = buf_room(to, room, err);

	if (at == NULL)
		return -1;
	cbor_out_init(&out, at, room);
	pack_head_put(&out, head, index);
	assert(!cbor_out_full(&out));
	buf_took(to, cbor_out_len(&out));
	return 0;
}

int pack_head_keep(
	struct buf *to, struct pack_head *copy, const struct pack_head *head, struct err *err)
{
	const struct pack_bytes *from[] = {
		&head->path, &head->user, &head->group, &head->xattrs, &head->target, &head->link};
	struct pack_bytes *into[] = {
		&copy->path, &copy->user, &copy->group, &copy->xattrs, &copy->target, &copy->link};
	size_t i, need = 0;

	*copy = *head;
	for (i = 0; i < sizeof from / sizeof *from; i++)
		need += from[i]->len;
	buf_clear(to);
	if (buf_room(to, need + 1, err) == NULL)
		return -1;
	for (i = 0; i < sizeof from / sizeof *from; i++) {
		if (from[i]->at == NULL)
			continue;
		into[i]->at = to->data + to->len;
		memcpy(to->data + to->len, from[i]->at, from[i]->len);
		buf_took(to, from[i]->len);
	}
	return 0;
}

/* --- decoding ---------------------------------------------------------- */

static int malformed(struct err *err, const char *what)
{
	return err_set(err, ERR_FORMAT, "malformed %s", what);
}

/* State of reading a map: what it is, the keys seen, whether it is refused, and whether
 * something unknown was ignored. */
struct map_read {
	struct cbor_in *in;
	const char *what;
	unsigned seen;
	bool refused, passed_by;
	struct err *err;
};

/* Records why the map is refused, the first time. Reading continues to its end. */
static void refuse(struct map_read *map, enum err_code code, const char *why)
{
	if (!map->refused)
		err_set(map->err, code, "%s refused: %s", map->what, why);
	map->refused = true;
}

static bool get_uint(struct map_read *map, uint64_t max, uint64_t *value)
{
	struct cbor_item item;

	if (cbor_get(map->in, &item) != CBOR_OK || item.type != CBOR_UINT)
		return false;
	if (item.value > max)
		refuse(map, ERR_FORMAT, "a number is out of range");
	*value = item.value;
	return true;
}

static bool get_u32(struct map_read *map, uint32_t max, uint32_t *value)
{
	uint64_t v;

	if (!get_uint(map, max, &v))
		return false;
	*value = (uint32_t)v;
	return true;
}

static bool get_bytes(struct map_read *map, size_t max, struct pack_bytes *bytes)
{
	struct cbor_item item;

	if (cbor_get(map->in, &item) != CBOR_OK || item.type != CBOR_BYTES)
		return false;
	if (item.len < 1 || item.len > max)
		refuse(map, ERR_LIMIT, "a name is empty or too long");
	bytes->at = item.bytes;
	bytes->len = item.len;
	return true;
}

static bool get_array2(struct map_read *map)
{
	struct cbor_item item;

	return cbor_get(map->in, &item) == CBOR_OK && item.type == CBOR_ARRAY && item.value == 2;
}

static bool get_time(struct map_read *map, struct pack_time *time)
{
	struct cbor_item item;

	return get_array2(map) && cbor_get(map->in, &item) == CBOR_OK &&
	       cbor_as_int(&item, &time->sec) && get_u32(map, 999999999, &time->nsec);
}

static bool get_path(struct map_read *map, struct pack_bytes *bytes)
{
	struct cbor_item item;
	const char *why;

	if (cbor_get(map->in, &item) != CBOR_OK || item.type != CBOR_BYTES)
		return false;
	why = pack_path_wrong(item.bytes, item.len);
	if (why != NULL) {
		char text[ERR_MESSAGE_MAX / 4], reason[ERR_MESSAGE_MAX / 2];

		esc_name(text, sizeof text, item.bytes, item.len);
		snprintf(reason, sizeof reason, "%s: '%s'", why, text);
		refuse(map, item.len > PACK_PATH_MAX ? ERR_LIMIT : ERR_FORMAT, reason);
		return true;
	}
	bytes->at = item.bytes;
	bytes->len = item.len;
	return true;
}

/* Validates the attributes once, so that they can be iterated without checks later. */
static bool get_xattrs(struct map_read *map, struct pack_bytes *bytes)
{
	const uint8_t *start = map->in->at;
	struct cbor_item item;
	struct pack_bytes last = {0}, name;
	uint64_t left;

	if (cbor_get(map->in, &item) != CBOR_OK || item.type != CBOR_MAP)
		return false;
	for (left = item.value; left > 0; left--) {
		if (cbor_get(map->in, &item) != CBOR_OK || item.type != CBOR_BYTES)
			return false;
		name = (struct pack_bytes){item.bytes, item.len};
		if (last.at != NULL && pack_bytes_compare(last, name) >= 0)
			refuse(map, ERR_FORMAT, "attributes out of order or repeated");
		last = name;
		if (item.len < 1 || item.len > PACK_NAME_MAX ||
			memchr(item.bytes, 0, item.len) != NULL)
			refuse(map, ERR_FORMAT, "an attribute's name is not valid");
		if (cbor_get(map->in, &item) != CBOR_OK || item.type != CBOR_BYTES)
			return false;
		if (item.len > PACK_XATTR_MAX)
			refuse(map, ERR_LIMIT, "an attribute's value is too long");
	}
	bytes->at = start;
	bytes->len = (size_t)(map->in->at - start);
	return true;
}

/* An unknown key: is skipped, or makes the map refused. */
static bool unknown_key(struct map_read *map, const struct cbor_item *key)
{
	char name[32], reason[80];

	if (key->len > 0 && isupper(key->bytes[0])) {
		esc_name(name, sizeof name, key->bytes, key->len);
		snprintf(reason, sizeof reason, "unknown required key '%s'", name);
		refuse(map, ERR_UNSUPPORTED, reason);
	}
	map->passed_by = true;
	return cbor_skip(map->in, SKIP_DEPTH) == CBOR_OK;
}

/* Index of the key in the list of `count` keys, or -1. */
static int find_key(const struct cbor_item *key, const char *const *keys, int count)
{
	int i;

	if (key->len == 0)
		return -1;
	/* This runs for every key, and most differ in their first letter. */
	for (i = 0; i < count; i++)
		if (key->bytes[0] == (uint8_t)keys[i][0] && key->len == strlen(keys[i]) &&
			memcmp(key->bytes, keys[i], key->len) == 0)
			return i;
	return -1;
}

typedef bool map_value(struct map_read *map, int key, void *into);

/* Reads a whole map and calls `value` for each known key. Returns as pack_head_get. */
static int read_map(struct map_read *map, const char *const *keys, int count, size_t max_len,
	map_value *value, void *into)
{
	const uint8_t *start = map->in->at;
	struct cbor_item item;
	uint64_t left;
	int key;

	if (cbor_get(map->in, &item) != CBOR_OK || item.type != CBOR_MAP)
		return malformed(map->err, map->what);
	for (left = item.value; left > 0; left--) {
		if (cbor_get(map->in, &item) != CBOR_OK || item.type != CBOR_TEXT)
			return malformed(map->err, map->what);
		key = find_key(&item, keys, count);
		if (key >= 0 && map->seen & 1u << key)
			return malformed(map->err, map->what);
		if (key >= 0)
			map->seen |= 1u << key;
		if (!(key >= 0 ? value(map, key, into) : unknown_key(map, &item)))
			return malformed(map->err, map->what);
	}
	if ((size_t)(map->in->at - start) > max_len)
		refuse(map, ERR_LIMIT, "too long");
	return map->refused ? 1 : 0;
}

enum { K_P, K_T, K_m, K_u, K_g, K_un, K_gn, K_t, K_s, K_D, K_L, K_H, K_x, K_f, K_Z, HEAD_KEYS };
static const char *const head_keys[HEAD_KEYS] = {
	"P", "T", "m", "u", "g", "un", "gn", "t", "s", "D", "L", "H", "x", "f", "Z"};

static bool head_value(struct map_read *map, int key, void *into)
{
	struct pack_head *h = into;
	uint32_t type = 0, kind = 0;

	switch (key) {
	case K_P:
		return get_path(map, &h->path);
	case K_T:
		if (!get_u32(map, PACK_COMMAND, &type))
			return false;
		if (type == 0)
			refuse(map, ERR_FORMAT, "type 0");
		h->type = type <= PACK_COMMAND ? (enum pack_type)type : 0;
		return true;
	case K_m:
		h->has |= PACK_HAS_MODE;
		return get_u32(map, 07777, &h->mode);
	case K_u:
		h->has |= PACK_HAS_UID;
		return get_u32(map, UINT32_MAX - 1, &h->uid);
	case K_g:
		h->has |= PACK_HAS_GID;
		return get_u32(map, UINT32_MAX - 1, &h->gid);
	case K_un:
		return get_bytes(map, PACK_NAME_MAX, &h->user);
	case K_gn:
		return get_bytes(map, PACK_NAME_MAX, &h->group);
	case K_t:
		h->has |= PACK_HAS_MTIME;
		return get_time(map, &h->mtime);
	case K_s:
		h->has |= PACK_HAS_SIZE;
		return get_uint(map, INT64_MAX, &h->size);
	case K_D:
		h->has |= PACK_HAS_RDEV;
		return get_array2(map) && get_u32(map, UINT32_MAX, &h->rdev_major) &&
		       get_u32(map, UINT32_MAX, &h->rdev_minor);
	case K_L:
		if (!get_bytes(map, PACK_PATH_MAX, &h->target))
			return false;
		if (memchr(h->target.at, 0, h->target.len) != NULL)
			refuse(map, ERR_FORMAT, "NUL in the target of the link");
		return true;
	case K_H:
		return get_path(map, &h->link);
	case K_x:
		return get_xattrs(map, &h->xattrs);
	case K_f:
		h->has |= PACK_HAS_FLAGS;
		return get_u32(map, UINT32_MAX, &h->flags);
	default:
		h->has |= PACK_HAS_SPARSE;
		if (!get_u32(map, UINT32_MAX, &kind))
			return false;
		if (kind != SPARSE)
			refuse(map, ERR_UNSUPPORTED, "an unknown kind of checksum");
		return true;
	}
}

/* Checks a HEAD against the rules for its type. Returns what is wrong, or NULL. */
static const char *head_wrong(const struct pack_head *h, unsigned seen)
{
	if (!(seen & 1u << K_P) || !(seen & 1u << K_T))
		return "no path or no type";
	if (!(h->has & PACK_HAS_MODE) && h->type != PACK_HARDLINK && h->type != PACK_COMMAND)
		return "no mode";
	if ((h->type == PACK_SYMLINK) != (h->target.at != NULL))
		return "a symbolic link, and only that, has a target";
	if ((h->type == PACK_HARDLINK) != (h->link.at != NULL))
		return "a hard link, and only that, names its other path";
	if ((h->type == PACK_CHAR || h->type == PACK_BLOCK) != !!(h->has & PACK_HAS_RDEV))
		return "a device, and only that, has a number";
	if (pack_path_is_root(h->path) && h->type != PACK_DIRECTORY)
		return "the root entry is not a directory";
	if (h->has & PACK_HAS_SPARSE && h->type != PACK_REGULAR)
		return "only a regular file has a checksum that leaves out zeros";
	if (h->type == PACK_HARDLINK && pack_path_is_root(h->link))
		return "a hard link to the root";
	return NULL;
}

int pack_head_get(struct cbor_in *in, struct pack_head *head, struct err *err)
{
	struct map_read map = {.in = in, .what = "entry", .err = err};
	const char *why;
	int got;

	memset(head, 0, sizeof *head);
	got = read_map(&map, head_keys, HEAD_KEYS, PACK_HEAD_MAX, head_value, head);
	if (got != 0)
		return got;
	why = head_wrong(head, map.seen);
	if (why != NULL)
		refuse(&map, ERR_FORMAT, why);
	return map.refused ? 1 : 0;
}

enum { K_n, K_h, K_S, K_c, K_e, K_tt, K_X, K_TZ, TAIL_KEYS };
static const char *const tail_keys[TAIL_KEYS] = {"n", "h", "S", "c", "e", "t", "X", "Z"};

static bool tail_value(struct map_read *map, int key, void *into)
{
	struct pack_tail *t = into;
	struct pack_bytes sum = {0};
	uint32_t status = 0;
	struct cbor_item item;
	uint64_t left;
	int i;

	switch (key) {
	case K_n:
		return get_uint(map, INT64_MAX, &t->size);
	case K_h:
	case K_TZ:
		t->sparse = key == K_TZ;
		if (!get_bytes(map, HASH_LEN, &sum))
			return false;
		if (sum.len != HASH_LEN)
			refuse(map, ERR_FORMAT, "a checksum of another length");
		else
			memcpy(t->sum, sum.at, HASH_LEN);
		return true;
	case K_S:
		if (!get_u32(map, PACK_STATUSES - 1, &status))
			return false;
		t->status = status < PACK_STATUSES ? (enum pack_status)status : PACK_OK;
		return true;
	case K_c:
		if (cbor_get(map->in, &item) != CBOR_OK || item.type != CBOR_ARRAY)
			return false;
		for (left = item.value; left > 0; left--) {
			if (cbor_get(map->in, &item) != CBOR_OK || item.type != CBOR_TEXT)
				return false;
			i = find_key(&item, changed_names, 4);
			if (i >= 0)
				t->changed |= 1u << i;
			else
				map->passed_by = true;
		}
		return true;
	case K_e:
		t->has_error = true;
		return get_array2(map) && get_uint(map, INT64_MAX, &t->error_offset) &&
		       get_u32(map, UINT32_MAX, &t->error);
	case K_tt:
		t->has_mtime = true;
		return get_time(map, &t->mtime);
	default:
		t->has_exit = true;
		return get_u32(map, 255, &t->exit);
	}
}

int pack_tail_get(struct cbor_in *in, struct pack_tail *tail, struct err *err)
{
	struct map_read map = {.in = in, .what = "end of entry", .err = err};
	int got, sums;

	memset(tail, 0, sizeof *tail);
	got = read_map(&map, tail_keys, TAIL_KEYS, PACK_TAIL_MAX, tail_value, tail);
	if (got != 0)
		return got;
	sums = !!(map.seen & 1u << K_h) + !!(map.seen & 1u << K_TZ);
	if (sums != !!(map.seen & 1u << K_n))
		refuse(&map, ERR_FORMAT, "size without checksum, or checksum without size");
	tail->has_content = map.seen & 1u << K_n;
	tail->passed_by = map.passed_by;
	return map.refused ? 1 : 0;
}

int pack_tail_fits(const struct pack_head *head, const struct pack_tail *tail, struct err *err)
{
	bool content = pack_type_has_content(head->type);

	if (content && !tail->has_content)
		err_set(err, ERR_FORMAT, "end of entry refused: no size and checksum");
	else if (!content && tail->has_content)
		err_set(err, ERR_FORMAT,
			"end of entry refused: content in an entry that can't have any");
	else if (content && tail->sparse != !!(head->has & PACK_HAS_SPARSE))
		err_set(err, ERR_FORMAT,
			"end of entry refused: a checksum of another kind than was announced");
	else if ((head->type == PACK_COMMAND) != tail->has_exit)
		err_set(err, ERR_FORMAT,
			"end of entry refused: a command, and only that, has an exit status");
	else
		return 0;
	return 1;
}

bool pack_tail_same_sum(const struct pack_tail *a, const struct pack_tail *b)
{
	return a->sparse == b->sparse && memcmp(a->sum, b->sum, HASH_LEN) == 0;
}

/* Reads the items of a REF, after the head of its array. */
static bool get_ref(struct cbor_in *in, struct pack_item *item)
{
	struct cbor_item id, offset, len;

	if (cbor_get(in, &id) != CBOR_OK || id.type != CBOR_BYTES || id.len != PACK_REF_ID ||
		cbor_get(in, &offset) != CBOR_OK || offset.type != CBOR_UINT ||
		cbor_get(in, &len) != CBOR_OK || len.type != CBOR_UINT)
		return false;
	if (len.value == 0 || len.value > PACK_REF_LEN_MAX ||
		offset.value > PACK_REF_LEN_MAX - len.value)
		return false;
	item->kind = PACK_ITEM_REF;
	item->data = (struct pack_bytes){id.bytes, id.len};
	item->offset = (uint32_t)offset.value;
	item->len = (uint32_t)len.value;
	return true;
}

static int get_item(struct cbor_in *in, struct pack_item *item, bool manifest, struct err *err)
{
	const uint8_t *before = in->at;
	struct cbor_item got;

	switch (cbor_get(in, &got)) {
	case CBOR_OK:
		break;
	case CBOR_END:
		item->kind = PACK_ITEM_NONE;
		return 0;
	case CBOR_CUT:
		return err_set(err, ERR_FORMAT, "malformed content: an item goes over the end");
	default:
		return malformed(err, "content");
	}
	switch (got.type) {
	case CBOR_BYTES:
		if (manifest)
			return err_set(err, ERR_FORMAT, "malformed content: data in a manifest");
		if (got.len == 0)
			return err_set(err, ERR_FORMAT, "malformed content: empty data");
		item->kind = PACK_ITEM_DATA;
		item->data = (struct pack_bytes){got.bytes, got.len};
		return 0;
	case CBOR_UINT:
		if (got.value == 0 || got.value > PACK_CONTENT_MAX)
			return err_set(err, ERR_FORMAT, "malformed content: hole of %llu bytes",
				(unsigned long long)got.value);
		item->kind = PACK_ITEM_HOLE;
		item->hole = got.value;
		return 0;
	case CBOR_MAP:
		in->at = before;
		item->kind = PACK_ITEM_TAIL;
		return 0;
	case CBOR_ARRAY:
		if (!manifest)
			return err_set(err, ERR_UNSUPPORTED, "content by reference: not in a pack");
		return got.value == 3 && get_ref(in, item) ? 0 : malformed(err, "reference");
	default:
		return malformed(err, "content");
	}
}

void pack_data_head_put(uint8_t to[PACK_DATA_HEAD], uint32_t len)
{
	to[0] = DATA_HEAD;
	to[1] = (uint8_t)(len >> 24);
	to[2] = (uint8_t)(len >> 16);
	to[3] = (uint8_t)(len >> 8);
	to[4] = (uint8_t)len;
}

int pack_item_get(struct cbor_in *in, struct pack_item *item, struct err *err)
{
	return get_item(in, item, false, err);
}

int pack_manifest_item_get(struct cbor_in *in, struct pack_item *item, struct err *err)
{
	return get_item(in, item, true, err);
}

void pack_ref_put(
	struct cbor_out *out, const uint8_t id[PACK_REF_ID], uint32_t offset, uint32_t len)
{
	cbor_put_array(out, 3);
	cbor_put_bytes(out, id, PACK_REF_ID);
	cbor_put_uint(out, offset);
	cbor_put_uint(out, len);
}

void pack_xattr_start(struct pack_xattr_walk *walk, struct pack_bytes xattrs)
{
	struct cbor_item item;

	walk->left = 0;
	cbor_in_init(&walk->in, xattrs.at, xattrs.len);
	if (xattrs.at != NULL && cbor_get(&walk->in, &item) == CBOR_OK && item.type == CBOR_MAP)
		walk->left = item.value;
}

bool pack_xattr_next(
	struct pack_xattr_walk *walk, struct pack_bytes *name, struct pack_bytes *value)
{
	struct cbor_item k, v;

	if (walk->left == 0 || cbor_get(&walk->in, &k) != CBOR_OK ||
		cbor_get(&walk->in, &v) != CBOR_OK)
		return false;
	*name = (struct pack_bytes){k.bytes, k.len};
	*value = (struct pack_bytes){v.bytes, v.len};
	walk->left--;
	return true;
}
