/* test_branches.c - the branches with an asker that plays the models: rounds, failures, the steps
 * of far, and the document; the probe. */
#include "test.h"

#include "envision/probe.h"
#include "envision/rounds.h"
#include "envision/talk.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* How a model is: what it says to a prompt in a round (from 1) about a class, a picture or nothing;
 * "!" before it: it fails with this message. */
typedef const char *answer(mm_prompt prompt, const char *text, size_t round, const mm_talk *talk);

typedef struct model {
    answer *say;
    int slow; /* the first is the last to answer */
    pthread_mutex_t lock;
    size_t asked;
    size_t drawn;
    const char *no_picture_of;
} model;

static mmood_status ask(mm_chat_reply *out, void *context, const mm_question *question,
                        mm_talk *talk, mmood_error *error) {
    model *m = context;
    pthread_mutex_lock(&m->lock);
    size_t number = m->asked++;
    pthread_mutex_unlock(&m->lock);
    if (m->slow)
        nanosleep(&(struct timespec){0, (long)(number % 4 == 0 ? 20 : 1) * 1000000}, NULL);
    const char *text =
        m->say(question->prompt, talk->messages[0].text, (talk->count + 1) / 2, talk);
    *out = (mm_chat_reply){0};
    if (*text == '!') {
        error->status = MMOOD_ERROR_IO;
        snprintf(error->message, sizeof error->message, "%s", text + 1);
        return MMOOD_ERROR_IO;
    }
    out->text = strdup(text);
    out->size = strlen(text);
    snprintf(out->key, sizeof out->key, "exchange-%zu", number);
    return mm_talk_assistant(talk, text, error);
}

static mmood_status draw(mm_generated *out, void *context, const char *prompt, long long seed,
                         mmood_error *error) {
    model *m = context;
    mm_buffer jpeg = {0};
    *out = (mm_generated){0};
    if (m->no_picture_of && strstr(prompt, m->no_picture_of)) {
        error->status = MMOOD_ERROR_NUMERIC;
        snprintf(error->message, sizeof error->message, "all black");
        return error->status;
    }
    assert_ok(mm_probe_picture(&jpeg, error), *error);
    m->drawn++;
    *out = (mm_generated){
        .data = (uint8_t *)jpeg.data, .size = jpeg.size, .type = "jpg", .seed = seed};
    return MMOOD_OK;
}

static const char *const ids[] = {"cat", "dog", "polar_bear"};

/* A run's parts. */
typedef struct bench {
    model model;
    mm_asker asker;
    mm_prompts *prompts;
    mm_outliers *out;
    char *id_text;
    mm_envisioner e;
} bench;

static void open_bench(bench *b, answer *say) {
    mmood_error error;
    memset(b, 0, sizeof *b);
    b->model.say = say;
    pthread_mutex_init(&b->model.lock, NULL);
    b->asker =
        (mm_asker){.context = &b->model, .ask = ask, .draw = draw, .jobs = 1, .draw_jobs = 1};
    b->asker.models[0] = "sees";
    b->asker.models[1] = "reads";
    assert_ok(mm_prompts_load(&b->prompts, NULL, &error), error);
    assert_ok(mm_outliers_create(&b->out, ids, 3, NULL, &error), error);
    b->id_text = mm_join_names(ids, 3);
    b->e = (mm_envisioner){.asker = &b->asker,
                           .prompts = b->prompts,
                           .ids = ids,
                           .id_count = 3,
                           .id_text = b->id_text,
                           .sample = "cat, dog",
                           .per_turn = 50,
                           .more_rounds = 4,
                           .out = b->out};
}

static void close_bench(bench *b) {
    mm_outliers_free(b->out);
    mm_prompts_free(b->prompts);
    pthread_mutex_destroy(&b->model.lock);
    free(b->id_text);
}

/* The members `name` of a list of objects, joined by '|'. */
static const char *members(const json_t *list, const char *name) {
    static char text[4096];
    text[0] = 0;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *value = json_string_value(json_object_get(json_array_get(list, i), name));
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", i ? "|" : "",
                 value ? value : "-");
    }
    return text;
}

#define assert_labels(b, text) assert_string_equal(members((b)->out->labels, "label"), text)

/* ---- Rounds -------------------------------------------------------------------------------- */

static const char *two_rounds(mm_prompt prompt, const char *text, size_t round,
                              const mm_talk *talk) {
    assert_non_null(strstr(text, "cat, dog, polar bear."));
    assert_int_equal(prompt, round == 1 ? MM_PROMPT_TEXT_FAR : MM_PROMPT_MORE);
    assert_int_equal(talk->count, 2 * round - 1);
    return round == 1 ? "- gray wolf\n- owl" : "- red fox\n- hyena\n- otter";
}

static void test_text_far(void **unused) {
    (void)unused;
    bench b;
    mmood_error error;
    open_bench(&b, two_rounds);
    assert_ok(mm_text_far_run(&b.e, 4, &error), error);
    assert_labels(&b, "gray wolf|owl|red fox|hyena");
    assert_string_equal(members(b.out->labels, "exchange"),
                        "exchange-0|exchange-0|exchange-1|exchange-1");
    assert_string_equal(members(b.out->labels, "source"), "text-far|text-far|text-far|text-far");
    assert_string_equal(members(b.out->dropped, "label"), "otter");
    assert_string_equal(members(b.out->dropped, "reason"), "is over the number asked for");
    close_bench(&b);
}

static const char *nothing_new(mm_prompt prompt, const char *text, size_t round,
                               const mm_talk *talk) {
    (void)prompt, (void)text, (void)round, (void)talk;
    return "1. owl\n2. Cats\n3. polar bear";
}

static const char *refuses_later(mm_prompt prompt, const char *text, size_t round,
                                 const mm_talk *talk) {
    (void)prompt, (void)text, (void)talk;
    return round == 1 ? "- owl" : "I'm sorry, but I can't assist with that request.";
}

static const char *refuses(mm_prompt prompt, const char *text, size_t round, const mm_talk *talk) {
    (void)prompt, (void)text, (void)talk, (void)round;
    return "I'm sorry, but I can't assist with that request.";
}

static const char *is_off(mm_prompt prompt, const char *text, size_t round, const mm_talk *talk) {
    (void)prompt, (void)text, (void)talk, (void)round;
    return "!connection refused";
}

static void test_too_few(void **unused) {
    (void)unused;
    static const struct {
        answer *say;
        size_t asked, labels, notes, failures;
    } cases[] = {{nothing_new, 3, 1, 0, 0},
                 {refuses_later, 2, 1, 1, 0},
                 {refuses, 1, 0, 0, 1},
                 {is_off, 1, 0, 0, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bench b;
        mmood_error error;
        open_bench(&b, cases[i].say);
        assert_ok(mm_text_far_run(&b.e, 500, &error), error);
        assert_int_equal(b.model.asked, cases[i].asked);
        assert_int_equal(mm_outliers_count(b.out), cases[i].labels);
        assert_int_equal(json_array_size(b.out->notes), cases[i].notes);
        assert_int_equal(json_array_size(b.out->failures), cases[i].failures);
        close_bench(&b);
    }
}

static const char *one_a_round(mm_prompt prompt, const char *text, size_t round,
                               const mm_talk *talk) {
    static _Thread_local char name[64];
    (void)prompt, (void)talk;
    snprintf(name, sizeof name, "- %s number %zu\n- shared %zu",
             strncmp(text, "cat ", 4) == 0   ? "thing"
             : strncmp(text, "dog ", 4) == 0 ? "place"
                                             : "being",
             round, round);
    return name;
}

/* The document does not depend on which answer came first. */
static void test_order(void **unused) {
    (void)unused;
    mm_buffer texts[2] = {{0}, {0}};
    json_t *settings = json_pack("{s:s}", "mode", "text-near");
    for (int i = 0; i < 2; i++) {
        bench b;
        mmood_error error;
        open_bench(&b, one_a_round);
        b.asker.jobs = i ? 3 : 1;
        b.model.slow = i;
        assert_ok(mm_text_near_run(&b.e, 10, &error), error);
        assert_labels(&b, "thing number 1|shared 1|place number 1|being number 1|thing number 2|"
                          "shared 2|place number 2|being number 2|place number 3|being number 3");
        for (size_t k = 0; k < json_array_size(b.out->labels); k++)
            json_object_del(json_array_get(b.out->labels, k), "exchange");
        for (size_t k = 0; k < json_array_size(b.out->dropped); k++)
            json_object_del(json_array_get(b.out->dropped, k), "exchange");
        assert_ok(mm_outliers_write(&texts[i], b.out, settings, &error), error);
        close_bench(&b);
    }
    json_decref(settings);
    assert_string_equal(texts[0].data, texts[1].data);
    assert_non_null(strstr(texts[0].data,
                           "{\"label\": \"place number 2\", \"source\": \"text-near, "
                           "from 'dog'\", \"branch\": \"text-near\", \"class\": "
                           "\"dog\", \"model\": \"sees\", \"round\": 2}"));
    mm_buffer_free(&texts[0]);
    mm_buffer_free(&texts[1]);
}

/* An endpoint that is off is not asked for every class. */
static void test_give_up(void **unused) {
    (void)unused;
    bench b;
    mmood_error error;
    char names[100][16];
    const char *many[100];
    for (size_t i = 0; i < 100; i++) {
        snprintf(names[i], sizeof names[i], "thing %zu x", i);
        many[i] = names[i];
    }
    open_bench(&b, is_off);
    b.e.ids = many;
    b.e.id_count = 100;
    assert_ok(mm_text_near_run(&b.e, 300, &error), error);
    assert_int_equal(b.model.asked, 4);
    assert_int_equal(json_array_size(b.out->failures), 100);
    const json_t *last = json_array_get(b.out->failures, 99);
    assert_string_equal(json_string_value(json_object_get(last, "error")),
                        "was not tried after 4 failures in a row");
    close_bench(&b);
}

static const char *six_more(mm_prompt prompt, const char *text, size_t round, const mm_talk *talk) {
    static _Thread_local char names[256];
    const char *of = strncmp(text, "cat ", 4) == 0 ? "cat" : "other";
    (void)prompt, (void)talk;
    if (strncmp(text, "dog ", 4) == 0)
        return "!it broke";
    names[0] = 0;
    for (int i = 0; i < 6; i++)
        snprintf(names + strlen(names), sizeof names - strlen(names), "- %s%zu thing %c\n", of,
                 round, 'p' + i);
    return names;
}

static void run_three(bench *b, int pooled, size_t wanted) {
    mmood_error error;
    mm_conversation list[3];
    const mm_rounds how = {.branch = "text-near", .step = "test", .pooled = pooled};
    for (size_t i = 0; i < 3; i++)
        list[i] = (mm_conversation){
            .opening = MM_PROMPT_TEXT_NEAR, .class_name = ids[i], .wanted = wanted};
    assert_ok(mm_rounds_run(list, 3, &how, &b->e, &error), error);
    for (size_t i = 0; i < 3; i++)
        mm_conversation_free(&list[i]);
}

/* A conversation that names more than asked does not take the others' share; what it has too much
 * of makes up for what a failed one lacks. */
static void test_surplus(void **unused) {
    (void)unused;
    bench b;
    open_bench(&b, six_more);
    run_three(&b, 0, 2);
    assert_labels(&b, "cat1 thing p|cat1 thing q|other1 thing p|other1 thing q");
    assert_int_equal(json_array_size(b.out->dropped), 8);
    assert_string_equal(members(b.out->failures, "subject"), "dog");
    close_bench(&b);

    open_bench(&b, six_more);
    run_three(&b, 1, 2);
    assert_labels(&b, "cat1 thing p|cat1 thing q|other1 thing p|other1 thing q|cat1 thing r|"
                      "other1 thing r");
    assert_int_equal(b.model.asked, 3);
    assert_int_equal(json_array_size(b.out->dropped), 6);
    close_bench(&b);

    open_bench(&b, six_more); /* 21 wanted: 12 in the first round and its surplus, then 7 + 7 */
    run_three(&b, 1, 7);
    assert_int_equal(mm_outliers_count(b.out), 21);
    assert_int_equal(b.model.asked, 5);
    assert_int_equal(json_array_size(b.out->dropped), 3);
    close_bench(&b);
}

static const char *as_asked(mm_prompt prompt, const char *text, size_t round, const mm_talk *talk) {
    static _Thread_local char names[256];
    size_t count = strtoul(strpbrk(talk->messages[talk->count - 1].text, "123456789"), NULL, 10);
    (void)prompt, (void)text;
    names[0] = 0;
    for (size_t i = 0; i <= count; i++) /* and one more */
        snprintf(names + strlen(names), sizeof names - strlen(names), "- r%zu thing %c\n", round,
                 (char)('p' + i));
    return names;
}

/* As many messages as are wanted, with even shares. */
static void test_rounds(void **unused) {
    (void)unused;
    bench b;
    mmood_error error;
    open_bench(&b, as_asked);
    b.e.rounds = 3;
    assert_ok(mm_text_fine_run(&b.e, 7, &error), error);
    assert_int_equal(b.model.asked, 3);
    assert_labels(&b,
                  "r1 thing p|r1 thing q|r1 thing r|r2 thing p|r2 thing q|r3 thing p|r3 thing q");
    assert_int_equal(json_array_size(b.out->dropped), 3);
    assert_string_equal(members(b.out->labels, "branch"),
                        "text-fine|text-fine|text-fine|text-fine|text-fine|text-fine|text-fine");
    close_bench(&b);
}

/* ---- Near ---------------------------------------------------------------------------------- */

static const char *looks(mm_prompt prompt, const char *text, size_t round, const mm_talk *talk) {
    assert_int_equal(prompt, round == 1 ? MM_PROMPT_NEAR : MM_PROMPT_MORE);
    assert_int_equal(talk->messages[0].count, strstr(text, "You see cat ") ? 2 : 1);
    if (talk->count > 1)
        assert_int_equal(talk->messages[talk->count - 1].count, 0);
    return strstr(text, "You see dog ") ? "!it broke"
           : round == 1                 ? "[\"lynx\", \"owl\"]"
                                        : "otter";
}

static void test_near(void **unused) {
    (void)unused;
    const char *cats[] = {"data/image/ok.jpg", "data/image/trunc.jpg", "data/image/exif6.jpg"};
    const char *dogs[] = {"data/image/ok.jpg"};
    const mm_class_pictures classes[] = {{cats, 3}, {dogs, 1}, {NULL, 0}};
    bench b;
    mmood_error error;
    open_bench(&b, looks);
    assert_ok(mm_near_run(&b.e, classes, 9, &error), error);
    assert_labels(&b, "lynx|owl|otter");
    assert_string_equal(members(b.out->labels, "class"), "cat|cat|cat");
    assert_string_equal(members(b.out->failures, "subject"), "polar_bear|cat|dog");
    const json_t *shown = json_object_get(json_object_get(b.out->steps, "near_pictures"), "cat");
    assert_string_equal(members(shown, "path"), "data/image/ok.jpg|data/image/exif6.jpg");
    assert_null(json_object_get(json_object_get(b.out->steps, "near_pictures"), "polar_bear"));
    close_bench(&b);
}

/* ---- Far ----------------------------------------------------------------------------------- */

static const char *envisions(mm_prompt prompt, const char *text, size_t round,
                             const mm_talk *talk) {
    const char *last = talk->messages[talk->count - 1].text;
    switch (prompt) {
    case MM_PROMPT_CATEGORIES:
        assert_non_null(strstr(text, "cat, dog, polar bear"));
        return "pets, wild animals, toys, more than asked";
    case MM_PROMPT_SKETCH:
        assert_non_null(strstr(text, "cat, dog, polar bear."));
        assert_non_null(strstr(text, "pets, wild animals."));
        return "- fur coat\n- dog\n- snow hill\n- broom";
    case MM_PROMPT_SELECT:
        assert_int_equal(talk->count, 5);
        assert_non_null(strstr(last, "fur coat, snow hill, broom, rug."));
        return "[\"Brooms\", \"unknown thing\", \"rug\"]";
    case MM_PROMPT_MORE:
        return strstr(text, "pets, wild") ? "- rug" : round == 2 ? "- lamp\n- vase" : "- vase";
    case MM_PROMPT_ELABORATE:
        assert_int_equal(talk->messages[0].count, 1);
        return "- mop\n- bucket";
    default:
        fail_msg("prompt %s", mm_prompt_name(prompt));
        return "";
    }
}

static const json_t *names_of(const bench *b, const char *step) {
    return json_object_get(json_object_get(b->out->steps, step), "names");
}

static const char *model_of(const bench *b, const char *step) {
    return json_string_value(json_object_get(json_object_get(b->out->steps, step), "model"));
}

static void assert_names(const json_t *names, const char *wanted) {
    char text[512] = "";
    for (size_t i = 0; i < json_array_size(names); i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", i ? "|" : "",
                 json_string_value(json_array_get(names, i)));
    assert_string_equal(text, wanted);
}

static void test_far(void **unused) {
    (void)unused;
    mm_far_options options = {
        .category_count = 2, .draft_count = 4, .representative_count = 3, .seed = 4294967295};
    bench b;
    mmood_error error;
    open_bench(&b, envisions);
    b.model.no_picture_of = "fur coat";
    assert_ok(mm_far_run(&b.e, &options, 5, &error), error);
    assert_names(names_of(&b, "categories"), "pets|wild animals");
    assert_names(names_of(&b, "drafts"), "fur coat|snow hill|broom|rug");
    assert_names(names_of(&b, "representatives"), "broom|rug|fur coat");
    const json_t *pictures = json_object_get(b.out->steps, "generated_pictures");
    assert_string_equal(members(pictures, "label"), "broom|rug");
    assert_int_equal(json_integer_value(json_object_get(json_array_get(pictures, 1), "seed")), 0);
    assert_labels(&b, "mop|bucket|lamp|vase");
    assert_string_equal(members(b.out->labels, "picture"), "broom|broom|broom|rug");
    assert_string_equal(members(b.out->labels, "model"), "sees|sees|sees|sees");
    assert_string_equal(model_of(&b, "categories"), "reads");
    assert_string_equal(model_of(&b, "drafts"), "sees");
    assert_string_equal(model_of(&b, "representatives"), "sees");
    assert_string_equal(members(b.out->failures, "subject"), "fur coat");
    assert_int_equal(json_array_size(b.out->notes), 1);
    close_bench(&b);
}

static void test_given(void **unused) {
    (void)unused;
    const char *categories[] = {"pets", "wild animals"}, *drafts[] = {"broom", "Dogs", "the broom"};
    const char *pictures[] = {"data/image/syn_640x427.png", "data/image/no-such_12.png"};
    mm_far_options options = mm_far_options_default();
    bench b;
    mmood_error error;
    open_bench(&b, envisions); /* drafts: no category is asked for */
    options.drafts = drafts;
    options.given_drafts = 3;
    assert_ok(mm_far_run(&b.e, &options, 2, &error), error);
    assert_names(names_of(&b, "representatives"), "broom");
    assert_int_equal(b.model.asked, 1);
    assert_labels(&b, "mop|bucket");
    close_bench(&b);

    open_bench(&b, envisions);
    options = mm_far_options_default();
    options.draft_count = 3;
    options.representative_count = 3;
    options.categories = categories;
    options.given_categories = 2;
    assert_ok(mm_far_run(&b.e, &options, 2, &error), error);
    assert_int_equal(b.model.drawn, 3);
    assert_string_equal(members(json_object_get(b.out->steps, "drafts_dropped"), "label"), "dog");
    close_bench(&b);

    open_bench(&b, envisions); /* pictures: nothing but elaborate */
    options.pictures = pictures;
    options.given_pictures = 2;
    assert_ok(mm_far_run(&b.e, &options, 2, &error), error);
    assert_int_equal(b.model.drawn, 0);
    assert_labels(&b, "mop|bucket");
    assert_string_equal(members(b.out->labels, "picture"), "syn 640x|syn 640x");
    assert_string_equal(members(b.out->failures, "subject"), "no-such");
    close_bench(&b);
}

static void test_far_fails(void **unused) {
    (void)unused;
    mm_far_options options = mm_far_options_default();
    bench b;
    mmood_error error;
    options.category_count = 2;
    options.draft_count = 3;
    open_bench(&b, refuses);
    assert_int_equal(mm_far_run(&b.e, &options, 5, &error), MMOOD_ERROR_FORMAT);
    assert_non_null(strstr(error.message, "categories: "));
    close_bench(&b);
    open_bench(&b, envisions);
    b.asker.draw = NULL;
    assert_int_equal(mm_far_run(&b.e, &options, 5, &error), MMOOD_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "--image-url"));
    close_bench(&b);
    open_bench(&b, envisions);
    b.model.no_picture_of = "photo";
    assert_int_equal(mm_far_run(&b.e, &options, 5, &error), MMOOD_ERROR_NUMERIC);
    assert_int_equal(json_array_size(b.out->failures), 3);
    close_bench(&b);
}

/* ---- The probe ----------------------------------------------------------------------------- */

static const char *sees(mm_prompt prompt, const char *text, size_t round, const mm_talk *talk) {
    (void)text, (void)round;
    assert_int_equal(prompt, MM_PROMPT_PROBE);
    assert_int_equal(talk->messages[0].count, 1);
    return "An orange triangle and a violet circle, with 47 below.";
}

static const char *is_blind(mm_prompt prompt, const char *text, size_t round, const mm_talk *talk) {
    (void)prompt, (void)text, (void)round, (void)talk;
    return "A red circle, a blue square and the number 5.";
}

static void test_probe(void **unused) {
    (void)unused;
    static const struct {
        const char *reply;
        int right;
    } replies[] = {
        {"orange triangle, purple circle, 47", 1},
        {"The picture shows an ORANGE triangle and a purple ball. The number is 4 7.", 1},
        {"A triangle and a disc; the number 47.", 1},
        {"An orange triangle, a purple circle, and a red square: 47", 1},
        {"A red circle, a blue square and the number 5.", 0},
        {"I see a circle and a triangle.", 0},
        {"I cannot see pictures.", 0},
        {"red orange yellow green blue purple; circle square triangle star", 0},
        {"orangetriangle purplecircle 1470", 0},
        {"", 0},
    };
    for (size_t i = 0; i < sizeof replies / sizeof *replies; i++)
        if (mm_probe_is_right(replies[i].reply) != replies[i].right)
            fail_msg("\"%s\"", replies[i].reply);
    bench b;
    mmood_error error;
    json_t *record;
    open_bench(&b, sees);
    assert_ok(mm_probe_run(&record, &b.asker, b.prompts, &error), error);
    assert_non_null(strstr(json_string_value(json_object_get(record, "reply")), "violet"));
    json_decref(record);
    b.model.say = is_blind;
    assert_int_equal(mm_probe_run(&record, &b.asker, b.prompts, &error), MMOOD_ERROR_UNSUPPORTED);
    assert_non_null(strstr(error.message, "the model sees does not seem to see pictures"));
    assert_non_null(strstr(error.message, "--no-probe"));
    assert_null(record);
    close_bench(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_far), cmocka_unit_test(test_too_few),
        cmocka_unit_test(test_order),    cmocka_unit_test(test_give_up),
        cmocka_unit_test(test_surplus),  cmocka_unit_test(test_rounds),
        cmocka_unit_test(test_near),     cmocka_unit_test(test_far),
        cmocka_unit_test(test_given),    cmocka_unit_test(test_far_fails),
        cmocka_unit_test(test_probe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
