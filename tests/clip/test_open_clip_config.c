/* test_open_clip_config.c - open_clip_config.json: defaults, values, what is refused and in which
 * words; and which files of a directory count. */
#include "test.h"

#include "clip/safetensors.h"
#include "clip/tower.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static mm_clip_config parse_both(const char *text, mmood_preprocess *preprocess) {
    mm_clip_config out;
    mmood_error error;
    if (mm_open_clip_config_parse(&out, preprocess, text, strlen(text), &error) != MMOOD_OK)
        fail_msg("%s: %s", text, error.message);
    return out;
}

/* A configuration with these members of its parts; `vision` and `text` are objects. */
static const char *whole(const char *model, const char *vision, const char *text,
                         const char *preprocess) {
    static char out[4096];
    snprintf(out, sizeof out,
             "{\"model_cfg\":{%s\"vision_cfg\":%s,\"text_cfg\":%s},\"preprocess_cfg\":%s}", model,
             vision, text, preprocess);
    return out;
}

static mm_clip_config parse(const char *model, const char *vision, const char *text) {
    mmood_preprocess preprocess;
    return parse_both(whole(model, vision, text, "{}"), &preprocess);
}

static const char dimension[] = "\"embed_dim\":512,";

/* ---- Values -------------------------------------------------------------------------------- */

/* Those of CLIPVisionCfg, CLIPTextCfg and PreprocessCfg of open_clip 3.3. */
static void test_defaults(void **unused) {
    (void)unused;
    mmood_preprocess p;
    mm_clip_config c =
        parse_both("{\"model_cfg\":{\"embed_dim\":512,\"vision_cfg\":{},\"text_cfg\":{}}}", &p);
    assert_ptr_equal(c.vision_family, &mm_vit);
    assert_int_equal(c.vision.width, 768);
    assert_int_equal(c.vision.layers, 12);
    assert_int_equal(c.vision.heads, 12);
    assert_int_equal(c.vision.mlp_width, 3072);
    assert_int_equal(c.vision.activation, MM_ACT_GELU);
    assert_int_equal(c.vision.layer_scale, 0);
    assert_int_equal(c.patch_size, 16);
    assert_int_equal(c.image_size, 224);
    assert_int_equal(c.pre_norm, 1);
    assert_int_equal(c.pooling, MM_VISION_POOL_CLASS);
    assert_string_equal(c.trunk, "");
    assert_int_equal(c.text.width, 512);
    assert_int_equal(c.text.layers, 12);
    assert_int_equal(c.text.heads, 8);
    assert_int_equal(c.text.mlp_width, 2048);
    assert_int_equal(c.vocabulary, 49408);
    assert_int_equal(c.context, 77);
    assert_int_equal(c.text_pooling, MM_TEXT_POOL_LARGEST);
    assert_int_equal(c.bidirectional, 0);
    assert_int_equal(c.text_projection_bias, 0);
    assert_true(c.vision.layer_norm_eps == 1e-5 && c.text.layer_norm_eps == 1e-5);
    assert_int_equal(p.shortest_edge, 224);
    assert_int_equal(p.filter, MMOOD_FILTER_BICUBIC);
    assert_int_equal(p.crop_rule, MMOOD_CROP_TORCHVISION);
    assert_int_equal(p.center_crop, 1);
    assert_int_equal(p.crop_width, 224);
    assert_int_equal(p.fill, 0);
    assert_true(p.mean[0] == 0.48145466f && p.std[2] == 0.27577711f);
}

static void test_values(void **unused) {
    (void)unused;
    mm_clip_config c =
        parse("\"embed_dim\":24,\"quick_gelu\":true,\"custom_text\":true,\"init_logit_bias\":-10,",
              "{\"image_size\":[30,30],\"patch_size\":7,\"width\":60,\"layers\":3,"
              "\"head_width\":20,\"mlp_ratio\":2.71,\"no_ln_pre\":true,\"ls_init_value\":0,"
              "\"pool_type\":\"avg\",\"final_ln_after_pool\":true,\"norm_kwargs\":{\"eps\":0.001},"
              "\"attentional_pool\":false,\"block_type\":null,\"qk_norm\":false}",
              "{\"context_length\":24,\"vocab_size\":532,\"width\":32,\"heads\":2,\"layers\":2,"
              "\"no_causal_mask\":true,\"pool_type\":\"eos\",\"eos_id\":531,\"proj_bias\":true,"
              "\"ls_init_value\":null,\"norm_kwargs\":null,\"hf_tokenizer_name\":\"\","
              "\"hf_proj_type\":\"mlp\",\"tokenizer_kwargs\":{}}");
    assert_int_equal(c.dimension, 24);
    assert_int_equal(c.image_size, 30);
    assert_int_equal(c.vision.heads, 3);
    assert_int_equal(c.vision.mlp_width, 162);
    assert_int_equal(c.vision.activation, MM_ACT_QUICK_GELU);
    assert_int_equal(c.vision.layer_scale, 1);
    assert_int_equal(c.pre_norm, 0);
    assert_int_equal(c.pooling, MM_VISION_POOL_MEAN);
    assert_int_equal(c.norm_after_pool, 1);
    assert_true(c.vision.layer_norm_eps == 1e-3);
    assert_int_equal(c.text.activation, MM_ACT_QUICK_GELU);
    assert_int_equal(c.text.layer_scale, 0);
    assert_int_equal(c.bidirectional, 1);
    assert_int_equal(c.text_pooling, MM_TEXT_POOL_EOS);
    assert_int_equal(c.eos_token_id, 531);
    assert_int_equal(c.text_projection_bias, 1);
    c = parse(dimension, "{\"act_kwargs\":{\"approximate\":\"tanh\"}}", "{\"pool_type\":\"last\"}");
    assert_int_equal(c.vision.activation, MM_ACT_GELU_NEW);
    assert_int_equal(c.text.activation, MM_ACT_GELU);
    assert_int_equal(c.text_pooling, MM_TEXT_POOL_LAST);
    assert_int_equal(parse(dimension, "{}", "{\"pool_type\":\"first\"}").text_pooling,
                     MM_TEXT_POOL_FIRST);
}

static void test_timm(void **unused) {
    (void)unused;
    mm_clip_config c = parse(dimension,
                             "{\"timm_model_name\":\"tf_efficientnet_lite4\",\"image_size\":300,"
                             "\"timm_proj\":\"mlp\",\"timm_proj_bias\":true,\"timm_drop\":0.1}",
                             "{}");
    assert_ptr_equal(c.vision_family, &mm_efficientnet);
    assert_string_equal(c.trunk, "tf_efficientnet_lite4");
    assert_int_equal(c.vision.activation, MM_ACT_RELU6);
    assert_int_equal(c.vision.width, 1280);
    assert_int_equal(c.head, MM_HEAD_MLP);
    assert_int_equal(c.head_bias, 1);
    c = parse(dimension, "{\"timm_model_name\":\"fastvit_mci2\",\"image_size\":256}", "{}");
    assert_ptr_equal(c.vision_family, &mm_fastvit);
    assert_int_equal(c.head, MM_HEAD_LINEAR);
    c = parse("\"embed_dim\":1280,",
              "{\"timm_model_name\":\"tf_efficientnet_lite0\",\"timm_proj\":\"none\","
              "\"timm_pool\":null}",
              "{}");
    assert_int_equal(c.head, MM_HEAD_NONE);
    c = parse(dimension,
              "{\"timm_model_name\":\"vit_base_mci_224\",\"timm_pool\":\"token\","
              "\"timm_proj\":null}",
              "{}");
    assert_ptr_equal(c.vision_family, &mm_vit);
    assert_int_equal(c.head, MM_HEAD_CLASSIFIER);
    assert_int_equal(c.pre_norm, 0);
    assert_true(c.vision.layer_norm_eps == 1e-6);
    c = parse(dimension,
              "{\"timm_model_name\":\"vit_base_mci_224\",\"timm_pool\":\"\","
              "\"timm_proj\":\"linear\"}",
              "{}");
    assert_int_equal(c.head, MM_HEAD_LINEAR);
}

static void test_preprocess(void **unused) {
    (void)unused;
    mmood_preprocess p;
    parse_both(whole(dimension, "{}", "{}",
                     "{\"size\":[224,224],\"mode\":\"RGB\",\"interpolation\":\"bilinear\","
                     "\"resize_mode\":\"longest\",\"fill_color\":127,\"mean\":0.5,"
                     "\"std\":[0.1,0.2,0.3]}"),
               &p);
    assert_int_equal(p.filter, MMOOD_FILTER_BILINEAR);
    assert_int_equal(p.longest_edge, 224);
    assert_int_equal(p.shortest_edge, 0);
    assert_int_equal(p.fill, 127);
    assert_true(p.mean[2] == 0.5f && p.std[1] == 0.2f);
    /* "random" is of training: open_clip takes bicubic for it when it does not train. */
    parse_both(
        whole(dimension, "{}", "{}", "{\"interpolation\":\"random\",\"resize_mode\":\"squash\"}"),
        &p);
    assert_int_equal(p.filter, MMOOD_FILTER_BICUBIC);
    assert_int_equal(p.resize_width, 224);
    assert_int_equal(p.resize_height, 224);
    assert_int_equal(p.longest_edge, 0);
    parse_both(whole(dimension, "{\"image_size\":96}", "{}", "null"), &p);
    assert_int_equal(p.shortest_edge, 96);
}

/* ---- Refused ------------------------------------------------------------------------------- */

static void expect_refused(const char *text, mmood_status wanted, const char *says) {
    mm_clip_config out;
    mmood_preprocess preprocess;
    mmood_error error;
    mmood_status status = mm_open_clip_config_parse(&out, &preprocess, text, strlen(text), &error);
    if (status != wanted)
        fail_msg("%s: status %s, expected %s", text, mmood_status_name(status),
                 mmood_status_name(wanted));
    if (!strstr(error.message, says))
        fail_msg("%s: \"%s\" lacks \"%s\"", text, error.message, says);
}

#define TIMM(name) "{\"timm_model_name\":\"" name "\""

static const struct {
    mmood_status status;
    const char *vision, *text, *says;
} towers_refused[] = {
    /* implemented nowhere here */
    {MMOOD_ERROR_UNSUPPORTED, "{\"layers\":[3,4,6,3]}", "{}", "modified ResNet"},
    {MMOOD_ERROR_UNSUPPORTED, "{\"attentional_pool\":true}", "{}", "vision_cfg.attentional_pool"},
    {MMOOD_ERROR_UNSUPPORTED, "{\"block_type\":\"custom\"}", "{}", "block_type \"custom\""},
    {MMOOD_ERROR_UNSUPPORTED, "{\"qk_norm\":true}", "{}", "vision_cfg.qk_norm"},
    {MMOOD_ERROR_UNSUPPORTED, "{\"scale_attn_inner\":true}", "{}", "vision_cfg.scale_attn_inner"},
    {MMOOD_ERROR_UNSUPPORTED, "{\"pool_type\":\"none\"}", "{}", "vision_cfg.pool_type \"none\""},
    {MMOOD_ERROR_UNSUPPORTED, "{\"rotary\":true}", "{}", "vision_cfg.rotary"},
    {MMOOD_ERROR_UNSUPPORTED, "{\"act_kwargs\":{\"beta\":1}}", "{}", "act_kwargs.beta"},
    {MMOOD_ERROR_UNSUPPORTED, "{\"act_kwargs\":{\"approximate\":\"erf\"}}", "{}", "\"erf\""},
    {MMOOD_ERROR_UNSUPPORTED, "{\"norm_kwargs\":{\"bias\":false}}", "{}", "norm_kwargs.bias"},
    {MMOOD_ERROR_UNSUPPORTED, "{\"image_size\":[224,256]}", "{}", "images are square"},
    {MMOOD_ERROR_UNSUPPORTED, "{\"image_size\":[0,0]}", "{}", "image_size"},
    {MMOOD_ERROR_UNSUPPORTED, "{}", "{\"hf_model_name\":\"roberta-base\"}",
     "hf_model_name \"roberta-base\""},
    {MMOOD_ERROR_UNSUPPORTED, "{}",
     "{\"hf_tokenizer_name\":\"timm/ViT-B-16-SigLIP\",\"no_causal_mask\":true}",
     "hf_tokenizer_name is given together with no_causal_mask"},
    {MMOOD_ERROR_FORMAT, "{}", "{\"hf_tokenizer_name\":3}", "hf_tokenizer_name must be a string"},
    {MMOOD_ERROR_UNSUPPORTED, "{}", "{\"tokenizer_kwargs\":{\"clean\":\"lower\"}}",
     "tokenizer_kwargs"},
    {MMOOD_ERROR_UNSUPPORTED, "{}", "{\"embed_cls\":true}", "embed_cls"},
    {MMOOD_ERROR_UNSUPPORTED, "{}", "{\"proj_type\":\"none\"}", "proj_type \"none\""},
    {MMOOD_ERROR_UNSUPPORTED, "{}", "{\"pool_type\":\"avg\"}", "text_cfg.pool_type \"avg\""},
    {MMOOD_ERROR_UNSUPPORTED, "{}", "{\"scale_heads\":1}", "text_cfg.scale_heads"},
    /* timm's */
    {MMOOD_ERROR_UNSUPPORTED, TIMM("convnext_base") "}", "{}", "\"convnext_base\""},
    {MMOOD_ERROR_UNSUPPORTED, TIMM("convnext_base") "}", "{}", "fastvit_mci0 to mci4"},
    {MMOOD_ERROR_UNSUPPORTED, TIMM("eva02_base_patch16_clip_224") "}", "{}", "\"eva02_base"},
    {MMOOD_ERROR_UNSUPPORTED, TIMM("tf_efficientnet_lite") "}", "{}", "\"tf_efficientnet_lite\""},
    {MMOOD_ERROR_UNSUPPORTED, TIMM("") "}", "{}", "timm_model_name is \"\""},
    {MMOOD_ERROR_UNSUPPORTED, TIMM("fastvit_mci0") ",\"timm_pool\":\"map\"}", "{}",
     "timm_pool is \"map\""},
    {MMOOD_ERROR_UNSUPPORTED, TIMM("fastvit_mci0") ",\"timm_pool\":7}", "{}", "(not a string)"},
    {MMOOD_ERROR_UNSUPPORTED, TIMM("fastvit_mci0") ",\"timm_pool\":\"\",\"timm_proj\":null}", "{}",
     "timm_pool is \"\""},
    {MMOOD_ERROR_UNSUPPORTED, TIMM("vit_base_mci_224") "}", "{}", "not given, so \"avg\""},
    {MMOOD_ERROR_UNSUPPORTED,
     TIMM("vit_base_mci_224") ",\"timm_pool\":\"token\",\"timm_proj\":\"mlp\"}", "{}",
     "timm_proj is \"mlp\""},
    {MMOOD_ERROR_UNSUPPORTED, TIMM("fastvit_mci0") ",\"timm_proj\":\"cubic\"}", "{}",
     "timm_proj \"cubic\""},
    {MMOOD_ERROR_UNSUPPORTED, TIMM("fastvit_mci0") ",\"timm_proj\":3}", "{}", "timm_proj"},
    {MMOOD_ERROR_FORMAT, TIMM("tf_efficientnet_lite0") ",\"timm_proj\":\"none\"}", "{}",
     "embed_dim must be 1280"},
    {MMOOD_ERROR_FORMAT, "{\"timm_model_name\":4}", "{}", "timm_model_name must be a string"},
    /* values */
    {MMOOD_ERROR_FORMAT, "[]", "{}", "vision_cfg and text_cfg"},
    {MMOOD_ERROR_FORMAT, "{}", "null", "vision_cfg and text_cfg"},
    {MMOOD_ERROR_FORMAT, "{\"width\":1099511627776}", "{}", "vision_cfg.width"},
    {MMOOD_ERROR_FORMAT, "{\"width\":\"768\"}", "{}", "vision_cfg.width"},
    {MMOOD_ERROR_FORMAT, "{\"layers\":0}", "{}", "vision_cfg.layers"},
    {MMOOD_ERROR_FORMAT, "{\"layers\":100000}", "{}", "vision_cfg.layers"},
    {MMOOD_ERROR_FORMAT, "{\"head_width\":1000}", "{}", "head_width 1000 is over"},
    {MMOOD_ERROR_FORMAT, "{\"width\":100,\"head_width\":30}", "{}", "multiple"},
    {MMOOD_ERROR_FORMAT, "{\"patch_size\":300}", "{}", "patch_size 300"},
    {MMOOD_ERROR_LIMIT, "{\"patch_size\":1}", "{}", "128 x 128"},
    {MMOOD_ERROR_FORMAT, "{\"image_size\":\"224\"}", "{}", "image_size"},
    {MMOOD_ERROR_FORMAT, "{\"mlp_ratio\":0}", "{}", "vision_cfg.mlp_ratio"},
    {MMOOD_ERROR_FORMAT, "{\"mlp_ratio\":\"4\"}", "{}", "vision_cfg.mlp_ratio"},
    {MMOOD_ERROR_FORMAT, "{\"mlp_ratio\":1e-9}", "{}", "mlp_ratio 1e-09 of the width 768"},
    {MMOOD_ERROR_FORMAT, "{\"mlp_ratio\":1e300}", "{}", "at most 64"},
    {MMOOD_ERROR_FORMAT, "{\"ls_init_value\":\"0.1\"}", "{}", "vision_cfg.ls_init_value"},
    {MMOOD_ERROR_FORMAT, "{\"ls_init_value\":false}", "{}", "vision_cfg.ls_init_value"},
    {MMOOD_ERROR_FORMAT, "{\"no_ln_pre\":1}", "{}", "no_ln_pre must be true or false"},
    {MMOOD_ERROR_FORMAT, "{\"norm_kwargs\":[1]}", "{}", "norm_kwargs must be an object"},
    {MMOOD_ERROR_FORMAT, "{\"act_kwargs\":\"tanh\"}", "{}", "act_kwargs must be an object"},
    {MMOOD_ERROR_FORMAT, "{\"norm_kwargs\":{\"eps\":0}}", "{}", "norm_kwargs.eps"},
    {MMOOD_ERROR_FORMAT, "{}", "{\"heads\":7}", "multiple"},
    {MMOOD_ERROR_FORMAT, "{}", "{\"vocab_size\":1}", "vocab_size"},
    {MMOOD_ERROR_FORMAT, "{}", "{\"context_length\":1}", "context_length"},
    {MMOOD_ERROR_FORMAT, "{}", "{\"context_length\":77.0}", "context_length"},
};

static void test_towers_refused(void **unused) {
    (void)unused;
    for (size_t i = 0; i < sizeof towers_refused / sizeof *towers_refused; i++)
        expect_refused(whole(dimension, towers_refused[i].vision, towers_refused[i].text, "{}"),
                       towers_refused[i].status, towers_refused[i].says);
}

static void test_models_refused(void **unused) {
    (void)unused;
    static const struct {
        mmood_status status;
        const char *model, *says;
    } cases[] = {
        {MMOOD_ERROR_UNSUPPORTED, "\"embed_dim\":512,\"multimodal_cfg\":{\"width\":512},", "CoCa"},
        {MMOOD_ERROR_UNSUPPORTED, "\"embed_dim\":512,\"audio_cfg\":{},", "model_cfg.audio_cfg"},
        {MMOOD_ERROR_FORMAT, "", "embed_dim"},
        {MMOOD_ERROR_FORMAT, "\"embed_dim\":0,", "embed_dim"},
        {MMOOD_ERROR_FORMAT, "\"embed_dim\":\"512\",", "embed_dim"},
        {MMOOD_ERROR_FORMAT, "\"embed_dim\":99999999,", "embed_dim"},
        {MMOOD_ERROR_FORMAT, "\"embed_dim\":512,\"quick_gelu\":\"yes\",", "quick_gelu"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect_refused(whole(cases[i].model, "{}", "{}", "{}"), cases[i].status, cases[i].says);
    expect_refused("{\"architecture\":\"vit_base_mci_224\"}", MMOOD_ERROR_FORMAT, "model_cfg");
    expect_refused("{\"model_cfg\":[]}", MMOOD_ERROR_FORMAT, "model_cfg");
    expect_refused("{\"model_cfg\":{\"embed_dim\":512}}", MMOOD_ERROR_FORMAT, "vision_cfg");
    expect_refused("[]", MMOOD_ERROR_FORMAT, "model_cfg");
    expect_refused("{\"model_cfg\":", MMOOD_ERROR_FORMAT, "line 1");
    expect_refused("", MMOOD_ERROR_FORMAT, "");
}

static void test_preprocess_refused(void **unused) {
    (void)unused;
    static const struct {
        mmood_status status;
        const char *preprocess, *says;
    } cases[] = {
        {MMOOD_ERROR_UNSUPPORTED, "{\"crop_pct\":0.9}", "crop_pct is 0.9"},
        {MMOOD_ERROR_UNSUPPORTED, "{\"mode\":\"L\"}", "mode is \"L\""},
        {MMOOD_ERROR_UNSUPPORTED, "{\"mode\":3}", "mode is 3"},
        {MMOOD_ERROR_UNSUPPORTED, "{\"interpolation\":\"lanczos\"}", "interpolation is"},
        {MMOOD_ERROR_UNSUPPORTED, "{\"resize_mode\":\"stretch\"}", "resize_mode is \"stretch\""},
        {MMOOD_ERROR_UNSUPPORTED, "{\"resize_mode\":1}", "resize_mode is 1"},
        {MMOOD_ERROR_FORMAT, "{\"fill_color\":300}", "fill_color is 300"},
        {MMOOD_ERROR_FORMAT, "{\"fill_color\":-1}", "fill_color is -1"},
        {MMOOD_ERROR_FORMAT, "{\"fill_color\":[0,0,0]}", "fill_color is [0,0,0]"},
        {MMOOD_ERROR_FORMAT, "{\"size\":[224,256]}", "size is [224,256]"},
        {MMOOD_ERROR_FORMAT, "{\"size\":0}", "size is 0"},
        {MMOOD_ERROR_FORMAT, "{\"mean\":[0.5,0.5]}", "mean is [0.5,0.5]"},
        {MMOOD_ERROR_FORMAT, "{\"std\":0}", "std is 0"},
        {MMOOD_ERROR_FORMAT, "[1]", "preprocess_cfg"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect_refused(whole(dimension, "{}", "{}", cases[i].preprocess), cases[i].status,
                       cases[i].says);
}

/* ---- Directories --------------------------------------------------------------------------- */

static char directory[] = "/tmp/mmood-open-clip-config-XXXXXX";

static void put(const char *name, const char *text) {
    char path[128];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void drop(const char *name) {
    char path[128];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    unlink(path);
}

/* Which configuration counts; "" and the message if none does. */
static const char *load(mm_clip_config *out, mmood_error *error) {
    mmood_preprocess preprocess;
    const char *name;
    mmood_status status = mm_clip_config_load(out, &preprocess, &name, directory, error);
    return status == MMOOD_OK ? name : "";
}

static void test_directory(void **unused) {
    (void)unused;
    mm_clip_config c;
    mmood_error error;
    assert_string_equal(load(&c, &error), "");
    assert_non_null(strstr(error.message, "config.json"));
    put("open_clip_config.json", whole(dimension, "{\"patch_size\":14}", "{}", "{}"));
    assert_string_equal(load(&c, &error), "open_clip_config.json");
    assert_int_equal(c.patch_size, 14);
    /* timm puts a config.json of its own beside it. */
    put("config.json", "{\"architecture\":\"vit_base_mci_224\",\"num_classes\":0,"
                       "\"pretrained_cfg\":{}}");
    assert_string_equal(load(&c, &error), "open_clip_config.json");
    assert_int_equal(c.patch_size, 14);
    assert_int_equal(c.text.naming, MM_NAMING_OPEN_CLIP);
    /* transformers' comes first, with its own names of weights and defaults. */
    put("config.json", "{\"model_type\":\"clip\"}");
    assert_string_equal(load(&c, &error), "config.json");
    assert_int_equal(c.patch_size, 32);
    assert_int_equal(c.text.naming, MM_NAMING_TRANSFORMERS);
    /* Neither: the message is of open_clip's, which is the likelier one. */
    put("config.json", "{\"model_type\":\"siglip\"}");
    put("open_clip_config.json", whole(dimension, TIMM("convnext_base") "}", "{}", "{}"));
    assert_string_equal(load(&c, &error), "");
    assert_non_null(strstr(error.message, "open_clip_config.json: "));
    assert_non_null(strstr(error.message, "convnext_base"));
    /* open_clip's configuration under the wrong name */
    drop("open_clip_config.json");
    put("config.json", whole(dimension, "{}", "{}", "{}"));
    assert_string_equal(load(&c, &error), "");
    assert_non_null(strstr(error.message, "belongs into open_clip_config.json"));
    drop("config.json");
}

/* Each file is broken, so that the message tells which was opened. */
static void test_order_of_weights(void **unused) {
    (void)unused;
    static const char *const names[] = {
        "model.safetensors",           "model.safetensors.index.json",
        "pytorch_model.bin",           "pytorch_model.bin.index.json",
        "open_clip_model.safetensors", "open_clip_model.safetensors.index.json",
        "open_clip_pytorch_model.bin"};
    static const size_t orders[2][7] = {{0, 1, 2, 3, 4, 5, 6}, {4, 5, 6, 0, 1, 2, 3}};
    for (int first = 0; first < 2; first++) {
        for (size_t i = 0; i < 7; i++)
            put(names[i], "broken");
        for (size_t i = 0; i < 7; i++) {
            mm_safetensors *set;
            mmood_error error;
            const char *name = names[orders[first][i]];
            char begins[64];
            snprintf(begins, sizeof begins, "%s: ", name);
            assert_int_not_equal(mm_safetensors_open_directory(&set, directory, first, &error),
                                 MMOOD_OK);
            if (strncmp(error.message, begins, strlen(begins)) != 0)
                fail_msg("\"%s\" does not begin with %s", error.message, begins);
            drop(name);
        }
    }
}

static int make_directory(void **unused) {
    (void)unused;
    return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **unused) {
    (void)unused;
    rmdir(directory);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_timm),
        cmocka_unit_test(test_preprocess),
        cmocka_unit_test(test_towers_refused),
        cmocka_unit_test(test_models_refused),
        cmocka_unit_test(test_preprocess_refused),
        cmocka_unit_test(test_directory),
        cmocka_unit_test(test_order_of_weights),
    };
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
