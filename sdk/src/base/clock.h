/* clock.h — Internal. */
#ifndef LWI_CLOCK_H
#define LWI_CLOCK_H

/* Seconds of a clock that only goes forward. */
double lwi_clock(void);

#endif
