/* bench_scores.c - time and memory to score picture embeddings against many labels.
 *   bench_scores PICTURES.f32 LABELS.f32 N K L D THREADS RUNS OUT.f64
 * The first two files hold raw floats [N, D] and [K + L, D] of unit rows. Prints for mm-ood alone
 * and for all scores that need no patches the best time of RUNS, and the peak memory; writes
 * mm-ood's scores. bench/compare_scores.py runs it beside numpy and PyTorch. */
#include "base/file.h"
#include "detect/detector.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static float *read_floats(const char *path, size_t count) {
    uint8_t *data;
    size_t size;
    mmood_error error;
    if (mm_file_read(&data, &size, path, SIZE_MAX / 2, &error) != MMOOD_OK ||
        size != count * sizeof(float)) {
        fprintf(stderr, "%s: not %zu floats\n", path, count);
        exit(1);
    }
    return (float *)data;
}

/* The best of `runs` times. */
static double best_time(mmood_scorer *scorer, const mmood_results *out, const float *pictures,
                        size_t n, int runs) {
    double best = 1e9;
    mmood_error error;
    for (int r = 0; r < runs; r++) {
        double start = now();
        if (mmood_scorer_run(out, scorer, pictures, NULL, 0, n, &error) != MMOOD_OK) {
            fprintf(stderr, "%s\n", error.message);
            exit(1);
        }
        double seconds = now() - start;
        best = seconds < best ? seconds : best;
    }
    return best;
}

int main(int argc, char **argv) {
    if (argc != 10) {
        fprintf(stderr, "usage: %s PICTURES.f32 LABELS.f32 N K L D THREADS RUNS OUT.f64\n",
                argv[0]);
        return 2;
    }
    size_t n = strtoul(argv[3], NULL, 10), k = strtoul(argv[4], NULL, 10);
    size_t l = strtoul(argv[5], NULL, 10), d = strtoul(argv[6], NULL, 10), count = 0;
    mmood_detector *detector = mm_detector_create(k + l, k, d, 1);
    float *pictures = read_floats(argv[1], n * d), *labels = read_floats(argv[2], (k + l) * d);
    mmood_verdict *verdicts = malloc(n * sizeof *verdicts);
    mmood_score_settings all[16];
    for (int kind = 0; mmood_score_name((mmood_score_kind)kind); kind++)
        if (!mmood_score_needs_patches((mmood_score_kind)kind)) {
            all[count] = mmood_score_settings_default();
            all[count++].kind = (mmood_score_kind)kind;
        }
    double *scores = malloc(n * count * sizeof *scores), *own = malloc(n * sizeof *own);
    if (!detector || !verdicts || !scores || !own)
        return 1;
    memcpy(detector->embeddings, labels, (k + l) * d * sizeof *labels);
    free(labels);
    detector->score = mmood_score_settings_default();
    const mmood_results out = {verdicts, scores, NULL};
    for (size_t further = 0; further <= count; further += count) {
        mmood_scorer_options options = {
            .scores = all, .score_count = further, .threads = atoi(argv[7])};
        mmood_scorer *scorer;
        mmood_error error;
        if (mmood_scorer_create(&scorer, detector, &options, &error) != MMOOD_OK)
            return 1;
        double seconds = best_time(scorer, &out, pictures, n, atoi(argv[8]));
        printf("%s %.4f\n", further ? "all" : "mm-ood", seconds);
        mmood_scorer_free(scorer);
    }
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    printf("peak_mb %.1f\n", (double)usage.ru_maxrss / 1024);
    for (size_t i = 0; i < n; i++)
        own[i] = verdicts[i].score;
    mmood_error error;
    if (mm_file_write(argv[9], own, n * sizeof *own, &error) != MMOOD_OK)
        return 1;
    free(own);
    free(scores);
    free(verdicts);
    free(pictures);
    mmood_detector_free(detector);
    return 0;
}
