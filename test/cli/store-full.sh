# Goal: on a full disk every command says so, loses nothing, and works again once there is room. A few
# steps; test/storefull.py has more.
[ "$(id -u)" = 0 ] && mkdir -p mount && mount -t tmpfs none mount 2>/dev/null || exit 77
umount mount
python3 "${SRC:-.}/test/storefull.py" "$FDUMP" --step 512 --inodes 3 --pages 4 --shim "$BUILD/test/shim.so"
