/* What the parsers of both text forms read with: characters, words, names, numbers, types, arrays.
 *
 * The first thing that is not as expected is reported with its line and column and sets `failed`;
 * every reader gives false (or NULL) then and ever after, so callers only have to pass it on.
 * Spaces, line ends and comments (# to the end of the line) separate tokens and mean nothing else.
 */
#ifndef INGOT_IR_READER_H
#define INGOT_IR_READER_H

#include "ir/graph.h"

typedef struct Reader {
    Arena *arena;
    Diag *diag;
    const char *place; /* name of the text */
    const char *text;  /* its start */
    const char *cursor;
    bool failed;
    const char *counted; /* how far lines have been counted, for reader_place() */
    int line, column;
} Reader;

/* "fuse.ir:12:7" of a position in the text; columns count characters, from 1. */
const char *reader_place(Reader *r, const char *at);
/* Reports at a position; the first time only. Returns false. */
bool reader_error(Reader *r, const char *at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* "expected WHAT instead of" what stands there; and "unknown WHAT", with the nearest known name. */
bool reader_expected(Reader *r, const char *what);
bool reader_unknown(Reader *r, const char *at, const char *what, const char *word,
                    const char *const *known, int count);

void reader_skip(Reader *r);        /* to the next token, which `cursor` points at then */
const char *reader_next(Reader *r); /* the same, and gives that place */
bool reader_at(Reader *r, const char *symbol);     /* is it next? */
bool reader_accept(Reader *r, const char *symbol); /* takes it if it is next */
bool reader_expect(Reader *r, const char *symbol);
bool reader_at_end(Reader *r);

const char *reader_word(Reader *r, const char *what); /* letters, digits, _ and . */
bool reader_at_word(Reader *r, const char *word);     /* NULL: any */
bool reader_accept_word(Reader *r, const char *word);
bool reader_expect_word(Reader *r, const char *word);
const char *reader_string(Reader *r); /* "quoted" */
/* A word, a number or a quoted string behind `sigil`, e.g. '%'. Numbers give "#12", the others
 * "$name", so that %12 and %"12" are different. */
const char *reader_name(Reader *r, char sigil, const char *what);
bool reader_integer(Reader *r, int64_t *value);
bool reader_integer_within(Reader *r, int64_t limit, int64_t *value); /* -limit … limit */
bool reader_number(Reader *r, double *value);
bool reader_list(Reader *r, IntList *list); /* [1,2,3] */
bool reader_element(Reader *r, ElementType *element);
bool reader_type(Reader *r, TensorType *type);
/* A dense array of the type: [1, 2.5] or 0x and hexadecimal digits; NULL on errors. */
const void *reader_data(Reader *r, const TensorType *type);

#endif
