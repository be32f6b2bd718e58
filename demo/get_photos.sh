#!/bin/sh
# Gets the demo's photos into a folder, one folder a set: id, near, far, unsold.
#   demo/get_photos.sh FOLDER
# They are not part of this repository. In this order:
#   1. what is in FOLDER already, if it is complete;
#   2. $DEMO_PHOTOS, a folder with checkouts of the two data sets, GroceryStoreDataset and clothing-dataset-small;
#   3. a download of the chosen files (photos.tsv, 21 MB) from GitHub, each compared with its SHA-256;
#   4. without a way to GitHub, cut-out photos of single things from Debian's package tuxpaint-stamps-default (161 MB): a
#      few of another style, so that figures differ from those in the documents.
# Prints "shop" for the photos of photos.tsv, "stamps" for those of stamps.tsv.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
folder=${1:?usage: demo/get_photos.sh FOLDER}
grocery=https://raw.githubusercontent.com/marcusklasson/GroceryStoreDataset/fc80ba90f803d79d0383df52c5a4ac5de99ff6fc
clothing=https://raw.githubusercontent.com/alexeygrigorev/clothing-dataset-small/11961516512414bf9f6c150a832cfd21b54a6b54

say() { echo "get_photos: $*" >&2; }

# Whether every photo is there and is the one that was chosen.
complete() {
    awk -F '\t' '{ print $6 "  " $1 "/" $3 }' "$here/photos.tsv" >"$folder/.sums"
    (cd "$folder" && sha256sum --quiet --check .sums >/dev/null 2>&1)
}

copy_photos() {
    while IFS='	' read -r set _ name source path _; do
        case $source in
        grocery) from=$DEMO_PHOTOS/GroceryStoreDataset ;;
        *) from=$DEMO_PHOTOS/clothing-dataset-small ;;
        esac
        cp "$from/$path" "$folder/$set/$name"
    done <"$here/photos.tsv"
}

download_photos() {
    path=$(sed -n '1p' "$here/photos.tsv" | cut -f 5)
    curl --silent --show-error --fail --location --connect-timeout 10 --output /dev/null "$grocery/$path" \
        2>"$folder/.log" || return 1
    say "downloading $(grep -c . "$here/photos.tsv") photos (21 MB)"
    awk -F '\t' -v grocery="$grocery" -v clothing="$clothing" -v folder="$folder" '{
        print "url = \"" ($4 == "grocery" ? grocery : clothing) "/" $5 "\""
        print "output = \"" folder "/" $1 "/" $3 "\""
    }' "$here/photos.tsv" >"$folder/.list"
    curl --no-progress-meter --fail --fail-early --location --parallel --parallel-max 16 --retry 3 \
        --connect-timeout 10 --config "$folder/.list" >"$folder/.log" 2>&1
}

get_stamps() {
    say "GitHub cannot be reached ($(head -n 1 "$folder/.log" | cut -c 1-100)); taking Debian's tuxpaint-stamps-default"
    (cd "$folder" && apt-get download -qq tuxpaint-stamps-default >/dev/null 2>>.log &&
        dpkg-deb --extract tuxpaint-stamps-default_*.deb .stamps)
    while IFS='	' read -r set _ name path; do
        cp "$folder/.stamps/usr/share/tuxpaint/stamps/$path" "$folder/$set/$name"
    done <"$here/stamps.tsv"
    rm -rf "$folder/.stamps" "$folder"/tuxpaint-stamps-default_*.deb
    touch "$folder/.of-stamps"
}

mkdir -p "$folder/id" "$folder/near" "$folder/far" "$folder/unsold"
if [ -z "${DEMO_PHOTOS:-}" ] && [ -e "$folder/.of-stamps" ]; then
    echo stamps
    exit
fi
if ! complete; then
    rm -f "$folder"/*/*.jpg "$folder"/*/*.png "$folder/.of-stamps"
    if [ -n "${DEMO_PHOTOS:-}" ]; then
        copy_photos
    elif ! download_photos; then
        get_stamps || {
            say "there are no photos: neither GitHub nor Debian's archive can be reached."
            say "With copies of the data sets: DEMO_PHOTOS=FOLDER make demo (demo/README.md says which)"
            exit 1
        }
        echo stamps
        exit
    fi
    complete || {
        say "some photos are not the chosen ones: $(cd "$folder" && sha256sum --quiet --check .sums 2>&1 | head -n 1)"
        exit 1
    }
fi
echo shop
