#!/bin/sh
# Who may include whom: cli > serve > eval > detect > clip > image > base; cli > envision > image > base. And: dnnl.h in one header only, codec
# headers in src/image only.
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
    envision) echo "envision image base" ;;
    serve) echo "serve eval detect clip image base" ;;
    cli) echo "cli serve envision eval detect clip image base" ;;
    esac
}
include='^[[:space:]]*#[[:space:]]*include[[:space:]]*[<"]'
for file in $(git ls-files 'src/*.c' 'src/*.h'); do
    layer=${file#src/}
    layer=${layer%%/*}
    allowed=$(may_include "$layer")
    [ -n "$allowed" ] || complain "$file: $layer is not in the list of layers"
    for target in $(sed -nE "s|$include"'([./]*)([a-z]+)/.*|\2|p' "$file"); do
        [ -d "src/$target" ] || continue
        case " $allowed " in
        *" $target "*) ;;
        *) complain "$file includes $target/, which is to the left of $layer" ;;
        esac
    done
done
for file in $(git grep -lE "$include(oneapi/)?dnnl" -- '*.c' '*.h' | grep -vx 'src/clip/onednn_internal.h'); do
    complain "$file includes dnnl.h; only src/clip/onednn_internal.h may"
done
for file in $(git grep -lE "$include(jpeglib|jerror|turbojpeg|spng|png|webp/|gif_lib)" -- '*.c' '*.h' | grep -v '^src/image/'); do
    complain "$file includes a codec's header; only src/image may"
done
for file in $(git grep -lE "${include}curl/" -- '*.c' '*.h' | grep -vxE 'src/envision/(http|url|http_internal)\.[ch]'); do
    complain "$file includes curl.h; only src/envision/http.c, url.c and http_internal.h may"
done
for file in $(git grep -lE "${include}microhttpd" -- '*.c' '*.h' | grep -vx 'src/serve/server_internal.h'); do
    complain "$file includes microhttpd.h; only src/serve/server_internal.h may"
done
exit $status
