/* Readers of data: what they accept, and the exact text for what they refuse. */
#include "runtime_helpers.h"

#include "runtime/convert.h"
#include "runtime/dataset.h"
#include "runtime/element.h"
#include "runtime/infer_output.h"
#include "runtime/number.h"
#include "runtime/tensor_file_csv.h"

#include <math.h>

static const int64_t pixel_dims[] = {4, 3}, label_dims[] = {4}, image_dims[] = {4, 1, 2, 3},
                     odd_dims[] = {4, 3, 2};
static const IngotTensor inputs[] = {
    {.name = "pixels", .dims = pixel_dims, .rank = 2, .type = INGOT_F32, .batched = 1},
    {.name = "label",
     .dims = label_dims,
     .rank = 1,
     .type = INGOT_I32,
     .classes = 10,
     .batched = 1},
};
static const IngotTensor image[] = {
    {.name = "image", .dims = image_dims, .rank = 4, .type = INGOT_F32, .batched = 1}};
static const IngotTensor odd[] = {
    {.name = "odd", .dims = odd_dims, .rank = 3, .type = INGOT_F32, .batched = 1}};
static const IngotColumn columns[] = {{.tensor = "pixels", .first = 0, .count = 3},
                                      {.tensor = "label", .first = 3, .count = 1}};

/* --- CSV ----------------------------------------------------------------------------------------
 */

static bool open_table(Dataset *data, const char *text, int32_t header, char separator,
                       Failure *failure)
{
    write_text("data.csv", text);
    IngotDataset source = {.path = "data.csv",
                           .columns = columns,
                           .format = INGOT_DATA_CSV,
                           .column_count = 2,
                           .header = header,
                           .separator = separator};
    return dataset_open(data, &source, inputs, 2, failure);
}

static void refuse_table(const char *text, const char *want)
{
    Dataset data;
    Failure failure = {""};
    cr_assert_not(open_table(&data, text, 0, ',', &failure), "%s", want);
    CHECK_TEXT(failure.text, want);
    dataset_close(&data);
}

static void accept_table(const char *text, int32_t header, char separator)
{
    Dataset data;
    Failure failure = {""};
    float pixels[6];
    int32_t labels[2];
    int64_t rows[] = {1, 0};
    cr_assert(open_table(&data, text, header, separator, &failure), "%s", failure.text);
    cr_assert_eq(data.rows, 2);
    dataset_gather(&data, 0, rows, 2, pixels);
    dataset_gather(&data, 1, rows, 2, labels);
    static const float want[] = {4, -5.5F, 6e3F, 1, 2, 3};
    cr_assert_arr_eq(pixels, want, sizeof want);
    cr_assert(labels[0] == 9 && labels[1] == 0);
    dataset_close(&data);
}

Test(runtime_data, csv_is_read)
{
    enter_folder();
    accept_table("1,2,3,0\n4,-5.5,6e3,9\n", 0, ',');
    accept_table("1,2,3,0\r\n4,-5.5,6e3,9\r\n\r\n\n", 0, ',');
    accept_table("\xEF\xBB\xBF"
                 "a,b,c,d\n1,2,3,0\n4,-5.5,6e3,9",
                 1, ',');
    accept_table(" 1 ;2; 3;\"0\"\n\"4\";-5.50;+6000; 9", 0, ';');
    accept_table("1\t2\t3\t0\n4\t-5.5\t6E+3\t9\n", 0, '\t');
    accept_table("1,2,3,0,\"text, with \"\"quotes\"\"\"\n4,-5.5,6e3,9.0,\n", 0, ',');
}

Test(runtime_data, csv_errors_name_line_and_column)
{
    enter_folder();
    refuse_table("1,2,3,0\n1,2,abc,0\n", "data.csv:2: column 3: \"abc\" is not a number");
    refuse_table("a,b,c,d\n1,2,3,0\n",
                 "data.csv:1: column 1: \"a\" is not a number; if this line is a heading, "
                 "say \"header\": 1 in the model's data");
    refuse_table("1,2,3,0\n1,nan,3,0\n",
                 "data.csv:2: column 2: \"nan\" is not a finite number; remove the row");
    refuse_table("1,2,3,0\n1,-inf,3,0\n",
                 "data.csv:2: column 2: \"-inf\" is not a finite number; remove the row");
    refuse_table("1,2,3,0\n1,1e39,3,0\n", "data.csv:2: column 2: \"1e39\" is too large for f32");
    refuse_table("1,2,3,0\n1,1e999,3,0\n",
                 "data.csv:2: column 2: \"1e999\" is not a finite number; remove the row");
    refuse_table("1,2,3,0\n1,0x10,3,0\n", "data.csv:2: column 2: \"0x10\" is not a number");
    refuse_table("1,2,3,0\n1,,3,0\n",
                 "data.csv:2: column 2: is empty; fill the gap or remove the row");
    refuse_table("1,2,3,0\n1,2,3\n", "data.csv:2: has 3 columns where line 1 has 4");
    refuse_table("1,2,3,0\n1,2,3,0,5\n", "data.csv:2: has 5 columns where line 1 has 4");
    refuse_table("1,2,3,0\n\n1,2,3,0\n", "data.csv:2: is empty; remove the line");
    refuse_table("1,2,3,0\n1,2,3,10\n",
                 "data.csv:2: column 4: \"10\" is out of range; labels of \"label\" are 0 to 9");
    refuse_table("1,2,3,0\n1,2,3,-1\n",
                 "data.csv:2: column 4: \"-1\" is out of range; labels of \"label\" are 0 to 9");
    refuse_table("1,2,3,0\n1,2,3,1.5\n",
                 "data.csv:2: column 4: \"1.5\" is not a whole number, which \"label\" needs");
    refuse_table("1,2\n", "data.csv: has 2 columns, but \"pixels\" is read from columns 1 to 3");
    refuse_table("", "data.csv: holds no rows");
    refuse_table("\n\n", "data.csv: holds no rows");
    refuse_table("1,2,\x1b[2J,0\n",
                 "data.csv:1: column 3: \"?[2J\" is not a number; if this line is a heading, "
                 "say \"header\": 1 in the model's data");
}

Test(runtime_data, numbers_are_rounded_as_strtod_rounds)
{
    static const char *const texts[] = {"0",
                                        "-0",
                                        "1",
                                        "0.1",
                                        "123456789012345",
                                        "1234567890123456789",
                                        "3.14159265",
                                        "1e-7",
                                        "2.5E+10",
                                        ".5",
                                        "5.",
                                        "0.00000000000000000001",
                                        "1e308",
                                        "-1.7e-310"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        double value, want = strtod(texts[i], NULL);
        cr_assert(number_parse(texts[i], texts[i] + strlen(texts[i]), &value));
        cr_assert(memcmp(&value, &want, sizeof value) == 0, "%s: %.17g", texts[i], value);
    }
    static const char *const wrong[] = {"", "-", ".", "1.2.3", "1e", "--1", "1 2", "0x1", "one"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        double value;
        cr_assert_not(number_parse(wrong[i], wrong[i] + strlen(wrong[i]), &value), "%s", wrong[i]);
    }
}

/* --- npy and IDX --------------------------------------------------------------------------------
 */

static void write_npy(const char *path, const char *dictionary, const void *bytes, size_t size)
{
    char file[4096] = "\x93NUMPY\x01";
    size_t length = strlen(dictionary);
    file[8] = (char)length;
    memcpy(file + 10, dictionary, length);
    if (size)
        memcpy(file + 10 + length, bytes, size);
    write_bytes(path, file, 10 + length + size);
}

static bool open_files(Dataset *data, const IngotTensor *tensors, int32_t count, const char *a,
                       const char *b, Failure *failure)
{
    IngotColumn files[] = {{.tensor = tensors[0].name, .path = a}, {.tensor = "label", .path = b}};
    IngotDataset source = {.columns = files, .format = INGOT_DATA_NPY, .column_count = count};
    return dataset_open(data, &source, tensors, count, failure);
}

static void refuse_files(const IngotTensor *tensors, int32_t count, const char *a, const char *b,
                         const char *want)
{
    Dataset data;
    Failure failure = {""};
    cr_assert_not(open_files(&data, tensors, count, a, b, &failure), "%s", want);
    CHECK_TEXT(failure.text, want);
    dataset_close(&data);
}

static void accept_rows(const char *a, const char *b)
{
    Dataset data;
    Failure failure = {""};
    float pixels[6];
    int32_t labels[2];
    int64_t rows[] = {1, 0};
    cr_assert(open_files(&data, inputs, 2, a, b, &failure), "%s", failure.text);
    cr_assert_eq(data.rows, 2);
    dataset_gather(&data, 0, rows, 2, pixels);
    dataset_gather(&data, 1, rows, 2, labels);
    static const float want[] = {4, 5, 6, 1, 2, 3};
    cr_assert_arr_eq(pixels, want, sizeof want);
    cr_assert(labels[0] == 9 && labels[1] == 0);
    dataset_close(&data);
}

Test(runtime_data, npy_of_every_type)
{
    enter_folder();
    static const float f32[] = {1, 2, 3, 4, 5, 6};
    static const double f64[] = {1, 2, 3, 4, 5, 6};
    static const int32_t i32[] = {1, 2, 3, 4, 5, 6};
    static const int64_t i64[] = {1, 2, 3, 4, 5, 6}, labels64[] = {0, 9};
    static const uint8_t u8[] = {1, 2, 3, 4, 5, 6}, labels8[] = {0, 9};
    write_npy("l64", "{'descr': '<i8', 'fortran_order': False, 'shape': (2,), }", labels64,
              sizeof labels64);
    write_npy("l8", "{'descr':'|u1','fortran_order':False,'shape':(2,1)}", labels8, sizeof labels8);
    write_npy("f32", "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", f32,
              sizeof f32);
    write_npy("f64", "{'shape': (2, 3), 'fortran_order': False, 'descr': '<f8'}", f64, sizeof f64);
    write_npy("i32", "{\"descr\": \"<i4\", \"fortran_order\": False, \"shape\": (2, 3)} \n", i32,
              sizeof i32);
    write_npy("i64", "{'descr': '<i8', 'fortran_order': False, 'shape': (2, 3), }", i64,
              sizeof i64);
    write_npy("u8", "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3), }", u8, sizeof u8);
    write_npy("i8", "{'descr': '|i1', 'fortran_order': False, 'shape': (2, 3), }", u8, sizeof u8);
    static const uint16_t u16[] = {1, 2, 3, 4, 5, 6};
    static const uint64_t u64[] = {1, 2, 3, 4, 5, 6};
    static const uint16_t f16[] = {0x3c00, 0x4000, 0x4200, 0x4400, 0x4500, 0x4600};
    write_npy("f16", "{'descr': '<f2', 'fortran_order': False, 'shape': (2, 3), }", f16,
              sizeof f16);
    write_npy("i16", "{'descr': '<i2', 'fortran_order': False, 'shape': (2, 3), }", u16,
              sizeof u16);
    write_npy("u16", "{'descr': '<u2', 'fortran_order': False, 'shape': (2, 3), }", u16,
              sizeof u16);
    write_npy("u32", "{'descr': '<u4', 'fortran_order': False, 'shape': (2, 3), }", i32,
              sizeof i32);
    write_npy("u64", "{'descr': '<u8', 'fortran_order': False, 'shape': (2, 3), }", u64,
              sizeof u64);
    static const char *const files[] = {"f32", "f64", "i32", "i64", "u8", "i8",
                                        "i16", "u16", "u32", "u64", "f16"};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        accept_rows(files[i], "l64");
        accept_rows(files[i], "l8");
    }
}

/* From the ends of one type to another, whose own ends are checked before. */
Test(runtime_data, integers_become_each_other)
{
    static const int64_t dims[] = {1};
    static const struct {
        int32_t type;
        double least, most;
    } cases[] = {
        {INGOT_I8, -128, 127},
        {INGOT_U8, 0, 255},
        {INGOT_I16, -32768, 32767},
        {INGOT_U16, 0, 65535},
        {INGOT_I32, -0x1p31, 0x1p31 - 1},
        {INGOT_U32, 0, 0x1p32 - 1},
        {INGOT_I64, -0x1p53, 0x1p53},
        {INGOT_U64, 0, 0x1p53},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        IngotTensor tensor = {.name = "x", .dims = dims, .rank = 1, .type = cases[i].type};
        for (int end = 0; end < 2; end++) {
            double value = end ? cases[i].most : cases[i].least, back;
            double outside = value + (end ? 1 : -1);
            uint64_t memory = 0;
            Failure failure = {""};
            cr_assert(convert_check(&value, INGOT_F64, &tensor, 1, 1, "x.npy", &failure));
            convert_elements(&value, INGOT_F64, &memory, cases[i].type, 1);
            convert_elements(&memory, cases[i].type, &back, INGOT_F64, 1);
            cr_assert_eq(back, value);
            if (fabs(value) < 0x1p53)
                cr_assert_not(convert_check(&outside, INGOT_F64, &tensor, 1, 1, "x.npy", &failure));
        }
    }
}

/* What is too large for f16 is refused, from an integer as well; bf16 reaches as far as f32. */
Test(runtime_data, numbers_beyond_short_floats)
{
    static const int64_t dims[] = {1};
    const IngotTensor half = {.name = "x", .dims = dims, .rank = 1, .type = INGOT_F16};
    const IngotTensor brain = {.name = "x", .dims = dims, .rank = 1, .type = INGOT_BF16};
    const double fits = 65504, large = 65505;
    const int32_t whole = 70000;
    Failure failure = {""};
    cr_assert(convert_check(&fits, INGOT_F64, &half, 1, 1, "x.npy", &failure));
    cr_assert_not(convert_check(&large, INGOT_F64, &half, 1, 1, "x.npy", &failure));
    CHECK_TEXT(failure.text, "x.npy: element [0]: 65505 is out of range of f16, which \"x\" needs");
    cr_assert_not(convert_check(&whole, INGOT_I32, &half, 1, 1, "x.npy", &failure));
    cr_assert(convert_check(&whole, INGOT_I32, &brain, 1, 1, "x.npy", &failure));
}

Test(runtime_data, npy_errors)
{
    enter_folder();
    static const float f32[] = {1, 2, 3, 4, NAN, 6};
    static const uint8_t labels[] = {0, 10, 3};
    write_npy("l", "{'descr': '|u1', 'fortran_order': False, 'shape': (2,), }", labels, 2);
    write_npy("l3", "{'descr': '|u1', 'fortran_order': False, 'shape': (3,), }", labels, 3);
    write_npy("good", "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 3), }", f32, 12);
    write_npy("nan", "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", f32, 24);
    write_npy("short", "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 3), }", f32, 24);
    write_npy("big", "{'descr': '>f4', 'fortran_order': False, 'shape': (2, 3), }", f32, 24);
    write_npy("fortran", "{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }", f32, 24);
    write_npy("wide", "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 6), }", f32, 24);
    write_npy("scalar", "{'descr': '<f4', 'fortran_order': False, 'shape': (), }", f32, 4);
    write_npy("huge",
              "{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 3), }", f32,
              24);
    write_npy("wrong", "{'descr': '<f4', 'fortran_order': False, 'shape': [2], }", f32, 24);
    write_bytes("cut", "\x93NUMPY\x01\x00\xFF\xFF{'descr'", 18);
    refuse_files(inputs, 2, "nan", "l",
                 "nan: element [1,1]: nan is not a finite number; remove the row");
    refuse_files(inputs, 2, "good", "l",
                 "l: element [1]: label 10 is out of range; labels of \"label\" are 0 to 9");
    refuse_files(inputs, 1, "short", NULL,
                 "short: holds 6 elements where its header promises 9; it is truncated");
    refuse_files(inputs, 1, "big", NULL,
                 "big: has elements of type '>f4', which is not read here; save "
                 "array.astype(\"float32\")");
    refuse_files(inputs, 1, "fortran", NULL,
                 "fortran: is in Fortran order; save numpy.ascontiguousarray(array)");
    refuse_files(inputs, 1, "wide", NULL, "wide: each row is f32[6], but \"pixels\" needs f32[3]");
    refuse_files(inputs, 1, "scalar", NULL,
                 "scalar: holds a single number, but \"pixels\" needs rows of f32[3]");
    refuse_files(inputs, 1, "huge", NULL,
                 "huge: its header has no proper 'shape' or 'fortran_order'; the file is damaged");
    refuse_files(inputs, 1, "wrong", NULL,
                 "wrong: its header has no proper 'shape' or 'fortran_order'; the file is damaged");
    refuse_files(inputs, 1, "cut", NULL,
                 "cut: its .npy header is cut short or of an unknown version");
    refuse_files(inputs, 1, "gone", NULL, "gone: cannot be opened: No such file or directory");
    refuse_files(inputs, 1, ".", NULL, ".: is a folder, not a file");
    static const uint8_t two[] = {0, 1, 2};
    write_npy("l3", "{'descr': '|u1', 'fortran_order': False, 'shape': (3,), }", two, 3);
    refuse_files(inputs, 2, "good", "l3", "l3: has 3 rows, but good has 1");
    write_text("text", "hello, this is text");
    refuse_files(inputs, 1, "text", NULL, "text: is neither a .npy nor an IDX file");
    write_text("empty", "");
    refuse_files(inputs, 1, "empty", NULL, "empty: is neither a .npy nor an IDX file; it is empty");
}

Test(runtime_data, no_data_for_an_input)
{
    enter_folder();
    static const uint8_t label[] = {1};
    write_npy("l", "{'descr': '|u1', 'fortran_order': False, 'shape': (1,), }", label, 1);
    IngotColumn files[] = {{.tensor = "label", .path = "l"}};
    IngotDataset source = {.columns = files, .format = INGOT_DATA_NPY, .column_count = 1};
    Dataset data;
    Failure failure;
    cr_assert_not(dataset_open(&data, &source, inputs, 2, &failure));
    CHECK_TEXT(failure.text, "no data is given for \"pixels\"");
    dataset_close(&data);
}

static const unsigned char idx_images[] = {0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6};
static const unsigned char idx_labels[] = {0, 0, 8, 1, 0, 0, 0, 2, 0, 9};

Test(runtime_data, idx_plain_and_packed)
{
    enter_folder();
    write_bytes("images", idx_images, sizeof idx_images);
    write_bytes("labels", idx_labels, sizeof idx_labels);
    accept_rows("images", "labels");
    cr_assert_eq(system("gzip -k images labels"), 0);
    accept_rows("images.gz", "labels.gz");
    accept_rows("images", "labels.gz");
}

Test(runtime_data, idx_of_wider_types_is_turned_round)
{
    enter_folder();
    static const unsigned char labels[] = {0, 0, 0x0B, 1, 0, 0, 0, 2, 0, 0, 0, 9};
    static const unsigned char floats[] = {0,    0,    0x0D, 2, 0,    0,    0, 2, 0,    0,    0, 3,
                                           0x3F, 0x80, 0,    0, 0x40, 0,    0, 0, 0x40, 0x40, 0, 0,
                                           0x40, 0x80, 0,    0, 0x40, 0xA0, 0, 0, 0x40, 0xC0, 0, 0};
    write_bytes("labels", labels, sizeof labels);
    write_bytes("floats", floats, sizeof floats);
    accept_rows("floats", "labels");
    cr_assert_eq(system("gzip -k floats"), 0);
    accept_rows("floats.gz", "labels");
}

Test(runtime_data, idx_errors)
{
    enter_folder();
    unsigned char bytes[32];
    write_bytes("labels", idx_labels, sizeof idx_labels);
    write_bytes("short", idx_images, sizeof idx_images - 1);
    refuse_files(inputs, 1, "short", NULL,
                 "short: holds 5 bytes of elements where its header promises 6; it is truncated");
    cr_assert_eq(system("gzip short"), 0);
    refuse_files(
        inputs, 1, "short.gz", NULL,
        "short.gz: holds 5 bytes of elements where its header promises 6; it is truncated");
    write_bytes("cut", idx_images, 9);
    refuse_files(inputs, 1, "cut", NULL, "cut: ends inside its header; it is truncated");
    memcpy(bytes, idx_images, sizeof idx_images);
    bytes[sizeof idx_images] = 7;
    write_bytes("long", bytes, sizeof idx_images + 1);
    refuse_files(inputs, 1, "long", NULL,
                 "long: holds more elements than its header says; it is damaged");
    cr_assert_eq(system("gzip long"), 0);
    refuse_files(inputs, 1, "long.gz", NULL,
                 "long.gz: holds more elements than its header says; it is damaged");
    memset(bytes + 4, 0xFF, 8);
    write_bytes("huge", bytes, sizeof idx_images);
    refuse_files(inputs, 1, "huge", NULL,
                 "huge: its header promises more elements than fit in memory");
    bytes[4] = 0;
    bytes[8] = 0;
    bytes[9] = 0;
    write_bytes("large", bytes, sizeof idx_images);
    cr_assert_eq(system("gzip large"), 0);
    refuse_files(inputs, 1, "large.gz", NULL,
                 "large.gz: ends before its compressed data does; it is truncated");
    bytes[2] = 7;
    write_bytes("type", bytes, sizeof idx_images);
    refuse_files(inputs, 1, "type", NULL,
                 "type: is no IDX file (its first bytes are not 0, 0 and a type)");
    cr_assert_eq(system("gzip -k labels && head -c 20 labels.gz > half.gz"), 0);
    refuse_files(inputs, 1, "half.gz", NULL,
                 "half.gz: ends before its compressed data does; it is truncated");
    write_bytes("noise.gz", "\x1F\x8B\x08\0\0\0\0\0\0\0\xFF\xFF\xFF\xFF", 14);
    refuse_files(inputs, 1, "noise.gz", NULL, "noise.gz: its compressed data is damaged");
}

Test(runtime_data, shapes_fit_up_to_ones_and_flattening)
{
    enter_folder();
    static const unsigned char images[] = {0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0,
                                           2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6};
    write_bytes("images", images, sizeof images);
    Dataset data;
    Failure failure;
    cr_assert(open_files(&data, image, 1, "images", NULL, &failure)); /* [2,3] is [1,2,3] */
    dataset_close(&data);
    refuse_files(odd, 1, "images", NULL, "images: each row is u8[2,3], but \"odd\" needs f32[3,2]");
    write_npy("flat", "{'descr': '|u1', 'fortran_order': False, 'shape': (1, 6), }", images + 16,
              6);
    cr_assert(open_files(&data, odd, 1, "flat", NULL, &failure));
    dataset_close(&data);
}

Test(runtime_data, npy_header_can_be_read_again)
{
    enter_folder();
    char file[1024];
    static const int64_t dims[3][3] = {{7, 0, 0}, {2, 3, 0}, {1, 2, 3}};
    for (int32_t rank = 0; rank <= 3; rank++) {
        int32_t length = tensor_file_npy_header(file, INGOT_F32, dims[rank ? rank - 1 : 0], rank);
        cr_assert(length % 64 == 0 && file[length - 1] == '\n');
        memset(file + length, 0, 28);
        write_bytes("file.npy", file, (size_t)length + 28);
        TensorFile tensor;
        Failure failure;
        cr_assert(tensor_file_open(&tensor, "file.npy", &failure), "%s", failure.text);
        cr_assert(tensor.rank == rank && tensor.type == INGOT_F32);
        for (int32_t i = 0; i < rank; i++)
            cr_assert_eq(tensor.dims[i], dims[rank - 1][i]);
        tensor_file_close(&tensor);
    }
}

/* Every cut of a good file is refused or read within its bounds, under the sanitizers too. */
Test(runtime_data, cut_files_never_crash)
{
    enter_folder();
    size_t size;
    write_npy("good", "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 3), }", "123456789012",
              12);
    char *bytes = read_bytes("good", &size);
    for (size_t length = 0; length < size; length++) {
        TensorFile tensor;
        Failure failure;
        write_bytes("part", bytes, length);
        cr_assert_not(tensor_file_open(&tensor, "part", &failure), "%zu", length);
    }
    free(bytes);
}

/* .npy has no bf16: 300 rows of it, more than are converted at once, come back as f32. */
Test(runtime_data, short_floats_are_written)
{
    enter_folder();
    enum { ROWS = 300 };
    static const int64_t dims[] = {ROWS, 2};
    static const int32_t types[] = {INGOT_BF16, INGOT_F16}, written[] = {INGOT_F32, INGOT_F16};
    uint16_t bits[2 * ROWS];
    for (int i = 0; i < 2 * ROWS; i++)
        bits[i] = (uint16_t)(0x3c00 + i * 7);
    for (int t = 0; t < 2; t++) {
        IngotTensor tensor = {.name = "y",
                              .dims = dims,
                              .bytes = sizeof bits,
                              .rank = 2,
                              .type = types[t],
                              .batched = 1};
        IngotFunction function = {
            .name = "infer", .outputs = &tensor, .output_count = 1, .batch = ROWS};
        InferOutputs outputs;
        Failure failure = {""};
        TensorFile file;
        cr_assert(infer_outputs_begin(&outputs, &function, ".", 0, ROWS, &failure));
        cr_assert(infer_outputs_add(&outputs, (void *[]){bits}, ROWS, &failure));
        cr_assert(infer_outputs_finish(&outputs, &failure), "%s", failure.text);
        infer_outputs_end(&outputs);
        cr_assert(tensor_file_open(&file, "y.npy", &failure), "%s", failure.text);
        cr_assert(file.type == written[t] && file.elements == 2 * ROWS);
        for (int i = 0; i < 2 * ROWS; i++) {
            double was, is;
            convert_elements(&bits[i], types[t], &was, INGOT_F64, 1);
            convert_elements(file.data + i * ingot_element_bytes(file.type), file.type, &is,
                             INGOT_F64, 1);
            cr_assert_eq(was, is);
        }
        tensor_file_close(&file);
    }
}
