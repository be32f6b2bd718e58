/* test_openapi.c - docs/openapi.json and the server say the same: every path, every status, every
 * member of what is answered. */
#include "serve/fixture.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static json_t *document;

static json_t *schema(const char *name) {
    return json_object_get(json_object_get(json_object_get(document, "components"), "schemas"),
                           name);
}

static int has_type(const json_t *types, const char *name) {
    if (json_is_string(types))
        return strcmp(json_string_value(types), name) == 0;
    for (size_t i = 0; i < json_array_size(types); i++)
        if (strcmp(json_string_value(json_array_get(types, i)), name) == 0)
            return 1;
    return 0;
}

static const char *type_of(const json_t *value) {
    return json_is_object(value)    ? "object"
           : json_is_array(value)   ? "array"
           : json_is_string(value)  ? "string"
           : json_is_integer(value) ? "integer"
           : json_is_number(value)  ? "number"
           : json_is_boolean(value) ? "boolean"
                                    : "null";
}

static int fits(const json_t *value, json_t *wanted);

static int object_fits(const json_t *value, json_t *wanted) {
    const char *key;
    json_t *member, *properties = json_object_get(wanted, "properties");
    json_t *others = json_object_get(wanted, "additionalProperties");
    json_t *required = json_object_get(wanted, "required");
    json_object_foreach((json_t *)value, key, member) {
        json_t *known = json_object_get(properties, key);
        if (known ? !fits(member, known) : json_is_false(others) || !fits(member, others)) {
            print_error("\"%s\" does not fit\n", key);
            return 0;
        }
    }
    for (size_t i = 0; i < json_array_size(required); i++)
        if (!json_object_get(value, json_string_value(json_array_get(required, i)))) {
            print_error("\"%s\" is missing\n", json_string_value(json_array_get(required, i)));
            return 0;
        }
    return 1;
}

/* As much of JSON Schema as the document uses. */
static int fits(const json_t *value, json_t *wanted) {
    static const char prefix[] = "#/components/schemas/";
    const char *reference = json_string_value(json_object_get(wanted, "$ref"));
    json_t *list;
    if (!wanted)
        return 1;
    if (reference)
        return schema(reference + sizeof prefix - 1) &&
               fits(value, schema(reference + sizeof prefix - 1));
    if ((list = json_object_get(wanted, "enum"))) {
        for (size_t i = 0; i < json_array_size(list); i++)
            if (json_equal(json_array_get(list, i), value))
                return 1;
        return 0;
    }
    if ((list = json_object_get(wanted, "oneOf"))) {
        for (size_t i = 0; i < json_array_size(list); i++)
            if (fits(value, json_array_get(list, i)))
                return 1;
        return 0;
    }
    json_t *types = json_object_get(wanted, "type");
    const char *type = type_of(value);
    if (types && !has_type(types, type) &&
        !(strcmp(type, "integer") == 0 && has_type(types, "number")))
        return 0;
    if (json_is_object(value))
        return object_fits(value, wanted);
    for (size_t i = 0; i < json_array_size(value); i++)
        if (!fits(json_array_get(value, i), json_object_get(wanted, "items")))
            return 0;
    return 1;
}

/* The answer's status is documented, and what it holds. */
static void check_answer(const char *path, const char *method, const answer *a) {
    char code[16];
    json_t *operation =
        json_object_get(json_object_get(json_object_get(document, "paths"), path), method);
    snprintf(code, sizeof code, "%d", a->status);
    json_t *response = json_object_get(json_object_get(operation, "responses"), code);
    if (!response)
        fail_msg("%s %s answers %s, which is not documented", method, path, code);
    json_t *type = json_object_get(json_object_get(response, "content"), "application/json");
    if (type) {
        json_t *value = json_loadb(a->body, a->body_size, 0, NULL);
        if (!value || !fits(value, json_object_get(type, "schema")))
            fail_msg("%s %s, %s: not as documented: %s", method, path, code, a->body);
        json_decref(value);
    }
    const char *key, *sent = strstr(a->head, "Content-Type: ");
    json_t *content;
    int known = json_object_size(json_object_get(response, "content")) == 0;
    assert_non_null(sent);
    json_object_foreach(json_object_get(response, "content"), key, content) known |=
        strncmp(sent + 14, key, strlen(key)) == 0;
    assert_true(known);
}

static void test_paths(void **state) {
    int port;
    mm_server_options options = fixture_small_options();
    mm_server *server = fixture_start(&options, &port);
    const char *path, *method;
    json_t *item, *operation;
    (void)state;
    json_object_foreach(json_object_get(document, "paths"), path, item) {
        char url[128];
        snprintf(url, sizeof url, "%s", path);
        char *brace = strstr(url, "{name}");
        if (brace)
            memcpy(brace, "second", 7);
        json_object_foreach(item, method, operation) {
            if (strcmp(method, "parameters") == 0)
                continue;
            int is_post = strcmp(method, "post") == 0;
            answer a = is_post
                           ? fixture_post(port, url, NULL, fixture_pictures[0], fixture_sizes[0])
                           : fixture_get(port, url);
            assert_int_equal(a.status, 200);
            check_answer(path, method, &a);
            answer_free(&a);
            /* The other method, and a name that is none. */
            a = is_post ? fixture_get(port, url) : fixture_post(port, url, NULL, "x", 1);
            assert_int_equal(a.status, 405);
            check_answer(path, method, &a);
            answer_free(&a);
            if (brace) {
                memcpy(brace, "third\0", 6);
                a = is_post ? fixture_post(port, url, NULL, "x", 1) : fixture_get(port, url);
                assert_int_equal(a.status, 404);
                check_answer(path, method, &a);
                answer_free(&a);
            }
        }
    }
    mm_server_free(server);
}

static void test_answers(void **state) {
    static const struct {
        const char *query, *headers, *body;
        int status;
    } cases[] = {
        {"", NULL, "", 400},
        {"", JSON, "{}", 400},
        {"", JSON, "{\"pictures\":[1,1,1,1,1,1,1,1,1]}", 413},
        {"", "Content-Encoding: br\r\n", "x", 415},
        {"", NULL, "x", 422},
        {"", "Accept: application/x-ndjson\r\n", "x", 200},
        {"?top=5&scores=all", FORM,
         "--XX\r\nContent-Disposition: form-data; name=a; filename=\xff\r\n\r\nx\r\n--XX--", 422}};
    int port;
    mm_server_options options = fixture_small_options();
    mm_server *server = fixture_start(&options, &port);
    mm_buffer form = fixture_form_of_all();
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char url[64];
        snprintf(url, sizeof url, "/v1/detect%s", cases[i].query);
        answer a = fixture_post(port, url, cases[i].headers, cases[i].body, strlen(cases[i].body));
        assert_int_equal(a.status, cases[i].status);
        if (!cases[i].headers || !strstr(cases[i].headers, "ndjson"))
            check_answer("/v1/detect", "post", &a);
        answer_free(&a);
    }
    answer a = fixture_post(port, "/v1/detect?top=5&scores=all", FORM, form.data, form.size);
    assert_int_equal(a.status, 200);
    check_answer("/v1/detect", "post", &a);
    answer_free(&a);
    a = fixture_get(port, "/v1/stats"); /* with a window now */
    check_answer("/v1/stats", "get", &a);
    answer_free(&a);
    mm_server_free(server);
    options.token = "t";
    options.deadline = 1e-9;
    server = fixture_start(&options, &port);
    a = fixture_post(port, "/v1/detect", NULL, "x", 1);
    assert_int_equal(a.status, 401);
    check_answer("/v1/detect", "post", &a);
    answer_free(&a);
    a = fixture_post(port, "/v1/detect", "Authorization: Bearer t\r\n", "x", 1);
    assert_int_equal(a.status, 504);
    check_answer("/v1/detect", "post", &a);
    answer_free(&a);
    mm_server_free(server);
    mm_buffer_free(&form);
}

static int open_document(void **state) {
    document = json_load_file("../docs/openapi.json", 0, NULL);
    return document ? fixture_setup(state) : -1;
}

static int close_document(void **state) {
    json_decref(document);
    return fixture_teardown(state);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_answers),
    };
    return cmocka_run_group_tests(tests, open_document, close_document);
}
