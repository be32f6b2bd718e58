/* test_config.c - config.json: defaults, nested values, and what is refused. */
#include "test.h"

#include "clip/config.h"

#include <string.h>

static mm_clip_config parse(const char *text) {
    mm_clip_config out;
    mmood_error error;
    mmood_status status = mm_clip_config_parse(&out, text, strlen(text), &error);
    if (status != MMOOD_OK)
        fail_msg("%s: %s", text, error.message);
    return out;
}

static void test_defaults(void **unused) {
    (void)unused;
    mm_clip_config c = parse("{\"model_type\":\"clip\"}");
    assert_int_equal(c.vision.width, 768);
    assert_int_equal(c.vision.layers, 12);
    assert_int_equal(c.vision.heads, 12);
    assert_int_equal(c.vision.mlp_width, 3072);
    assert_int_equal(c.text.width, 512);
    assert_int_equal(c.text.heads, 8);
    assert_int_equal(c.image_size, 224);
    assert_int_equal(c.patch_size, 32);
    assert_int_equal(c.dimension, 512);
    assert_int_equal(c.vocabulary, 49408);
    assert_int_equal(c.context, 77);
    assert_int_equal(c.eos_token_id, 49407);
    assert_int_equal(c.text.activation, MM_ACT_QUICK_GELU);
    assert_true(c.text.layer_norm_eps == 1e-5);
}

/* Each tower's activation is its own; transformers reads neither from the top level. */
static void test_nested(void **unused) {
    (void)unused;
    mm_clip_config c =
        parse("{\"model_type\":\"clip\",\"hidden_act\":\"gelu_new\",\"projection_dim\":64,"
              "\"text_config\":{\"hidden_act\":\"gelu\",\"projection_dim\":9,\"eos_token_id\":2},"
              "\"vision_config\":{\"hidden_act\":\"gelu_pytorch_tanh\",\"patch_size\":14,"
              "\"layer_norm_eps\":1e-6}}");
    assert_int_equal(c.text.activation, MM_ACT_GELU);
    assert_int_equal(c.vision.activation, MM_ACT_GELU_NEW);
    assert_int_equal(c.dimension, 64);
    assert_int_equal(c.eos_token_id, 2);
    assert_int_equal(c.patch_size, 14);
    assert_true(c.vision.layer_norm_eps == 1e-6);
    assert_string_equal(mm_activation_name(c.text.activation), "gelu");
}

/* Old files have "text_config_dict" beside "text_config". transformers 5.24 gives these numbers:
 * the old object with its defaults, nothing of the new one. */
static void test_old_objects(void **unused) {
    (void)unused;
    mm_clip_config c = parse(
        "{\"model_type\":\"clip\",\"projection_dim\":64,\"text_config\":{\"hidden_size\":64,"
        "\"num_attention_heads\":4,\"eos_token_id\":2,\"vocab_size\":600},\"text_config_dict\":"
        "{\"hidden_size\":128,\"projection_dim\":5},\"vision_config\":{\"hidden_size\":36,"
        "\"hidden_act\":\"gelu\"},\"vision_config_dict\":null}");
    assert_int_equal(c.text.width, 128);
    assert_int_equal(c.text.heads, 8);
    assert_int_equal(c.eos_token_id, 49407);
    assert_int_equal(c.vocabulary, 49408);
    assert_int_equal(c.dimension, 64);
    assert_int_equal(c.vision.width, 36);
    assert_int_equal(c.vision.activation, MM_ACT_GELU);
    c = parse("{\"text_config\":{\"hidden_size\":64},\"text_config_dict\":{}}");
    assert_int_equal(c.text.width, 512);
}

static void test_refused(void **unused) {
    (void)unused;
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"{\"model_type\":\"siglip\",\"text_config\":{},\"vision_config\":{}}", "\"siglip\""},
        {"{\"model_type\":\"blip\",\"text_config\":{},\"vision_config\":{}}", "\"blip\""},
        {"{\"model_type\":\"chinese_clip\",\"text_config\":{}}", "\"chinese_clip\""},
        {"{\"model_type\":\"bert\",\"hidden_size\":768}", "\"bert\""},
        {"{\"text_config\":{},\"text_config_dict\":[]}", "text_config_dict"},
        {"{\"model_type\":\"clip_text_model\"}", "text half"},
        {"{\"model_type\":\"clip_vision_model\"}", "vision half"},
        {"{\"model_cfg\":{\"embed_dim\":512}}", "open_clip"},
        {"{\"architectures\":[\"X\"]}", "model_type"},
        {"{\"text_config\":{\"hidden_act\":\"relu\"}}", "relu"},
        {"{\"text_config\":{\"hidden_size\":0}}", "text_config.hidden_size"},
        {"{\"text_config\":{\"hidden_size\":\"512\"}}", "text_config.hidden_size"},
        {"{\"vision_config\":{\"num_attention_heads\":7}}", "multiple"},
        {"{\"vision_config\":{\"num_hidden_layers\":1000000}}", "num_hidden_layers"},
        {"{\"vision_config\":{\"patch_size\":300}}", "patch_size"},
        {"{\"vision_config\":{\"image_size\":4000,\"patch_size\":1}}", "patches"},
        {"{\"vision_config\":{\"num_channels\":4}}", "num_channels"},
        {"{\"vision_config\":{\"layer_norm_eps\":0}}", "layer_norm_eps"},
        {"{\"vision_config\":[]}", "vision_config"},
        {"{\"model_type\":\"clip\",\"projection_dim\":-3}", "projection_dim"},
        {"[]", "object"},
        {"{\"model_type\":\"clip\"", "line 1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        mm_clip_config out;
        mmood_error error;
        if (mm_clip_config_parse(&out, cases[i].text, strlen(cases[i].text), &error) == MMOOD_OK)
            fail_msg("%s was accepted", cases[i].text);
        if (!strstr(error.message, cases[i].says))
            fail_msg("%s: \"%s\" lacks \"%s\"", cases[i].text, error.message, cases[i].says);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_nested),
        cmocka_unit_test(test_old_objects),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
