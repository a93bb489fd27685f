/* Linux identifies each start by an id of 36 characters. */
#include "lib/uptime.h"

#include <pthread.h>
#include <stddef.h>

#include "lib/file.h"
#include "lib/hash.h"

#define BOOT_ID "/proc/sys/kernel/random/boot_id"

static uint64_t this_boot;

static void read_boot(void)
{
	uint8_t id[64];
	size_t len;

	if (file_read(BOOT_ID, id, sizeof id, &len, NULL, NULL) == 0)
		this_boot = hash_xxh3(id, len);
}

int64_t uptime_get(uint64_t *boot)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct timespec t;

	pthread_once(&once, read_boot);
	clock_gettime(CLOCK_BOOTTIME, &t);
	*boot = this_boot;
	return t.tv_sec;
}

int64_t uptime_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

struct timespec uptime_timespec(int64_t ms)
{
	if (ms < 0)
		ms = 0;
	return (struct timespec){ms / 1000, ms % 1000 * 1000000};
}
