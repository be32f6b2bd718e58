#!/bin/sh
# Files stay short, say what they are in their first lines, and hold no notes to ourselves and no paths of one machine.
cd "$(dirname "$0")/.."
status=0
for file in $(git ls-files 'src/*.[ch]' 'tests/*.[ch]' 'fuzz/*.c' 'bench/*.[ch]' include); do
    lines=$(wc -l <"$file")
    if [ "$lines" -gt 900 ]; then
        echo "$file has $lines lines; at most 900"
        status=1
    fi
    name=$(basename "$file")
    if ! head -n 1 "$file" | grep -q "^/\* $name - "; then
        echo "$file does not begin with \"/* $name - what it is\""
        status=1
    fi
done
mark='TO''DO|FIX''ME'
if git grep -nE "$mark" -- src include tests fuzz bench tools '*.md' '*.cmake' '*CMakeLists.txt'; then
    echo "finish it or file it"
    status=1
fi
if git grep -nIE '/(home|root|Users)/[a-z]' -- . ':!tests/data' ':!fuzz/corpus' ':!tools/check_files.sh'; then
    echo "a path of somebody's machine"
    status=1
fi
exit $status
