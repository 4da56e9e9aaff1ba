/* Checkpoints: what is saved is loaded, what is damaged changes nothing, a failed save leaves
 * nothing. */
#include "runtime_helpers.h"

#include "runtime_fake_model.h"

#include "runtime/checkpoint.h"
#include "runtime/instance.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

static IngotInstance *open_model(const IngotModel *model)
{
    int32_t code;
    IngotInstance *instance = ingot_create(model, NULL, &code);
    cr_assert(instance, "%d", (int)code);
    return instance;
}

/* A file with this header and `size` zero bytes of data. */
static void write_checkpoint(const char *header, size_t size)
{
    char *file = calloc(8 + strlen(header) + size, 1);
    for (int i = 0; i < 8; i++)
        file[i] = (char)(strlen(header) >> (8 * i));
    memcpy(file + 8, header, strlen(header));
    write_bytes("c", file, 8 + strlen(header) + size);
    free(file);
}

/* Loading must fail with this text and leave every byte of the state alone. */
static void refuse_file(const IngotModel *model, const char *want)
{
    IngotInstance *instance = open_model(model);
    unsigned char before[FAKE_BYTES];
    memset(ingot_state(instance, 0), 7, 2560);
    memcpy(before, ingot_state(instance, 0), FAKE_BYTES);
    cr_assert_eq(ingot_load(instance, "c"), INGOT_BAD_FILE, "%s", want);
    CHECK_TEXT(ingot_last_error(instance), want);
    cr_assert_arr_eq(before, ingot_state(instance, 0), FAKE_BYTES);
    ingot_destroy(instance);
}

static void refuse(const char *header, size_t size, const char *want)
{
    write_checkpoint(header, size);
    refuse_file(&fake_model, want);
}

#define WEIGHT "\"layers.0.weight\":{\"dtype\":\"F32\",\"shape\":[64,10],\"data_offsets\":[0,2560]}"
#define BIAS "\"layers.0.bias\":{\"dtype\":\"F32\",\"shape\":[10],\"data_offsets\":[2560,2600]}"
#define MOMENT                                                                                     \
    "\"momentum.layers.0.weight\":{\"dtype\":\"F32\",\"shape\":[64,10],\"data_offsets\":[2600,"    \
    "5160]}"
#define STEP "\"step\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[5160,5168]}"
#define DAMAGED "; the file is damaged or no safetensors file"

Test(runtime_checkpoint, what_is_saved_is_loaded)
{
    enter_folder();
    IngotInstance *a = open_model(&fake_model), *b = open_model(&fake_model);
    uint64_t seed = 18446744073709551615U;
    CheckpointNotes notes;
    ingot_initialize(a, 5);
    *(int64_t *)ingot_state(a, 3) = 1234567;
    cr_assert_eq(ingot_checkpoint_write(a, "c", &seed), INGOT_OK);
    cr_assert_eq(ingot_checkpoint_read(b, "c", false, &notes), INGOT_OK, "%s", ingot_last_error(b));
    for (int32_t i = 0; i < 4; i++)
        cr_assert_arr_eq(ingot_state(a, i), ingot_state(b, i), (size_t)fake_states[i].bytes);
    cr_assert(notes.has_seed && notes.seed == seed);
    CHECK_TEXT(notes.model, "digits");
    cr_assert_eq(count_files("part"), 0);
    ingot_destroy(a);
    ingot_destroy(b);
}

/* The bytes other programs will read. */
Test(runtime_checkpoint, header_follows_the_format)
{
    enter_folder();
    size_t size;
    IngotInstance *instance = open_model(&fake_model);
    cr_assert_eq(ingot_save(instance, "c"), INGOT_OK);
    char *file = read_bytes("c", &size);
    static const char want[] =
        "{\"__metadata__\":{\"model\":\"digits\",\"compiler\":\"ingot 0.1.0\"}," WEIGHT "," BIAS
        "," MOMENT "," STEP "}";
    cr_assert(strncmp(file + 8, want, sizeof want - 1) == 0, "%s", file + 8);
    size_t length = (unsigned char)file[0] | (size_t)(unsigned char)file[1] << 8;
    cr_assert(length % 8 == 0 && length < sizeof want + 8 && size == 8 + length + 5168);
    free(file);
    ingot_destroy(instance);
}

Test(runtime_checkpoint, saving_replaces_the_old_one_whole)
{
    enter_folder();
    IngotInstance *instance = open_model(&fake_model);
    write_text("c", "old");
    cr_assert(symlink("c", "link") == 0);
    cr_assert_eq(ingot_save(instance, "link"), INGOT_OK);
    struct stat status;
    cr_assert(lstat("link", &status) == 0 && S_ISLNK(status.st_mode));
    cr_assert_eq(ingot_load(instance, "c"), INGOT_OK);
    ingot_destroy(instance);
}

Test(runtime_checkpoint, inference_takes_parameters_and_ignores_the_rest)
{
    enter_folder();
    IngotModel small = fake_inference_model();
    IngotInstance *trainer = open_model(&fake_model), *user = open_model(&small);
    ingot_initialize(trainer, 9);
    cr_assert_eq(ingot_save(trainer, "c"), INGOT_OK);
    cr_assert_eq(ingot_load(user, "c"), INGOT_OK, "%s", ingot_last_error(user));
    cr_assert_arr_eq(ingot_state(trainer, 0), ingot_state(user, 0), 2560);
    cr_assert_eq(ingot_save(user, "c"), INGOT_OK);
    refuse_file(&fake_model,
                "c: holds no tensor \"momentum.layers.0.weight\", which model \"digits\" needs");
    ingot_initialize(trainer, 1);
    cr_assert_eq(ingot_checkpoint_read(trainer, "c", true, NULL), INGOT_OK);
    cr_assert_arr_eq(ingot_state(trainer, 0), ingot_state(user, 0), 2560);
    ingot_destroy(trainer);
    ingot_destroy(user);
}

Test(runtime_checkpoint, another_model_is_refused)
{
    enter_folder();
    refuse("{\"__metadata__\":{\"model\":\"lenet\"},\"layers.0.weight\":{\"dtype\":\"F32\","
           "\"shape\":[10,64],"
           "\"data_offsets\":[0,2560]}}",
           2560,
           "c: tensor \"layers.0.weight\" is f32[10,64], but model \"digits\" needs f32[64,10]; "
           "the checkpoint was saved "
           "by model \"lenet\"");
    refuse("{\"layers.0.weight\":{\"dtype\":\"F64\",\"shape\":[64,5],\"data_offsets\":[0,2560]}}",
           2560,
           "c: tensor \"layers.0.weight\" is f64[64,5], but model \"digits\" needs f32[64,10]");
    refuse("{" WEIGHT "}", 2560,
           "c: holds no tensor \"layers.0.bias\", which model \"digits\" needs");
    refuse("{\"conv\":{\"dtype\":\"BF16\",\"shape\":[2],\"data_offsets\":[0,4]}}", 4,
           "c: tensor \"conv\" is not in model \"digits\"");
    refuse("{\"a\\u001b[2Jb\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4,
           "c: tensor \"a?[2Jb\" is not in model \"digits\"");
}

Test(runtime_checkpoint, ranges_must_tile_the_data)
{
    enter_folder();
    IngotInstance *instance = open_model(&fake_model);
    write_checkpoint("{" STEP " , " MOMENT "," WEIGHT "," BIAS "} \n",
                     5168); /* any order, spaces */
    cr_assert_eq(ingot_load(instance, "c"), INGOT_OK, "%s", ingot_last_error(instance));
    ingot_destroy(instance);
    static const char want[] = "c: its tensors overlap or leave gaps; the file is damaged";
    refuse("{" WEIGHT "," BIAS "," MOMENT "," STEP "}", 5169, want);
    refuse("{" WEIGHT "," BIAS "," STEP ",\"momentum.layers.0.weight\":{\"dtype\":\"F32\","
           "\"shape\":[64,10],\"data_offsets\":[0,2560]}}",
           5168, want);
    refuse("{" WEIGHT "," BIAS "," MOMENT "," STEP "}", 5160,
           "c: tensor \"step\" ends at byte 5168 of the data, but the file holds 5160; it is "
           "truncated");
    refuse("{\"layers.0.weight\":{\"dtype\":\"F32\",\"shape\":[64,10],\"data_offsets\":[0,2556]}}",
           2560,
           "c: tensor \"layers.0.weight\" has a shape that does not fit its 2556 bytes; the file "
           "is damaged");
    refuse("{" WEIGHT "," WEIGHT "}", 2560,
           "c: tensor \"layers.0.weight\" is there twice; the file is damaged");
    refuse("{\"x\":{\"dtype\":\"F32\",\"shape\":[576460752303423487,576460752303423487],\"data_"
           "offsets\":[0,4]}}",
           4, "c: tensor \"x\" has a shape that does not fit its 4 bytes; the file is damaged");
}

Test(runtime_checkpoint, broken_headers_are_refused_where_they_break)
{
    enter_folder();
    refuse("", 0, "c: header, byte 0: expected '{'" DAMAGED);
    refuse("[]", 0, "c: header, byte 0: expected '{'" DAMAGED);
    refuse("{\"a\"}", 0, "c: header, byte 4: expected ':'" DAMAGED);
    refuse("{\"a", 0, "c: header, byte 3: a text without its closing '\"'" DAMAGED);
    refuse("{\"a\\x\":", 0, "c: header, byte 5: an unknown escape inside a text" DAMAGED);
    refuse("{\"a\\u00zz\":", 0, "c: header, byte 8: an unknown escape inside a text" DAMAGED);
    refuse("{\"a\":1}", 0, "c: header, byte 5: expected '{'" DAMAGED);
    refuse("{\"a\":{\"dtype\":\"F32\"}}", 0,
           "c: header, byte 20: a tensor without dtype, shape or data_offsets" DAMAGED);
    refuse("{\"a\":{\"type\":\"F32\"}}", 0,
           "c: header, byte 13: an unknown key of a tensor" DAMAGED);
    refuse("{\"a\":{\"shape\":[-1]}}", 0, "c: header, byte 15: expected a whole number" DAMAGED);
    refuse("{\"a\":{\"shape\":[9999999999999999999]}}", 0,
           "c: header, byte 32: a number that is too large" DAMAGED);
    refuse("{\"a\":{\"shape\":[1],\"shape\":[1]}}", 0,
           "c: header, byte 29: a key that is there twice" DAMAGED);
    refuse("{\"a\":{\"data_offsets\":[4,0]}}", 0,
           "c: header, byte 26: data_offsets that are no range" DAMAGED);
    refuse("{\"a\":{\"shape\":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]}}", 0,
           "c: header, byte 47: a list that is too long" DAMAGED);
    refuse("{\"__metadata__\":{},\"__metadata__\":{}}", 0,
           "c: header, byte 34: a key that is there twice" DAMAGED);
    refuse("{\"__metadata__\":{\"a\":1}}", 0, "c: header, byte 21: expected '\"'" DAMAGED);
    refuse("{} x", 0, "c: header, byte 3: something after the closing '}'" DAMAGED);
    refuse("{}", 0, "c: holds no tensor \"layers.0.weight\", which model \"digits\" needs");
}

Test(runtime_checkpoint, truncated_anywhere_is_noticed)
{
    enter_folder();
    size_t size;
    IngotInstance *instance = open_model(&fake_model);
    cr_assert_eq(ingot_save(instance, "good"), INGOT_OK);
    char *bytes = read_bytes("good", &size);
    for (size_t length = 0; length < size; length += length < 800 ? 1 : 97) {
        write_bytes("c", bytes, length);
        cr_assert_eq(ingot_load(instance, "c"), INGOT_BAD_FILE, "%zu", length);
    }
    write_bytes("c", bytes, 5);
    refuse_file(&fake_model, "c: is only 5 bytes long, no safetensors file");
    write_bytes("c", bytes, 20);
    refuse_file(&fake_model, "c: ends inside its header, which should be 360 bytes long; it is "
                             "truncated or no safetensors file");
    write_text("c", "this is no checkpoint");
    refuse_file(&fake_model, "c: is no safetensors file");
    free(bytes);
    ingot_destroy(instance);
}

Test(runtime_checkpoint, flipped_bits_in_the_header_never_crash)
{
    enter_folder();
    size_t size;
    IngotInstance *instance = open_model(&fake_model);
    cr_assert_eq(ingot_save(instance, "good"), INGOT_OK);
    char *bytes = read_bytes("good", &size);
    for (size_t bit = 0; bit < 368 * 8; bit++) {
        bytes[bit / 8] ^= (char)(1 << bit % 8);
        write_bytes("c", bytes, size);
        ingot_load(instance, "c");
        bytes[bit / 8] ^= (char)(1 << bit % 8);
    }
    free(bytes);
    ingot_destroy(instance);
}

static void refuse_save(const char *path, int error, const char *want)
{
    IngotInstance *instance = open_model(&fake_model);
    errno = 0;
    cr_assert_eq(ingot_save(instance, path), INGOT_NO_FILE);
    cr_assert_eq(errno, error);
    CHECK_TEXT(ingot_last_error(instance), want);
    cr_assert_eq(count_files("part"), 0);
    ingot_destroy(instance);
}

Test(runtime_checkpoint, places_that_cannot_be_written)
{
    enter_folder();
    refuse_save("none/c", ENOENT,
                "none/c: cannot be written: No such file or directory; create the folder first");
    refuse_save("/dev/full", ENOSPC,
                "/dev/full: cannot be written: No space left on device; free some room or choose "
                "another place");
    refuse_save(".", EISDIR, ".: is a folder; name a file in it");
    struct stat status;
    cr_assert(stat("/dev/full", &status) == 0 && S_ISCHR(status.st_mode),
              "the device was replaced");
}

Test(runtime_checkpoint, a_full_disk_leaves_the_old_one)
{
    enter_folder();
    IngotInstance *instance = open_model(&fake_model);
    write_text("c", "old");
    struct rlimit limit = {
        2000, 2000}; /* the kernel refuses to make files longer, as if the disk were full */
    signal(SIGXFSZ, SIG_IGN);
    cr_assert(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    cr_assert_eq(ingot_save(instance, "c"), INGOT_NO_FILE);
    CHECK_TEXT(ingot_last_error(instance),
               "c: cannot be written: File too large; free some room or choose another place");
    cr_assert_eq(count_files("part"), 0);
    char *content = read_bytes("c", NULL);
    CHECK_TEXT(content, "old");
    free(content);
    ingot_destroy(instance);
}

Test(runtime_checkpoint, missing_file_says_so)
{
    enter_folder();
    IngotInstance *instance = open_model(&fake_model);
    cr_assert_eq(ingot_load(instance, "gone"), INGOT_NO_FILE);
    cr_assert_eq(errno, ENOENT);
    CHECK_TEXT(ingot_last_error(instance), "gone: cannot be opened: No such file or directory");
    ingot_destroy(instance);
}
