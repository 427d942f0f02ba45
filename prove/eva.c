/* Every call of an exported model with every input, for Frama-C's Eva. Written with the names mlrq_...; each
 * export gets its own copy. */
static void mlrq_eva(void)
{
    mlrq_input inputs[MLRQ_FEATURES];
    mlrq_accumulator accumulators[MLRQ_TARGETS];
    int32_t outputs[MLRQ_TARGETS];
    float features[MLRQ_FEATURES], predictions[MLRQ_TARGETS];

    for (uint32_t feature = 0; feature < MLRQ_FEATURES; feature++) {
        union { uint32_t bits; float value; } any;

        inputs[feature] = (mlrq_input)Frama_C_interval(LOW, HIGH);
        any.bits = Frama_C_unsigned_int_interval(0, 0xffffffffu);
        features[feature] = any.value; /* infinities and NaN too */
    }
    mlrq_accumulate(inputs, accumulators);
    mlrq_infer(inputs, outputs);
    for (uint32_t target = 0; target < MLRQ_TARGETS; target++)
        Frama_C_show_each_mlrq_sum(target, accumulators[target]);
    mlrq_quantize(features, inputs);
    mlrq_predict(features, predictions);
#ifdef MLRQ_LEVEL
    mlrq_interval(accumulators, outputs, outputs);
    mlrq_interval_f(accumulators, predictions, predictions);
#endif
}
