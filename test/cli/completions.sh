#!/bin/bash
# Goal: bash, zsh and fish offer the same commands, verbs and options, namely all that the option
# tables contain; values and arguments are completed as files, directories or choices, by their
# type.
. "$(dirname "$0")/lib.sh"
workspace

PATH=$(dirname "$FDUMP"):$PATH
mkdir some-folder
touch some-file
for shell in bash zsh fish; do
	fdump completion $shell >fdump.$shell
done

# Each of these functions prints what the shell offers for the words given as arguments, of which
# the last is incomplete: sorted, one a line.
in_bash() {
	bash -c '
		. ./fdump.bash
		COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
		_fdump
		printf "%s\n" "${COMPREPLY[@]}"' bash "$@" | sort -u
}

# zsh's completion functions are replaced by functions that print.
in_zsh() {
	zsh -f -c '
		_describe() { print -l -- ${(P)@[-1]%%:*} }
		_files() { [[ $1 = -/ ]] && print -l -- $PREFIX*(N/) || print -l -- $PREFIX*(N) }
		complete_it() {
			local -a words=("$@")
			local CURRENT=$# PREFIX=${@[-1]}
			. ./fdump.zsh
		}
		complete_it "$@"' zsh "$@" | grep -E -e "^${*: -1}" | sort -u
}

in_fish() {
	env -u XDG_DATA_DIRS HOME="$work" fish --no-config -c '
		source ./fdump.fish
		complete -C (string join " " -- $argv)' "$@" |
		sed 's/\t.*//; s|/$||' | sort -u
}

offers() { # SHELL "WHAT..." WORDS...
	local shell=$1 want=$2
	shift 2
	[ "$("in_$shell" "$@" | paste -sd' ')" = "$want" ] || fail "$shell: $*: $("in_$shell" "$@")"
}

look() { # SHELL
	local c
	"$FDUMP" --help | sed -nE '/^commands:/,/^$/s/^  ([a-z]+) .*/\1/p' | sort >want
	[ -s want ] || fail "no commands in --help"
	"in_$1" fdump '' | grep -vx -e --help -e --version >got
	diff want got || fail "$1: commands"
	while read -r c; do
		"$FDUMP" "$c" --help | grep -oE -- '^  (-., |    )--[a-z][a-z-]+' | sed 's/.*--/--/' | sort -u >want
		"in_$1" fdump "$c" -- >got
		diff want got || fail "$1: options of $c"
	done < <("$FDUMP" --help | sed -nE '/^commands:/,/^$/s/^  ([a-z]+) .*/\1/p')
	offers "$1" unpack fdump unp
	offers "$1" "gc init quota rebuild replicate scrub stat trust-clock" fdump store ''
	offers "$1" accept fdump agent ''
	offers "$1" check fdump manager ''
	offers "$1" "--dry-run --help --json --lock-wait --threshold" fdump store gc --
	offers "$1" "always if-changed if-newer never" fdump restore --overwrite ''
	offers "$1" "" fdump backup --name some
	offers "$1" "some-file some-folder" fdump list some
	offers "$1" "some-file some-folder" fdump key new some
	offers "$1" some-folder fdump store gc some
	offers "$1" some-folder fdump backup -C some
	offers "$1" "some-file some-folder" fdump list --file some
}

look bash
for shell in zsh fish; do
	command -v $shell >/dev/null && look $shell
done
needs zsh fish
