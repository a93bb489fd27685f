/*
 * Opens sealed packs: the options --key FILE (repeatable) and --passphrase-file FILE, the same in
 * every command that reads packs.
 *
 *   .paths, .passphrase_file -> ui_unseal_open as the reader's
 *   open_key, ctx being the struct -> ui_unseal_fini
 *
 * Key files are loaded at first use. The passphrase of a protected one comes from
 * --passphrase-file, or else from the terminal. A pack that is sealed to a passphrase needs no
 * --key; its passphrase comes from the same place.
 */
#ifndef FDUMP_CMD_UI_UNSEAL_H
#define FDUMP_CMD_UI_UNSEAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/key.h"

struct err;

#define UI_UNSEAL_KEYS 16

struct ui_unseal {
	const char *paths[UI_UNSEAL_KEYS]; /* from --key; borrowed */
	size_t count;
	const char *passphrase_file; /* borrowed; NULL: none */
	bool loaded;
	struct key_secret keys[UI_UNSEAL_KEYS];
};

/* Loads the keys, if they are not loaded yet. Returns 0, or -1 with err set. */
int ui_unseal_load(struct ui_unseal *unseal, struct err *err);

/* Whether the user gave a key or a passphrase file, and so expects the pack to be sealed. */
bool ui_unseal_wanted(const struct ui_unseal *unseal);

/* The reader's open_key (pack/read.h). Not thread-safe: one call at a time. Returns 0, or -1 with
 * err set: ERR_DENIED, and the errors of lib/key.h and pack/keyblock.h. */
int ui_unseal_open(
	void *unseal, const uint8_t *payload, size_t len, uint8_t key[32], struct err *err);

/* Wipes the keys. */
void ui_unseal_fini(struct ui_unseal *unseal);

#endif
