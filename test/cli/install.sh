#!/bin/bash
# Goal: 'cmake --install' puts everything where Debian looks for it, and the units start the
# installed program.
. "$(dirname "$0")/lib.sh"
needs cmake
workspace

[ -f "$BUILD/CMakeCache.txt" ] || skip "$BUILD is no build folder"
prefix=$(sed -n 's/^CMAKE_INSTALL_PREFIX:PATH=//p' "$BUILD/CMakeCache.txt")
DESTDIR=$work/root cmake --install "$BUILD" >out 2>&1 || fail "$(tail out)"
cd "root/$prefix"
zsh=site-functions
[ "$prefix" != /usr ] || zsh=vendor-completions
for file in bin/fdump lib/sysusers.d/fdump.conf lib/tmpfiles.d/fdump.conf \
	lib/systemd/system/fdump-{agent,manager,store}.service share/zsh/$zsh/_fdump \
	share/bash-completion/completions/fdump share/fish/vendor_completions.d/fdump.fish; do
	[ -f "$file" ] || fail "$prefix/$file is missing"
done
for unit in lib/systemd/system/*.service; do
	grep -q "^ExecStart=$prefix/bin/fdump [a-z]*$" "$unit" || fail "$unit: ExecStart"
	! grep '@[A-Za-z_]*@' "$unit" || fail "$unit: see above"
done
# Manual pages are made only if scdoc is there.
! command -v scdoc >/dev/null || [ -f share/man/man1/fdump-store.1 ] || fail "no manual pages"
