# Completion of fdump in fish: commands, their verbs, long options, files.
# Asks fdump itself, so that it knows what this fdump knows.
function __fdump_complete
    set -l before (commandline -opc)
    set -l current (commandline -ct)
    set -l fdump $before[1]
    set -l command $before[2]
    if test (count $before) = 1
        $fdump --help 2>/dev/null |
            sed -nE '/^commands:/,/^$/s/^  ([a-z]+) +(.*)/\1\t\2/p'
        printf '%s\n' --help --version
    else if test "$before[-1]" = --overwrite
        printf '%s\n' always if-changed if-newer never
    else if string match -q -- '-*' "$current"
        # The first line that an option begins says what it is.
        set -l options ($fdump $command --help 2>/dev/null |
            sed -nE 's/^ +(-., )?(--[a-z][a-z-]+)( [A-Z][^ ]*)? +(.*)/\2\t\4/p')
        string match -q -- '--help*' $options; or set -a options --help
        printf '%s\n' $options
    else
        set -l verbs
        if test (count $before) = 2
            set verbs ($fdump $command --help 2>/dev/null |
                sed -nE "s/^(usage:|      ) fdump $command ([a-z][a-z-]*)( .*)?\$/\2/p" | sort -u)
        end
        if set -q verbs[1]
            printf '%s\n' $verbs
        else
            __fish_complete_path "$current"
        end
    end
end
complete -c fdump -f -a '(__fdump_complete)'
