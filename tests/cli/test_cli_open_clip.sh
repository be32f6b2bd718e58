#!/bin/sh
# Models in open_clip's layout through the program: what inspect says of each kind, and embed. Runs in tests/.
#   test_cli_open_clip.sh PROGRAM MAKE_OPEN_CLIP_MODEL
set -u
. cli/lib.sh
make_model=$2

for name in unusual norm-last first lite0 mci0; do
    "$make_model" $name "$work/$name" || exit 1
done

# set_preprocess NAME JSON: preprocess_cfg of a model.
set_preprocess() {
    sed "s/\"preprocess_cfg\": {}/\"preprocess_cfg\": $2/" golden/open_clip/$1/open_clip_config.json \
        >"$work/$1/open_clip_config.json"
}

# ---- a vision transformer without a name, a text tower with everything unusual
expect 0 "$mmood" inspect --no-cache "$work/unusual"
says out "CLIP model    ViT-30/7, embeddings of 24 numbers"
says out "vision tower  width 60, 3 layers, 3 heads, MLP 162, gelu_new, layer norm eps 0.001"
says out "pooled at the first EOT (eos_token_id 531); every token sees all others, padding included"
says out "shorter side to 30, bicubic, centre crop 30 x 30"
says out "as open_clip_config.json says"
expect 0 "$mmood" inspect --no-cache --json "$work/unusual"
says out '"eot_rule":"first eos","bidirectional":true'
says out '"vision":{"family":"ViT","width":60,"layers":3,"heads":3,"mlp_width":162,"activation":"gelu_new"'
says out '"crop_rule":"torchvision","fill":0'
says out '"preprocess_source":"open_clip_config.json"'

# ---- the other tokens that can become a text's embedding
expect 0 "$mmood" inspect --no-cache "$work/first"
says out "pooled at the first token; every token"
expect 0 "$mmood" inspect --no-cache --json "$work/first"
says out '"eot_rule":"first token"'
expect 0 "$mmood" inspect --no-cache "$work/norm-last"
says out "at most 24 a text, pooled at the last token"
expect 0 "$mmood" inspect --no-cache --json "$work/norm-last"
says out '"eot_rule":"last token","bidirectional":false'

# ---- convolutional towers have no heads and no MLP
expect 0 "$mmood" inspect --no-cache "$work/lite0"
says out "CLIP model    EfficientNet-Lite (tf_efficientnet_lite0), images of 96 x 96, embeddings of 48 numbers"
says out "vision tower  width 1280, 16 blocks, relu6"
says out "text tower    width 32, 2 layers, 2 heads"
expect 0 "$mmood" inspect --no-cache --json "$work/lite0"
says out '"vision":{"family":"EfficientNet-Lite","trunk":"tf_efficientnet_lite0","width":1280,"layers":16,"activation":"relu6"}'
says out '"patch_size":32,"patches":9'
expect 0 "$mmood" inspect --no-cache "$work/mci0"
says out "CLIP model    FastViT (fastvit_mci0), images of 96 x 96"

# ---- resize modes
set_preprocess lite0 '{"resize_mode": "longest", "fill_color": 127, "interpolation": "bilinear"}'
expect 0 "$mmood" inspect --no-cache "$work/lite0"
says out "longer side to 96, bilinear, padded with 127 to 96 x 96"
expect 0 "$mmood" inspect --no-cache --json "$work/lite0"
says out '"resize":{"longest_edge":96},"filter":"bilinear"'
says out '"fill":127'
expect 0 "$mmood" preprocess -m "$work/lite0" --no-cache -o "$work/crop.ppm" data/image/tall.png
set_preprocess lite0 '{"resize_mode": "squash"}'
expect 0 "$mmood" inspect --no-cache "$work/lite0"
says out "squeezed to 96 x 96, bicubic"
set_preprocess lite0 '{"fill_color": 300}'
expect 1 "$mmood" inspect --no-cache "$work/lite0"
says err "open_clip_config.json: preprocess_cfg: fill_color is 300"
set_preprocess lite0 '{"size": 64}'
expect 1 "$mmood" inspect --no-cache "$work/lite0"
says err "open_clip_config.json makes images of 64 x 64 pixels"

# ---- embed
expect 0 "$mmood" embed -m "$work/mci0" --no-cache -o "$work/out" --images data/image/rgb.png data/image/tall.png
echo "a photo of a cat" >"$work/texts"
expect 0 "$mmood" embed -m "$work/mci0" --no-cache -o "$work/out" --texts "$work/texts"

# ---- kept weights
expect 0 "$mmood" inspect -v "$work/mci0" --cache "$work/kept"
says err "mci0: FastViT (fastvit_mci0), "
expect 0 "$mmood" inspect "$work/mci0" --cache "$work/kept"
says out "FastViT (fastvit_mci0)"

finish
