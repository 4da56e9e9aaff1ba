/* Signals as something to ask for; see interrupt.h. */
#include "runtime/system.h"

#include "runtime/interrupt.h"

#include <stdbool.h>
#include <stddef.h>

static const int stopping[] = {SIGINT, SIGTERM};
enum { STOPPING = sizeof stopping / sizeof stopping[0] };

static bool is_ignored(int signal_number)
{
    struct sigaction action;
    return sigaction(signal_number, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

void interrupt_block(Interrupt *interrupt)
{
    sigset_t set;
    sigemptyset(&set);
    for (int i = 0; i < STOPPING; i++)
        if (!is_ignored(stopping[i]))
            sigaddset(&set, stopping[i]);
    sigprocmask(SIG_BLOCK, &set, &interrupt->before);
}

int interrupt_pending(void)
{
    sigset_t set;
    if (sigpending(&set) != 0)
        return 0;
    for (int i = 0; i < STOPPING; i++)
        if (sigismember(&set, stopping[i]) == 1)
            return stopping[i];
    return 0;
}

void interrupt_restore(Interrupt *interrupt)
{
    int waiting = interrupt_pending(), taken;
    while (waiting) {
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, waiting);
        sigwait(&set, &taken);
        waiting = interrupt_pending();
    }
    sigprocmask(SIG_SETMASK, &interrupt->before, NULL);
}
