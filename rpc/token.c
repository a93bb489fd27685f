/* Tokens as text and back, and the values derived from them. */
#include "rpc/token.h"

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
#define CHECK_LEN 4 /* bytes in the checksum after the map */
#define MAP_MAX   (TEXT_LEN / 4 * 3 - CHECK_LEN)

/* The form of a token in its map. */
struct form {
	struct rpc_token t;
	char role[17];
};

const struct cbormap_field rpc_address_field = {
	.type = CBORMAP_TEXT, .min = 1, .size = RPC_HOST_PORT_MAX + 1};

#define FIELD(name, kind, member)                                                                  \
	{                                                                                          \
		.key = name, .type = CBORMAP_##kind, .need = true, CBORMAP_IN(struct form, member) \
	}
static const struct cbormap_field token_fields[] = {
	FIELD("manager", NAME, t.manager),
	{.key = "addresses",
		CBORMAP_LIST_IN(struct form, t.addresses, t.address_count, rpc_address_field),
		.need = true,
		.min = 1},
	{CBORMAP_OF(struct form, TEXT, role), .need = true, .min = 1},
	FIELD("name", NAME, t.name),
	FIELD("secret", BYTES, t.secret),
	FIELD("ca", BYTES, t.fingerprint),
	FIELD("recipients", BYTES, t.recipients),
	{0},
};

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

/* The checksum of the map, because people sometimes copy the text by hand. */
static void checksum(uint8_t sum[CHECK_LEN], const uint8_t *map, size_t len)
{
	uint8_t hash[HASH_LEN];

	hash_sha256(map, len, hash);
	memcpy(sum, hash, CHECK_LEN);
}

/* base64url without padding: '-' and '_' instead of '+' and '/'. */
static void to_url(char *text)
{
	text[strcspn(text, "=")] = 0;
	for (; *text != 0; text++)
		*text = *text == '+' ? '-' : *text == '/' ? '_' : *text;
}

int rpc_token_text(char text[RPC_TOKEN_MAX], const struct rpc_token *t, struct err *err)
{
	uint8_t mem[MAP_MAX + CHECK_LEN];
	struct form form;
	struct cbor_out out;
	size_t len;
	int ret = 0;

	if (check(t, err) != 0)
		return -1;
	form = (struct form){.t = *t};
	strcpy(form.role, rpc_role_name(t->role));
	cbor_out_init(&out, mem, MAP_MAX);
	cbormap_put(&out, token_fields, &form);
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
	seal_wipe(&form, sizeof form);
	return ret;
}

/* Decodes the text after the prefix to the map. Returns its length; 0 if it is
 * malformed or the checksum does not match. */
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

int rpc_token_parse(struct rpc_token *token, const char *text, size_t len, struct err *err)
{
	static const char white[] = " \t\r\n";
	const size_t prefix = strlen(PREFIX), whole = strlen(PREFIX VERSION);
	struct form form = {0};
	uint8_t mem[MAP_MAX + CHECK_LEN];
	size_t got = 0;
	int ret = -1;

	for (; len > 0 && memchr(white, text[len - 1], 4) != NULL; len--)
		continue;
	for (; len > 0 && memchr(white, text[0], 4) != NULL; text++, len--)
		continue;
	if (len > whole && memcmp(text, PREFIX, prefix) == 0 && text[prefix + 1] == ':' &&
		memcmp(text, PREFIX VERSION, whole) != 0)
		return err_set(err, ERR_UNSUPPORTED, "token: unsupported version (expected 2)");
	if (len > whole && memcmp(text, PREFIX VERSION, whole) == 0)
		got = decode(text + whole, len - whole, mem);
	if (got > 0 && cbormap_read(&form, token_fields, mem, got, NULL) == 0) {
		*token = form.t;
		token->role = rpc_role_get(form.role, strlen(form.role));
		ret = check(token, NULL);
	}
	seal_wipe(mem, sizeof mem);
	seal_wipe(&form, sizeof form);
	if (ret != 0)
		seal_wipe(token, sizeof *token);
	return ret == 0 ? 0
			: err_set(err, ERR_FORMAT,
				  "this token is mistyped or incomplete: copy all of it");
}

/* --- Derived values --- */

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
	const struct cbormap_blob *x = a, *y = b;
	size_t common = x->len < y->len ? x->len : y->len;
	int order = common > 0 ? memcmp(x->bytes, y->bytes, common) : 0;

	return order != 0 ? order : (x->len > y->len) - (x->len < y->len);
}

int rpc_recipients_digest(
	uint8_t digest[RPC_DIGEST_LEN], struct cbormap_blob *files, size_t count, struct err *err)
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

int rpc_address_split(const char *text, char host[RPC_HOST_PORT_MAX + 1], char port[8],
	const char *port_default, struct err *err)
{
	bool v6 = text[0] == '[';
	const char *from = text + v6, *rest, *number = port_default;
	size_t len = strspn(from, v6 ? "0123456789abcdefABCDEF:."
				     : "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				       "0123456789.-_");
	size_t digits;

	if (len == 0 || strlen(text) > RPC_HOST_PORT_MAX || (v6 && from[len] != ']'))
		goto bad;
	rest = from + len + v6;
	if (*rest == ':') {
		digits = strspn(++rest, "0123456789");
		if (digits == 0 || digits > 5 || rest[digits] != 0 || atoi(rest) < 1 ||
			atoi(rest) > 65535)
			goto bad;
		number = rest;
	} else if (*rest != 0) {
		goto bad;
	}
	memcpy(host, from, len);
	host[len] = 0;
	strcpy(port, number);
	return 0;
bad:
	return err_set(err, ERR_USAGE, "address: expected HOST, HOST:PORT or [IPv6]:PORT");
}
