/* Rewriting scans: a scan taken apart into ports, changed, and put together as a new one.
 *
 *     ScanEdit *edit = scan_edit_begin(f, scan);
 *     … drop ports, add ports, give the body's nodes replacements …
 *     scan_edit_finish(edit);            a new scan, its results in port->result
 *     … port->result of what was dropped: a node that stands for it from now on …
 *     scan_edit_apply(edit);             readers of the old scan's results get the new ones
 *
 * The body stays what it was and belongs to the new scan; the old one is dead. */
#ifndef INGOT_PASSES_SCAN_EDIT_H
#define INGOT_PASSES_SCAN_EDIT_H

#include "ir/scan.h"

typedef enum PortKind { PORT_CARRIED, PORT_SCANNED, PORT_INVARIANT, PORT_STACKED } PortKind;

typedef struct Port {
    PortKind kind;
    Node *parameter; /* of the body; NULL: stacked */
    Node *given;     /* to the scan; NULL: stacked */
    Node *value;     /* result of the body: the next carried value, or what is stacked; else NULL */
    Node *result;    /* of the scan: after scan_edit_finish(); carried and stacked */
    bool dropped;
    int old; /* which result of the old scan; -1: none */
} Port;

typedef struct ScanEdit {
    Function *f;
    Node *scan; /* the old one, then the new one; NULL when no results are left */
    Function *body;
    int64_t steps;
    bool reverse;
    Port *alive; /* carried: without it the scan ends; NULL: none */
    Node *old;
    Port **ports;
    int count, capacity;
} ScanEdit;

ScanEdit *scan_edit_begin(Function *f, Node *scan);
/* The parameter gets a name like `name`. */
Port *scan_edit_add_input(ScanEdit *edit, PortKind kind, const char *name, Node *given);
/* The port that stacks `value`, one that is there if there is one. */
Port *scan_edit_add_stack(ScanEdit *edit, Node *value);
void scan_edit_finish(ScanEdit *edit);
void scan_edit_apply(ScanEdit *edit);

/* Is result number `old` of the scan read by anybody? `f` must have been cleaned. */
bool scan_result_is_read(const Function *f, const Node *scan, int index);

#endif
