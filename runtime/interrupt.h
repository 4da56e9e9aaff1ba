/* Stopping a long training in good order, without a handler and so without a global: SIGINT and
 * SIGTERM are blocked, and the loop asks between steps whether one is waiting. */
#ifndef INGOT_RUNTIME_INTERRUPT_H
#define INGOT_RUNTIME_INTERRUPT_H

#include <signal.h>

typedef struct Interrupt {
    sigset_t before; /* what was blocked before */
} Interrupt;

/* Blocks the two signals, but not one that the caller's parent had set to be ignored (nohup).
 * Threads made after this inherit it. */
void interrupt_block(Interrupt *interrupt);
/* The number of a waiting signal, or 0. Of the two, only blocked ones can wait. */
int interrupt_pending(void);
/* Takes the waiting signal away and restores what was before. */
void interrupt_restore(Interrupt *interrupt);

#endif
