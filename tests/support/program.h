/* program.h — the built program, run in a folder as people run it. */
#ifndef TEST_PROGRAM_H
#define TEST_PROGRAM_H

/* A fresh temporary folder, borrowed until the process ends; program_clear removes it. */
const char *program_folder(void);
void program_clear(void);
/* Runs `latentwalk ARGUMENTS` there; stdout and stderr together as text (released with free), exit status. */
char *program_run(const char *arguments, int *status);
/* Fails the test unless the status is this and the text holds `text`. */
void program_expect(const char *arguments, int status, const char *text);

/* The program, started from now on in any way, gets the signal before it puts its `number`-th file, counted from 1, whose
 * path ends in `suffix` into place; the machine's speed does not matter. program_go_on: it gets none. */
void program_interrupt(int number, const char *suffix, int signal);
void program_go_on(void);

#endif
