/* test_reply.c - replies of chat models in every style, and exactly the labels that they name. */
#include "test.h"

#include "base/buffer.h"
#include "envision/reply.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct example {
    const char *reply;
    const char *labels; /* with "|" between them */
} example;

/* The labels with "|" between them; the caller frees. */
static char *join(const mm_reply *reply) {
    size_t size = 1;
    for (size_t i = 0; i < reply->count; i++)
        size += strlen(reply->labels[i]) + 1;
    char *text = calloc(1, size);
    for (size_t i = 0; i < reply->count; i++) {
        strcat(text, i ? "|" : "");
        strcat(text, reply->labels[i]);
    }
    return text;
}

static void check(const example *cases, size_t count, int truncated) {
    size_t wrong = 0;
    for (size_t i = 0; i < count; i++) {
        mm_reply reply;
        mmood_error error;
        if (mm_reply_parse(&reply, cases[i].reply, strlen(cases[i].reply), truncated, &error)) {
            print_error("%s\n  %s\n", cases[i].reply, error.message);
            wrong++;
            continue;
        }
        char *labels = join(&reply);
        if (strcmp(labels, cases[i].labels) != 0) {
            print_error("%s\n  gives    %s\n  expected %s\n", cases[i].reply, labels,
                        cases[i].labels);
            wrong++;
        }
        free(labels);
        mm_reply_free(&reply);
    }
    assert_int_equal(wrong, 0);
}

#define CHECK(cases, truncated) check(cases, sizeof(cases) / sizeof *(cases), truncated)

static void test_markers(void **unused) {
    (void)unused;
    static const example cases[] = {
        {"- gray wolf\n- owl\n- red fox", "gray wolf|owl|red fox"},
        {"Sure! Here are 5 classes:\n\n1. Gray wolf\n2) **Owl**\n(3) Red fox - looks like a "
         "dog\n4: "
         "`Hyena`\n５．Raccoon\n\nLet me know if you need more!",
         "Gray wolf|Owl|Red fox|Hyena|Raccoon"},
        {"• Gray wolf\n* owl\n– red fox\n— hyena\n+ raccoon\n\u2023 otter",
         "Gray wolf|owl|red fox|hyena|raccoon|otter"},
        {"-owl\n-red fox\r\n-hyena\r\n", "owl|red fox|hyena"},
        {"[1] owl\n[2] fox", "owl|fox"},
        {"1.owl\n2.fox", "owl|fox"},
        {"1 - owl\n2 - fox", "owl|fox"},
        {"1.) owl\n2.) fox", "owl|fox"},
        {"#1 owl\n#2 fox", "owl|fox"},
        {"a) owl\nb) fox", "owl|fox"},
        {"a. owl\nb. fox\nc. bear", "owl|fox|bear"},
        {"i. owl\nii. fox\niii. bear\niv. hyena", "owl|fox|bear|hyena"},
        {"(a) owl\n(b) fox", "owl|fox"},
        {"① owl\n② fox", "owl|fox"},
        {"1️⃣ owl\n2️⃣ fox", "owl|fox"},
        {"- [ ] owl\n- [x] fox", "owl|fox"},
        {"✅ owl\n✅ fox", "owl|fox"},
        {"> - owl\n> - fox", "owl|fox"},
        {"- 1. owl\n- 2. fox", "owl|fox"},
        {"Label 1: owl\nLabel 2: fox", "owl|fox"},
        {"**Class 1:** owl\n**Class 2:** fox", "owl|fox"},
        {"**1. Owl**\n**2. Fox**", "Owl|Fox"},
        {"**1.** Owl\n**2.** Fox", "Owl|Fox"},
        {"### 1. Owl\n### 2. Fox", "Owl|Fox"},
        {"1. owl 2. red fox 3. hyena", "owl|red fox|hyena"},
        {"Here you go: 1) owl, 2) red fox, 3) hyena.", "owl|red fox|hyena"},
        {"• owl • fox • hyena", "owl|fox|hyena"},
        {"1.owl 2.fox 3.bear", "owl|fox|bear"},
        {"1. gray wolf\n10. owl\n100. fox", "gray wolf|owl|fox"},
        {"  1. gray wolf\n 10. owl\n100. fox", "gray wolf|owl|fox"},
        {"gray wolf\n2. owl\n3. fox", "gray wolf|owl|fox"},
        {"1. 3D printer\n2. 35 mm camera\n3. 7-Eleven store",
         "3D printer|35 mm camera|7-Eleven store"},
        {"- a. owl", "owl"},
        {"Here is one.\n\n- owl, fox and bear", "owl|fox|bear"},
        {"- owl, fox, bear\n- pizza, hot dog, sushi", "owl|fox|bear|pizza|hot dog|sushi"},
    };
    CHECK(cases, 0);
}

static void test_explanations(void **unused) {
    (void)unused;
    static const example cases[] = {
        {"- owl - looks like a cat\n- fox – red fur\n- hyena — spotted\n- bear: large\n- wolf "
         "(canine)",
         "owl|fox|hyena|bear|wolf"},
        {"- owl—a bird\n- fox -> red\n- hyena → spotted\n- bear = big\n- wolf; grey",
         "owl|fox|hyena|bear|wolf"},
        {"- owl, a bird of the night\n- fox, which is red\n- bear, similar in size to a big dog",
         "owl|fox|bear"},
        {"1. **Owl**: It has big eyes.\n2. **Fox** is a canine with red fur.\n3. *Bear* "
         "(Ursidae)\n4. "
         "__Wolf__ - grey",
         "Owl|Fox|Bear|Wolf"},
        {"1. Owl. It looks like a cat.\n2. St. Bernard\n3. Fox! Red.", "Owl|St. Bernard|Fox"},
        {"1. \"Owl\"\n2. 'Fox'\n3. “Bear” - big\n4. ‘Wolf’\n5. «Hyena»\n6. 「Otter」\n7. „Dachs“",
         "Owl|Fox|Bear|Wolf|Hyena|Otter|Dachs"},
        {"- bird's nest\n- '60s car\n- lion’s mane jellyfish\n- rock 'n' roll band",
         "bird's nest|60s car|lion’s mane jellyfish|rock 'n' roll band"},
        {"1. **Owl**\n   - big eyes\n   - feathers\n2. **Fox**\n   - red fur\n   - bushy tail",
         "Owl|Fox"},
        {"1. Owl\n- big eyes\n2. Fox\n- red fur", "Owl|Fox"},
        {"1. **Birds:**\n   - owl\n   - eagle\n2. **Mammals**:\n   - fox\n   - bear",
         "owl|eagle|fox|bear"},
        {"## Birds\n- owl\n- eagle\n\n## Mammals\n- fox", "owl|eagle|fox"},
        {"**Birds**\n* owl\n* eagle", "owl|eagle"},
        {"1. Owl\n   It has big eyes.\n\n2. Fox\n   It is red.", "Owl|Fox"},
        {"**Owl**: a bird\n**Fox**: a canine", "Owl|Fox"},
        {"owl: a bird\nfox: a canine", "owl|fox"},
        {"Label: owl\nReason: it has big eyes\n\nLabel: fox\nReason: it is red", "owl|fox"},
        {"- label: owl\n  reason: big eyes\n- label: fox\n  reason: red", "owl|fox"},
        {"1. [Owl](https://example.org/owl)\n2. [Fox](https://example.org/fox)", "Owl|Fox"},
        {"- T-shirt\n- jack-in-the-box\n- black-and-white colobus\n- x-ray image",
         "T-shirt|jack-in-the-box|black-and-white colobus|x-ray image"},
        {"- gray\\_wolf\n- golden_retriever\n- C\\# keyboard",
         "gray_wolf|golden_retriever|C# keyboard"},
        {"- 🐶 dog face\n- Tom &amp; Jerry mouse\n- caf\u00e9 cr\u00e8me\n- cafe\u0301\n- "
         "&#34;owl&#34;",
         "🐶 dog face|Tom & Jerry mouse|caf\u00e9 cr\u00e8me|caf\u00e9|owl"},
        {"- owl\n\n**Note:** these are similar to cats.", "owl"},
        {"- None\n- N/A", "None|N/A"}, /* the filter knows these */
    };
    CHECK(cases, 0);
}

static void test_plain_lists(void **unused) {
    (void)unused;
    static const example cases[] = {
        {"Gray wolf, owl, red fox, hyena and raccoon.", "Gray wolf|owl|red fox|hyena|raccoon"},
        {"owl, fox, and fish and chips", "owl|fox|fish and chips"},
        {"Sure, here are some labels: owl, red fox, and hyena. Let me know if you need more!",
         "owl|red fox|hyena"},
        {"Labels: owl, fox, bear", "owl|fox|bear"},
        {"labels: [owl, fox, bear]", "owl|fox|bear"},
        {"[owl, fox, bear]", "owl|fox|bear"},
        {"birds: [owl, eagle]\nmammals: [fox]", "owl|eagle|fox"},
        {"owl; red fox; hyena", "owl|red fox|hyena"},
        {"owl / red fox / hyena", "owl|red fox|hyena"},
        {"owl | red fox | hyena", "owl|red fox|hyena"},
        {"owl · red fox · hyena", "owl|red fox|hyena"},
        {"\"owl\", \"red fox\", \"hyena\"", "owl|red fox|hyena"},
        {"bird (such as an owl, or an eagle), fish", "bird|fish"},
        {"owl and fox", "owl|fox"},
        {"owl", "owl"},
        {"Owl.", "Owl"},
        {"gray wolf\nowl\nred fox", "gray wolf|owl|red fox"},
        {"Sure! Here are 3 classes:\ngray wolf\nowl\nred fox\nI hope this helps!",
         "gray wolf|owl|red fox"},
        {"Certainly.\n\ngray wolf\n\nowl\n\nred fox", "gray wolf|owl|red fox"},
        {"fish and chips\nmacaroni and cheese", "fish and chips|macaroni and cheese"},
        {"owl, fox,\nbear, wolf,\nhyena", "owl|fox|bear|wolf|hyena"},
        {"# owl\n# fox", "owl|fox"},
        {"animals:\n  - owl\n  - fox\nfood:\n  - pizza", "owl|fox|pizza"},
        {"灰狼、猫头鹰、红狐和鬣狗。", "灰狼|猫头鹰|红狐|鬣狗"},
        {"当然可以！以下是类别：\n1、灰狼\n2、猫头鹰：一种鸟\n3、红狐（犬科）", "灰狼|猫头鹰|红狐"},
        {"灰狼，猫头鹰，红狐", "灰狼|猫头鹰|红狐"},
        {"・フクロウ\n・キツネ", "フクロウ|キツネ"},
        {"Claro, aquí tienes: lobo gris, búho y zorro rojo.", "lobo gris|búho|zorro rojo"},
        {"Voici la liste : loup, hibou et renard.", "loup|hibou|renard"},
        {"Wolf, Eule und Fuchs", "Wolf|Eule|Fuchs"},
        {"серый волк, сова и лиса", "серый волк|сова|лиса"},
        {"1. ذئب\n2. بومة", "ذئب|بومة"},
    };
    CHECK(cases, 0);
}

static void test_tables(void **unused) {
    (void)unused;
    static const example cases[] = {
        {"| # | Label | Reason |\n|---|---|---|\n| 1 | **owl** | big eyes |\n| 2 | fox | red, "
         "bushy |",
         "owl|fox"},
        {"Here is a table:\n\n| Animal | Why |\n|:--|:-:|\n| owl | it has big eyes |\n| fox | it "
         "is red |\n\nLet "
         "me know!",
         "owl|fox"},
        {"No. | Thing | Domain\n--- | --- | ---\n1 | owl | birds\n2 | fox | mammals", "owl|fox"},
        {"|owl|\n|fox|", "owl|fox"},
        {"```csv\nlabel,reason\nowl,\"big eyes, feathers\"\nfox,red\n```", "owl|fox"},
        {"<ul>\n<li>owl</li>\n<li>red fox</li>\n</ul>", "owl|red fox"},
        {"owl<br>red fox<br/>hyena", "owl|red fox|hyena"},
        {"<answer>\n<b>owl</b>\nfox\n</answer>", "owl|fox"},
    };
    CHECK(cases, 0);
}

static void test_json(void **unused) {
    (void)unused;
    static const example cases[] = {
        {"```json\n[\"gray wolf\", \"owl\", \"red fox\"]\n```", "gray wolf|owl|red fox"},
        {"First:\n```bash\nls\n```\nthen\n```json\n{\"classes\": [\"gray wolf\", \"owl\"]}\n```",
         "gray wolf|owl"},
        {"[\"gray wolf\", \"owl\", \"red fox\",]", "gray wolf|owl|red fox"},
        {"Here you go: [\"owl\", \"fox\"]. Enjoy!", "owl|fox"},
        {"['owl', 'bird\\'s nest', 'lion's mane']", "owl|bird's nest|lion's mane"},
        {"[“owl”, “fox”]", "owl|fox"},
        {"[{\"label\": \"owl\", \"reason\": \"big eyes\"}, {\"reason\": \"red\", \"label\": "
         "\"fox\"}]",
         "owl|fox"},
        {"[{\"name\": \"owl\", \"category\": \"bird\"}]", "owl"},
        {"{\"id_class\": \"cat\", \"outliers\": [\"lynx\", \"owl\"], \"reasons\": [\"spotted\"]}",
         "lynx|owl"},
        {"{\"birds\": [\"owl\"], \"mammals\": {\"wild\": [\"fox\", \"bear\"]}}", "owl|fox|bear"},
        {"[{\"category\": \"Birds\", \"examples\": [\"owl\", \"eagle\"]}]", "owl|eagle"},
        {"[{\"label\": \"owl\", \"looks like\": [\"a cat\"]}]", "owl"},
        {"{\"1\": \"owl\", \"2\": \"fox\"}", "owl|fox"},
        {"{\"class1\": \"owl\", \"class2\": \"fox\"}", "owl|fox"},
        {"{\"labels\": \"owl, fox, bear\"}", "owl|fox|bear"},
        {"{\"answer\": \"- owl\\n- fox\"}", "owl|fox"},
        {"{\"label\": \"owl\"}\n{\"label\": \"fox\"}", "owl|fox"},
        {"[\"1. owl\", \"2. fox (red)\", \"bear: big\"]", "owl|fox|bear"},
        {"[\"caf\\u00e9\", \"\\ud83d\\udc36 dog\", \"a\\tb\"]", "café|🐶 dog|a b"},
        {"[\n  \"owl\", // a bird\n  \"fox\" # red\n]", "owl|fox"},
        {"[\"owl\" \"fox\"\n\"bear\"]", "owl|fox|bear"},
        {"{labels: [\"owl\", \"fox\"]}", "owl|fox"},
        {"```python\nlabels = [\"owl\", \"fox\"]\nprint(labels)\n```", "owl|fox"},
        {"```json [\"owl\", \"fox\"] ```", "owl|fox"},
        {"[[\"owl\", \"fox\"], [\"bear\"]]", "owl|fox|bear"},
        {"[\"owl\", 1, null, true]", "owl"},
        {"1. {\"label\": \"owl\"}\n2. {\"label\": \"fox\"}", "owl|fox"},
        {"[\"tabby, tabby cat\", \"10\\\" pan set\"]", "tabby, tabby cat"},
    };
    CHECK(cases, 0);
}

static void test_templates(void **unused) {
    (void)unused;
    static const example cases[] = {
        {"<think>\nThe user wants 1. cats\n2. dogs\n</think>\n\n- owl\n- fox", "owl|fox"},
        {"I should list\n- cat\n</think>\n- owl", "owl"},
        {"[THINK]- cat[/THINK]- owl", "owl"},
        {"◁think▷- cat◁/think▷- owl", "owl"},
        {"<|channel|>analysis<|message|>- cat<|end|><|start|>assistant<|channel|>final<|message|>- "
         "owl\n- "
         "fox<|return|>",
         "owl|fox"},
        {"- owl\n- fox<|im_end|>", "owl|fox"},
        {"- owl\n- fox</s>[INST] more please [/INST]\n- bear", "owl|fox"},
        {"[/INST] - owl\n- fox", "owl|fox"},
        {"<|im_start|>assistant\n- owl\n- fox<|im_end|>\n<|im_start|>user\n- cat", "owl|fox"},
        {"<|start_header_id|>assistant<|end_header_id|>\n\n- owl<|eot_id|>", "owl"},
        {"<|end|>\n- owl", "owl"},
        {"ASSISTANT: - owl\n- fox\nUSER: what else?\nASSISTANT: - cat", "owl|fox"},
        {"<s> owl, fox, bear </s>", "owl|fox|bear"},
        {"owl, fox, bear<｜end▁of▁sentence｜>", "owl|fox|bear"},
        {"```\n- owl\n- fox\n```", "owl|fox"},
        {"Here:\n```markdown\n1. owl\n2. fox\n```\nDone!", "owl|fox"},
        {"~~~\nowl\nfox\n~~~", "owl|fox"},
        {"I'm sorry for the confusion! Here is the list:\n- owl\n- fox", "owl|fox"},
        {"As an AI, I picked these:\n1. owl\n2. fox", "owl|fox"},
    };
    CHECK(cases, 0);
}

static void test_truncated(void **unused) {
    (void)unused;
    static const example cut[] = {
        {"- gray wolf\n- owl\n- red fo", "gray wolf|owl"},
        {"- gray wolf\n- owl\n", "gray wolf|owl"},
        {"1. gray wolf\n2. owl - a bird that is o", "gray wolf|owl"},
        {"gray wolf, owl, red fo", "gray wolf|owl"},
        {"gray wolf, owl,", "gray wolf|owl"},
        {"gray wolf\nowl\nred fo", "gray wolf|owl"},
        {"- gray wolf\n-", "gray wolf"},
        {"[\"gray wolf\", \"owl\", \"red fo", "gray wolf|owl"},
        {"[\"gray wolf\", \"owl\"]\n\nThese are sim", "gray wolf|owl"},
        {"| label |\n|---|\n| owl |\n| fo", "owl"},
    };
    CHECK(cut, 1);
    static const example whole[] = {
        {"[\"gray wolf\", \"owl\", \"red fo", "gray wolf|owl"},
        {"[\"gray wolf\", \"owl\"", "gray wolf|owl"},
        {"```json\n{\"labels\": [{\"label\": \"owl\", \"why\": \"big e", "owl"},
        {"{\"labels\": [{\"label\": \"owl\"}, {\"label\": \"fo", "owl"},
    };
    CHECK(whole, 0);

    mm_reply reply;
    mmood_error error;
    static const char text[] = "[\"gray wolf\", \"owl\", \"red fo";
    assert_ok(mm_reply_parse(&reply, text, strlen(text), 0, &error), error);
    assert_int_equal(reply.dropped_count, 1);
    assert_string_equal(reply.dropped[0].text, "red fo");
    assert_string_equal(reply.dropped[0].reason, "cut off in the middle");
    assert_int_equal(reply.note_count, 1);
    assert_non_null(strstr(reply.notes[0], "ends in the middle"));
    mm_reply_free(&reply);
    assert_ok(mm_reply_parse(&reply, "- owl\n- fo", 10, 1, &error), error);
    assert_int_equal(reply.note_count, 1);
    assert_non_null(strstr(reply.notes[0], "token limit"));
    mm_reply_free(&reply);
}

static void expect_error(const char *text, size_t size, int truncated, mmood_status status,
                         const char *says) {
    mm_reply reply;
    mmood_error error;
    mmood_status found = mm_reply_parse(&reply, text, size, truncated, &error);
    if (found == MMOOD_OK)
        fail_msg("\"%s\" is taken for %zu labels, the first is \"%s\"", text, reply.count,
                 reply.labels[0]);
    assert_int_equal(found, status);
    if (!strstr(error.message, says))
        fail_msg("\"%s\" does not say \"%s\"", error.message, says);
    assert_null(reply.labels);
}

static void test_refused(void **unused) {
    (void)unused;
    static const struct {
        const char *reply;
        int truncated;
        const char *says;
    } cases[] = {
        {"I'm sorry, but I can't assist with that request.", 0, "refuses: \"I'm sorry, but"},
        {"I’m sorry, but I can’t assist with that.", 0, "refuses"},
        {"As an AI language model, I do not have eyes.", 0, "refuses"},
        {"I cannot see the picture. Here are some guesses:\n- owl", 0, "refuses"},
        {"Unfortunately, the image is blank, unclear and dark.", 0, "refuses"},
        {"抱歉，我无法帮助您。", 0, "refuses"},
        {"Lo siento, pero no puedo ayudar con eso.", 0, "refuses"},
        {"- I'm sorry, but I can't", 0, "no label"},
        {"[\"I'm sorry, but I can't\"]", 0, "no label"},
        {"{\"error\": \"no\"}", 0, "no label"},
        {"", 0, "empty"},
        {" \n\t", 0, "empty"},
        {"", 1, "raise"},
        {"<think>I must list animals", 1, "reasoning"},
        {"<think>I must list animals</think>", 0, "no label"},
        {"```bash\nls -l\n```", 0, "no label"},
        {"[]", 0, "no label"},
        {"{}", 0, "no label"},
        {"12345", 0, "no label"},
        {"No outlier labels.", 0, "no label"},
        {"The picture shows a small cat sitting on a red mat.", 0, "no label"},
        {"Sure! What would you like to know?", 0, "\"Sure! What would"},
        {"- ow", 1, "cut at the token limit"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect_error(cases[i].reply, strlen(cases[i].reply), cases[i].truncated, MMOOD_ERROR_FORMAT,
                     cases[i].says);
    char *big = calloc(1, MM_REPLY_MAX_SIZE + 1);
    memset(big, 'a', MM_REPLY_MAX_SIZE + 1);
    expect_error(big, MM_REPLY_MAX_SIZE + 1, 0, MMOOD_ERROR_LIMIT, "at most");
    free(big);
}

/* What is dropped is there with its reason. */
static void test_dropped(void **unused) {
    (void)unused;
    static const struct {
        const char *item, *reason;
    } cases[] = {
        {"one two three four five six seven", "more than 6 words"},
        {"abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghijk",
         "more than 60 characters"},
        {"12345", "no letters"},
        {"https://example.org", "an address"},
        {"caf\xe9", "it holds bytes that are not UTF-8"},
        {"they are big", "a sentence"},
        {"I'm sorry", "a refusal"},
        {"a{b}", "marks that no label has"},
        {"reason: big eyes", "an explanation"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[200];
        mm_reply reply;
        mmood_error error;
        snprintf(text, sizeof text, "- owl\n- %s\n- fox", cases[i].item);
        assert_ok(mm_reply_parse(&reply, text, strlen(text), 0, &error), error);
        assert_int_equal(reply.count, 2);
        assert_int_equal(reply.dropped_count, 1);
        assert_string_equal(reply.dropped[0].reason, cases[i].reason);
        mm_reply_free(&reply);
    }
    mm_buffer text = {0};
    mm_buffer_puts(&text, "- ");
    for (int i = 0; i < 60; i++)
        mm_buffer_puts(&text, "a very long description ");
    mm_buffer_puts(&text, "\n- owl");
    mm_reply reply;
    mmood_error error;
    assert_ok(mm_reply_parse(&reply, text.data, text.size, 0, &error), error);
    assert_int_equal(reply.count, 1);
    assert_string_equal(reply.labels[0], "owl");
    assert_int_equal(strlen(reply.dropped[0].text), 160);
    mm_reply_free(&reply);
    mm_buffer_free(&text);
}

/* Limits: items, levels, bytes that are not UTF-8; and time that does not explode with size. */
static void test_limits(void **unused) {
    (void)unused;
    mm_reply reply;
    mmood_error error;
    mm_buffer text = {0};
    for (int i = 0; i < MM_REPLY_MAX_ITEMS + 10; i++)
        mm_buffer_puts(&text, "- owl\n");
    assert_ok(mm_reply_parse(&reply, text.data, text.size, 0, &error), error);
    assert_int_equal(reply.count, MM_REPLY_MAX_ITEMS);
    assert_non_null(strstr(reply.notes[0], "more than 10000 items"));
    mm_reply_free(&reply);
    text.size = 0;
    mm_buffer_puts(&text, "[\"owl\", ");
    for (int i = 0; i < 100; i++)
        mm_buffer_puts(&text, "[");
    assert_ok(mm_reply_parse(&reply, text.data, text.size, 0, &error), error);
    assert_int_equal(reply.count, 1);
    assert_non_null(strstr(reply.notes[0], "more than 32 levels"));
    mm_reply_free(&reply);
    static const char bytes[] = "- owl\xff\n- f\0ox\n- \xc3(";
    assert_ok(mm_reply_parse(&reply, bytes, sizeof bytes - 1, 0, &error), error);
    assert_int_equal(reply.count, 1);
    assert_string_equal(reply.labels[0], "fox");
    assert_int_equal(reply.dropped_count, 2);
    assert_non_null(strstr(reply.notes[0], "2 bytes of the reply are not UTF-8"));
    mm_reply_free(&reply);
    static const char *const hard[] = {
        "[", "{\"",  "x[\"",   "<",   "<think>", "<!--",     "**",     "1**",   "- ",
        ":", "a, ",  "(",      "1. ", "\"",      "\" ",      "|",      "```\n", "&",
        " ", "[[x ", "a. b! ", "#",   "\\",      "</think>", "{\"a\":"};
    for (size_t i = 0; i < sizeof hard / sizeof *hard; i++) {
        text.size = 0;
        while (text.size + 10 < MM_REPLY_MAX_SIZE)
            mm_buffer_puts(&text, hard[i]);
        if (mm_reply_parse(&reply, text.data, text.size, 0, &error) == MMOOD_OK)
            mm_reply_free(&reply);
    }
    mm_buffer_free(&text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_markers),     cmocka_unit_test(test_explanations),
        cmocka_unit_test(test_plain_lists), cmocka_unit_test(test_tables),
        cmocka_unit_test(test_json),        cmocka_unit_test(test_templates),
        cmocka_unit_test(test_truncated),   cmocka_unit_test(test_refused),
        cmocka_unit_test(test_dropped),     cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
