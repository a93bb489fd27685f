# Completion of fdump in bash: commands, their verbs, long options, files.
# Asks fdump itself, so that it knows what this fdump knows.
_fdump() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	local fdump=${COMP_WORDS[0]} command=${COMP_WORDS[1]} words

	COMPREPLY=()
	if [ "$COMP_CWORD" = 1 ]; then
		words=$("$fdump" --help 2>/dev/null | sed -n '/^commands:/,/^$/s/^  \([a-z]*\) .*/\1/p')
		words="$words --help --version"
	elif [ "$prev" = --overwrite ]; then
		words="always if-changed if-newer never"
	elif [[ $cur == -* ]]; then
		words=$("$fdump" "$command" --help 2>/dev/null | grep -oE -- '--[a-z][a-z-]+')
		words="$words --help"
	elif [ "$COMP_CWORD" = 2 ]; then
		words=$("$fdump" "$command" --help 2>/dev/null |
			sed -nE "s/^(usage:|      ) fdump $command ([a-z][a-z-]*)( .*)?$/\2/p")
	fi
	[ -z "$words" ] || mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
	# No words: files, by -o default.
}
complete -o default -F _fdump fdump
