# Completion of the tools of Vakt for bash; broker-ctl has one of its own. Options and their values are those of --help, so that
# nothing here has to follow them. shellcheck shell=bash

# The first words in lower case of the lines of the usage: "usage: PROGRAM [-d DIR] FILE lock|unlock USER".
_vakt_commands() { # PROGRAM, the help from standard input
	sed -En "s/^(usage: |       )$1 ((\\[[^]]*\\]|[A-Z]+) )*([a-z][a-z-]*( ?\\| ?[a-z-]+)*).*/\\4/p" | tr '|' ' '
}

_vakt() {
	local program=$1 cur=$2 prev=$3 help values=
	COMPREPLY=()
	help=$("$program" --help 2>/dev/null) || return 0
	if [[ $prev == -* ]]; then
		# "--output text|json": one of these; "--cafile FILE": a name of a file, which is the default of bash.
		values=$(grep -oE -- "$prev [a-z0-9.]+(\|[a-z0-9.]+)+" <<<"$help" | head -n 1 | cut -d ' ' -f 2)
		if [ "$prev" = --program ] && [ "${program##*/}" = vakt-setup ]; then
			values=$("$program" --list | cut -d ' ' -f 1)
		elif [ -z "$values" ] && grep -qE -- "$prev [A-Z]" <<<"$help"; then
			return 0
		fi
	fi
	if [ -n "$values" ]; then
		mapfile -t COMPREPLY < <(compgen -W "${values//|/ }" -- "$cur")
	elif [[ $cur == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$(grep -oE -- '(^|[^a-zA-Z0-9_-])--?[a-zA-Z][a-z-]*' <<<"$help" | sed 's/^[^-]*//')" -- "$cur" | sort -u)
	else
		mapfile -t COMPREPLY < <(compgen -W "$(_vakt_commands "${program##*/}" <<<"$help")" -- "$cur")
	fi
}

complete -o default -F _vakt broker broker-acl broker-audit broker-bench broker-passwd broker-pki broker-pub broker-rr broker-store broker-sub vakt-setup
