/* What is linked for a Cortex-M0 around an exported model, or without one; size.py defines which. */

#include <stdint.h>

#define PASTE(prefix, name) prefix##_##name
#define JOIN(prefix, name) PASTE(prefix, name)
#define MODEL(name) JOIN(PREFIX, name)
#define MODEL_SIZE(name) JOIN(PREFIX_UPPER, name)

extern uint32_t stack_top[];
int main(void);
void reset(void);

/* Nothing here has an initial value in memory, so that there is nothing to copy before main. */
void reset(void)
{
    main();
    for (;;) {
    }
}

__attribute__((section(".vectors"), used)) static void *const vectors[] = {stack_top, (void *)reset};

#if defined(INTEGER_PATH) /* input codes to fixed point */
MODEL(input) inputs[MODEL_SIZE(FEATURES)];
int32_t outputs[MODEL_SIZE(TARGETS)];
#define RUN() MODEL(infer)(inputs, outputs)
#elif defined(FLOAT_PATH) /* real numbers to real numbers */
float features[MODEL_SIZE(FEATURES)];
float predictions[MODEL_SIZE(TARGETS)];
#define RUN() MODEL(predict)(features, predictions)
#elif defined(CELLS_PATH) /* columns of a table, as codes, to fixed point */
MODEL(cells) cells;
int32_t outputs[MODEL_SIZE(TARGETS)];
#define RUN() MODEL(infer_cells)(&cells, outputs)
#elif defined(COLUMNS_PATH) /* columns of a table, as they are, to real numbers */
MODEL(columns) columns;
float predictions[MODEL_SIZE(TARGETS)];
#define RUN() MODEL(predict_columns)(&columns, predictions)
#else /* an empty program */
#define RUN() (void)0
#endif

#if defined(SELF_TEST) || defined(MEASURE_STACK) /* under an emulator that knows semihosting */

enum { WRITE0 = 4, EXIT = 0x18, APPLICATION_EXIT = 0x20026 };
enum { PAINTED_WORDS = 1024, PAINT = 0x5a5a5a5a };

static void semihosting(uint32_t operation, uint32_t argument)
{
    register uint32_t r0 __asm__("r0") = operation;
    register uint32_t r1 __asm__("r1") = argument;

    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
}

static void print(unsigned long number)
{
    static char text[12]; /* ends with a 0 */
    char *digit = text + sizeof text - 1;

    *--digit = '\n';
    do {
        *--digit = (char)('0' + number % 10);
        number /= 10;
    } while (number != 0);
    semihosting(WRITE0, (uint32_t)digit);
}

#endif

#if defined(SELF_TEST) /* prints how many numbers are not Python's */

unsigned long MODEL(self_test)(void);

int main(void)
{
    print(MODEL(self_test)());
    semihosting(EXIT, APPLICATION_EXIT);
    return 0;
}

#elif defined(MEASURE_STACK) /* prints how many bytes of painted stack a call overwrites */

int main(void)
{
    uint32_t *here, *word;

    __asm__ volatile("mov %0, sp" : "=r"(here));
    for (word = here - PAINTED_WORDS; word < here; word++) {
        *(volatile uint32_t *)word = PAINT;
    }
    RUN();
    for (word = here - PAINTED_WORDS; *(volatile uint32_t *)word == PAINT && word < here; word++) {
    }
    print((uint32_t)here - (uint32_t)word);
    semihosting(EXIT, APPLICATION_EXIT);
    return 0;
}

#else

int main(void)
{
    RUN();
    return 0;
}

#endif
