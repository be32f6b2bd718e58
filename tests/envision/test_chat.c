/* test_chat.c - conversations with an endpoint that behaves in all the ways endpoints do, and the
 * pictures it is sent. */
#include "test.h"

#include "base/base64.h"
#include "base/sha256.h"
#include "base/text.h"
#include "envision/chat.h"
#include "envision/fake_endpoint.h"
#include "envision/refusal.h"

#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KEY "sk-very-secret-0123"
#define GOOD                                                                                       \
    "{\"choices\":[{\"message\":{\"role\":\"assistant\",\"content\":\"- "                          \
    "owl\"},\"finish_reason\":\"stop\"}]}"
#define MESSAGE(content, finish)                                                                   \
    "{\"choices\":[{\"message\":{\"content\":" content "},\"finish_reason\":" finish "}]}"

static mm_chat *connect_to(const char *url, mm_exchanges *cache) {
    mm_chat_options options = mm_chat_options_default();
    mmood_error error;
    mm_chat *chat;
    options.url = url;
    options.model = "tiny";
    options.cache = cache;
    options.http.timeout = 5;
    options.http.backoff = 0.01;
    options.http.key_variable = "MMOOD_TEST_KEY";
    assert_ok(mm_chat_create(&chat, &options, &error), error);
    return chat;
}

static mm_talk *say(const char *text, const mm_picture *const *pictures, size_t count) {
    mm_talk *talk;
    mmood_error error;
    assert_ok(mm_talk_create(&talk, &error), error);
    assert_ok(mm_talk_user(talk, text, pictures, count, &error), error);
    return talk;
}

static json_t *sent(fake *server, int index) {
    json_t *body = json_loads(fake_get(server, index)->body, 0, NULL);
    assert_non_null(body);
    return body;
}

static const char *string_at(const json_t *object, const char *name) {
    return json_string_value(json_object_get(object, name));
}

static void assert_says(const mmood_error *error, const char *words) {
    if (!strstr(error->message, words))
        fail_msg("\"%s\" lacks \"%s\"", error->message, words);
    assert_null(strstr(error->message, KEY));
}

/* ---- Replies ---- */

static void test_replies(void **unused) {
    (void)unused;
    static const struct {
        const char *body;
        const char *text;
        int truncated;
    } cases[] = {
        {GOOD, "- owl", 0},
        {"\xef\xbb\xbf" GOOD, "- owl", 0},
        {MESSAGE(
             "[{\"type\":\"text\",\"text\":\"- gray wolf\\n\"},{\"type\":\"reasoning\",\"text\":"
             "\"no\"},{\"type\":\"output_text\",\"text\":\"- owl\"}]",
             "\"stop\""),
         "- gray wolf\n- owl", 0},
        {MESSAGE("\"- owl\\n- red fo\"", "\"length\""), "- owl\n- red fo", 1},
        {MESSAGE("\"x\"", "null"), "x", 0},
        {"{\"error\":null,\"choices\":[{\"message\":{\"content\":\"x\"}}]}", "x", 0},
        {"data: {\"choices\":[{\"delta\":{\"content\":\"- gray\"}}]}\n\n"
         "data: {\"choices\":[{\"delta\":{\"content\":\"  wolf\\n- o\"}}]}\n\n"
         "data: {\"choices\":[{\"delta\":{\"content\":\"wl\"}}]}\n\ndata: [DONE]\n\n",
         "- gray  wolf\n- owl", 0},
        {": hello\r\nevent: x\r\ndata:{\"choices\":[{\"delta\":{\"role\":\"assistant\"}}]}\r\n\r\n"
         "data:{\"choices\":\r\ndata:[{\"delta\":{\"content\":\"a\"}}]}\r\n\r\n"
         "data:{\"choices\":[{\"delta\":{\"content\":null},\"finish_reason\":\"length\"}]}\r\n\r\n"
         "data:{\"choices\":[],\"usage\":{}}",
         "a", 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        mm_chat_reply reply;
        mmood_error error;
        mmood_status status =
            mm_chat_reply_parse(&reply, cases[i].body, strlen(cases[i].body), &error);
        assert_ok(status, error);
        assert_string_equal(reply.text, cases[i].text);
        assert_int_equal(reply.size, strlen(cases[i].text));
        assert_int_equal(reply.truncated, cases[i].truncated);
        mm_chat_reply_free(&reply);
    }
}

static void test_bad_replies(void **unused) {
    (void)unused;
    static const struct {
        const char *body;
        mmood_status status;
        const char *says;
    } cases[] = {
        {"", MMOOD_ERROR_FORMAT, "is empty"},
        {"  \n", MMOOD_ERROR_FORMAT, "is empty"},
        {"<html><title>Sign in</title>", MMOOD_ERROR_FORMAT, "HTML page \"Sign in\""},
        {"Internal error", MMOOD_ERROR_FORMAT, "not valid JSON"},
        {"[]", MMOOD_ERROR_FORMAT, "not an object"},
        {"{}", MMOOD_ERROR_FORMAT, "no choices"},
        {"{\"choices\":[]}", MMOOD_ERROR_FORMAT, "no choices"},
        {"{\"choices\":{\"a\":1}}", MMOOD_ERROR_FORMAT, "no choices"},
        {"{\"choices\":[3]}", MMOOD_ERROR_FORMAT, "no choices"},
        {"{\"choices\":[{}]}", MMOOD_ERROR_FORMAT, "empty"},
        {MESSAGE("\"  \\n\"", "\"stop\""), MMOOD_ERROR_FORMAT, "message is empty"},
        {MESSAGE("null", "\"length\""), MMOOD_ERROR_LIMIT, "raise --max-tokens"},
        {MESSAGE("null,\"reasoning_content\":\"1. cat\"", "\"length\""), MMOOD_ERROR_LIMIT,
         "still reasoning"},
        {MESSAGE("null,\"reasoning_content\":\"1. cat\"", "\"stop\""), MMOOD_ERROR_FORMAT,
         "but for its reasoning"},
        {MESSAGE("null,\"refusal\":\"I cannot\"", "\"stop\""), MMOOD_ERROR_UNSUPPORTED, "I cannot"},
        {MESSAGE("null", "\"content_filter\""), MMOOD_ERROR_UNSUPPORTED, "content filter"},
        {"{\"error\":{\"message\":\"model overloaded\",\"code\":503}}", MMOOD_ERROR_IO,
         "model overloaded"},
        {"{\"error\":\"no model\"}", MMOOD_ERROR_IO, "no model"},
        {"data: {\"error\":{\"message\":\"gone\"}}\n\n", MMOOD_ERROR_IO, "gone"},
        {"data: {\"choices\":[{\"delta\":{\"content\":\"- gr\"}}]}\n\n", MMOOD_ERROR_FORMAT,
         "ended before"},
        {"data: {\"choices\":[\n\n", MMOOD_ERROR_FORMAT, "not valid JSON"},
        {"{\"choices\":[],\"choices\":[]}", MMOOD_ERROR_FORMAT, "duplicate"},
        {MESSAGE("\"caf\xe9\"", "\"stop\""), MMOOD_ERROR_FORMAT, "byte 0xe9"},
        {MESSAGE("\"a\\u0000b\"", "\"stop\""), MMOOD_ERROR_FORMAT, "not valid JSON"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        mm_chat_reply reply;
        mmood_error error;
        mmood_status status =
            mm_chat_reply_parse(&reply, cases[i].body, strlen(cases[i].body), &error);
        if (status != cases[i].status)
            fail_msg("case %zu: %s", i, status ? error.message : reply.text);
        assert_null(reply.text);
        assert_says(&error, cases[i].says);
    }
    size_t size = 1 << 20;
    char *deep = malloc(size);
    memset(deep, '[', size);
    mm_chat_reply reply;
    assert_int_equal(mm_chat_reply_parse(&reply, deep, size, NULL), MMOOD_ERROR_FORMAT);
    memcpy(deep, "{\"a\":", 5);
    assert_int_equal(mm_chat_reply_parse(&reply, deep, size, NULL), MMOOD_ERROR_FORMAT);
    free(deep);
}

/* ---- Requests ---- */

static void answer_well(fake *server, int socket, const fake_request *request) {
    (void)server;
    if (strcmp(request->path, "/v1/chat/completions") == 0)
        fake_json(socket, 200, GOOD);
    else
        fake_json(socket, 404, "{\"error\":{\"message\":\"not found\"}}");
}

static void test_rounds(void **unused) {
    (void)unused;
    fake *server = fake_start(answer_well, NULL);
    mm_chat *chat = connect_to(fake_url(server, "/v1/"), NULL);
    mm_talk *talk;
    mm_chat_reply reply;
    mmood_error error;
    assert_ok(mm_talk_create(&talk, &error), error);
    assert_int_equal(mm_chat_send(&reply, chat, talk, NULL, &error), MMOOD_ERROR_ARGUMENT);
    assert_ok(mm_talk_system(talk, "Be short.", &error), error);
    assert_ok(mm_talk_user(talk, "Animals \xc3\xa4?", NULL, 0, &error), error);
    assert_int_equal(mm_talk_user(talk, "\xff", NULL, 0, &error), MMOOD_ERROR_FORMAT);
    assert_ok(mm_chat_send(&reply, chat, talk, NULL, &error), error);
    assert_string_equal(reply.text, "- owl");
    assert_false(reply.cached);
    mm_chat_reply_free(&reply);
    assert_int_equal(mm_chat_send(&reply, chat, talk, NULL, &error), MMOOD_ERROR_ARGUMENT);
    assert_ok(mm_talk_user(talk, "More.", NULL, 0, &error), error);
    assert_ok(mm_chat_send(&reply, chat, talk, NULL, &error), error);
    mm_chat_reply_free(&reply);

    assert_string_equal(fake_get(server, 0)->path, "/v1/chat/completions");
    assert_non_null(strstr(fake_get(server, 0)->headers, "Bearer " KEY));
    json_t *body = sent(server, 1), *messages = json_object_get(body, "messages");
    assert_true(json_is_false(json_object_get(body, "stream")));
    assert_string_equal(string_at(body, "model"), "tiny");
    assert_true(json_number_value(json_object_get(body, "temperature")) == 0);
    assert_int_equal(json_integer_value(json_object_get(body, "max_tokens")), 2048);
    assert_null(json_object_get(body, "response_format"));
    assert_int_equal(json_array_size(messages), 4);
    static const char *const expected[][2] = {{"system", "Be short."},
                                              {"user", "Animals \xc3\xa4?"},
                                              {"assistant", "- owl"},
                                              {"user", "More."}};
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(string_at(json_array_get(messages, i), "role"), expected[i][0]);
        assert_string_equal(string_at(json_array_get(messages, i), "content"), expected[i][1]);
    }
    json_decref(body);
    mm_talk_free(talk);
    mm_chat_free(chat);
    fake_stop(server);
}

/* How a server refuses, and what it then wants. */
typedef struct refuser {
    int code;
    const char *body;
    const char *unwanted; /* refuses requests that contain this */
} refuser;

static void refuse(fake *server, int socket, const fake_request *request) {
    const refuser *r = fake_context(server);
    if (strstr(request->body, r->unwanted))
        fake_json(socket, r->code, r->body);
    else
        fake_json(socket, 200, GOOD);
}

static int ask_refuser(const refuser *r, mm_chat *(*connect)(const char *, mm_exchanges *),
                       int asks, mmood_status *status, mmood_error *error) {
    fake *server = fake_start(refuse, r);
    mm_chat *chat = connect(fake_url(server, ""), NULL);
    json_t *schema = json_pack("{s:s}", "type", "array");
    for (int i = 0; i < asks; i++) {
        mm_talk *talk = say("Animals?", NULL, 0);
        mm_chat_reply reply;
        *status = mm_chat_send(&reply, chat, talk, schema, error);
        mm_chat_reply_free(&reply);
        mm_talk_free(talk);
    }
    json_decref(schema);
    int count = fake_count(server);
    mm_chat_free(chat);
    fake_stop(server);
    return count;
}

static void test_schema(void **unused) {
    (void)unused;
    mmood_status status;
    mmood_error error;
    static const refuser refusers[] = {
        {400, "{\"error\":\"'response_format.type' must be 'json_schema' or 'text'\"}",
         "json_schema"},
        {500, "{\"error\":{\"message\":\"failed to parse grammar\"}}", "json_schema"},
        {422, "{\"detail\":[{\"msg\":\"Extra inputs: response_format\"}]}", "response_format"},
        {400,
         "{\"error\":{\"message\":\"Unsupported parameter: 'max_tokens' is not supported with "
         "this model. Use 'max_completion_tokens' instead.\"}}",
         "\"max_tokens\""},
        {400, "{\"error\":{\"message\":\"Unsupported value: 'temperature' does not support 0\"}}",
         "temperature"},
    };
    /* once with it, once without, and from then on without */
    for (size_t i = 0; i < sizeof refusers / sizeof *refusers; i++) {
        assert_int_equal(ask_refuser(&refusers[i], connect_to, 3, &status, &error), 4);
        assert_ok(status, error);
    }
    refuser taken = {400, "", "not in any request"};
    assert_int_equal(ask_refuser(&taken, connect_to, 2, &status, &error), 2);
    assert_ok(status, error);

    refuser length = {
        400,
        "{\"error\":{\"message\":\"This model's maximum context length is 4096 tokens; "
        "response_format and max_tokens count\"}}",
        "messages"};
    assert_int_equal(ask_refuser(&length, connect_to, 1, &status, &error), 1);
    assert_int_equal(status, MMOOD_ERROR_LIMIT);
    assert_says(&error, "longer than the model can read");
    assert_says(&error, "4096");
    length.code = 500;
    assert_int_equal(ask_refuser(&length, connect_to, 1, &status, &error), 1);
    refuser other = {400, "{\"error\":\"no such model\"}", "messages"};
    assert_int_equal(ask_refuser(&other, connect_to, 1, &status, &error), 1);
    assert_says(&error, "no such model");
    refuser key = {401, "{\"error\":\"who is " KEY "\"}", "messages"};
    assert_int_equal(ask_refuser(&key, connect_to, 1, &status, &error), 1);
    assert_says(&error, "check the key in MMOOD_TEST_KEY");
    refuser stubborn = {400, "{\"error\":\"response_format unsupported\"}", "messages"};
    assert_int_equal(ask_refuser(&stubborn, connect_to, 1, &status, &error), 2);
    assert_int_equal(status, MMOOD_ERROR_IO);
}

static void test_schema_sent(void **unused) {
    (void)unused;
    fake *server = fake_start(answer_well, NULL);
    mm_chat *chat = connect_to(fake_url(server, ""), NULL);
    mm_talk *talk = say("x", NULL, 0);
    mm_chat_reply reply;
    mmood_error error;
    json_t *schema = json_pack("{s:s}", "type", "array");
    assert_ok(mm_chat_send(&reply, chat, talk, schema, &error), error);
    json_t *body = sent(server, 0), *format = json_object_get(body, "response_format");
    assert_string_equal(string_at(format, "type"), "json_schema");
    json_t *inner = json_object_get(format, "json_schema");
    assert_true(json_equal(json_object_get(inner, "schema"), schema));
    assert_true(json_is_true(json_object_get(inner, "strict")));
    json_decref(body);
    json_decref(schema);
    mm_chat_reply_free(&reply);
    mm_talk_free(talk);
    mm_chat_free(chat);
    fake_stop(server);
}

#define WANTS_OBJECT                                                                               \
    "{\"error\":{\"message\":\"[{'type': 'literal_error', 'loc': ('body', 'response_format', "     \
    "'type'), "                                                                                    \
    "'msg': \\\"Input should be 'text' or 'json_object'\\\", 'input': 'json_schema'}]\","          \
    "\"type\":\"internal_server_error\"}}"

/* llama-cpp-python's server takes schemas in the older form only. */
static void test_object_schema(void **unused) {
    (void)unused;
    mmood_status status;
    mmood_error error;
    static const refuser old = {500, WANTS_OBJECT, "json_schema"},
                         liar = {422, WANTS_OBJECT, "response_format"};
    assert_int_equal(ask_refuser(&liar, connect_to, 3, &status, &error), 5);
    assert_ok(status, error);
    fake *server = fake_start(refuse, &old);
    mm_chat *chat = connect_to(fake_url(server, ""), NULL);
    json_t *schema = json_pack("{s:s}", "type", "array");
    for (int i = 0; i < 2; i++) {
        mm_talk *talk = say("x", NULL, 0);
        mm_chat_reply reply;
        assert_ok(mm_chat_send(&reply, chat, talk, schema, &error), error);
        json_t *body = sent(server, i + 1), *format = json_object_get(body, "response_format");
        assert_string_equal(string_at(format, "type"), "json_object");
        assert_true(json_equal(json_object_get(format, "schema"), schema));
        json_decref(body);
        mm_chat_reply_free(&reply);
        mm_talk_free(talk);
    }
    assert_int_equal(fake_count(server), 3);
    json_decref(schema);
    mm_chat_free(chat);
    fake_stop(server);
}

/* ---- Many at a time ---- */

static atomic_int under_way, most;

static void answer_slowly(fake *server, int socket, const fake_request *request) {
    (void)request;
    int now = atomic_fetch_add(&under_way, 1) + 1;
    for (int seen = atomic_load(&most); now > seen;)
        if (atomic_compare_exchange_weak(&most, &seen, now))
            break;
    fake_pause(server, 0.03);
    atomic_fetch_sub(&under_way, 1);
    fake_json(socket, 200, GOOD);
}

static void *ask_once(void *chat) {
    mm_talk *talk = NULL;
    mm_chat_reply reply = {0};
    int good = mm_talk_create(&talk, NULL) == MMOOD_OK &&
               mm_talk_user(talk, "x", NULL, 0, NULL) == MMOOD_OK &&
               mm_chat_send(&reply, chat, talk, NULL, NULL) == MMOOD_OK;
    mm_chat_reply_free(&reply);
    mm_talk_free(talk);
    return good ? chat : NULL;
}

static void test_at_once(void **unused) {
    (void)unused;
    enum { ASKERS = 7 };
    pthread_t threads[ASKERS];
    fake *server = fake_start(answer_slowly, NULL);
    mm_chat_options options = mm_chat_options_default();
    mmood_error error;
    mm_chat *chat;
    options.url = fake_url(server, "");
    options.at_once = -1;
    assert_int_equal(mm_chat_create(&chat, &options, &error), MMOOD_ERROR_ARGUMENT);
    options.at_once = 2;
    assert_ok(mm_chat_create(&chat, &options, &error), error);
    for (int i = 0; i < ASKERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask_once, chat), 0);
    for (int i = 0; i < ASKERS; i++) {
        void *good;
        pthread_join(threads[i], &good);
        assert_non_null(good);
    }
    assert_int_equal(fake_count(server), ASKERS);
    assert_in_range(atomic_load(&most), 1, 2);
    mm_chat_free(chat);
    fake_stop(server);
}

/* ---- Pictures ---- */

/* The picture in part 0 of message 0 of request `index`, decoded. */
static mmood_image *sent_picture(fake *server, int index, size_t *bytes) {
    json_t *body = sent(server, index);
    json_t *message = json_array_get(json_object_get(body, "messages"), 0);
    json_t *part = json_array_get(json_object_get(message, "content"), 0);
    const char *url = string_at(json_object_get(part, "image_url"), "url");
    static const char prefix[] = "data:image/jpeg;base64,";
    assert_string_equal(string_at(part, "type"), "image_url");
    assert_non_null(url);
    assert_memory_equal(url, prefix, strlen(prefix));
    size_t digits = strspn(url + strlen(prefix),
                           "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
    size_t rest = strlen(url + strlen(prefix)) - digits;
    assert_true(rest < 3 && (digits + rest) % 4 == 0);
    mm_buffer data = {0};
    mmood_error error;
    mmood_image *image;
    assert_ok(mm_base64_read(&data, url, strlen(url), &error), error);
    assert_memory_equal(data.data, "\xff\xd8\xff", 3);
    assert_ok(mmood_image_decode(&image, data.data, data.size, NULL, &error), error);
    *bytes = data.size;
    json_t *text = json_array_get(json_object_get(message, "content"), 1);
    assert_string_equal(string_at(text, "text"), "What is it?");
    mm_buffer_free(&data);
    json_decref(body);
    return image;
}

static void test_pictures(void **unused) {
    (void)unused;
    static const struct {
        const char *path;
        int side;
        size_t width, height;
    } cases[] = {
        {"data/image/syn_640x427.png", 1024, 640, 427},
        {"data/image/syn_640x427.png", 320, 320, 214},
        {"data/image/one_1x1.png", 1024, 32, 32},
        {"data/image/strip_90x1.png", 1024, 90, 32},
        {"data/image/strip_90x1.png", 45, 45, 32},
        {"data/image/exif_6.jpg", 1024, 0, 0},
        {"data/image/still.webp", 1024, 0, 0},
        {"data/image/plain.gif", 1024, 0, 0},
        {"data/image/cmyk.jpg", 1024, 0, 0},
    };
    fake *server = fake_start(answer_well, NULL);
    mm_chat *chat = connect_to(fake_url(server, ""), NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        mm_picture *picture;
        mmood_error error;
        mmood_image *upright, *image;
        mm_chat_reply reply;
        size_t bytes;
        assert_ok(mm_picture_load(&picture, cases[i].path, cases[i].side, &error), error);
        mm_talk *talk = say("What is it?", (const mm_picture *const *)&picture, 1);
        assert_ok(mm_chat_send(&reply, chat, talk, NULL, &error), error);
        assert_ok(mmood_image_load(&upright, cases[i].path, NULL, &error), error);
        image = sent_picture(server, (int)i, &bytes);
        size_t width = cases[i].width ? cases[i].width : mmood_image_width(upright);
        size_t height = cases[i].height ? cases[i].height : mmood_image_height(upright);
        assert_int_equal(mmood_image_width(image), width < 32 ? 32 : width);
        assert_int_equal(mmood_image_height(image), height < 32 ? 32 : height);
        if (i == 0 || i == 2) /* what is seen is the picture */
            for (int c = 0; c < 3; c++)
                assert_in_range(mmood_image_pixels(image)[c] + 256 - mmood_image_pixels(upright)[c],
                                256 - 12, 256 + 12);
        mmood_image_free(image);
        mmood_image_free(upright);
        mm_chat_reply_free(&reply);
        mm_talk_free(talk);
        mm_picture_free(picture);
    }
    mm_chat_free(chat);
    fake_stop(server);
}

static void test_picture_limits(void **unused) {
    (void)unused;
    mm_picture *picture;
    mmood_error error;
    mm_buffer jpeg = {0};
    assert_int_equal(mm_picture_load(&picture, "data/image/trunc.jpg", 512, &error),
                     MMOOD_ERROR_FORMAT);
    assert_null(picture);
    assert_says(&error, "data/image/trunc.jpg");
    assert_int_equal(mm_picture_load(&picture, "data/image/ok.jpg", 3, &error),
                     MMOOD_ERROR_ARGUMENT);
    assert_ok(mm_picture_load(&picture, "data/image/syn_640x427.png", 1024, &error), error);
    static const size_t limits[] = {1 << 20, 30000, 8000, 1500};
    for (size_t i = 0; i < 4; i++) {
        mmood_image *image;
        assert_ok(mm_picture_jpeg(&jpeg, picture, 1024, limits[i], &error), error);
        assert_in_range(jpeg.size, 1, limits[i]);
        size_t size = jpeg.size; /* once more: the same, after it */
        assert_ok(mm_picture_jpeg(&jpeg, picture, 1024, limits[i], &error), error);
        assert_int_equal(jpeg.size, 2 * size);
        assert_memory_equal(jpeg.data, jpeg.data + size, size);
        assert_ok(mmood_image_decode(&image, jpeg.data, jpeg.size, NULL, &error), error);
        mmood_image_free(image);
        mm_buffer_free(&jpeg);
    }
    assert_int_equal(mm_picture_jpeg(&jpeg, picture, 1024, 100, &error), MMOOD_ERROR_LIMIT);
    mm_buffer_free(&jpeg);
    mm_picture_free(picture);
}

/* Takes bodies of at most so many bytes. */
static void refuse_large(fake *server, int socket, const fake_request *request) {
    if (request->size > *(const size_t *)fake_context(server))
        fake_answer(socket, 413, "text/html", "", "<html>Too Large</html>", 22);
    else
        fake_json(socket, 200, GOOD);
}

static void test_too_large(void **unused) {
    (void)unused;
    mm_picture *picture;
    mmood_error error;
    mm_chat_reply reply;
    assert_ok(mm_picture_load(&picture, "data/image/syn_640x427.png", 640, &error), error);
    for (int i = 0; i < 2; i++) {
        size_t limit = i == 0 ? 100000 : 1000, bytes;
        fake *server = fake_start(refuse_large, &limit);
        mm_chat *chat = connect_to(fake_url(server, ""), NULL);
        mm_talk *talk = say("What is it?", (const mm_picture *const *)&picture, 1);
        mmood_status status = mm_chat_send(&reply, chat, talk, NULL, &error);
        assert_int_equal(fake_count(server), 2);
        mmood_image *image = sent_picture(server, 1, &bytes);
        assert_int_equal(mmood_image_width(image), 320);
        mmood_image_free(image);
        if (i == 0)
            assert_ok(status, error);
        else
            assert_int_equal(status, MMOOD_ERROR_LIMIT);
        mm_chat_reply_free(&reply);
        mm_talk_free(talk);
        mm_chat_free(chat);
        fake_stop(server);
    }
    static const char *const blind[] = {
        "{\"error\":{\"code\":500,\"message\":\"image input is not supported - hint: if this is "
        "unexpected, you may need to provide the mmproj\"}}",
        "{\"error\":\"unsupported content[].type\"}"};
    for (int i = 0; i < 2; i++) {
        refuser r = {500, blind[i], "image_url"};
        fake *server = fake_start(refuse, &r);
        mm_chat *chat = connect_to(fake_url(server, ""), NULL);
        mm_talk *talk = say("What is it?", (const mm_picture *const *)&picture, 1);
        assert_int_equal(mm_chat_send(&reply, chat, talk, NULL, &error), MMOOD_ERROR_UNSUPPORTED);
        assert_says(&error, "does not take pictures");
        assert_int_equal(fake_count(server), 1);
        mm_talk_free(talk);
        mm_chat_free(chat);
        fake_stop(server);
    }
    mm_picture_free(picture);
}

static void test_refusals(void **unused) {
    (void)unused;
    static const char echo[] = "{\"detail\":[{\"loc\":[\"body\",\"seed\"],\"msg\":\"Extra inputs "
                               "are not permitted\",\"input\":{\"temperature\":0}}]}";
    assert_true(mm_refusal_is_parameter(echo, strlen(echo), "seed"));
    assert_false(mm_refusal_is_parameter(echo, strlen(echo), "temperature"));
    static const char *const blind[] = {
        "At most 0 image(s) may be provided in one request.",
        "x is not a multimodal model",
        "Failed to deserialize: unknown variant `image_url`, expected `text`",
        "No endpoints found that support image input",
    };
    for (size_t i = 0; i < sizeof blind / sizeof *blind; i++)
        assert_true(mm_refusal_is_picture(blind[i], strlen(blind[i])));
    static const char broken[] = "the picture cannot be decoded";
    assert_false(mm_refusal_is_picture(broken, strlen(broken)));
    assert_false(mm_refusal_is_schema(NULL, 0));
}

static void test_base64(void **unused) {
    (void)unused;
    static const struct {
        const char *text;
        const char *data;
        size_t size;
    } good[] = {
        {"Zm9vYmFy", "foobar", 6},
        {"Zm9vYg==", "foob", 4},
        {"Zm9vYg", "foob", 4},
        {"Zm9vYmE", "fooba", 5},
        {"Zm9v\r\nYmE=\n", "fooba", 5},
        {"-_-_", "\xfb\xff\xbf", 3},
        {"+/+/", "\xfb\xff\xbf", 3},
        {"data:image/png;base64,Zm9v", "foo", 3},
        {" data:;base64,Zm9v", "foo", 3},
    };
    mmood_error error;
    mm_buffer out = {0};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        out.size = 0;
        assert_ok(mm_base64_read(&out, good[i].text, strlen(good[i].text), &error), error);
        assert_int_equal(out.size, good[i].size);
        assert_memory_equal(out.data, good[i].data, good[i].size);
    }
    static const char *const bad[] = {"",         "Z",      "Zm9vY", "Zm9*",
                                      "Zg==Zg==", "data:x", "=",     "Zm\x80g"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        out.size = 0;
        assert_int_equal(mm_base64_read(&out, bad[i], strlen(bad[i]), NULL), MMOOD_ERROR_FORMAT);
    }
    uint8_t bytes[2000];
    for (size_t n = 1; n <= sizeof bytes; n = n * 3 / 2 + 1) {
        mm_buffer text = {0};
        for (size_t i = 0; i < n; i++)
            bytes[i] = (uint8_t)(i * 7 + n);
        mm_base64(&text, bytes, n);
        out.size = 0;
        assert_ok(mm_base64_read(&out, text.data, text.size, &error), error);
        assert_int_equal(out.size, n);
        assert_memory_equal(out.data, bytes, n);
        mm_buffer_free(&text);
    }
    mm_buffer_free(&out);
}

int main(void) {
    setenv("MMOOD_TEST_KEY", KEY, 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replies),        cmocka_unit_test(test_bad_replies),
        cmocka_unit_test(test_rounds),         cmocka_unit_test(test_schema),
        cmocka_unit_test(test_schema_sent),    cmocka_unit_test(test_object_schema),
        cmocka_unit_test(test_at_once),        cmocka_unit_test(test_pictures),
        cmocka_unit_test(test_picture_limits), cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_refusals),       cmocka_unit_test(test_base64),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
