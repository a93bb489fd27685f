/*
 * The agent's own files in the folder "agent" of --state DIR, by default /var/lib/fdump for root,
 * else $XDG_STATE_HOME/fdump or ~/.local/state/fdump.
 *
 *   agent/secret            32 random bytes, 0600: names chunks, opens nothing
 *   agent/last/NAME-DOMAIN  local copy of the last manifest (cmd/dump/previous.h)
 *   agent/domains           fingerprints of the domains that this agent made dumps in,
 *                           STORE_DOMAIN_LEN bytes each: what a restore compares
 */
#ifndef FDUMP_CMD_AGENT_STATE_H
#define FDUMP_CMD_AGENT_STATE_H

#include <stdint.h>

#include "cmd/dump/domain.h"
#include "lib/name.h"

struct err;

/* The folder, made (0700) if it is not there; one that is there may be read-only. dir: what --state
 * says, or NULL. The caller frees it. NULL with err set. The functions below take this folder as
 * their dir, but for agent_state_knows. */
char *agent_state_dir(const char *dir, struct err *err);

/* The agent's secret; made at first use. Returns 0, or -1 with err set; ERR_CONFIG if
 * others can read it. */
int agent_state_secret(const char *dir, uint8_t secret[DUMP_SECRET_LEN], struct err *err);

/* Where the last manifest of a backup is kept. The caller frees it. */
char *agent_state_last(
	const char *dir, const char *name, const uint8_t domain[STORE_DOMAIN_LEN], struct err *err);

#define AGENT_DOMAINS_MAX 4096

/* Keeps a fingerprint among those known. Returns 0, or -1 with err set. */
int agent_state_know(const char *dir, const uint8_t domain[STORE_DOMAIN_LEN], struct err *err);
/* Whether a domain is known. dir: what --state says, or NULL; nothing is made. Returns 0 known; 1
 * not, though others are; 2: there is none to compare. */
int agent_state_knows(const char *dir, const uint8_t domain[STORE_DOMAIN_LEN]);

/* The agent's name, as its dumps carry it: agent (what --agent says, already checked), or if that
 * is NULL the host's name by name_from_host. Returns 0, or -1 with err set. */
int agent_state_name(const char *agent, char name[NAME_LEN_MAX + 1], struct err *err);

#endif
