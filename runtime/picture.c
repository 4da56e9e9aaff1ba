/* Drawing one row of data; see picture.h. In a terminal with colours a pixel is a shade of grey:
 * two columns wide, or, when the picture is large, half a character high (the upper half-block
 * shows two rows at once). Elsewhere it is a character that is as dense as the pixel is light. */
#include "runtime/system.h"

#include "runtime/picture.h"

#include "runtime/terminal.h"

#include <math.h>
#include <stdio.h>
#include <unistd.h>

enum { LARGEST = 32, WIDE = 16 };

typedef struct Picture {
    const float *row;
    int64_t height, width, channels;
    bool last; /* channels are the last axis */
    float low, high;
} Picture;

static bool is_channels(int64_t n)
{
    return n == 1 || n == 3;
}

bool picture_find_size(const IngotTensor *input, int64_t *height, int64_t *width, int64_t *channels,
                       bool *last)
{
    int32_t skip = input->batched ? 1 : 0, rank = input->rank - skip;
    const int64_t *dims = input->dims + skip;
    *channels = 1;
    *last = false;
    if (rank == 1) {
        for (*width = 3; *width < LARGEST && *width * *width < dims[0]; ++*width)
            continue;
        *height = *width;
        return *width * *width == dims[0];
    }
    if (rank == 3 && is_channels(dims[0])) {
        *channels = dims[0];
        dims++;
    } else if (rank == 3 && is_channels(dims[2])) {
        *channels = dims[2];
        *last = true;
    } else if (rank != 2) {
        return false;
    }
    *height = dims[0];
    *width = dims[1];
    return *height > 2 && *width > 2 && *height <= LARGEST && *width <= LARGEST;
}

/* The mean over the channels. */
static float pixel(const Picture *picture, int64_t y, int64_t x)
{
    float sum = 0;
    int64_t plane = picture->height * picture->width, place = y * picture->width + x;
    for (int64_t c = 0; c < picture->channels; c++)
        sum += picture->row[picture->last ? place * picture->channels + c : c * plane + place];
    return sum / (float)picture->channels;
}

static void find_range(Picture *picture)
{
    picture->low = picture->high = pixel(picture, 0, 0);
    for (int64_t y = 0; y < picture->height; y++)
        for (int64_t x = 0; x < picture->width; x++) {
            float value = pixel(picture, y, x);
            picture->low = value < picture->low ? value : picture->low;
            picture->high = value > picture->high ? value : picture->high;
        }
}

/* 0 … levels-1; black below the last row. */
static int shade(const Picture *picture, int64_t y, int64_t x, int levels)
{
    float range = picture->high - picture->low;
    if (y >= picture->height || !(range > 0))
        return 0;
    int level = (int)((pixel(picture, y, x) - picture->low) / range * (float)(levels - 1) + 0.5F);
    return level < 0 ? 0 : level >= levels ? levels - 1 : level;
}

static void draw_colours(const Picture *picture)
{
    bool half = picture->width > WIDE && terminal_has_unicode();
    for (int64_t y = 0; y < picture->height; y += half ? 2 : 1) {
        printf("  ");
        for (int64_t x = 0; x < picture->width; x++) {
            int upper = 232 + shade(picture, y, x, 24); /* the 24 greys of 256 colours */
            if (half)
                printf("\033[38;5;%d;48;5;%dm▀", upper, 232 + shade(picture, y + 1, x, 24));
            else
                printf("\033[48;5;%dm  ", upper);
        }
        printf("\033[0m\n");
    }
}

static void draw_characters(const Picture *picture)
{
    static const char *const blocks[] = {" ", "░", "▒", "▓", "█"};
    static const char *const letters[] = {" ", ".", "+", "#", "@"};
    const char *const *shades = terminal_has_unicode() ? blocks : letters;
    for (int64_t y = 0; y < picture->height; y++) {
        printf("  ");
        for (int64_t x = 0; x < picture->width; x++) {
            const char *text = shades[shade(picture, y, x, 5)];
            printf("%s%s", text, text);
        }
        printf("\n");
    }
}

bool picture_draw(const IngotTensor *input, const float *row)
{
    Picture picture = {.row = row};
    if (!picture_find_size(input, &picture.height, &picture.width, &picture.channels,
                           &picture.last))
        return false;
    find_range(&picture);
    if (terminal_has_colour(STDOUT_FILENO))
        draw_colours(&picture);
    else
        draw_characters(&picture);
    return true;
}
