/* Tokens as text and back, and what is derived from them. */
#include "rpc/token.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base64.h"
#include "lib/cbor.h"
#include "lib/cbormap.h"
#include "lib/err.h"
#include "lib/hash.h"
#include "lib/le.h"
#include "lib/seal.h"

#define PREFIX    "fdump-token:"
#define VERSION   "2:"
#define TEXT_LEN  (RPC_TOKEN_MAX - 1 - (sizeof PREFIX VERSION - 1))
#define CHECK_LEN 4 /* bytes of the checksum behind the map */
#define MAP_MAX   (TEXT_LEN / 4 * 3 - CHECK_LEN)

static const struct cbormap_field address_field = {
	.type = CBORMAP_TEXT, .min = 1, .max = RPC_HOST_PORT_MAX, .size = RPC_HOST_PORT_MAX + 1};
static const struct cbormap_field token_fields[] = {
	{CBORMAP_OF(struct rpc_token, NAME, manager), .need = true},
	{.key = "addresses",
		CBORMAP_LIST_OF(address_field, RPC_ADDRESSES_MAX),
		.need = true,
		.min = 1},
	{.key = "role", .type = CBORMAP_TEXT, .need = true, .min = 1, .max = 16},
	{CBORMAP_OF(struct rpc_token, NAME, name), .need = true},
	{CBORMAP_OF(struct rpc_token, BYTES, secret), .need = true},
	{.key = "ca",
		CBORMAP_FIXED(RPC_DIGEST_LEN),
		.need = true,
		CBORMAP_IN(struct rpc_token, fingerprint)},
	{CBORMAP_OF(struct rpc_token, BYTES, recipients), .need = true},
	{0},
};
enum { MANAGER, ADDRESSES, ROLE, NAME, SECRET, CA, RECIPIENTS, FIELDS };

int rpc_token_secret(struct rpc_token *token, struct err *err)
{
	return seal_random(token->secret, RPC_SECRET_LEN, err);
}

/* --- As text --- */

static int check(const struct rpc_token *t, struct err *err)
{
	char host[RPC_HOST_PORT_MAX + 1], port[8];
	size_t i;

	if (name_check("token: manager", t->manager, err) != 0 ||
		name_check("token: name", t->name, err) != 0)
		return -1;
	if (t->role <= RPC_NOBODY || t->role >= RPC_ROLES)
		return err_set(err, ERR_USAGE, "token: no such role");
	if (t->address_count == 0 || t->address_count > RPC_ADDRESSES_MAX)
		return err_set(
			err, ERR_USAGE, "token: expected 1 to %d addresses", RPC_ADDRESSES_MAX);
	for (i = 0; i < t->address_count; i++)
		if (rpc_address_split(t->addresses[i], host, port, RPC_ENROLL_PORT, err) != 0)
			return -1;
	return 0;
}

/* Of the map: the text is copied by hand at times. */
static void checksum(uint8_t sum[CHECK_LEN], const uint8_t *map, size_t len)
{
	uint8_t hash[HASH_LEN];

	hash_sha256(map, len, hash);
	memcpy(sum, hash, CHECK_LEN);
}

/* base64url without padding: '-' and '_' for '+' and '/'. */
static void to_url(char *text)
{
	text[strcspn(text, "=")] = 0;
	for (; *text != 0; text++)
		*text = *text == '+' ? '-' : *text == '/' ? '_' : *text;
}

int rpc_token_text(char text[RPC_TOKEN_MAX], const struct rpc_token *t, struct err *err)
{
	uint8_t mem[MAP_MAX + CHECK_LEN];
	struct cbor_out out;
	size_t i, len;
	int ret = 0;

	if (check(t, err) != 0)
		return -1;
	cbor_out_init(&out, mem, MAP_MAX);
	cbor_put_map(&out, FIELDS);
	cbor_put_text(&out, "manager");
	cbor_put_text(&out, t->manager);
	cbor_put_text(&out, "addresses");
	cbor_put_array(&out, t->address_count);
	for (i = 0; i < t->address_count; i++)
		cbor_put_text(&out, t->addresses[i]);
	cbor_put_text(&out, "role");
	cbor_put_text(&out, rpc_role_name(t->role));
	cbor_put_text(&out, "name");
	cbor_put_text(&out, t->name);
	cbor_put_text(&out, "secret");
	cbor_put_bytes(&out, t->secret, RPC_SECRET_LEN);
	cbor_put_text(&out, "ca");
	cbor_put_bytes(&out, t->fingerprint, RPC_DIGEST_LEN);
	cbor_put_text(&out, "recipients");
	cbor_put_bytes(&out, t->recipients, RPC_DIGEST_LEN);
	if (cbor_out_full(&out)) {
		ret = err_set(err, ERR_LIMIT, "token: too long: give fewer or shorter addresses");
	} else {
		len = cbor_out_len(&out);
		checksum(mem + len, mem, len);
		strcpy(text, PREFIX VERSION);
		base64_encode(mem, len + CHECK_LEN, text + strlen(text));
		to_url(text + strlen(PREFIX VERSION));
	}
	seal_wipe(mem, sizeof mem);
	return ret;
}

/* The text behind the prefix to the map. Returns its length; 0: malformed, or another checksum. */
static size_t decode(const char *text, size_t len, uint8_t mem[MAP_MAX + CHECK_LEN])
{
	uint8_t sum[CHECK_LEN];
	char plain[TEXT_LEN + 4];
	size_t i, got;
	bool ok;

	if (len > TEXT_LEN || len % 4 == 1)
		return 0;
	for (i = 0; i < len; i++)
		plain[i] = text[i] == '-' ? '+' : text[i] == '_' ? '/' : text[i];
	ok = memchr(text, '+', len) == NULL && memchr(text, '/', len) == NULL;
	for (; i % 4 != 0; i++)
		plain[i] = '=';
	ok = ok && base64_decode(plain, i, mem, MAP_MAX + CHECK_LEN, &got) == 0 && got > CHECK_LEN;
	seal_wipe(plain, sizeof plain);
	if (!ok)
		return 0;
	got -= CHECK_LEN;
	checksum(sum, mem, got);
	return memcmp(sum, mem + got, CHECK_LEN) == 0 ? got : 0;
}

static int fill(struct rpc_token *t, struct cbormap_value *v)
{
	struct cbormap_value address;

	memset(t, 0, sizeof *t);
	cbormap_store(t, token_fields, v);
	t->role = rpc_role_get(v[ROLE].bytes, v[ROLE].len);
	while (cbormap_next(&v[ADDRESSES], &address_field, &address))
		cbormap_store_item(t->addresses[t->address_count++], &address_field, &address);
	return check(t, NULL);
}

int rpc_token_parse(struct rpc_token *token, const char *text, size_t len, struct err *err)
{
	static const char white[] = " \t\r\n";
	const size_t prefix = strlen(PREFIX), whole = strlen(PREFIX VERSION);
	struct cbormap_value v[FIELDS];
	uint8_t mem[MAP_MAX + CHECK_LEN];
	size_t got = 0;
	int ret = -1;

	for (; len > 0 && memchr(white, text[len - 1], 4) != NULL; len--)
		continue;
	for (; len > 0 && memchr(white, text[0], 4) != NULL; text++, len--)
		continue;
	if (len > whole && memcmp(text, PREFIX, prefix) == 0 && text[prefix + 1] == ':' &&
		memcmp(text, PREFIX VERSION, whole) != 0)
		return err_set(err, ERR_UNSUPPORTED, "token: of another version than 2");
	if (len > whole && memcmp(text, PREFIX VERSION, whole) == 0)
		got = decode(text + whole, len - whole, mem);
	if (got > 0 && cbormap_get(v, token_fields, mem, got, NULL) == 0)
		ret = fill(token, v);
	seal_wipe(mem, sizeof mem);
	if (ret != 0)
		seal_wipe(token, sizeof *token);
	return ret == 0 ? 0
			: err_set(err, ERR_FORMAT,
				  "this token is mistyped or incomplete: copy all of it");
}

/* --- What is derived from it --- */

int rpc_token_ticket(uint8_t ticket[RPC_DIGEST_LEN], const struct rpc_token *token, struct err *err)
{
	static const char label[] = "fdump token ticket";

	return hash_hmac(token->secret, RPC_SECRET_LEN, label, sizeof label - 1, ticket, err);
}

void rpc_ticket_hash(uint8_t hash[RPC_DIGEST_LEN], const uint8_t ticket[RPC_DIGEST_LEN])
{
	hash_sha256(ticket, RPC_DIGEST_LEN, hash);
}

int rpc_token_proof(uint8_t proof[RPC_DIGEST_LEN], const struct rpc_token *token, const void *csr,
	size_t len, struct err *err)
{
	static const char label[] = "fdump token proof";
	uint8_t text[sizeof label - 1 + HASH_LEN];

	memcpy(text, label, sizeof label - 1);
	hash_sha256(csr, len, text + sizeof label - 1);
	return hash_hmac(token->secret, RPC_SECRET_LEN, text, sizeof text, proof, err);
}

int rpc_token_check(bool known, int64_t until, int64_t used, int64_t now, struct err *err)
{
	if (!known)
		return err_set(err, ERR_DENIED, "token: not one of this manager's");
	if (used != 0)
		return err_set(err, ERR_DENIED, "token: already used; make a new one");
	if (now >= until)
		return err_set(err, ERR_DENIED, "token: expired; make a new one");
	return 0;
}

static int by_bytes(const void *a, const void *b)
{
	const struct rpc_bytes *x = a, *y = b;
	size_t common = x->len < y->len ? x->len : y->len;
	int order = common > 0 ? memcmp(x->bytes, y->bytes, common) : 0;

	return order != 0 ? order : (x->len > y->len) - (x->len < y->len);
}

int rpc_recipients_digest(
	uint8_t digest[RPC_DIGEST_LEN], struct rpc_bytes *files, size_t count, struct err *err)
{
	struct hash *hash = hash_new(err);
	uint8_t len[4];
	size_t i;

	if (hash == NULL)
		return -1;
	if (count > 0)
		qsort(files, count, sizeof *files, by_bytes);
	for (i = 0; i < count; i++) {
		le_put32(len, (uint32_t)files[i].len);
		hash_add(hash, len, sizeof len);
		hash_add(hash, files[i].bytes, files[i].len);
	}
	hash_end(hash, digest);
	hash_free(hash);
	return 0;
}

/* --- Addresses --- */

/* Where the host ends, without brackets; *host is where it begins. NULL: malformed. */
static const char *host_end(const char *text, const char **host)
{
	const char *end;

	*host = text;
	if (text[0] != '[') {
		end = text + strcspn(text, ":");
		return strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
				    ".-_") == (size_t)(end - text)
			       ? end
			       : NULL;
	}
	*host = text + 1;
	end = *host + strspn(*host, "0123456789abcdefABCDEF:.");
	return *end == ']' ? end : NULL;
}

int rpc_address_split(const char *text, char host[RPC_HOST_PORT_MAX + 1], char port[8],
	const char *port_default, struct err *err)
{
	const char *from, *end = host_end(text, &from), *rest, *at;
	size_t digits;

	if (end == NULL || end == from || strlen(text) > RPC_HOST_PORT_MAX)
		goto bad;
	/* It is a word in lists and logs. */
	for (at = text; *at != 0; at++)
		if (*at <= ' ' || *at >= 0x7f)
			goto bad;
	rest = *end == ']' ? end + 1 : end;
	digits = strspn(*rest == ':' ? rest + 1 : rest, "0123456789");
	if (*rest == ':' && (digits == 0 || digits > 5 || rest[1 + digits] != 0 ||
				    atoi(rest + 1) < 1 || atoi(rest + 1) > 65535))
		goto bad;
	if (*rest != ':' && *rest != 0)
		goto bad;
	memcpy(host, from, (size_t)(end - from));
	host[end - from] = 0;
	strcpy(port, *rest == ':' ? rest + 1 : port_default);
	return 0;
bad:
	return err_set(err, ERR_USAGE, "address: expected HOST, HOST:PORT or [IPv6]:PORT");
}
