/*
 * The manager service: answers agents, stores and operators (proto.h, rpc/PROTOCOL.md), and enrols
 * machines.
 *
 *   manager_service_new -> [_config, _reload] ... -> _shutdown -> manager_service_free
 *
 * Loop thread only. It dials nobody, and gives agents no orders except those of a person, so agents
 * can work without it. Its folder has
 *
 *   key.pem cert.pem ca.pem   its own certificate, and the root's
 *   int.key int.pem           the intermediate that it signs with
 *   db/                       its state (db.h)
 *   recipients/ *.pub         the public keys that the fleet's backups are sealed to
 *   operator/                 the certificate of the local operator: root on this machine
 *
 * Memory: REPORTS_MAX reports of MANAGER_REPORT_MAX bytes; further reports wait.
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

/* The numbers are those of syslog(3). */
enum manager_level { MANAGER_ERROR = 3, MANAGER_WARNING = 4, MANAGER_NOTICE = 5, MANAGER_INFO = 6 };

struct manager_service_opts {
	struct rpc_loop *loop;
	/* Strings are borrowed until manager_service_free. */
	const char *dir;
	const char *host, *port;               /* to listen on, as in rpc/listen.h */
	const char *enroll_host, *enroll_port; /* the same for enrolment */
	const char *address;                   /* the host name that others dial */
	const char *address_port;              /* and the port; "": the one it listens on */
	const struct rpc_times *times;         /* NULL: rpc_times_default */
	struct manager_config *config;         /* taken over, even if an error is returned */
	void *ctx;
	/* One line; names in it are escaped. */
	void (*log)(void *ctx, enum manager_level level, const char *text);
	void (*access)(void *ctx, const struct rpc_access *access);
	/* Something is wrong (trouble.h), or no longer (raised: false); called once for each
	 * change. hook: the program that the configuration names. Returns false if it can't be
	 * reported now: it is called again later. May be NULL. */
	bool (*alarm)(
		void *ctx, const char *hook, const struct manager_alarm_row *row, bool raised);
};

/* NULL with err set. */
struct manager_service *manager_service_new(
	const struct manager_service_opts *opts, struct err *err);
const char *manager_service_name(const struct manager_service *service);
/* The ports that it listens on. */
unsigned manager_service_port(const struct manager_service *service);
unsigned manager_service_enroll_port(const struct manager_service *service);

/* Changes to another configuration, which is taken over; agents and stores are asked to say hello
 * again. */
void manager_service_config(struct manager_service *service, struct manager_config *config);
/* Loads certificates and public keys again. Returns 0, or -1 with err set and nothing is
 * changed. */
int manager_service_reload(struct manager_service *service, struct err *err);

/* Accepts no more connections, and ends those that exist in good order. */
void manager_service_shutdown(struct manager_service *service);
/* Whether no connection is left. */
bool manager_service_is_idle(const struct manager_service *service);
/* NULL does nothing. */
void manager_service_free(struct manager_service *service);

#endif
