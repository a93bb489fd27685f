/* A descriptor for each of the volumes read last. */
#include "cmd/store/volumes.h"

#include <assert.h>
#include <sys/stat.h>

#include "lib/err.h"

#define NONE STORE_VOLUMES_OPEN

void store_volumes_init(struct store_volumes *v)
{
	size_t i;

	*v = (struct store_volumes){.turn = 0};
	mutex_init(&v->lock);
	for (i = 0; i < STORE_VOLUMES_OPEN; i++)
		v->slots[i].volume.fd = -1;
}

void store_volumes_fini(struct store_volumes *v)
{
	size_t i;

	for (i = 0; i < STORE_VOLUMES_OPEN; i++) {
		assert(v->slots[i].users == 0);
		store_volume_close(&v->slots[i].volume);
	}
	mutex_fini(&v->lock);
}

/* The slot that has a volume as its file is now. One whose file was removed is closed, or left to
 * those who use it. */
static size_t find_current(struct store_volumes *v, uint32_t number)
{
	struct stat st;
	size_t i;

	assert(mutex_held(&v->lock));
	for (i = 0; i < STORE_VOLUMES_OPEN; i++) {
		struct store_volume *volume = &v->slots[i].volume;

		if (volume->fd < 0 || volume->number != number)
			continue;
		if (fstat(volume->fd, &st) == 0 && st.st_nlink > 0) {
			volume->len = (uint64_t)st.st_size;
			return i;
		}
		if (v->slots[i].users == 0)
			store_volume_close(volume);
	}
	return NONE;
}

/* A free slot, or the one unused for longest; NONE if all are in use. */
static size_t find_room(const struct store_volumes *v)
{
	size_t i, best = NONE;

	assert(mutex_held(&v->lock));
	for (i = 0; i < STORE_VOLUMES_OPEN; i++) {
		if (v->slots[i].volume.fd < 0)
			return i;
		if (v->slots[i].users == 0 &&
			(best == NONE || v->slots[i].turn < v->slots[best].turn))
			best = i;
	}
	return best;
}

int store_volumes_take(struct store_volumes *v, int dir, uint32_t number,
	struct store_volume *volume, struct err *err)
{
	int ret = 0;
	size_t at;

	mutex_lock(&v->lock);
	at = find_current(v, number);
	if (at == NONE) {
		ret = store_volume_open(dir, number, false, volume, err);
		at = ret == 0 ? find_room(v) : NONE;
		if (at != NONE) {
			store_volume_close(&v->slots[at].volume);
			v->slots[at].volume = *volume;
		}
	}
	if (at != NONE) {
		*volume = v->slots[at].volume;
		v->slots[at].users++;
		v->slots[at].turn = ++v->turn;
	}
	mutex_unlock(&v->lock);
	return ret;
}

void store_volumes_give(struct store_volumes *v, struct store_volume *volume)
{
	size_t i;

	mutex_lock(&v->lock);
	for (i = 0; i < STORE_VOLUMES_OPEN && v->slots[i].volume.fd != volume->fd; i++)
		;
	if (i == STORE_VOLUMES_OPEN) { /* there was no room for it */
		store_volume_close(volume);
	} else {
		assert(v->slots[i].users > 0);
		v->slots[i].users--;
	}
	mutex_unlock(&v->lock);
	volume->fd = -1;
}

void store_volumes_forget(struct store_volumes *v, uint32_t number)
{
	size_t i;

	mutex_lock(&v->lock);
	for (i = 0; i < STORE_VOLUMES_OPEN; i++)
		if (v->slots[i].volume.number == number && v->slots[i].users == 0)
			store_volume_close(&v->slots[i].volume);
	mutex_unlock(&v->lock);
}
