#!/bin/bash
# Goal: the layers hold: cmd uses rpc, pack and cron; those do not know one
# another; lib knows none of them; and a third-party library shows in its own
# module only.
set -eu
cd "$SRC"

bad=0
# forbid WHAT PATTERN FILES...: no include of PATTERN in the files.
forbid() {
	local what=$1 pattern=$2
	shift 2
	if grep -nE "^#include [<\"]($pattern)" "$@"; then
		echo "$what"
		bad=1
	fi
}
sources() { find "$@" -name '*.[ch]'; }

# shellcheck disable=SC2046
{
	forbid "lib uses nothing above it" 'rpc/|pack/|cron/|cmd/' $(sources lib)
	forbid "rpc uses lib only" 'pack/|cron/|cmd/' $(sources rpc)
	[ ! -d pack ] || forbid "pack uses lib only" 'rpc/|cron/|cmd/' $(sources pack)
	[ ! -d cron ] || forbid "cron uses lib only" 'rpc/|pack/|cmd/' $(sources cron)
	forbid "libev and mbedTLS are rpc's" 'ev\.h|mbedtls/|psa/' \
		$(sources lib cmd $(ls -d pack cron 2>/dev/null))
	forbid "mbedTLS is in tls.c, ca.c and x509 only" 'mbedtls/|psa/' \
		$(sources rpc | grep -vE 'rpc/(tls|ca|x509)\.[ch]$')
	forbid "libgcrypt and libzstd are lib's" 'gcrypt\.h|zstd\.h' \
		$(sources rpc cmd $(ls -d pack cron 2>/dev/null))
}
exit $bad
