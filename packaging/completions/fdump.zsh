#compdef fdump
# Completion of fdump in zsh: commands, their verbs, long options, files.
# Asks fdump itself, so that it knows what this fdump knows.
local fdump=$words[1] command=$words[2]
local -a found

if ((CURRENT == 2)); then
	found=(${(f)"$($fdump --help 2>/dev/null |
		sed -nE '/^commands:/,/^$/s/^  ([a-z]+) +(.*)/\1:\2/p')"} --help --version)
	_describe command found
elif [[ $words[CURRENT-1] == --overwrite ]]; then
	found=(always if-changed if-newer never)
	_describe when found
elif [[ $PREFIX == -* ]]; then
	# The first line that an option begins says what it is.
	found=(${(f)"$($fdump $command --help 2>/dev/null | sed -nE \
		-e 's/^ +(-., )?(--[a-z][a-z-]+)( [A-Z][^ ]*)? +(.*)/\2:\4/p')"})
	((found[(I)--help*])) || found+=(--help)
	_describe -o option found
else
	if ((CURRENT == 3)); then
		found=(${(f)"$($fdump $command --help 2>/dev/null | sed -nE \
			"s/^(usage:|      ) fdump $command ([a-z][a-z-]*)( .*)?$/\2/p")"})
		found=(${(u)found})
	fi
	(($#found > 0)) && _describe verb found || _files
fi
