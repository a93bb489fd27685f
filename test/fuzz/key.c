/* Key files and keys on paper. Whatever is accepted is written back as it was read, and whatever is
 * written is accepted. The first byte selects the case; with 2 the rest is a body whose check is
 * made right, so that the code after the check is reached. */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/err.h"
#include "lib/hash.h"
#include "lib/key.h"
#include "lib/paper.h"
#include "lib/pass.h"

#define MUST(what) ((what) ? (void)0 : abort())

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void text_back(const struct key_file *file)
{
	struct err err = {0};
	struct key_file again;
	char text[KEY_TEXT_MAX], paper[PAPER_MAX];

	MUST(key_file_text(file, text) < KEY_TEXT_MAX);
	MUST(key_file_parse(&again, text, strlen(text), &err) == 0);
	MUST(memcmp(file, &again, sizeof again) == 0);
	paper_put(file, paper);
	MUST(paper_get(&again, paper, strlen(paper), &err) == 0);
	MUST(memcmp(file, &again, sizeof again) == 0);
}

/* Cheap costs only: the subject is parsing, not Argon2. */
static bool is_cheap(const struct key_file *file)
{
	return !(file->kind & KEY_PROTECTED) ||
	       (file->body[48] < 3 && memcmp(file->body + 49, "\0\0", 3) == 0 &&
		       file->body[53] == 0 && file->body[54] == 0 && file->body[55] == 0);
}

static void unlock(const struct key_file *file)
{
	struct err err = {0};
	struct pass pass = {6, "secret"};
	struct key_secret key;

	if (!(file->kind & KEY_SECRET) || !is_cheap(file))
		return;
	if (key_file_unlock(file, &pass, &key, &err) == 0)
		MUST(memcmp(key.half.public, file->public, KEY_LEN) == 0);
	else
		MUST(err.code == ERR_FORMAT || err.code == ERR_DENIED || err.code == ERR_LIMIT);
}

static void with_check(const uint8_t *data, size_t len)
{
	struct err err = {0};
	struct key_file file = {.kind = data[0] % 8};
	static const char *const headers[8] = {"fdump-key 1 public", "fdump-key 1 secret",
		"fdump-key 1 public shared", "fdump-key 1 secret shared", NULL,
		"fdump-key 1 secret protected", NULL, "fdump-key 1 secret shared protected"};
	uint8_t all[64 + KEY_BODY_MAX], body[KEY_BODY_MAX] = {0}, digest[HASH_LEN];
	size_t want = key_body_len(file.kind), header;

	MUST((want == 0) == (headers[file.kind] == NULL));
	if (want == 0)
		return;
	header = strlen(headers[file.kind]);
	memcpy(body, data + 1, len - 1 < want - 8 ? len - 1 : want - 8);
	memcpy(all, headers[file.kind], header);
	memcpy(all + header, body, want - 8);
	hash_sha256(all, header + want - 8, digest);
	memcpy(body + want - 8, digest, 8);
	MUST(key_file_set(&file, data[0] % 8, body, &err) == 0);
	text_back(&file);
	unlock(&file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static bool started;
	struct err err = {0};
	struct key_file file;
	char text[KEY_TEXT_MAX];

	if (!started)
		started = hash_crypto_init(&err) == 0;
	if (len < 2)
		return 0;
	switch (data[0] % 3) {
	case 0:
		if (key_file_parse(&file, (const char *)data + 1, len - 1, &err) == 0) {
			MUST(key_file_text(&file, text) == len - 1);
			MUST(memcmp(text, data + 1, len - 1) == 0);
			unlock(&file);
		}
		break;
	case 1:
		if (paper_get(&file, (const char *)data + 1, len - 1, &err) == 0)
			text_back(&file);
		break;
	default:
		with_check(data + 1, len - 1);
	}
	return 0;
}
