/*
 * Which file system a file is on, by something that lasts longer than its device number: that is
 * another one for each snapshot of btrfs, and may be after each start or each plugging in. Pure but
 * for the system calls.
 */
#ifndef FDUMP_LIB_FSID_H
#define FDUMP_LIB_FSID_H

#include <stdint.h>
#include <sys/types.h>

/* Of the file system of an open file, on device `dev`: from its UUID where the kernel tells that
 * (btrfs, where all subvolumes have the same; ext4; with FS_IOC_GETFSUUID, Linux 6.9, others too),
 * else from the device number. It means something on this machine only. */
uint64_t fsid_of(int fd, dev_t dev);

#endif
