/* A sorted array of denials. A change builds a new array that replaces the old
 * one, so that a failure changes nothing. */
#include "rpc/deny.h"

#include <stdlib.h>
#include <string.h>

#include "lib/err.h"
#include "lib/file.h"

#define LINE_MAX_LEN (2 * RPC_HOST_LEN + NAME_LEN_MAX + 3)

void rpc_deny_init(struct rpc_deny *deny)
{
	buf_init(&deny->denials, RPC_DENY_MAX * sizeof(struct rpc_denial));
}

void rpc_deny_fini(struct rpc_deny *deny)
{
	buf_fini(&deny->denials);
}

static const struct rpc_denial *at(const struct rpc_deny *deny, size_t i)
{
	return (const struct rpc_denial *)(const void *)deny->denials.data + i;
}

static size_t count_of(const struct rpc_deny *deny)
{
	return deny->denials.len / sizeof(struct rpc_denial);
}

static int compare(const void *a, const void *b)
{
	const struct rpc_denial *x = a, *y = b;
	int order = strcmp(x->host, y->host);

	return order != 0 ? order : strcmp(x->by.manager, y->by.manager);
}

/* The position of the first denial of the host, or where it would be. */
static size_t find(const struct rpc_deny *deny, const char *host)
{
	size_t low = 0, high = count_of(deny);

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (strcmp(at(deny, mid)->host, host) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

bool rpc_deny_has(const struct rpc_deny *deny, const char *host)
{
	size_t i = find(deny, host);

	return i < count_of(deny) && strcmp(at(deny, i)->host, host) == 0;
}

/* True if a manager other than this one denies it. */
static bool denied_by_others(const struct rpc_deny *deny, const struct rpc_issuer *by)
{
	size_t i;

	for (i = find(deny, by->host); i < count_of(deny); i++) {
		if (strcmp(at(deny, i)->host, by->host) != 0)
			return false;
		if (strcmp(at(deny, i)->by.manager, by->manager) != 0)
			return true;
	}
	return false;
}

static int add(struct rpc_deny *deny, const struct rpc_denial *denial, struct err *err)
{
	return buf_add(&deny->denials, denial, sizeof *denial, err);
}

/* Sorts the denials and removes duplicates. */
static void sort(struct rpc_deny *deny)
{
	struct rpc_denial *d = (void *)deny->denials.data;
	size_t i, n = 0, count = count_of(deny);

	if (count == 0)
		return;
	qsort(d, count, sizeof *d, compare);
	for (i = 0; i < count; i++)
		if (n == 0 || compare(&d[n - 1], &d[i]) != 0)
			d[n++] = d[i];
	deny->denials.len = n * sizeof *d;
}

/* Collects the manager's denials, sorted. */
static int take_hosts(struct rpc_deny *set, const struct rpc_issuer *by, const char *hosts,
	size_t count, struct err *err)
{
	struct rpc_denial denial = {0}; /* zeroed, because lists are compared byte by byte */
	size_t i;

	strcpy(denial.by.manager, by->manager);
	strcpy(denial.by.host, by->host);
	for (i = 0; i < count; i++, hosts += RPC_HOST_LEN) {
		if (!rpc_host_ok(hosts, RPC_HOST_LEN))
			return err_set(err, ERR_FORMAT, "deny list: a host id is 32 hex digits");
		memcpy(denial.host, hosts, RPC_HOST_LEN);
		if (strcmp(denial.host, by->host) != 0 && add(set, &denial, err) != 0)
			return err_prefix(err, "deny list");
	}
	sort(set);
	return 0;
}

int rpc_deny_replace(struct rpc_deny *deny, const struct rpc_issuer *by, const void *hosts,
	size_t count, struct err *err)
{
	struct rpc_deny set, all;
	size_t i;
	int ret;

	if (denied_by_others(deny, by))
		return err_set(err, ERR_DENIED, "deny list: manager %s is denied by another one",
			by->manager);
	rpc_deny_init(&set);
	rpc_deny_init(&all);
	ret = take_hosts(&set, by, hosts, count, err);
	/* Keep the others' denials, except those by managers that are denied now. */
	for (i = 0; i < count_of(deny) && ret == 0; i++) {
		const struct rpc_denial *d = at(deny, i);

		if (strcmp(d->by.manager, by->manager) != 0 && !rpc_deny_has(&set, d->by.host))
			ret = add(&all, d, err);
	}
	for (i = 0; i < count_of(&set) && ret == 0; i++)
		ret = add(&all, at(&set, i), err);
	sort(&all);
	rpc_deny_fini(&set);
	if (ret == 0 && all.denials.len == deny->denials.len &&
		(all.denials.len == 0 ||
			memcmp(all.denials.data, deny->denials.data, all.denials.len) == 0))
		ret = 1;
	if (ret == 0) {
		rpc_deny_fini(deny);
		*deny = all;
	} else {
		rpc_deny_fini(&all);
	}
	return ret;
}

/* --- As a file --- */

static bool parse(struct rpc_denial *denial, const char *line, size_t len)
{
	const char *name = line + RPC_HOST_LEN + 1, *host = line + len - RPC_HOST_LEN;
	size_t name_len;

	memset(denial, 0, sizeof *denial);
	if (len < 2 * RPC_HOST_LEN + 3 || len > LINE_MAX_LEN || name[-1] != ' ' || host[-1] != ' ')
		return false;
	name_len = (size_t)(host - 1 - name);
	if (!rpc_host_ok(line, RPC_HOST_LEN) || !rpc_host_ok(host, RPC_HOST_LEN) ||
		!name_ok(name, name_len))
		return false;
	memcpy(denial->host, line, RPC_HOST_LEN);
	memcpy(denial->by.manager, name, name_len);
	memcpy(denial->by.host, host, RPC_HOST_LEN);
	return true;
}

static int parse_all(
	struct rpc_deny *deny, const char *path, const struct buf *text, struct err *err)
{
	const char *p = (const char *)text->data, *end = p + text->len, *newline;
	struct rpc_denial denial;
	size_t n = 1;

	for (; p < end; p = newline + 1, n++) {
		newline = memchr(p, '\n', (size_t)(end - p));
		if (newline == NULL || !parse(&denial, p, (size_t)(newline - p)))
			return err_set(err, ERR_CONFIG,
				"%s:%zu: malformed: expected HOST MANAGER MANAGER'S-HOST", path, n);
		if (add(deny, &denial, err) != 0)
			return err_prefix(err, "%s", path);
	}
	sort(deny);
	return 0;
}

int rpc_deny_load(struct rpc_deny *deny, const char *path, struct err *err)
{
	struct rpc_deny got;
	struct buf text = {.max = (size_t)RPC_DENY_MAX * (LINE_MAX_LEN + 1) + 4096};
	struct err why = {0};
	int ret;

	rpc_deny_init(&got);
	if (file_read_buf(path, &text, NULL, &why) == 0 || why.code == ERR_NOTFOUND)
		ret = parse_all(&got, path, &text, err);
	else
		ret = err_set(err, why.code, "%s", why.message);
	buf_fini(&text);
	if (ret != 0) {
		rpc_deny_fini(&got);
		return -1;
	}
	rpc_deny_fini(deny);
	*deny = got;
	return 0;
}

int rpc_deny_save(const struct rpc_deny *deny, const char *path, struct err *err)
{
	struct buf text = {.max = (size_t)RPC_DENY_MAX * (LINE_MAX_LEN + 1)};
	size_t i;
	int ret = 0;

	for (i = 0; i < count_of(deny) && ret == 0; i++)
		ret = buf_addf(&text, err, "%s %s %s\n", at(deny, i)->host, at(deny, i)->by.manager,
			at(deny, i)->by.host);
	if (ret == 0)
		ret = file_write(path, text.data, text.len, 0600, err);
	buf_fini(&text);
	return ret;
}
