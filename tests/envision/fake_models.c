/* fake_models.c - the fake endpoint as a program: a language model that sees or not, and a picture
 * generator, in the scenarios that the test of mmood envision names.
 *   fake_models SCENARIO PORT_FILE LOG [DELAY_MS]
 * Writes its port to PORT_FILE, and to LOG a line for each answer: the SHA-256 of what was asked.
 */
#include "envision/fake_endpoint.h"

#include "base/buffer.h"
#include "base/file.h"
#include "base/sha256.h"
#include "base/text.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *scenario;
static FILE *logged;
static double delay;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char *picture; /* base64 */

/* What the model says to everything, by scenario. */
static const struct {
    const char *name;
    const char *text;
} replies[] = {
    {"dash", "- gray wolf\n- owl\n- red fox"},
    {"numbered",
     "Sure! Here are 5 classes:\n\n1. Gray wolf\n2) **Owl**\n(3) Red fox - looks like a "
     "dog\n4: `Hyena`\n5. Raccoon\n\nLet me know if you need more!"},
    {"comma", "Gray wolf, owl, red fox, hyena and raccoon."},
    {"bashfence", "First:\n```bash\nls\n```\nthen\n```json\n{\"classes\": [\"gray wolf\", "
                  "\"owl\"]}\n```"},
    {"cut", "[\"gray wolf\", \"owl\", \"red fo"},
    {"idleak", "- cat\n- Dog\n- hot dog\n- Cats\n- tabby cat\n- gray wolf\n- teddy bear"},
    {"dups", "- Gray wolf\n- gray wolf\n- Gray Wolf.\n- gray  wolf\n- a gray wolf\n- gray "
             "wolves\n- owl"},
    {"refusal", "I'm sorry, but I can't assist with that request."},
    {"entities", "- Tom &amp; Jerry mouse\n- caf\xc3\xa9 cr\xc3\xa8me\n- cafe\xcc\x81"},
};

/* Made-up names that depend on what was asked alone. */
static void invent(mm_buffer *out, const char *hash) {
    static const char *const first[] = {"red",   "tall",  "old",  "wet",  "round", "soft",
                                        "grey",  "thin",  "loud", "cold", "sharp", "plain",
                                        "empty", "small", "deep", "fast"};
    static const char *const second[] = {"lamp",   "tower",  "river",  "mask",   "kettle", "wagon",
                                         "violin", "fence",  "anvil",  "mirror", "ladder", "basket",
                                         "statue", "bridge", "candle", "drum"};
    static const char digits[] = "0123456789abcdef";
    for (int i = 0; i < 6; i++) {
        const char *h = hash + 4 * i;
        mm_buffer_printf(out, "- %s %s %s\n", first[strchr(digits, h[0]) - digits],
                         first[strchr(digits, h[1]) - digits],
                         second[strchr(digits, h[2]) - digits]);
    }
}

static void hash_of(char out[65], const char *text) {
    mm_sha256 hash;
    mm_sha256_init(&hash);
    mm_sha256_update(&hash, text, strlen(text));
    mm_sha256_finish(out, &hash);
}

static void say(int socket, const char *text, const char *finish) {
    mm_buffer body = {0};
    mm_buffer_puts(&body,
                   "{\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":");
    mm_json_text(&body, text);
    mm_buffer_printf(&body, "},\"finish_reason\":\"%s\"}]}", finish);
    fake_answer(socket, 200, "application/json", "", body.data, body.size);
    mm_buffer_free(&body);
}

static void answer_chat(int socket, const fake_request *request) {
    const char *asked = request->body;
    char hash[65];
    for (size_t i = 0; i < sizeof replies / sizeof *replies; i++)
        if (strcmp(scenario, replies[i].name) == 0) {
            say(socket, replies[i].text, "stop");
            return;
        }
    if (strcmp(scenario, "concat") == 0) {
        say(socket, strstr(asked, "\"assistant\"") ? "- red fox\n- hyena" : "- gray wolf\n- owl",
            "stop");
    } else if (strcmp(scenario, "noschema") == 0) {
        if (strstr(asked, "response_format"))
            fake_json(socket, 400,
                      "{\"error\":\"'response_format.type' must be 'json_schema' or 'text'\"}");
        else
            say(socket, "- gray wolf\n- owl\n- red fox", "stop");
    } else if (strcmp(scenario, "one-refuses") == 0 && strstr(asked, "dog is a class")) {
        say(socket, "I cannot help with that.", "stop");
    } else if (strcmp(scenario, "blind") == 0) {
        say(socket, "I see a red circle and a blue square.", "stop");
    } else if (strcmp(scenario, "no-projector") == 0) {
        fake_json(socket, 500,
                  "{\"error\":{\"code\":500,\"message\":\"unsupported content[].type\","
                  "\"type\":\"server_error\"}}");
    } else if (strstr(asked, "What does this picture show?")) {
        say(socket, "An orange triangle, a purple circle, and the number 47.", "stop");
    } else {
        mm_buffer names = {0};
        hash_of(hash, asked);
        invent(&names, hash);
        say(socket, names.data, "stop");
        mm_buffer_free(&names);
    }
}

static void answer_image(int socket, const fake_request *request) {
    static const char black[] = /* four black pixels */
        "iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAAAAABX3VL4AAAADklEQVR4nGNgYGBgYAAAAAYAAXKCmeoAAAAASUVORK"
        "5CYII=";
    mm_buffer body = {0};
    mm_buffer_printf(&body, "{\"images\":[\"%s\"],\"info\":\"\"}",
                     strcmp(scenario, "black") == 0 ||
                             (strcmp(scenario, "some-black") == 0 && strstr(request->body, "lamp"))
                         ? black
                         : picture);
    fake_answer(socket, 200, "application/json", "", body.data, body.size);
    mm_buffer_free(&body);
}

static void answer(fake *server, int socket, const fake_request *request) {
    char hash[65];
    if (strcmp(scenario, "hang") == 0 ||
        (strcmp(scenario, "one-hangs") == 0 && strstr(request->body, "dog is a class"))) {
        fake_pause(server, 3600);
        return;
    }
    fake_pause(server, delay);
    if (strstr(request->path, "txt2img"))
        answer_image(socket, request);
    else if (strcmp(request->path, "/v1/chat/completions") == 0)
        answer_chat(socket, request);
    else
        fake_json(socket, 404, "{\"error\":{\"message\":\"not found\"}}");
    hash_of(hash, request->body);
    pthread_mutex_lock(&lock);
    fprintf(logged, "%s %s\n", hash, request->path);
    fflush(logged);
    pthread_mutex_unlock(&lock);
}

int main(int argc, char **argv) {
    mm_buffer text = {0}, port = {0};
    uint8_t *data;
    size_t size;
    if (argc < 4 || !(logged = fopen(argv[3], "a")) ||
        mm_file_read(&data, &size, "data/image/syn_640x427.png", 1 << 20, NULL) != MMOOD_OK)
        return 2;
    mm_base64(&text, data, size);
    free(data);
    picture = text.data;
    scenario = argv[1];
    delay = argc > 4 ? atof(argv[4]) / 1000 : 0;
    fake *server = fake_start(answer, NULL);
    mm_buffer_printf(&port, "%d\n", fake_port(server));
    if (mm_file_write(argv[2], port.data, port.size, NULL) != MMOOD_OK)
        return 1;
    for (;;)
        pause();
}
