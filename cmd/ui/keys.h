/*
 * The folder with the fleet's keys, which `fdump setup` makes and its user moves away:
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

/* A folder for ui_keys_make: new or empty. Returns 0; 1: a root's key and certificate are in it; -1
 * with err set. */
int ui_keys_look(const char *dir, struct err *err);

/* Makes it, with a root; and a key for backups, or a copy of the public key `to`. The folder must
 * be new or empty. Returns 0, or -1 with err set. */
int ui_keys_make(const char *dir, const char *label, const char *to, const struct pass *pass,
	struct err *err);

/* Asks for the passphrase of a folder that is there, and proves it. Returns 0, or -1 with err set.
 */
int ui_keys_ask(const char *dir, const char *passphrase_file, struct pass *pass, struct err *err);

/* Opens the root's key. passphrase_file: NULL asks the terminal. Returns 0, or -1 with err set. */
int ui_keys_open(
	struct ui_keys *keys, const char *dir, const char *passphrase_file, struct err *err);
void ui_keys_close(struct ui_keys *keys);

/* As sealed_ask, for a passphrase that is known already: ctx is its struct pass. */
int ui_keys_known(const char *ctx, const char *path, struct pass *pass, struct err *err);

#endif
