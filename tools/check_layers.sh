#!/bin/sh
# Who may include whom: cli > eval > detect > clip > image > base. And: dnnl.h in one file only, codec
# headers in src/image only, the public header alone includes nothing of src/.
cd "$(dirname "$0")/.."
status=0
complain() {
    echo "$1"
    status=1
}
may_include() {
    case $1 in
    base) echo base ;;
    image) echo "image base" ;;
    clip) echo "clip image base" ;;
    detect) echo "detect clip image base" ;;
    eval) echo "eval detect clip image base" ;;
    cli) echo "cli eval detect clip image base" ;;
    esac
}
for folder in src/*/; do
    layer=$(basename "$folder")
    allowed=$(may_include "$layer")
    [ -n "$allowed" ] || complain "$folder is not in the list of layers"
    for file in "$folder"*.[ch]; do
        for target in $(sed -n 's|^#include "\([a-z]*\)/.*|\1|p' "$file"); do
            case " $allowed " in
            *" $target "*) ;;
            *) complain "$file includes $target/, which is to the left of $layer" ;;
            esac
        done
    done
done
for file in $(git grep -l '#include <dnnl' -- src | grep -v '^src/clip/onednn.c$'); do
    complain "$file includes dnnl.h; only src/clip/onednn.c may"
done
for file in $(git grep -lE '#include <(jpeglib|jerror|spng|webp/|gif_lib)' -- src | grep -v '^src/image/'); do
    complain "$file includes a codec's header; only src/image may"
done
exit $status
