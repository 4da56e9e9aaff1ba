/* `infer --show`; only in programs that have an input which may be a picture. */
#include "runtime/system.h"

#include "runtime/command.h"
#include "runtime/dataset.h"
#include "runtime/picture.h"

#include <stdlib.h>

bool command_show_picture(Command *command, const Dataset *data, int64_t row)
{
    for (int32_t i = 0; i < data->count; i++) {
        const IngotTensor *tensor = data->tensors[i].tensor;
        int64_t height, width, channels;
        bool last;
        if (tensor->type != INGOT_F32 ||
            !picture_find_size(tensor, &height, &width, &channels, &last))
            continue;
        float *pixels = malloc((size_t)data->tensors[i].elements * sizeof *pixels);
        if (!pixels)
            return ingot_fail(&command->failure, "there is no memory left");
        dataset_gather(data, i, &row, 1, pixels);
        picture_draw(tensor, pixels);
        free(pixels);
        return true;
    }
    return ingot_fail(&command->failure, "--show: no input is a picture of up to 32 by 32 pixels");
}
