/*
 * A plugin for qemu that counts the instructions which an emulated program executes within its function
 * `counted`, as callgrind does for the processor of this machine. It prints the number when the program
 * ends. `counted` is called once, by `main`.
 *
 * These are the declarations of qemu-plugin.h that it needs, which Debian does not package.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
enum qemu_plugin_cb_flags { QEMU_PLUGIN_CB_NO_REGS };

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id,
                                           void (*translated)(qemu_plugin_id_t, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *block, void (*executed)(unsigned, void *),
                                          enum qemu_plugin_cb_flags flags, void *userdata);
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t id, void (*ends)(qemu_plugin_id_t, void *), void *userdata);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *block);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *block, size_t index);
const char *qemu_plugin_insn_symbol(const struct qemu_plugin_insn *instruction);

__attribute__((visibility("default"))) int qemu_plugin_version = PLUGIN_VERSION;

enum place { ELSEWHERE, COUNTED, MAIN };
static int is_counting;
static uint64_t count;

/* A block of instructions is about to run. What it is: its length times four, and its place. */
static void executes(unsigned processor, void *what)
{
    (void)processor;
    enum place place = (uintptr_t)what & 3;
    if (place != ELSEWHERE)
        is_counting = place == COUNTED;
    if (is_counting)
        count += (uintptr_t)what >> 2;
}

static void translates(qemu_plugin_id_t id, struct qemu_plugin_tb *block)
{
    (void)id;
    const char *symbol = qemu_plugin_insn_symbol(qemu_plugin_tb_get_insn(block, 0));
    uintptr_t what = (uintptr_t)qemu_plugin_tb_n_insns(block) << 2;
    if (symbol != NULL && strcmp(symbol, "counted") == 0)
        what |= COUNTED;
    else if (symbol != NULL && strcmp(symbol, "main") == 0)
        what |= MAIN;
    qemu_plugin_register_vcpu_tb_exec_cb(block, executes, QEMU_PLUGIN_CB_NO_REGS, (void *)what);
}

static void ends(qemu_plugin_id_t id, void *userdata)
{
    (void)id;
    (void)userdata;
    fprintf(stderr, "counted: %" PRIu64 "\n", count);
}

__attribute__((visibility("default"))) int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc,
                                                               char **argv);
int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc, char **argv)
{
    (void)info;
    (void)argc;
    (void)argv;
    qemu_plugin_register_vcpu_tb_trans_cb(id, translates);
    qemu_plugin_register_atexit_cb(id, ends, NULL);
    return 0;
}
