/* test_exchanges.c - the cache: repeated offline, refreshed, damaged in every byte, free of keys;
 * and many exchanges at a time. */
#include "test.h"

#include "base/buffer.h"
#include "base/file.h"
#include "envision/chat.h"
#include "envision/fake_endpoint.h"
#include "envision/imagegen.h"
#include "envision/jobs.h"

#include <dirent.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KEY "sk-very-secret-0123"

static char folder[] = "/tmp/mmood-exchanges-XXXXXX";
static char cache_path[128];

/* Calls `use` for each file of a folder, and its folders. */
static void each_file(const char *path, void (*use)(const char *)) {
    DIR *directory = opendir(path);
    struct dirent *entry;
    while (directory && (entry = readdir(directory))) {
        char name[1024];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        if (strchr(entry->d_name, '.'))
            use(name);
        else
            each_file(name, use);
    }
    if (directory)
        closedir(directory);
}

static int files;
static char last_json[1024], last_picture[1024];

static void note(const char *path) {
    files++;
    snprintf(strstr(path, ".json") ? last_json : last_picture, sizeof last_json, "%s", path);
}

static void delete_file(const char *path) {
    unlink(path);
}

static int count_files(void) {
    files = 0;
    each_file(cache_path, note);
    return files;
}

static int make_folder(void **unused) {
    (void)unused;
    assert_non_null(mkdtemp(folder));
    snprintf(cache_path, sizeof cache_path, "%s/a/cache", folder);
    return 0;
}

static int empty_cache(void **unused) {
    (void)unused;
    each_file(cache_path, delete_file);
    return 0;
}

static int remove_folder(void **unused) {
    static const char *const parts[] = {"/a/cache/pictures", "/a/cache", "/a", ""};
    empty_cache(unused);
    for (size_t i = 0; i < 4; i++) {
        char path[256];
        snprintf(path, sizeof path, "%s%s", folder, parts[i]);
        rmdir(path);
    }
    return 0;
}

static mm_exchanges *open_cache(mm_exchanges_mode mode) {
    mm_exchanges *cache;
    mmood_error error;
    assert_ok(mm_exchanges_open(&cache, cache_path, mode, &error), error);
    return cache;
}

/* Answers with the number of the request, and repeats the key. */
static void answer(fake *server, int socket, const fake_request *request) {
    char body[512];
    (void)server;
    if (strstr(request->path, "txt2img")) {
        mm_buffer text = {0};
        static const char one[] = /* two pixels, black and white */
            "iVBORw0KGgoAAAANSUhEUgAAAAIAAAABCAAAAADRSSBWAAAAC0lEQVR4nGNg+A8AAQIBAEK+"
            "vGgAAAAASUVORK5C"
            "YII=";
        mm_buffer_printf(&text, "{\"images\":[\"%s\"],\"info\":\"n %d\"}", one, request->number);
        fake_json(socket, 200, text.data);
        mm_buffer_free(&text);
        return;
    }
    snprintf(body, sizeof body,
             "{\"choices\":[{\"message\":{\"content\":\"- owl %d\"},\"finish_reason\":\"stop\"}],"
             "\"debug\":\"" KEY "\"}",
             request->number);
    fake_json(socket, 200, body);
}

static mm_chat *connect_to(const char *url, mm_exchanges *cache) {
    mm_chat_options options = mm_chat_options_default();
    mmood_error error;
    mm_chat *chat;
    options.url = url;
    options.model = "tiny";
    options.cache = cache;
    options.http.timeout = 5;
    options.http.retries = 0;
    options.http.key_variable = "MMOOD_TEST_KEY";
    assert_ok(mm_chat_create(&chat, &options, &error), error);
    return chat;
}

/* Two rounds about a picture; the second reply. */
static mmood_status converse(mm_chat_reply *reply, mm_chat *chat, const char *first,
                             mmood_error *error) {
    mm_picture *picture;
    mm_talk *talk;
    assert_ok(mm_picture_load(&picture, "data/image/ok.jpg", 64, error), *error);
    assert_ok(mm_talk_create(&talk, error), *error);
    assert_ok(mm_talk_user(talk, first, (const mm_picture *const *)&picture, 1, error), *error);
    mmood_status status = mm_chat_send(reply, chat, talk, NULL, error);
    if (status == MMOOD_OK) {
        mm_chat_reply_free(reply);
        assert_ok(mm_talk_user(talk, "More.", NULL, 0, error), *error);
        status = mm_chat_send(reply, chat, talk, NULL, error);
    }
    mm_talk_free(talk);
    mm_picture_free(picture);
    return status;
}

static void has_no_key(const char *path) {
    uint8_t *data;
    size_t size;
    mmood_error error;
    assert_ok(mm_file_read(&data, &size, path, 1 << 20, &error), error);
    if (strstr(path, ".json")) {
        assert_null(strstr((char *)data, KEY));
        assert_non_null(strstr((char *)data, "\"format\": \"mmood-exchange/1\""));
        assert_non_null(strstr((char *)data, "\"time\": \"20"));
    }
    free(data);
}

static void test_chat(void **unused) {
    (void)unused;
    fake *server = fake_start(answer, NULL);
    mm_chat_reply reply;
    mmood_error error;
    mm_exchanges *cache = open_cache(MM_EXCHANGES_USE);
    mm_chat *chat = connect_to(fake_url(server, ""), cache);
    for (int i = 0; i < 2; i++) {
        assert_ok(converse(&reply, chat, "Which?", &error), error);
        assert_string_equal(reply.text, "- owl 2");
        assert_int_equal(reply.cached, i);
        mm_chat_reply_free(&reply);
        assert_int_equal(fake_count(server), 2);
    }
    assert_int_equal(count_files(), 3); /* two exchanges and a picture */
    each_file(cache_path, has_no_key);
    assert_ok(converse(&reply, chat, "Which one?", &error), error); /* another question */
    assert_int_equal(fake_count(server), 4);
    mm_chat_reply_free(&reply);
    mm_chat_free(chat);
    mm_exchanges_free(cache);

    cache = open_cache(MM_EXCHANGES_REFRESH);
    chat = connect_to(fake_url(server, "/v1"), cache);
    assert_ok(converse(&reply, chat, "Which?", &error), error);
    assert_string_equal(reply.text, "- owl 6");
    mm_chat_reply_free(&reply);
    mm_chat_free(chat);
    mm_exchanges_free(cache);
    fake_stop(server);

    cache = open_cache(MM_EXCHANGES_OFFLINE);
    chat = connect_to(NULL, cache);
    assert_ok(converse(&reply, chat, "Which?", &error), error);
    assert_string_equal(reply.text, "- owl 6");
    mm_chat_reply_free(&reply);
    assert_int_equal(converse(&reply, chat, "Who?", &error), MMOOD_ERROR_UNSUPPORTED);
    assert_non_null(strstr(error.message, "--offline"));
    mm_chat_free(chat);
    mm_exchanges_free(cache);
    assert_int_equal(mm_exchanges_open(&cache, "/nonexistent/x", MM_EXCHANGES_OFFLINE, &error),
                     MMOOD_ERROR_IO);
    assert_int_equal(mm_exchanges_open(&cache, "/dev/null/x", MM_EXCHANGES_USE, &error),
                     MMOOD_ERROR_IO);
    assert_null(cache);
}

static void test_pictures(void **unused) {
    (void)unused;
    fake *server = fake_start(answer, NULL);
    mm_generated made;
    mmood_error error;
    mm_imagegen_options options = mm_imagegen_options_default();
    options.model = "sd";
    options.url = fake_url(server, "");
    options.cache = open_cache(MM_EXCHANGES_USE);
    for (int i = 0; i < 4; i++) {
        mm_imagegen *endpoint;
        assert_ok(mm_imagegen_create(&endpoint, &options, &error), error);
        assert_ok(mm_imagegen_make(&made, endpoint, "an owl", 3, &error), error);
        assert_int_equal(made.width, 2);
        assert_int_equal(made.cached, i % 2);
        assert_int_equal(fake_count(server), i < 2 ? 1 : 2);
        mm_generated_free(&made);
        mm_imagegen_free(endpoint);
        assert_int_equal(count_files(), 2);
        if (i == 1) /* a picture that is gone or damaged is made again */
            assert_ok(mm_file_write(last_picture, "x", 1, &error), error);
    }
    assert_int_equal(mm_exchanges_damaged(options.cache), 1);
    mm_exchanges_free(options.cache);
    fake_stop(server);
    assert_int_equal(unlink(last_picture), 0);
    options.cache = open_cache(MM_EXCHANGES_OFFLINE);
    options.url = NULL;
    mm_imagegen *endpoint;
    assert_ok(mm_imagegen_create(&endpoint, &options, &error), error);
    assert_int_equal(mm_imagegen_make(&made, endpoint, "an owl", 3, &error), MMOOD_ERROR_IO);
    assert_non_null(strstr(error.message, ".png"));
    mm_imagegen_free(endpoint);
    mm_exchanges_free(options.cache);
}

static void test_damage(void **unused) {
    (void)unused;
    mmood_error error;
    mm_exchanges *cache = open_cache(MM_EXCHANGES_USE);
    json_t *request = json_pack("{s:s, s:f}", "b", "x", "a", 0.1);
    json_t *same = json_pack("{s:f, s:s}", "a", 0.1, "b", "x");
    json_t *entry = json_pack("{s:s}", "reply", "caf\xc3\xa9 \"1\""), *found;
    char key[65], other[65];
    assert_ok(mm_exchanges_key(key, request, &error), error);
    assert_ok(mm_exchanges_key(other, same, &error), error);
    assert_string_equal(key, other);
    assert_ok(mm_exchanges_store(cache, request, entry, &error), error);
    assert_ok(mm_exchanges_find(&found, cache, same, &error), error);
    assert_non_null(found);
    assert_string_equal(json_string_value(json_object_get(found, "reply")), "caf\xc3\xa9 \"1\"");
    json_decref(found);

    uint8_t *data;
    size_t size;
    assert_int_equal(count_files(), 1);
    assert_ok(mm_file_read(&data, &size, last_json, 1 << 20, &error), error);
    assert_ok(mm_exchanges_parse(&found, data, size, key, &error), error);
    json_decref(found);
    for (size_t i = 0; i < size; i++) { /* cut anywhere, and any byte changed */
        if (mm_exchanges_parse(&found, data, i, key, NULL) == MMOOD_OK)
            fail_msg("cut to %zu of %zu bytes it was accepted", i, size);
        uint8_t kept = data[i];
        data[i] = kept == '1' ? '2' : '1';
        if (mm_exchanges_parse(&found, data, size, key, NULL) == MMOOD_OK &&
            !strchr(" \n", (int)kept))
            fail_msg("with byte %zu changed it was accepted", i);
        json_decref(found);
        data[i] = kept;
    }
    assert_int_equal(mm_exchanges_parse(&found, data, size, other + 1, &error), MMOOD_ERROR_FORMAT);
    assert_ok(mm_file_write(last_json, data, size / 2, &error), error);
    free(data);
    error.status = MMOOD_OK;
    assert_ok(mm_exchanges_find(&found, cache, request, &error), error);
    assert_null(found);
    assert_int_equal(error.status, MMOOD_OK);
    assert_int_equal(mm_exchanges_damaged(cache), 1);
    mm_exchanges_free(cache);
    cache = open_cache(MM_EXCHANGES_OFFLINE);
    assert_int_equal(mm_exchanges_find(&found, cache, request, &error), MMOOD_ERROR_FORMAT);
    assert_non_null(strstr(error.message, key));
    uint8_t *picture;
    assert_int_equal(mm_exchanges_read_picture(&picture, &size, cache, "../../x", "png", &error),
                     MMOOD_ERROR_FORMAT);
    assert_int_equal(mm_exchanges_read_picture(&picture, &size, cache, key, "../x", &error),
                     MMOOD_ERROR_FORMAT);
    mm_exchanges_free(cache);
    json_decref(entry);
    json_decref(request);
    json_decref(same);
}

/* ---- Jobs ---- */

typedef struct crowd {
    mm_chat *chat;
    char *texts[40];
    atomic_int now;
    atomic_int most;
    size_t last_done;
} crowd;

static mmood_status ask(void *context, size_t index, mmood_error *error) {
    crowd *c = context;
    char text[64];
    int now = atomic_fetch_add(&c->now, 1) + 1;
    for (int most = atomic_load(&c->most);
         now > most && !atomic_compare_exchange_weak(&c->most, &most, now);)
        ;
    snprintf(text, sizeof text, "question %zu", index);
    mm_talk *talk;
    mm_chat_reply reply = {0};
    mmood_status status = mm_talk_create(&talk, error);
    if (status == MMOOD_OK)
        status = mm_talk_user(talk, text, NULL, 0, error);
    if (status == MMOOD_OK)
        status = mm_chat_send(&reply, c->chat, talk, NULL, error);
    c->texts[index] = reply.text;
    mm_talk_free(talk);
    atomic_fetch_sub(&c->now, 1);
    return status;
}

static void count_done(void *context, size_t done, size_t count) {
    crowd *c = context;
    assert_true(done == c->last_done + 1 && done <= count);
    c->last_done = done;
}

/* Repeats the question after a while; refuses those that end in 5. */
static void echo(fake *server, int socket, const fake_request *request) {
    char body[256];
    const char *question = strstr(request->body, "question ");
    int number = question ? atoi(question + 9) : -1;
    if (!fake_pause(server, 0.05))
        return;
    snprintf(body, sizeof body, "{\"choices\":[{\"message\":{\"content\":\"answer %d\"}}]}",
             number);
    if (number % 10 == 5)
        fake_json(socket, 400, "{\"error\":\"not 5\"}");
    else
        fake_json(socket, 200, body);
}

static void refuse(fake *server, int socket, const fake_request *request) {
    (void)server;
    (void)request;
    fake_json(socket, 401, "{\"error\":\"no\"}");
}

static void test_jobs(void **unused) {
    (void)unused;
    mm_job jobs[40];
    mmood_error error;
    fake *server = fake_start(echo, NULL);
    crowd c = {.chat = connect_to(fake_url(server, ""), NULL)};
    mm_jobs_options options = {8, 0, count_done};
    assert_int_equal(mm_jobs_run(jobs, 40, &options, ask, &c, &error), MMOOD_ERROR_IO);
    assert_non_null(strstr(error.message, "4 of 40 failed"));
    assert_non_null(strstr(error.message, "not 5"));
    for (int i = 0; i < 40; i++) {
        char expected[32];
        snprintf(expected, sizeof expected, "answer %d", i);
        assert_true(jobs[i].tried);
        if (i % 10 == 5) {
            assert_int_equal(jobs[i].status, MMOOD_ERROR_IO);
            assert_null(c.texts[i]);
        } else {
            assert_ok(jobs[i].status, jobs[i].error);
            assert_string_equal(c.texts[i], expected);
        }
        free(c.texts[i]);
    }
    assert_in_range(atomic_load(&c.most), 2, 8);
    assert_int_equal(c.last_done, 40);
    mm_chat_free(c.chat);
    fake_stop(server);

    server = fake_start(refuse, NULL);
    c = (crowd){.chat = connect_to(fake_url(server, ""), NULL)};
    options = (mm_jobs_options){2, 3, NULL};
    assert_int_equal(mm_jobs_run(jobs, 40, &options, ask, &c, &error), MMOOD_ERROR_IO);
    assert_in_range(fake_count(server), 3, 4);
    assert_false(jobs[39].tried);
    assert_int_equal(jobs[39].status, MMOOD_ERROR_IO);
    assert_non_null(strstr(error.message, "were not tried"));
    mm_chat_free(c.chat);
    fake_stop(server);
    options.jobs = 0;
    assert_int_equal(mm_jobs_run(jobs, 1, &options, ask, &c, &error), MMOOD_ERROR_ARGUMENT);
    options.jobs = 4;
    assert_ok(mm_jobs_run(jobs, 0, &options, ask, &c, &error), error);
}

int main(void) {
    setenv("MMOOD_TEST_KEY", KEY, 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_chat, empty_cache),
        cmocka_unit_test_setup(test_pictures, empty_cache),
        cmocka_unit_test_setup(test_damage, empty_cache),
        cmocka_unit_test(test_jobs),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
