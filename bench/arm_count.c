/* A plugin of qemu's user mode that counts the instructions a program executes, and writes the
 * number to standard error at its end. QEMU's packages bring no header for plugins: what is needed
 * of its interface is declared here. VERSION is the interface's, which qemu compares with its own;
 * these functions are the same in all of them. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef uint64_t Id;
struct qemu_plugin_tb; /* a run of instructions that is translated at once */

void qemu_plugin_register_vcpu_tb_trans_cb(Id id, void (*call)(Id, struct qemu_plugin_tb *));
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *tb, void (*call)(unsigned, void *),
                                          int flags, void *argument);
void qemu_plugin_register_atexit_cb(Id id, void (*call)(Id, void *), void *argument);
int qemu_plugin_install(Id id, const void *info, int count, char **words);

int qemu_plugin_version = VERSION;

static uint64_t instructions;

static void executed(unsigned cpu, void *length)
{
    (void)cpu;
    instructions += (uintptr_t)length;
}

static void translated(Id id, struct qemu_plugin_tb *tb)
{
    (void)id;
    qemu_plugin_register_vcpu_tb_exec_cb(tb, executed, 0, (void *)qemu_plugin_tb_n_insns(tb));
}

static void finished(Id id, void *argument)
{
    (void)id, (void)argument;
    fprintf(stderr, "%llu instructions\n", (unsigned long long)instructions);
}

int qemu_plugin_install(Id id, const void *info, int count, char **words)
{
    (void)info, (void)count, (void)words;
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_atexit_cb(id, finished, NULL);
    return 0;
}
