/* UUIDs are hashed, with a label for the kind so that kinds can't collide. */
#include "lib/fsid.h"

#include <linux/btrfs.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/statfs.h>

#include "lib/hash.h"

/* FS_IOC_GETFSUUID; the headers of Debian 12 lack it. */
struct uuid {
	uint8_t len, uuid[16];
};
#define GET_UUID _IOR(0x15, 0, struct uuid)

static uint64_t hashed(char label, const void *bytes, size_t len)
{
	uint8_t text[1 + 16] = {(uint8_t)label};

	memcpy(text + 1, bytes, len);
	return hash_xxh3(text, 1 + len);
}

uint64_t fsid_of(int fd, dev_t dev)
{
	struct btrfs_ioctl_fs_info_args btrfs = {0};
	struct uuid uuid = {0};
	struct statfs s;
	uint64_t number = dev;

	if (fstatfs(fd, &s) == 0) {
		if (s.f_type == BTRFS_SUPER_MAGIC && ioctl(fd, BTRFS_IOC_FS_INFO, &btrfs) == 0)
			return hashed('u', btrfs.fsid, 16);
		/* On ext4 f_fsid is derived from the UUID. */
		if (s.f_type == EXT4_SUPER_MAGIC)
			return hashed('e', &s.f_fsid, sizeof s.f_fsid);
		if (ioctl(fd, GET_UUID, &uuid) == 0 && uuid.len == sizeof uuid.uuid)
			return hashed('u', uuid.uuid, sizeof uuid.uuid);
	}
	return hashed('d', &number, sizeof number);
}
