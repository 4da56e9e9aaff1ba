/* What the fuzz targets share. A target is one file fuzz_NAME.c that hands the bytes it gets to one
 * reader; it may not crash, exit, hang or leak, and checks what the reader promises of whatever it
 * accepts. Built with clang it runs under libFuzzer, else under driver.c. */
#ifndef INGOT_TESTS_FUZZ_H
#define INGOT_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

#include "frontend/model.h"
#include "ir/graph.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Writes the bytes to a file of that name in $TMPDIR and gives its path, for this target's process
 * alone. */
const char *fuzz_file(const char *name, const uint8_t *data, size_t size);

/* The bytes with a NUL behind them; the caller frees them. */
char *fuzz_text(const uint8_t *data, size_t size);

/* Prints what is wrong and aborts, unless `holds`. */
void fuzz_check(bool holds, const char *what, const Diag *diag);

/* A model that was read without an error is valid and has all results. */
void fuzz_check_model(const Model *model, const Diag *diag);

/* Sends the program through all passes and to the loop level, if that takes little time; every
 * kernel is verified. */
void fuzz_compile(Program *program);

#endif
