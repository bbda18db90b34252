/* errors.h — what this thread's error says. */
#ifndef TEST_ERRORS_H
#define TEST_ERRORS_H

/* Fails the test unless the error, with its causes, holds the text. */
void assert_error_contains(const char *text);

#endif
