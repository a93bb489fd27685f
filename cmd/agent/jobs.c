#include "cmd/agent/jobs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/err.h"
#include "lib/tz.h"

static bool is_below(const char *path, const char *folder)
{
	size_t len = strlen(folder);

	while (len > 1 && folder[len - 1] == '/')
		len--;
	return strncmp(path, folder, len) == 0 &&
	       (path[len] == '/' || path[len] == 0 || (len == 1 && folder[0] == '/'));
}

/* Whether a part of the path is ".." . */
static bool goes_up(const char *path)
{
	for (; path != NULL; path = strchr(path, '/')) {
		path += *path == '/';
		if (path[0] == '.' && path[1] == '.' && (path[2] == '/' || path[2] == 0))
			return true;
	}
	return false;
}

static bool is_listed(const struct agent_own *own, const char *path)
{
	size_t i;

	for (i = 0; i < own->read_count; i++)
		if (is_below(path, own->read[i]))
			return true;
	return false;
}

/* Both the path as it is written, and where it leads. */
static bool may_read(const struct agent_own *own, const char *path)
{
	char *real;
	bool may;

	if (own->read == NULL || own->read_count == 0)
		return true;
	if (goes_up(path) || !is_listed(own, path))
		return false;
	real = realpath(path, NULL);
	may = real == NULL || is_listed(own, real); /* one that is missing can't be read */
	free(real);
	return may;
}

static bool has_recipient(const char *folder, const char *name)
{
	char path[4200];

	snprintf(path, sizeof path, "%.4000s/%s.pub", folder, name);
	return access(path, R_OK) == 0;
}

/* What the agent's own file forbids. Returns 0, or -1 with err set. */
static int check(const struct manager_plan *plan, const struct agent_own *own, const char *agent,
	const char *recipients, struct err *err)
{
	size_t i, k;

	if (strcmp(plan->agent, agent) != 0)
		return err_set(err, ERR_DENIED, "it is the plan of another agent, %s", plan->agent);
	for (i = 0; i < plan->job_count; i++) {
		const struct manager_plan_job *job = &plan->jobs[i];

		if (job->unencrypted && !own->unencrypted)
			return err_set(err, ERR_DENIED,
				"job %s is to be stored unencrypted, which agent.conf does not "
				"allow",
				job->name);
		for (k = 0; k < job->recipients.count; k++)
			if (!has_recipient(recipients, job->recipients.items[k]))
				return err_set(err, ERR_DENIED,
					"job %s is to be sealed to %s, which is not among the "
					"recipients that this agent was enrolled with",
					job->name, job->recipients.items[k]);
		for (k = 0; k < job->paths.count; k++)
			if (!may_read(own, job->paths.items[k]))
				return err_set(err, ERR_DENIED,
					"job %s is to read %s, which agent.conf does not allow",
					job->name, job->paths.items[k]);
	}
	return 0;
}

static void free_jobs(struct agent_job *jobs, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		tz_free(jobs[i].tz);
	free(jobs);
}

static void set_slots(struct agent_job *job, const struct manager_plan *plan)
{
	struct err why = {0};

	job->valid = tz_load(job->plan->zone, &job->tz, &why) == 0 &&
		     manager_slots_init(&job->slots, job->plan->schedule, job->tz,
			     job->plan->jitter_sec, plan->agent, job->plan->name, &why) == 0;
	if (!job->valid)
		snprintf(job->why, sizeof job->why, "%.255s", why.message);
}

int agent_jobs_take(struct agent_jobs *jobs, const struct agent_own *own, const char *agent,
	const char *recipients, const void *bytes, size_t len, struct err *err)
{
	struct agent_jobs new = {.taken = true};
	size_t i;

	if (manager_plan_decode(&new.plan, bytes, len, err) != 0)
		return -1;
	new.jobs = calloc(new.plan.job_count + 1, sizeof *new.jobs);
	if (new.jobs == NULL)
		err_set(err, ERR_NOMEM, "out of memory");
	if (new.jobs == NULL || check(&new.plan, own, agent, recipients, err) != 0) {
		free(new.jobs);
		manager_plan_free(&new.plan);
		return -1;
	}
	for (i = 0; i < new.plan.job_count; i++) {
		new.jobs[i].plan = &new.plan.jobs[i];
		set_slots(&new.jobs[i], &new.plan);
	}
	new.count = new.plan.job_count;
	manager_plan_digest(bytes, len, new.digest);
	agent_jobs_free(jobs);
	*jobs = new;
	return 0;
}

void agent_jobs_free(struct agent_jobs *jobs)
{
	free_jobs(jobs->jobs, jobs->count);
	if (jobs->taken)
		manager_plan_free(&jobs->plan);
	*jobs = (struct agent_jobs){.taken = false};
}
