/*
 * The folder with the fleet's keys, which `fdump setup` makes and the user then moves to a safe
 * place:
 *
 *   root.key   the root's key, under a passphrase      backup.key      opens the fleet's backups,
 *   root.pem   its certificate                                         under the same passphrase
 *   *.pub      the public keys that backups are sealed to
 */
#ifndef FDUMP_CMD_UI_KEYS_H
#define FDUMP_CMD_UI_KEYS_H

#include "rpc/ca.h"

struct err;
struct pass;

struct ui_keys {
	struct rpc_ca *root;
	uint8_t fingerprint[RPC_DIGEST_LEN]; /* of the root's certificate */
	uint8_t recipients[RPC_DIGEST_LEN];  /* rpc_recipients_digest of *.pub */
};

/* Checks a folder for ui_keys_make. Returns 0 if it is missing or empty; 1 if it has a root's key
 * and certificate already; -1 with err set: ERR_EXISTS (it holds something else). */
int ui_keys_look(const char *dir, struct err *err);

/* Makes the folder, which must be missing or empty: a root's key and certificate, and either a new
 * key for backups or a copy of the public key in the file `to` (or NULL). pass protects the secret
 * keys. Returns 0, or -1 with err set. */
int ui_keys_make(const char *dir, const char *label, const char *to, const struct pass *pass,
	struct err *err);

/* Asks for the passphrase of an existing folder, and verifies it by opening the root's key.
 * passphrase_file: NULL asks on the terminal. The caller wipes *pass. Returns 0, or -1 with err
 * set. */
int ui_keys_ask(const char *dir, const char *passphrase_file, struct pass *pass, struct err *err);

/* Opens the root's key and fills in the rest. passphrase_file: NULL asks on the terminal. Returns
 * 0, or -1 with err set. */
int ui_keys_open(
	struct ui_keys *keys, const char *dir, const char *passphrase_file, struct err *err);
void ui_keys_close(struct ui_keys *keys);

/* A sealed_ask (lib/sealed.h) for a passphrase that is known already: ctx is its struct pass. */
int ui_keys_known(const char *ctx, const char *path, struct pass *pass, struct err *err);

#endif
