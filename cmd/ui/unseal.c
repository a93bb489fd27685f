/* Key files and passphrases for reading sealed packs. */
#include "cmd/ui/unseal.h"

#include "lib/err.h"
#include "lib/pass.h"
#include "pack/keyblock.h"

bool ui_unseal_wanted(const struct ui_unseal *u)
{
	return u->count > 0 || u->passphrase_file != NULL;
}

int ui_unseal_load(struct ui_unseal *u, struct err *err)
{
	size_t i;

	for (i = 0; i < u->count && !u->loaded; i++)
		if (key_secret_load(u->paths[i], pass_ask, u->passphrase_file, &u->keys[i], err) !=
			0)
			return -1;
	u->loaded = true;
	return 0;
}

int ui_unseal_open(void *ctx, const uint8_t *payload, size_t len, uint8_t key[32], struct err *err)
{
	struct ui_unseal *u = ctx;
	struct pack_secrets with = {.keys = u->keys, .key_count = u->count};
	struct pack_keyblock block;
	struct pass pass;
	int got = -1;

	if (pack_keyblock_parse(&block, payload, len, err) != 0 || ui_unseal_load(u, err) != 0)
		return -1;
	if (u->count == 0 && block.pass_count == 0)
		return err_set(
			err, ERR_DENIED, "the pack is sealed: a secret key is needed (--key FILE)");
	if (u->count == 0) {
		if (pass_ask(u->passphrase_file, "the pack", &pass, err) != 0)
			return -1;
		with.pass = &pass;
	}
	got = pack_keyblock_open(&block, &with, key, err);
	if (with.pass != NULL)
		pass_wipe(&pass);
	return got;
}

void ui_unseal_fini(struct ui_unseal *u)
{
	size_t i;

	for (i = 0; i < u->count; i++)
		key_secret_wipe(&u->keys[i]);
	u->loaded = false;
}
