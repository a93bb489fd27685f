/*
 * Identifies the file system that a file is on by something more stable than
 * its device number, which differs between snapshots of btrfs and may change
 * when the machine starts or a disk is plugged in.
 */
#ifndef FDUMP_LIB_FSID_H
#define FDUMP_LIB_FSID_H

#include <stdint.h>
#include <sys/types.h>

/* Identifies the file system of an open file on device `dev`: by its UUID where
 * the kernel provides it (btrfs, with one UUID for all subvolumes; ext4; others
 * with FS_IOC_GETFSUUID, Linux 6.9), else by the device number. Meaningful on
 * this machine only. Thread-safe. */
uint64_t fsid_of(int fd, dev_t dev);

#endif
