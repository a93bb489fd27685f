/*
 * store.conf: the configuration of the store service.
 *
 *   cmd_store_conf_read -> cmd_store_conf_free
 *
 *     store {
 *         path = "/srv/fdump"
 *         quota = "50%"        # of the file system, for each agent; a size; or none
 *         min_age = "0s"       # no dump is deleted before this age
 *         lock_max = "90d"     # how long an agent may lock a dump
 *     }
 *     agent "web-1" { quota = "200G" }
 */
#ifndef FDUMP_CMD_STORE_CONF_H
#define FDUMP_CMD_STORE_CONF_H

#include <stdint.h>

#include "cmd/store/engine.h"

struct err;

struct cmd_store_conf {
	char path[4096], listen[256], address[256], gc[256], scrub[256], zone[128];
	char quota[32];
	int64_t lock_max_sec;
	struct engine_limits limits; /* .quotas is owned */
};

/* Reads store.conf in a folder. Problems in it are logged. Returns 0, or -1 with err set:
 * ERR_CONFIG and others; then there is nothing to free. */
int cmd_store_conf_read(struct cmd_store_conf *conf, const char *folder, struct err *err);
/* A zeroed struct is allowed. */
void cmd_store_conf_free(struct cmd_store_conf *conf);

#endif
