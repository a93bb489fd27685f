/*
 * The agent's own files, in the folder "agent" of --state DIR. DIR is by default /var/lib/fdump for
 * root, else $XDG_STATE_HOME/fdump or ~/.local/state/fdump.
 *
 *   agent/secret            32 random bytes, 0600: names chunks, opens nothing
 *   agent/last/NAME-DOMAIN  local copy of the last manifest (cmd/dump/previous.h)
 *   agent/domains           fingerprints of the domains in which this agent made dumps,
 *                           STORE_DOMAIN_LEN bytes each; a restore compares its dump with them
 */
#ifndef FDUMP_CMD_AGENT_STATE_H
#define FDUMP_CMD_AGENT_STATE_H

#include <stdint.h>

#include "cmd/dump/domain.h"
#include "lib/name.h"

struct err;

/* Returns the folder, and makes it (0700) if it does not exist; an existing one may be read-only.
 * dir: the argument of --state, or NULL. The caller frees it. NULL with err set. The functions
 * below take this folder as `dir`, except agent_state_knows. */
char *agent_state_dir(const char *dir, struct err *err);

/* Gets the agent's secret, which is made at first use. Returns 0, or -1 with err set: ERR_CONFIG if
 * others can read it, or its length is wrong. */
int agent_state_secret(const char *dir, uint8_t secret[DUMP_SECRET_LEN], struct err *err);

/* The path of the local copy of a backup's last manifest. The caller frees it. NULL with err set:
 * out of memory. */
char *agent_state_last(
	const char *dir, const char *name, const uint8_t domain[STORE_DOMAIN_LEN], struct err *err);

#define AGENT_DOMAINS_MAX 4096

/* Adds a fingerprint to the known ones. Returns 0, or -1 with err set. */
int agent_state_know(const char *dir, const uint8_t domain[STORE_DOMAIN_LEN], struct err *err);
/* Whether a domain is known. dir: the argument of --state, or NULL; nothing is created. Returns 0
 * if it is known; 1 if only others are; 2 if none is, or they can't be read. */
int agent_state_knows(const char *dir, const uint8_t domain[STORE_DOMAIN_LEN]);

/* Gets the agent's name, which its dumps carry. agent: the argument of --agent, already checked;
 * NULL: the host's name, by name_from_host. Returns 0, or -1 with err set. */
int agent_state_name(const char *agent, char name[NAME_LEN_MAX + 1], struct err *err);

#endif
