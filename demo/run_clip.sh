#!/bin/sh
# The demo's table with a CLIP model from Hugging Face's hub, beside the small model's.
#   demo/run_clip.sh PROGRAM [REPOSITORY]
# $HF_ENDPOINT names another hub. The model goes to the folder models/ under $XDG_CACHE_HOME/mmood.
set -eu
mmood=${1:?usage: demo/run_clip.sh PROGRAM [REPOSITORY]}
repository=${2:-openai/clip-vit-base-patch32}
case $mmood in /*) ;; *) mmood=$PWD/$mmood ;; esac
cd "$(dirname "$0")/.."
models=${XDG_CACHE_HOME:-$HOME/.cache}/mmood/models
photos=$(dirname "$mmood")/demo-photos
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
kind=$(demo/get_photos.sh "$photos")
options="--quiet --precision f32"
[ "$kind" = shop ] || options="$options --alpha white"
mkdir -p "$models"
"$mmood" pull "$repository" -o "$models/$(basename "$repository")"

for model in "$models/$(basename "$repository")" models/demo; do
    echo
    echo "With $model:"
    mkdir -p "$work/$(basename "$model")"
    MMOOD_MODEL=$model demo/table.sh "$kind" "$mmood" "$photos" "$work/$(basename "$model")" \
        "$(dirname "$mmood")/demo-$(basename "$model").html" $options
done
