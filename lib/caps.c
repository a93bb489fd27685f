#include "lib/caps.h"

#include <linux/capability.h>
#include <linux/securebits.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CAPS_MAX 64 /* capability numbers, in two words */

/* Empties the bounding set, from which root gets its capabilities on exec.
 * Returns false if that is not permitted: it needs CAP_SETPCAP. */
static bool drop_bounding(void)
{
	int cap;

	for (cap = 0; cap < CAPS_MAX && prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		if (prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 1 &&
			prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) != 0)
			return false;
	return true;
}

int caps_drop(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}};

	bool dropped = drop_bounding();

	/* With SECBIT_NOROOT (set in the agent's unit) root gains nothing on exec, so
	 * only the ambient capabilities have to go. */
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) == 0 &&
		(prctl(PR_GET_SECUREBITS, 0, 0, 0, 0) & SECBIT_NOROOT) != 0)
		return 0;
	if (!dropped && geteuid() == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return -1;
	return syscall(SYS_capset, &head, none) == 0 ? 0 : -1;
}
