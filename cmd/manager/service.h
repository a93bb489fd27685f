/*
 * The manager service: answers agents, stores and operators (proto.h, rpc/PROTOCOL.md), and
 * enrols machines.
 *
 *   manager_service_new -> [_config, _tend] ... -> _shutdown -> manager_service_free
 *
 * All from the loop's thread. It gives no order that an agent could not do without, except by a
 * person's wish, and dials nobody. Its folder has
 *
 *   key.pem cert.pem ca.pem   its own, and the root
 *   int.key int.pem           the intermediate that it signs with
 *   db/                       what it knows (db.h)
 *   recipients/ *.pub         the public keys that the fleet's backups are sealed to
 *   operator/                 the certificate of the local operator: root on this machine
 *
 * Memory: REPORTS_MAX reports of MANAGER_REPORT_MAX bytes; further ones wait.
 */
#ifndef FDUMP_CMD_MANAGER_SERVICE_H
#define FDUMP_CMD_MANAGER_SERVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "rpc/dispatch.h"

struct err;
struct manager_config;
struct manager_service;
struct manager_alarm_row;
struct rpc_loop;
struct rpc_times;

/* As syslog(3) has them. */
enum manager_level { MANAGER_ERROR = 3, MANAGER_WARNING = 4, MANAGER_NOTICE = 5, MANAGER_INFO = 6 };

struct manager_service_opts {
	struct rpc_loop *loop;
	/* Texts are borrowed until manager_service_free. */
	const char *dir;
	const char *host, *port;               /* to listen on, as rpc/listen.h */
	const char *enroll_host, *enroll_port; /* likewise, for enrolment */
	const char *address;                   /* the host name that others dial */
	const char *address_port;              /* and the port; "": the one that is listened on */
	const struct rpc_times *times;         /* NULL: default */
	struct manager_config *config;         /* taken over, also if it fails */
	void *ctx;
	/* One line: names are escaped. */
	void (*log)(void *ctx, enum manager_level level, const char *text);
	void (*access)(void *ctx, const struct rpc_access *access);
	/* Something is wrong (trouble.h), or (raised: false) no longer; once for each change.
	 * hook: the program that the configuration names. Returns false if it can't be told now:
	 * it is tried again. May be NULL. */
	bool (*alarm)(
		void *ctx, const char *hook, const struct manager_alarm_row *row, bool raised);
};

/* NULL with err set. */
struct manager_service *manager_service_new(
	const struct manager_service_opts *opts, struct err *err);
const char *manager_service_name(const struct manager_service *service);
/* The ports it listens on. */
unsigned manager_service_port(const struct manager_service *service);
unsigned manager_service_enroll_port(const struct manager_service *service);

/* Another configuration, which it takes over: agents and stores are told to say hello again. */
void manager_service_config(struct manager_service *service, struct manager_config *config);
/* The certificates and public keys are loaded again. Returns 0, or -1 with err set: all is as
 * before. */
int manager_service_reload(struct manager_service *service, struct err *err);

/* Takes no more connections, and ends those there are in order. */
void manager_service_shutdown(struct manager_service *service);
/* No connection is left. */
bool manager_service_is_idle(const struct manager_service *service);
/* NULL does nothing. */
void manager_service_free(struct manager_service *service);

#endif
