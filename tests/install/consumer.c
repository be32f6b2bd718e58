/* consumer.c - what a user of the installed library writes: the example of docs/library.md. */
#include <mmood.h>
#include <stdio.h>

int main(void) {
    static const float cosines_f[] = {0.31f, 0.22f, 0.19f, 0.27f, 0.18f};
    double cosines[5], score;
    mmood_error error;
    mmood_score_settings settings = mmood_score_settings_default();
    for (int i = 0; i < 5; i++)
        cosines[i] = (double)cosines_f[i];
    if (mmood_score_compute(&score, cosines, 3, 2, &settings, &error) != MMOOD_OK) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    printf("mmood %s: score %.9g\n", mmood_version(), score);
    return 0;
}
