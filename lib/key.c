/*
 * Key files. The body is built and read in place, by offsets. The check and the
 * associated data cover "header line || fields", so that no part of one file is
 * valid in another.
 */
#include "lib/key.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "lib/base64.h"
#include "lib/err.h"
#include "lib/esc.h"
#include "lib/file.h"
#include "lib/hash.h"
#include "lib/pass.h"
#include "lib/sealed.h"

/* The longest header line. */
#define HEADER_MAX 40

static const char format[] = "fdump-key ";

/* The header line, by the bits of enum key_kind. */
static const char *const headers[8] = {
	[0] = "fdump-key 1 public",
	[KEY_SHARED] = "fdump-key 1 public shared",
	[KEY_SECRET] = "fdump-key 1 secret",
	[KEY_SECRET | KEY_SHARED] = "fdump-key 1 secret shared",
	[KEY_SECRET | KEY_PROTECTED] = "fdump-key 1 secret protected",
	[KEY_SECRET | KEY_SHARED | KEY_PROTECTED] = "fdump-key 1 secret shared protected",
};

void key_id_text(const uint8_t id[KEY_ID_LEN], char text[KEY_ID_TEXT])
{
	esc_hex(text, id, KEY_ID_LEN);
}

void key_id(const uint8_t public[KEY_LEN], uint8_t id[KEY_ID_LEN])
{
	static const char label[] = "fdump key";
	uint8_t named[sizeof label - 1 + KEY_LEN], digest[HASH_LEN];

	memcpy(named, label, sizeof label - 1);
	memcpy(named + sizeof label - 1, public, KEY_LEN);
	hash_sha256(named, sizeof named, digest);
	memcpy(id, digest, KEY_ID_LEN);
}

int key_make(bool shared, struct key_secret *key, struct err *err)
{
	memset(key, 0, sizeof *key);
	key->half.has_shared = shared;
	if (seal_x25519_new(key->secret, key->half.public, err) != 0)
		return -1;
	key_id(key->half.public, key->half.id);
	return shared ? seal_random(key->half.shared, KEY_LEN, err) : 0;
}

void key_public_wipe(struct key_public *key)
{
	seal_wipe(key, sizeof *key);
}

void key_secret_wipe(struct key_secret *key)
{
	seal_wipe(key, sizeof *key);
}

/* The number of secret bytes: the secret key, and the shared secret if any. */
static size_t secrets_len(unsigned kind)
{
	return (kind & KEY_SECRET ? KEY_LEN : 0) + (kind & KEY_SHARED ? KEY_LEN : 0);
}

size_t key_body_len(unsigned kind)
{
	if (kind >= 8 || headers[kind] == NULL)
		return 0;
	return KEY_LEN + (kind & KEY_PROTECTED ? SEALED_EXTRA : 0) + secrets_len(kind) +
	       SEALED_CHECK;
}

/* Writes to ad what the secrets are bound to: the header line and the public
 * key. Returns its length. */
static size_t bound(const struct key_file *file, uint8_t ad[HEADER_MAX + KEY_LEN])
{
	size_t header = strlen(headers[file->kind]);

	memcpy(ad, headers[file->kind], header);
	memcpy(ad + header, file->body, KEY_LEN);
	return header + KEY_LEN;
}

/* The last step of making a file: sets public half, length and check. */
static void finish(struct key_file *file)
{
	size_t len = key_body_len(file->kind) - SEALED_CHECK;

	memcpy(file->public, file->body, KEY_LEN);
	file->len = len + SEALED_CHECK;
	sealed_check(headers[file->kind], file->body, len, file->body + len);
}

int key_file_set(struct key_file *file, unsigned kind, const void *body, struct err *err)
{
	uint8_t check[SEALED_CHECK];

	memset(file, 0, sizeof *file);
	file->len = key_body_len(kind);
	if (file->len == 0)
		return err_set(err, ERR_FORMAT, "unknown kind of key %u", kind);
	file->kind = kind;
	memcpy(file->body, body, file->len);
	memcpy(file->public, file->body, KEY_LEN);
	sealed_check(headers[kind], file->body, file->len - SEALED_CHECK, check);
	if (!seal_equal(check, file->body + file->len - SEALED_CHECK, SEALED_CHECK))
		return err_set(err, ERR_FORMAT, "the key is damaged: its checksum does not match");
	return 0;
}

static int parse_header(const char *line, size_t len, unsigned *kind, struct err *err)
{
	const size_t fixed = sizeof format - 1;

	for (*kind = 0; *kind < 8; (*kind)++)
		if (headers[*kind] != NULL && strlen(headers[*kind]) == len &&
			memcmp(headers[*kind], line, len) == 0)
			return 0;
	if (len > fixed && memcmp(line, format, fixed) == 0 &&
		(len < fixed + 2 || memcmp(line + fixed, "1 ", 2) != 0))
		return err_set(err, ERR_UNSUPPORTED, "a key file of an unknown version");
	return err_set(err, ERR_FORMAT, "not a key file");
}

int key_file_parse(struct key_file *file, const char *text, size_t len, struct err *err)
{
	const char *line = memchr(text, '\n', len), *end;
	uint8_t body[KEY_BODY_MAX];
	unsigned kind;
	size_t got;
	int ret = -1;

	if (line == NULL)
		return err_set(err, ERR_FORMAT, "not a key file");
	if (parse_header(text, (size_t)(line - text), &kind, err) != 0)
		return -1;
	line++;
	end = text + len - 1;
	if (*end != '\n' ||
		base64_decode(line, (size_t)(end - line), body, sizeof body, &got) != 0 ||
		got != key_body_len(kind))
		err_set(err, ERR_FORMAT, "the key is damaged: its second line is malformed");
	else
		ret = key_file_set(file, kind, body, err);
	seal_wipe(body, sizeof body);
	return ret;
}

size_t key_file_text(const struct key_file *file, char text[KEY_TEXT_MAX])
{
	size_t at = strlen(headers[file->kind]);

	memcpy(text, headers[file->kind], at);
	text[at++] = '\n';
	base64_encode(file->body, file->len, text + at);
	at += BASE64_LEN(file->len);
	text[at++] = '\n';
	text[at] = 0;
	return at;
}

/* An error in a key file must not be reported as damage of the data that it
 * opens. */
static void wrong_file(const char *path, struct err *err)
{
	if (err == NULL)
		return;
	if (err->code == ERR_FORMAT || err->code == ERR_UNSUPPORTED)
		err->code = ERR_CONFIG;
	err_prefix(err, "%s", path);
}

int key_file_load(const char *path, struct key_file *file, struct err *err)
{
	char text[KEY_TEXT_MAX];
	struct stat st;
	size_t len;
	int ret = -1;

	if (file_read(path, text, sizeof text - 1, &len, &st, err) != 0) {
		if (err != NULL && err->code == ERR_LIMIT)
			err_set(err, ERR_CONFIG, "%s: not a key file", path);
	} else if (key_file_parse(file, text, len, err) != 0) {
		wrong_file(path, err);
	} else {
		ret = secrets_len(file->kind) > 0 ? file_check_secret(path, &st, 077, err) : 0;
	}
	seal_wipe(text, sizeof text);
	if (ret != 0)
		seal_wipe(file, sizeof *file);
	return ret;
}

int key_file_save(const char *path, const struct key_file *file, struct err *err)
{
	char text[KEY_TEXT_MAX];
	size_t len = key_file_text(file, text);
	int ret = file_write_new(path, text, len, secrets_len(file->kind) ? 0600 : 0644, err);

	seal_wipe(text, sizeof text);
	return ret;
}

void key_file_of_public(struct key_file *file, const struct key_public *key)
{
	memset(file, 0, sizeof *file);
	file->kind = key->has_shared ? KEY_SHARED : 0;
	memcpy(file->body, key->public, KEY_LEN);
	if (key->has_shared)
		memcpy(file->body + KEY_LEN, key->shared, KEY_LEN);
	finish(file);
}

int key_file_of_secret(struct key_file *file, const struct key_secret *key, const struct pass *pass,
	struct err *err)
{
	uint8_t secrets[2 * KEY_LEN], ad[HEADER_MAX + KEY_LEN];
	int ret = 0;

	memset(file, 0, sizeof *file);
	file->kind = KEY_SECRET | (key->half.has_shared ? KEY_SHARED : 0) |
		     (pass != NULL ? KEY_PROTECTED : 0);
	memcpy(file->body, key->half.public, KEY_LEN);
	memcpy(secrets, key->secret, KEY_LEN);
	memcpy(secrets + KEY_LEN, key->half.shared, KEY_LEN);
	if (pass == NULL)
		memcpy(file->body + KEY_LEN, secrets, secrets_len(file->kind));
	else
		ret = sealed_put(pass, ad, bound(file, ad), secrets, secrets_len(file->kind),
			file->body + KEY_LEN, err);
	if (ret == 0)
		finish(file);
	seal_wipe(secrets, sizeof secrets);
	return ret;
}

int key_file_unlock(const struct key_file *file, const struct pass *pass, struct key_secret *key,
	struct err *err)
{
	uint8_t secrets[2 * KEY_LEN] = {0}, ad[HEADER_MAX + KEY_LEN];
	int ret = 0;

	assert(file->kind & KEY_SECRET);
	memset(key, 0, sizeof *key);
	if (!(file->kind & KEY_PROTECTED))
		memcpy(secrets, file->body + KEY_LEN, secrets_len(file->kind));
	else if (pass == NULL)
		ret = err_set(err, ERR_USAGE, "the key is protected by a passphrase");
	else
		ret = sealed_get(pass, ad, bound(file, ad), file->body + KEY_LEN,
			secrets_len(file->kind) + SEALED_EXTRA, secrets, err);
	if (ret == 0) {
		memcpy(key->secret, secrets, KEY_LEN);
		key->half.has_shared = file->kind & KEY_SHARED;
		if (key->half.has_shared)
			memcpy(key->half.shared, secrets + KEY_LEN, KEY_LEN);
		ret = seal_x25519_public(key->secret, key->half.public, err);
	}
	if (ret == 0 && !seal_equal(key->half.public, file->public, KEY_LEN))
		ret = err_set(err, ERR_FORMAT, "the key's halves do not belong together");
	if (ret == 0)
		key_id(key->half.public, key->half.id);
	else
		key_secret_wipe(key);
	seal_wipe(secrets, sizeof secrets);
	return ret;
}

int key_public_load(const char *path, struct key_public *key, struct err *err)
{
	struct key_file file;

	memset(key, 0, sizeof *key);
	if (key_file_load(path, &file, err) != 0)
		return -1;
	if (file.kind & KEY_SECRET) {
		seal_wipe(&file, sizeof file);
		return err_set(err, ERR_CONFIG,
			"%s: the secret half of a key; expected the public half (FILE.pub)", path);
	}
	memcpy(key->public, file.public, KEY_LEN);
	key_id(key->public, key->id);
	key->has_shared = file.kind & KEY_SHARED;
	if (key->has_shared)
		memcpy(key->shared, file.body + KEY_LEN, KEY_LEN);
	seal_wipe(&file, sizeof file);
	return 0;
}

int key_secret_load(
	const char *path, key_ask *ask, const char *ctx, struct key_secret *key, struct err *err)
{
	struct pass pass = {0};
	struct key_file file;
	bool locked;
	int ret = -1;

	memset(key, 0, sizeof *key);
	if (key_file_load(path, &file, err) != 0)
		return -1;
	locked = file.kind & KEY_PROTECTED;
	if (!(file.kind & KEY_SECRET)) {
		err_set(err, ERR_CONFIG, "%s: the public half of a key; expected the secret half",
			path);
	} else if (!locked || ask == NULL || ask(ctx, path, &pass, err) == 0) {
		ret = key_file_unlock(&file, locked && ask != NULL ? &pass : NULL, key, err);
		if (ret != 0)
			wrong_file(path, err);
	}
	pass_wipe(&pass);
	seal_wipe(&file, sizeof file);
	return ret;
}

int key_public_save(const char *path, const struct key_public *key, struct err *err)
{
	struct key_file file;
	int ret;

	key_file_of_public(&file, key);
	ret = key_file_save(path, &file, err);
	seal_wipe(&file, sizeof file);
	return ret;
}

int key_secret_save(
	const char *path, const struct key_secret *key, const struct pass *pass, struct err *err)
{
	struct key_file file;
	int ret = key_file_of_secret(&file, key, pass, err);

	if (ret == 0)
		ret = key_file_save(path, &file, err);
	seal_wipe(&file, sizeof file);
	return ret;
}
