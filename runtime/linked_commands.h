/* Included by main programs, before the list of commands: those that a program is linked with only
 * if its model can use them (codegen/commands.c); elsewhere their address is NULL. */
#ifndef INGOT_RUNTIME_LINKED_COMMANDS_H
#define INGOT_RUNTIME_LINKED_COMMANDS_H

#pragma weak command_train
#pragma weak command_evaluate

#endif
