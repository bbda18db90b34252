#!/bin/sh
# test_links.sh ROOT — what the Markdown files point to is there: relative links, paths from the root and plugins in
# `backticks`. Every plugin has a README, and every pipeline is listed in that of its folder.
set -eu
cd "$1"

follow() { # FILE
    grep -oE '\]\([^) ]+\)' "$1" | sed 's/^](//; s/)$//; s/#.*//' | while read -r link; do
        case $link in *:* | '') continue ;; esac
        [ -e "$(dirname "$1")/$link" ] || echo "$1: the link '$link' leads nowhere"
    done
    grep -oE '`(docs|examples|host|pipelines|plugins|script|sdk|tests)/[A-Za-z0-9_./-]+[` ]' "$1" | tr -d '` ' | while read -r path; do
        [ -e "$path" ] || echo "$1: there is no '$path'"
    done
    grep -oE '`(generator|discriminator|network|loss|method|metric|source|sink)/[a-z0-9-]+[` ]' "$1" | tr -d '` ' | while read -r id; do
        set -- "$1" "${id%%/*}" "${id#*/}"
        [ -d "plugins/$2s/$3" ] || [ -d "plugins/$2es/$3" ] || [ -d "examples/$2-$3" ] || echo "$1: there is no plugin '$id'"
    done
}

wrong=$(
    for file in *.md */*.md */*/*.md */*/*/*.md; do
        case $file in build* | runs/*) ;; *) follow "$file" ;; esac
    done
    for plugin in plugins/*/*/; do
        [ -e "$plugin/README.md" ] || echo "$plugin has no README.md"
    done
    for pipeline in pipelines/*.yaml pipelines/*/*.yaml; do
        grep -q "[(\`]${pipeline##*/}[)\`]" "${pipeline%/*}/README.md" || echo "${pipeline%/*}/README.md does not list $pipeline"
    done
)
[ -z "$wrong" ] || { echo "$wrong"; exit 1; }
