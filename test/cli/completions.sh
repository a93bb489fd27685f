#!/bin/bash
# Goal: in bash, zsh and fish the same commands, verbs and options are offered: all that --help has;
# where there is nothing to offer, files.
. "$(dirname "$0")/lib.sh"
workspace

PATH=$(dirname "$FDUMP"):$PATH
completions=$SRC/packaging/completions
touch some-file

# Each of these prints what the shell offers for the words given as arguments, the last of which is
# begun: sorted, one a line.
in_bash() {
	bash -c '
		. "$1"/fdump.bash
		shift
		COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
		_fdump
		((${#COMPREPLY[@]} > 0)) || mapfile -t COMPREPLY < <(compgen -f -- "${!#}")
		printf "%s\n" "${COMPREPLY[@]}"' bash "$completions" "$@" | sort -u
}

# The functions of zsh that offer are replaced by what prints.
in_zsh() {
	zsh -f -c '
		_describe() { print -l -- ${(P)@[-1]%%:*} }
		_files() { print -l -- $PREFIX*(N) }
		complete_it() {
			local dir=$1
			shift
			local -a words=("$@")
			local CURRENT=$# PREFIX=${@[-1]}
			. $dir/fdump.zsh
		}
		complete_it "$@"' zsh "$completions" "$@" | grep -E -e "^${*: -1}" | sort -u
}

in_fish() {
	env -u XDG_DATA_DIRS HOME="$work" fish --no-config -c '
		source $argv[1]/fdump.fish
		complete -C (string join " " -- $argv[2..])' "$completions" "$@" |
		sed 's/\t.*//' | sort -u
}

look() { # SHELL
	local c
	"$FDUMP" --help | sed -nE '/^commands:/,/^$/s/^  ([a-z]+) .*/\1/p' | sort >want
	[ -s want ] || fail "no commands in --help"
	"in_$1" fdump '' | grep -vx -e --help -e --version >got
	diff want got || fail "$1: commands"
	[ "$("in_$1" fdump unp)" = unpack ] || fail "$1: unp: $("in_$1" fdump unp)"
	while read -r c; do
		"$FDUMP" "$c" --help | grep -oE -- '--[a-z][a-z-]+' | sort -u |
			sed '$!b; s/$/\n--help/' | sort -u >want
		"in_$1" fdump "$c" -- >got
		diff want got || fail "$1: options of $c"
	done < <(printf '%s\n' backup cron manager store)
	printf '%s\n' gc init quota rebuild replicate scrub stat trust-clock >want
	"in_$1" fdump store '' >got
	diff want got || fail "$1: verbs of store"
	printf '%s\n' always if-changed if-newer never >want
	"in_$1" fdump restore --overwrite '' >got
	diff want got || fail "$1: values of --overwrite"
	[ "$("in_$1" fdump list some)" = some-file ] || fail "$1: no files: $("in_$1" fdump list some)"
}

look bash
for shell in zsh fish; do
	command -v $shell >/dev/null && look $shell
done
needs zsh fish
