/* consumer.c - judges pictures with a detector file: the example of docs/library.md. */
#include <mmood.h>

#include <stdio.h>
#include <stdlib.h>

typedef struct judge {
    mmood_detector *detector;
    mmood_model *model;
    mmood_session *session;
    mmood_model_info info;
    size_t crop_size; /* bytes */
    uint8_t *crop;
    float *embedding;
    double *cosines;
} judge;

static mmood_status judge_open(judge *j, const char *detector, const char *model,
                               mmood_error *error) {
    mmood_status status = mmood_detector_open(&j->detector, detector, error);
    if (!status)
        status = mmood_model_open(&j->model, model, NULL, error);
    if (!status)
        status = mmood_detector_check_model(j->detector, j->model, error);
    if (!status)
        status = mmood_session_create(&j->session, j->model, NULL, error);
    if (status)
        return status;
    mmood_detector_info labels;
    mmood_detector_describe(j->detector, &labels);
    mmood_model_describe(j->model, &j->info);
    j->crop_size =
        (size_t)j->info.preprocess.crop_width * (size_t)j->info.preprocess.crop_height * 3;
    j->crop = malloc(j->crop_size);
    j->embedding = malloc(labels.dimension * sizeof *j->embedding);
    j->cosines = malloc((labels.id_count + labels.outlier_count) * sizeof *j->cosines);
    return j->crop && j->embedding && j->cosines ? MMOOD_OK : MMOOD_ERROR_MEMORY;
}

static mmood_status judge_picture(mmood_verdict *out, judge *j, const char *path,
                                  mmood_error *error) {
    mmood_image *image;
    mmood_status status = mmood_image_load(&image, path, NULL, error);
    if (status)
        return status;
    status = mmood_image_preprocess(j->crop, j->crop_size, image, &j->info.preprocess, error);
    mmood_image_free(image);
    const uint8_t *crop = j->crop;
    if (!status)
        status = mmood_session_embed_images(j->embedding, j->session, &crop, 1, error);
    if (!status)
        status = mmood_detector_cosines(j->cosines, j->detector, j->embedding, error);
    return status ? status : mmood_detector_judge(out, j->detector, j->cosines, NULL, error);
}

static void judge_close(judge *j) {
    free(j->cosines);
    free(j->embedding);
    free(j->crop);
    mmood_session_free(j->session);
    mmood_model_free(j->model);
    mmood_detector_free(j->detector);
}

int main(int argc, char **argv) {
    if (argc < 4) {
        fprintf(stderr, "usage: %s DETECTOR MODEL PICTURE...\n", argv[0]);
        return 2;
    }
    judge j = {0};
    mmood_error error = {MMOOD_ERROR_MEMORY, "out of memory"};
    int failed = judge_open(&j, argv[1], argv[2], &error) != MMOOD_OK;
    if (failed)
        fprintf(stderr, "%s\n", error.message);
    for (int i = 3; i < argc && j.cosines; i++) {
        mmood_verdict verdict;
        if (judge_picture(&verdict, &j, argv[i], &error) != MMOOD_OK) {
            fprintf(stderr, "%s: %s\n", argv[i], error.message);
            failed = 1;
            continue;
        }
        printf("%s: %s, score %.9g, most like \"%s\"\n", argv[i], verdict.is_id ? "id" : "ood",
               verdict.score, mmood_detector_label(j.detector, verdict.label));
    }
    judge_close(&j);
    return failed;
}
