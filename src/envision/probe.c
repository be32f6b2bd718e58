/* probe.c - a picture of known contents, and whether a reply fits it. */
#include "envision/probe.h"

#include "base/error.h"
#include "image/encode_jpeg.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE = 448, ENOUGH = 3, DOT = 22 };

static const uint8_t orange[] = {255, 130, 0}, purple[] = {128, 0, 160}, black[] = {0, 0, 0};

/* The digits 4 and 7, 5 dots wide and 7 high. */
static const char *const digits[] = {"#..#..#####", "#..#......#", "#..#.....#.", "####.....#.",
                                     "...#....#..", "...#....#..", "...#....#.."};

static const uint8_t *colour_at(int x, int y) {
    int dx = x - 325, dy = y - 120;
    if (dx * dx + dy * dy < 80 * 80)
        return purple;
    if (y >= 40 && y < 200 && 2 * abs(x - 125) < y - 40)
        return orange;
    int row = (y - 255) / DOT, column = (x - 103) / DOT;
    if (y >= 255 && row < 7 && x >= 103 && column < 11 && digits[row][column] == '#')
        return black;
    return NULL;
}

mmood_status mm_probe_picture(mm_buffer *out, mmood_error *error) {
    uint8_t *pixels = malloc((size_t)SIDE * SIDE * 3);
    mmood_image *image = NULL;
    if (!pixels)
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for the picture of the probe");
    memset(pixels, 255, (size_t)SIDE * SIDE * 3);
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++) {
            const uint8_t *colour = colour_at(x, y);
            if (colour)
                memcpy(pixels + ((size_t)y * SIDE + (size_t)x) * 3, colour, 3);
        }
    mmood_status status = mmood_image_from_rgb(&image, pixels, SIDE, SIDE, error);
    free(pixels);
    if (status == MMOOD_OK)
        status = mm_encode_jpeg(out, image, 95, error);
    mmood_image_free(image);
    return status;
}

/* 1 if one of the words, separated by spaces, is in the reply as a whole word. */
static int has_word(const char *reply, const char *words) {
    for (const char *w = words; *w;) {
        size_t n = strcspn(w, " ");
        for (const char *p = reply; *p; p++) {
            size_t k = 0;
            while (k < n && tolower((unsigned char)p[k]) == w[k])
                k++;
            if (k == n && (p == reply || !isalnum((unsigned char)p[-1])) &&
                !isalnum((unsigned char)p[n]))
                return 1;
        }
        w += n + (w[n] == ' ');
    }
    return 0;
}

int mm_probe_is_right(const char *reply) {
    static const char *const there[] = {"orange", "triangle triangles",
                                        "purple violet magenta lila lilac indigo",
                                        "circle disc disk ball dot round", "47 forty-seven"};
    static const char *const not_there[] = {"red",    "blue",    "green",     "yellow", "square",
                                            "star",   "hexagon", "rectangle", "cat",    "dog",
                                            "person", "diamond", "heart",     "arrow"};
    int right = 0, wrong = 0;
    for (size_t i = 0; i < sizeof there / sizeof *there; i++)
        right += has_word(reply, there[i]);
    for (size_t i = 0; i < sizeof not_there / sizeof *not_there; i++)
        wrong += has_word(reply, not_there[i]);
    return right >= ENOUGH && wrong < right;
}

static mmood_status ask(mm_chat_reply *reply, const mm_asker *asker, const mm_prompts *prompts,
                        const mm_buffer *jpeg, mmood_error *error) {
    mm_picture *picture;
    mm_talk *talk = NULL;
    char *message = NULL;
    const mm_question question = {MM_VOICE_SEES, MM_PROMPT_PROBE, 0};
    mmood_status status =
        mm_picture_decode(&picture, jpeg->data, jpeg->size, MM_PICTURE_SIDE, error);
    if (status != MMOOD_OK)
        return status;
    status = mm_talk_create(&talk, error);
    if (status == MMOOD_OK)
        status =
            mm_prompts_expand(&message, prompts, MM_PROMPT_PROBE, &(mm_prompt_values){0}, error);
    if (status == MMOOD_OK)
        status = mm_talk_user(talk, message, (const mm_picture *const *)&picture, 1, error);
    if (status == MMOOD_OK)
        status = asker->ask(reply, asker->context, &question, talk, error);
    free(message);
    mm_talk_free(talk);
    mm_picture_free(picture);
    return status;
}

mmood_status mm_probe_run(json_t **record, const mm_asker *asker, const mm_prompts *prompts,
                          mmood_error *error) {
    mm_buffer jpeg = {0};
    mm_chat_reply reply = {0};
    if (record)
        *record = NULL;
    mmood_status status = mm_probe_picture(&jpeg, error);
    if (status == MMOOD_OK)
        status = ask(&reply, asker, prompts, &jpeg, error);
    mm_buffer_free(&jpeg);
    if (status != MMOOD_OK)
        return mm_error_prefix(error, status, "asking whether the model sees");
    const char *model = asker->models[MM_VOICE_SEES];
    if (!mm_probe_is_right(reply.text))
        status = mm_error_set(
            error, MMOOD_ERROR_UNSUPPORTED,
            "the model%s%s does not seem to see pictures: shown an orange triangle, a purple "
            "circle and the number 47 it said \"%.200s\"; choose a multimodal model, or start its "
            "server with its vision part (llama.cpp: --mmproj), or use --mode text-near or "
            "text-far; --no-probe goes on all the same",
            model ? " " : "", model ? model : "", reply.text);
    else if (record)
        *record =
            json_pack("{s:o, s:s}", "reply", mm_text_value(reply.text), "exchange", reply.key);
    mm_chat_reply_free(&reply);
    return status;
}
