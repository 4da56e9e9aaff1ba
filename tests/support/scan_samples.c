/* Scans as texts; see scan_samples.h. */
#include "tests/support/scan_samples.h"

#include "ir/text.h"

static const char *const texts[] = {
    /* h ← tanh(x·W + h·U): the last h and all of them */
    "fn @rnn(%h: f64[2,3], %x: f64[4,2,2], %w: f64[2,3], %u: f64[3,3]) -> f64[5,2,3] {"
    "  %0: tuple = scan %h, %x, %w, %u carried=1 scanned=1 steps=4 reverse=0"
    "    body=(%h: f64[2,3], %x: f64[2,2], %w: f64[2,3], %u: f64[3,3]) -> (f64[2,3], f64[2,3]) {"
    "      %0: f64[2,3] = matmul %x, %w"
    "      %1: f64[2,3] = matmul %h, %u"
    "      %2: f64[2,3] = add %0, %1"
    "      %3: f64[2,3] = tanh %2"
    "      return %3, %3"
    "    }"
    "  %1: f64[2,3] = result %0 index=0"
    "  %2: f64[4,2,3] = result %0 index=1"
    "  %3: f64[1,2,3] = reshape %1 dims=[1,2,3]"
    "  %4: f64[5,2,3] = concat %2, %3 axis=0"
    "  return %4"
    "}",
    /* two carried values that depend on each other, backwards; gates are slices of one product */
    "fn @lstm(%h: f64[1,2], %c: f64[1,2], %z: f64[3,1,6], %u: f64[2,6]) -> f64[3,1,2] {"
    "  %0: tuple = scan %h, %c, %z, %u carried=2 scanned=1 steps=3 reverse=1"
    "    body=(%h: f64[1,2], %c: f64[1,2], %z: f64[1,6], %u: f64[2,6])"
    "        -> (f64[1,2], f64[1,2], f64[1,2]) {"
    "      %0: f64[1,6] = matmul %h, %u"
    "      %1: f64[1,6] = add %0, %z"
    "      %2: f64[1,2] = slice %1 start=[0,0] count=[1,2] step=[1,1]"
    "      %3: f64[1,2] = slice %1 start=[0,2] count=[1,2] step=[1,1]"
    "      %4: f64[1,2] = slice %1 start=[0,4] count=[1,2] step=[1,1]"
    "      %5: f64[1,2] = sigmoid %2"
    "      %6: f64[1,2] = sigmoid %3"
    "      %7: f64[1,2] = tanh %4"
    "      %8: f64[1,2] = mul %5, %c"
    "      %9: f64[1,2] = mul %6, %7"
    "      %10: f64[1,2] = add %8, %9"
    "      %11: f64[1,2] = tanh %10"
    "      %12: f64[1,2] = mul %6, %11"
    "      return %12, %10, %12"
    "    }"
    "  %1: f64[3,1,2] = result %0 index=2"
    "  return %1"
    "}",
    /* nothing carried; the slice itself goes out, too */
    "fn @map(%x: f64[3,4], %w: f64[4]) -> f64[3,8] {"
    "  %0: tuple = scan %x, %w carried=0 scanned=1 steps=3 reverse=0"
    "    body=(%x: f64[4], %w: f64[4]) -> (f64[4], f64[4]) {"
    "      %0: f64[4] = mul %x, %w"
    "      %1: f64[4] = sin %0"
    "      return %1, %x"
    "    }"
    "  %1: f64[3,4] = result %0 index=0"
    "  %2: f64[3,4] = result %0 index=1"
    "  %3: f64[3,8] = concat %1, %2 axis=1"
    "  return %3"
    "}",
    /* a whole number is carried, too, and the step before the last is what comes out */
    "fn @count(%s: f64[2], %x: f64[4,2]) -> f64[2] {"
    "  %0: i32[] = constant value=[1]"
    "  %1: tuple = scan %s, %s, %0, %x carried=3 scanned=1 steps=4 reverse=0"
    "    body=(%s: f64[2], %before: f64[2], %n: i32[], %x: f64[2]) -> (f64[2], f64[2], i32[]) {"
    "      %0: i32[] = constant value=[1]"
    "      %1: i32[] = add %n, %0"
    "      %2: f64[] = cast %n to=f64"
    "      %3: f64[2] = mul %s, %x"
    "      %4: f64[2] = add %3, %2"
    "      %5: f64[2] = sin %4"
    "      return %5, %s, %1"
    "    }"
    "  %2: f64[2] = result %1 index=1"
    "  return %2"
    "}",
    /* views between steps, an invariant that is broadcast, a carried value read as it comes */
    "fn @views(%s: f64[2,3], %b: f64[3], %x: f64[2,3,2]) -> f64[2,3,4] {"
    "  %0: tuple = scan %s, %x, %b carried=1 scanned=1 steps=2 reverse=1"
    "    body=(%s: f64[2,3], %x: f64[3,2], %b: f64[3]) -> (f64[2,3], f64[3,4]) {"
    "      %0: f64[3,2] = transpose %s order=[1,0]"
    "      %1: f64[3,2] = mul %0, %x"
    "      %2: f64[2,3] = reshape %1 dims=[2,3]"
    "      %3: f64[2,3] = add %2, %b"
    "      %4: f64[2,3] = sin %3"
    "      %5: f64[3,4] = concat %0, %1 axis=1"
    "      return %4, %5"
    "    }"
    "  %1: f64[2,3] = result %0 index=0"
    "  %2: f64[2,3,4] = result %0 index=1"
    "  %3: f64[2,3,1] = reshape %1 dims=[2,3,1]"
    "  %4: f64[2,3,4] = mul %2, %3"
    "  return %4"
    "}",
    /* a scan in a scan */
    "fn @nested(%s: f64[2], %x: f64[2,2], %w: f64[2]) -> f64[2] {"
    "  %0: tuple = scan %s, %x, %w carried=1 scanned=1 steps=2 reverse=0"
    "    body=(%s: f64[2], %x: f64[2], %w: f64[2]) -> f64[2] {"
    "      %0: f64[2] = mul %s, %x"
    "      %1: tuple = scan %s, %0, %w carried=1 scanned=0 steps=3 reverse=0"
    "        body=(%a: f64[2], %x: f64[2], %w: f64[2]) -> (f64[2], f64[2]) {"
    "          %0: f64[2] = mul %a, %w"
    "          %1: f64[2] = add %0, %x"
    "          %2: f64[2] = sin %1"
    "          return %2, %1"
    "        }"
    "      %2: f64[2] = result %1 index=0"
    "      %3: f64[3,2] = result %1 index=1"
    "      %4: f64[2] = reduce_sum %3 axes=[0] keep=0"
    "      %5: f64[2] = mul %2, %4"
    "      return %5"
    "    }"
    "  %1: f64[2] = result %0 index=0"
    "  return %1"
    "}",
};

Function *scan_sample(Arena *arena, int variant)
{
    if (variant >= (int)(sizeof texts / sizeof texts[0]))
        return NULL;
    Diag *diag = diag_create(arena);
    Program *program = graph_parse(arena, diag, "sample",
                                   arena_print(arena, "program @sample {%s}", texts[variant]));
    if (!program)
        INGOT_BUG("%s", diag->messages[0]);
    return program->functions[0];
}
