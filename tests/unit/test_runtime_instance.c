/* Instances and their teams: memory, members, barriers, the floating-point mode. Linked twice, with
 * the team of POSIX threads and with OpenMP's. */
#include "runtime_helpers.h"

#include "runtime_fake_model.h"

#include "runtime/instance.h"

#include <fenv.h>
#include <float.h>
#include <pthread.h>

/* A host's pool: a thread for each member, made for the call. `fewer` members than asked come. */
typedef struct Host {
    int32_t fewer;
    int calls;
} Host;

typedef struct Member {
    IngotWork *work;
    void *argument;
    int32_t number, members;
} Member;

static void *host_thread(void *pointer)
{
    Member *member = pointer;
    member->work(member->argument, member->number, member->members);
    return NULL;
}

static void host_parallel(void *pool, int32_t members, IngotWork *work, void *argument)
{
    Host *host = pool;
    pthread_t threads[16];
    Member list[16];
    members = members > host->fewer ? members - host->fewer : 1;
    host->calls++;
    for (int32_t i = 0; i < members; i++) {
        list[i] = (Member){work, argument, i, members};
        cr_assert(pthread_create(&threads[i], NULL, host_thread, &list[i]) == 0);
    }
    for (int32_t i = 0; i < members; i++)
        pthread_join(threads[i], NULL);
}

/* --- barrier ------------------------------------------------------------------------------------
 */

enum { ROUNDS = 3000 };

typedef struct Stress {
    IngotTeam team;
    _Atomic int32_t arrived;
    _Atomic int wrong;
} Stress;

/* After every barrier all members have arrived as often as there were rounds. */
static void stress_work(void *argument, int32_t member, int32_t members)
{
    Stress *stress = argument;
    atomic_store(&stress->team.members, members);
    for (int32_t round = 1; round <= ROUNDS; round++) {
        atomic_fetch_add(&stress->arrived, 1);
        ingot_team_barrier(&stress->team, member);
        if (atomic_load(&stress->arrived) != round * members)
            atomic_fetch_add(&stress->wrong, 1);
        ingot_team_barrier(&stress->team, member);
    }
}

Test(runtime_team, barriers_hold_everyone, .timeout = 120)
{
    for (int32_t members = 1; members <= 4; members++)
        for (int own = 0; own < 2; own++) {
            static Stress stress;
            Host host = {0, 0};
            size_t pool_bytes = ((size_t)ingot_team_pool_bytes(members) + 64) / 64 * 64;
            void *pool = aligned_alloc(64, pool_bytes);
            memset(pool, 0, pool_bytes);
            memset(&stress, 0, sizeof stress);
            ingot_team_prepare(&stress.team, members);
            if (own)
                ingot_team_default_parallel(pool, members, stress_work, &stress);
            else
                host_parallel(&host, members, stress_work, &stress);
            ingot_team_pool_end(pool);
            free(pool);
            cr_assert_eq(atomic_load(&stress.wrong), 0, "%d members", (int)members);
        }
}

Test(runtime_team, too_many_members_sleep_at_once)
{
    IngotTeam team;
    ingot_team_prepare(&team, ingot_team_processors() + 1);
    cr_assert_eq(atomic_load(&team.passed.watch), 0);
    ingot_team_prepare(&team, 1);
    cr_assert(atomic_load(&team.passed.watch) > 0);
    ingot_team_barrier(NULL, 0);
}

/* --- instances ----------------------------------------------------------------------------------
 */

/* Trains five steps and returns the bytes of the state; the caller frees them. */
static unsigned char *train(const IngotOptions *options, float *loss)
{
    float x[FAKE_BATCH * FAKE_IN];
    int32_t label[FAKE_BATCH];
    int32_t code;
    for (int i = 0; i < FAKE_BATCH * FAKE_IN; i++)
        x[i] = (float)(i * 7919 % 17);
    for (int i = 0; i < FAKE_BATCH; i++)
        label[i] = i % 10;
    IngotInstance *instance = ingot_create(&fake_model, options, &code);
    cr_assert(instance, "%d", (int)code);
    const void *inputs[] = {x, label};
    void *outputs[] = {loss};
    int32_t step = ingot_find_function(&fake_model, "train_step", 0);
    for (int i = 0; i < 5; i++)
        cr_assert_eq(ingot_run(instance, step, inputs, outputs), INGOT_OK);
    unsigned char *state = malloc(FAKE_BYTES);
    memcpy(state, ingot_state(instance, 0), FAKE_BYTES);
    ingot_destroy(instance);
    return state;
}

Test(runtime_instance, same_bits_at_any_number_of_members_and_any_pool, .timeout = 120)
{
    float loss, other;
    IngotOptions one = {.threads = 1};
    unsigned char *want = train(&one, &loss);
    for (int32_t threads = 1; threads <= 4; threads++)
        for (int way = 0; way < 3; way++) {
            Host host = {way == 2, 0};
            IngotOptions options = {
                .threads = threads, .parallel = way ? host_parallel : NULL, .pool = &host};
            unsigned char *state = train(&options, &other);
            cr_assert_arr_eq(state, want, FAKE_BYTES, "%d threads, way %d", (int)threads, way);
            cr_assert(memcmp(&loss, &other, sizeof loss) == 0);
            cr_assert_eq(host.calls, way && threads > 1 ? 5 : 0);
            free(state);
        }
    free(want);
}

Test(runtime_instance, memory_of_the_caller)
{
    int32_t code;
    size_t size = ingot_memory_bytes(&fake_model, 3);
    unsigned char *block = aligned_alloc(64, size + 128);
    memset(block, 0xAA, size + 128);
    IngotOptions options = {.threads = 3, .memory = block, .memory_bytes = size};
    float loss;
    free(train(&options, &loss));
    for (size_t i = size; i < size + 128; i++)
        cr_assert_eq(block[i], 0xAA, "byte %zu behind the block was written", i - size);
    options.memory_bytes = size - 1;
    cr_assert_null(ingot_create(&fake_model, &options, &code));
    cr_assert_eq(code, INGOT_NO_MEMORY);
    options.memory_bytes = size;
    options.memory = block + 8;
    cr_assert_null(ingot_create(&fake_model, &options, &code));
    cr_assert_eq(code, INGOT_NO_MEMORY);
    free(block);
}

Test(runtime_instance, sizes_that_do_not_fit_are_refused)
{
    int32_t code;
    IngotModel model = fake_model;
    model.state_bytes = INT64_MAX - 100;
    cr_assert_eq(ingot_memory_bytes(&model, 1), SIZE_MAX);
    cr_assert_null(ingot_create(&model, NULL, &code));
    cr_assert_eq(code, INGOT_NO_MEMORY);
    model = fake_model;
    model.abi = INGOT_ABI + 1;
    cr_assert_null(ingot_create(&model, NULL, &code));
    cr_assert_eq(code, INGOT_BAD_ARGUMENT);
    IngotOptions options = {.threads = -1};
    cr_assert_null(ingot_create(&fake_model, &options, NULL));
    cr_assert_null(ingot_create(NULL, NULL, &code));
}

Test(runtime_instance, embedded_weights_are_copied)
{
    static unsigned char weights[FAKE_BYTES];
    memset(weights, 3, sizeof weights);
    IngotModel model = fake_model;
    model.initial_state = weights;
    IngotInstance *a = ingot_create(&model, NULL, NULL), *b = ingot_create(&model, NULL, NULL);
    cr_assert_arr_eq(ingot_state(a, 0), weights, FAKE_BYTES);
    memset(ingot_state(a, 0), 9, 100);
    cr_assert_arr_eq(ingot_state(b, 0), weights,
                     FAKE_BYTES); /* instances share nothing that changes */
    cr_assert_null(ingot_state(a, 4));
    cr_assert_null(ingot_state(a, -1));
    ingot_destroy(a);
    ingot_destroy(b);
    ingot_destroy(NULL);
}

Test(runtime_instance, functions_are_found_by_batch)
{
    cr_assert_eq(ingot_find_function(&fake_model, "infer", 0), 1);
    cr_assert_eq(ingot_find_function(&fake_model, "infer", 7), 1);
    cr_assert_eq(ingot_find_function(&fake_model, "infer", 8), 2);
    cr_assert_eq(ingot_find_function(&fake_model, "infer", INT64_MAX), 2);
    cr_assert_eq(ingot_find_function(&fake_model, "evaluate", 1), 4);
    cr_assert_eq(ingot_find_function(&fake_model, "explain", 1), -1);
}

/* Two heights, each for one row and for four; an input that is the same for all rows. */
Test(runtime_instance, functions_are_found_by_what_their_inputs_are_like)
{
    enum { KINDS = 4 };
    static const int64_t dims[KINDS][2] = {{1, 5}, {1, 7}, {4, 5}, {4, 7}}, shared[] = {1, 3};
    IngotTensor inputs[KINDS][2];
    IngotFunction functions[KINDS];
    for (int i = 0; i < KINDS; i++) {
        inputs[i][0] = (IngotTensor){.name = "x", .dims = dims[i], .rank = 2, .batched = 1};
        inputs[i][1] = (IngotTensor){.name = "k", .dims = shared, .rank = 2, .batched = i < 2};
        functions[i] = (IngotFunction){
            .name = "infer", .inputs = inputs[i], .input_count = 2, .batch = dims[i][0]};
    }
    IngotModel model = {.functions = functions, .function_count = KINDS};
    cr_assert_eq(ingot_find_function(&model, "infer", 9), 2);
    cr_assert_eq(ingot_find_alike(&model, 0, 3), 0);
    cr_assert_eq(ingot_find_alike(&model, 0, 4), 2);
    cr_assert_eq(ingot_find_alike(&model, 1, INT64_MAX), 3);
    cr_assert_eq(ingot_find_alike(&model, 3, 0), 1);
}

Test(runtime_instance, wrong_calls_say_what_is_wrong)
{
    IngotModel small = fake_inference_model();
    IngotInstance *instance = ingot_create(&small, NULL, NULL);
    const void *inputs[] = {NULL};
    void *outputs[] = {NULL};
    CHECK_TEXT(ingot_last_error(instance), "");
    cr_assert_eq(ingot_run(instance, 2, inputs, outputs), INGOT_NO_FUNCTION);
    CHECK_TEXT(ingot_last_error(instance), "model \"digits\" has no function number 2");
    cr_assert_eq(ingot_run(instance, 0, inputs, outputs), INGOT_BAD_ARGUMENT);
    CHECK_TEXT(ingot_last_error(instance), "digits: an input or output of \"infer\" is NULL");
    cr_assert_eq(ingot_run(instance, 0, NULL, outputs), INGOT_BAD_ARGUMENT);
    cr_assert_eq(ingot_initialize(instance, 1), INGOT_NO_FUNCTION);
    CHECK_TEXT(ingot_last_error(instance),
               "model \"digits\" was built without \"initialize\"; build it with --train");
    cr_assert_eq(ingot_run(NULL, 0, inputs, outputs), INGOT_BAD_ARGUMENT);
    ingot_destroy(instance);
}

/* --- denormals ----------------------------------------------------------------------------------
 */

/* Each member a third, too: how it is rounded is up to the mode. */
static void halve(const IngotCall *call, int32_t member, int32_t members)
{
    volatile float smallest = *(const float *)call->inputs[0], one = 1;
    (void)members;
    ((float *)call->outputs[0])[member] = smallest * 0.5F;
    ((float *)call->outputs[0])[4 + member] = one / 3;
}

Test(runtime_instance, every_member_has_the_mode_of_the_caller_and_flushes_denormals)
{
    static const int64_t dims[] = {8};
    static const IngotTensor tensor = {.name = "x", .dims = dims, .rank = 1, .bytes = 32};
    static const IngotFunction function = {.name = "halve",
                                           .inputs = &tensor,
                                           .outputs = &tensor,
                                           .body = halve,
                                           .input_count = 1,
                                           .output_count = 1,
                                           .parallel = 1};
    static const IngotModel model = {
        .name = "m", .functions = &function, .function_count = 1, .abi = INGOT_ABI};
    static const int modes[] = {FE_TONEAREST, FE_DOWNWARD, FE_TONEAREST};
    for (int32_t threads = 1; threads <= 4; threads++)
        for (int own = 0; own < 2; own++) {
            Host host = {0, 0};
            IngotOptions options = {
                .threads = threads, .parallel = own ? NULL : host_parallel, .pool = &host};
            for (size_t m = 0; m < sizeof modes / sizeof modes[0]; m++) {
                IngotInstance *instance = ingot_create(&model, &options, NULL);
                float in[8] = {FLT_MIN}, out[8] = {1, 1, 1, 1};
                const void *inputs[] = {in};
                void *outputs[] = {out};
                volatile float smallest = FLT_MIN, one = 1;
                fesetround(modes[m]);
                float third = one / 3;
                cr_assert_eq(ingot_run(instance, 0, inputs, outputs), INGOT_OK);
                for (int32_t i = 0; i < 4; i++)
                    cr_assert(out[i] == (i < threads ? 0.0F : 1.0F), "member %d", (int)i);
                for (int32_t i = 0; i < threads; i++)
                    cr_assert(out[4 + i] == third, "member %d rounds otherwise", (int)i);
                cr_assert(smallest * 0.5F > 0, "the caller's mode was not restored");
                cr_assert_eq(fegetround(), modes[m]);
                fesetround(FE_TONEAREST);
                ingot_destroy(instance); /* a new one shares its first call whatever it costs */
            }
        }
}

/* --- many at once -------------------------------------------------------------------------------
 */

static void *train_thread(void *loss)
{
    IngotOptions options = {.threads = 2};
    return train(&options, loss);
}

Test(runtime_instance, instances_run_at_the_same_time, .timeout = 120)
{
    float want, losses[4];
    pthread_t threads[4];
    IngotOptions one = {.threads = 1};
    unsigned char *state = train(&one, &want);
    for (int i = 0; i < 4; i++)
        cr_assert(pthread_create(&threads[i], NULL, train_thread, &losses[i]) == 0);
    for (int i = 0; i < 4; i++) {
        void *other;
        pthread_join(threads[i], &other);
        cr_assert_arr_eq(other, state, FAKE_BYTES);
        free(other);
    }
    free(state);
}
