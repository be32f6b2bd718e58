#!/bin/sh
# The documents say what is so: links lead somewhere, docs/library.md has the example that check_install.sh builds,
# docs/cli.md names every command and option, and the README's first detector works as written.
#   check_documents.sh BUILD
cd "$(dirname "$0")/.."
case $1 in /*) build=$1 ;; *) build=$PWD/$1 ;; esac
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
status=0
complain() {
    echo "$1"
    status=1
}

# ---- relative links
for file in $(git ls-files '*.md'); do
    for link in $(grep -oE '\]\([^)#: ]+' "$file" | sed 's/^](//'); do
        [ -e "$(dirname "$file")/$link" ] || complain "$file links to $link, which is not there"
    done
done

# ---- the library's example
sed 's/^\(.\)/    \1/' tests/install/consumer.c >"$work/example"
awk '/^    \/\* consumer.c - / { on = 1 } on && !/^    / && !/^$/ { exit } on' docs/library.md |
    sed -e :a -e '/^\n*$/{$d;N;ba' -e '}' >"$work/documented"
diff "$work/example" "$work/documented" || complain "docs/library.md and tests/install/consumer.c differ"

# ---- commands and options
"$build/mmood" --help | sed -n 's/^  \([a-z]*\)  .*/\1/p' >"$work/commands"
[ -s "$work/commands" ] || complain "mmood --help lists no commands"
while read -r command; do
    grep -q "^## .*$command" docs/cli.md || complain "docs/cli.md has no section on $command"
    for option in $("$build/mmood" "$command" --help | grep -oE '^ +(-., )?--[a-z-]+' | grep -oE -- '--[a-z-]+'); do
        grep -q -- "\`$option[\` =]" docs/cli.md || complain "docs/cli.md does not name $option of $command"
    done
done <"$work/commands"

# ---- the README's first detector
awk '/^## / { on = $0 ~ /first detector/ } on && /^     *(export|printf|ls|build\/mmood|--scores)/' README.md |
    grep -v 'your-' >"$work/commands.sh"
[ "$(wc -l <"$work/commands.sh")" -ge 6 ] || complain "README.md: the first detector's commands are not found"
mkdir "$work/clone"
mkdir "$work/clone/build"
ln -s "$build/mmood" "$work/clone/build"
# In place of the demo's photos, which are no part of a clone: drawings, each another file by a byte after its end.
mkdir -p "$work/clone/build/demo-photos/id" "$work/clone/build/demo-photos/near" "$work/clone/build/demo-photos/far"
for i in $(seq 10 59); do
    for set in id near far; do
        photo=$work/clone/build/demo-photos/$set/photo-$i.jpg
        { cat "$(find tests/data/drawings -name '*.png' | sort | sed -n "$((i % 11 + 1))p")" && printf '%s' $i; } >"$photo"
    done
done
ln -s "$PWD/demo" "$PWD/models" "$work/clone"
printf 'set,score\nid,0.9\nid,0.8\nfar,0.1\n' >"$work/clone/scores.csv"
export XDG_CACHE_HOME="$work/cache"
(cd "$work/clone" && sh -eux ../commands.sh) || complain "README.md: the first detector's commands fail"
exit $status
