# shellcheck shell=bash
# Roles of the templates, and how they come into an acl.yaml that its owner may have changed: only lines are added. Sourced.

# The lines of one role, with the comments before it.
roles_text() { # FILE ROLE
	awk -v role="$2" '
		/^[^ #]/ { inside = ($0 ~ /^roles:/); taken = 0; before = ""; next }
		!inside { next }
		/^  #/ { taken = 0; before = before $0 "\n"; next }
		/^  [^ ]/ { taken = ($0 ~ "^  " role ":"); if (taken) { printf "%s", before; print; found = 1 } before = ""; next }
		taken { print }
		END { exit !found }
	' "$1"
}

roles_has() { # FILE ROLE
	awk -v role="$2" '
		/^[^ #]/ { inside = ($0 ~ /^roles:/) }
		inside && $0 ~ "^ +[\"'\'']?" role "[\"'\'']?[ ]*:" { found = 1 }
		END { exit !found }
	' "$1"
}

# What anonymous clients can never do, for all programs that there are templates for.
roles_new_file() { # TEMPLATES
	cat <<'YAML'
# Made by vakt-setup, and yours to change: later runs add roles and change nothing.
# What no rule allows is denied. Users get their roles from users.passwd (broker-passwd add --role). acl.yaml(5) has the language.

# Commands: whoever comes without a name never publishes here, whatever the rules say.
YAML
	echo 'desired_topics:'
	awk '/^desired_topics: *\[/ { sub(/^desired_topics: *\[/, ""); sub(/\] *$/, ""); print }' "$1"/*.yaml |
		tr ',' '\n' | sed 's/^ *"\{0,1\}//; s/"\{0,1\} *$//' | awk 'NF && !seen[$0]++ { printf "  - \"%s\"\n", $0 }'
	printf '\nroles:\n'
}

# FILE with BLOCK at the end of its roles, in the indentation that they have.
roles_insert() { # FILE BLOCK
	awk -v block="$2" '
		function put_block(   count, lines, i) {
			if (done) return
			done = 1
			count = split(block, lines, "\n")
			for (i = 1; i <= count; i++) {
				if (lines[i] == "") continue
				sub(/^  /, indent == "" ? "  " : indent, lines[i])
				print lines[i]
			}
		}
		!inside && /^roles:[ \t]*(\{[ \t]*\})?[ \t]*(#.*)?$/ { inside = seen = 1; sub(/[ \t]*\{[ \t]*\}/, ""); print; next }
		inside && /^[^ #]/ { put_block(); printf "%s", held; held = ""; inside = 0; print; next }
		inside && (/^[ \t]*$/ || /^#/) { held = held $0 "\n"; next }
		inside { printf "%s", held; held = ""; if (indent == "" && match($0, /^ +[^ #]/)) indent = substr($0, 1, RLENGTH - 1) }
		{ print }
		END { if (inside) put_block(); printf "%s", held; if (!seen) { print "roles:"; put_block() } }
	' "$1"
}

# From standard input lines "TEMPLATE ROLE"; FILE with those that it lacks, to standard output.
roles_add() { # TEMPLATES FILE
	local template role block='' text from=$2 empty
	empty=$(mktemp .roles.XXXXXX)
	if [ ! -s "$from" ]; then
		roles_new_file "$1" >"$empty"
		from=$empty
	fi
	while read -r template role; do
		# mutant: setup_keeps_a_role
		roles_has "$from" "$role" && continue
		text=$(roles_text "$1/$template.yaml" "$role") || { rm -f -- "$empty"; echo "$1/$template.yaml has no role $role" >&2; return 1; }
		block+=$text$'\n'
	done
	if [ -n "$block" ]; then roles_insert "$from" "$block"; else cat -- "$from"; fi
	rm -f -- "$empty"
}
