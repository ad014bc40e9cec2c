using System.Globalization;
using MixedPrecision.Benchmarks;
using MixedPrecision.Benchmarks.Between;
using MixedPrecision.Benchmarks.Operators;
using MixedPrecision.Benchmarks.Preparing;
using MixedPrecision.Benchmarks.Reducing;
using MixedPrecision.Benchmarks.Training;
using MixedPrecision.Benchmarks.Training.Search;

// Each benchmark prints ratios against a baseline that is measured in the same run.
return args switch
{
    ["calibration", .. string[] policies] when policies.Length > 0 => CalibrationBenchmark.Run(policies),
    ["prediction", string model, string data, string evaluation, string loss, .. string[] labels] =>
        PredictionBenchmark.Run(model, data, evaluation, loss, labels.FirstOrDefault()),
    ["estimates", string samples, string model, string data, string loss, .. string[] labels] => EstimatesBenchmark.Run(Number(samples), model, data, loss, labels.FirstOrDefault()),
    ["prediction-floats", string model, string data, string evaluation, string loss, .. string[] labels] =>
        FloatPredictionBenchmark.Run(model, data, evaluation, loss, labels.FirstOrDefault()),
    ["float-variants", string model, string data, string evaluation, string loss, .. string[] labels] =>
        FloatVariantsBenchmark.Run(model, data, evaluation, loss, labels.FirstOrDefault()),
    ["format-parameters", string model, string data, string evaluation, string loss, .. string[] labels] =>
        FormatParametersBenchmark.Run(model, data, evaluation, loss, labels.FirstOrDefault()),
    ["preparations", string formats, string model, string data, string evaluation, string loss, .. string[] labels] =>
        PreparationBenchmark.Run(model, data, evaluation, loss, labels.FirstOrDefault(), formats == "all" ? "" : formats),
    ["partition", string nodes] => PartitionBenchmark.Run(Number(nodes)),
    ["references", string folder] => ReferenceBenchmark.Compare(folder),
    ["decoder-make", string shape, string folder, string samples, string tokens] => DecoderBenchmark.Make(shape, folder, Number(samples), Number(tokens)),
    ["decoder-forward", string folder] => DecoderBenchmark.Forward(folder),
    ["decoder-calibrate", string folder, string policy, .. string[] forward] =>
        DecoderBenchmark.Calibrate(folder, policy, forward.Length > 0 ? double.Parse(forward[0], CultureInfo.InvariantCulture) : null),
    ["operators", string folder, .. string[] filter] => OperatorBenchmark.Run(folder, filter.FirstOrDefault()),
    ["aa", string repeats, .. string[] folders] when folders.Length > 0 => SameFileBenchmark.Run(Number(repeats), folders),
    ["show", string models, string cases, string output, .. string[] names] => ShowBenchmark.Run(models, cases, output, names),
    ["search", string cache, .. string[] policies] when policies.Length > 0 => SearchBenchmark.Run(cache, policies),
    ["search-limits", string folder, string policy, string budget, .. string[] limits] when limits.Length > 0 => SearchLimitsBenchmark.Run(folder, policy, budget, [.. limits.Select(Number)]),
    ["targets", string folder, .. string[] names] => TargetsBenchmark.Run(folder, names),
    ["recurrent"] => RecurrentBenchmark.Run(),
    ["rewrites", .. string[] names] => RewritesBenchmark.Run(names),
    ["convolutions", string folder, .. string[] filters] => ConvolutionsBenchmark.Run(folder, filters),
    ["between", string folder, .. string[] names] => BetweenBenchmark.Run(folder, names),
    ["reductions", string folder, .. string[] names] => ReductionsBenchmark.Run(folder, names),
    ["train", string folder] => TrainBenchmark.Run(folder, double.PositiveInfinity),
    ["train", string folder, string seconds] => TrainBenchmark.Run(folder, Number(seconds)),
    ["train-search", string folder, .. string[] seconds] => SearchTraining.Run(folder, seconds.Length > 0 ? Number(seconds[0]) : double.PositiveInfinity),
    _ => Usage(),
};

static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);

static int Usage()
{
    Console.Error.WriteLine("""
        calibration POLICY…                    cost of calibrating a sample, over that of its forward pass
        prediction MODEL DATA EVALUATION LOSS [LABELS]      loss MSE predicted from data, over that measured on other samples
        estimates SAMPLES MODEL DATA LOSS [LABELS]          how near estimates from so many of the samples come to the loss MSE of the others
        prediction-floats MODEL DATA EVALUATION LOSS [LABELS]  the same for floating formats, by both estimators
        float-variants MODEL DATA EVALUATION LOSS [LABELS]     other ways to write floating formats: all operators in 16 bits, activations scaled or not in 8
        format-parameters MODEL DATA EVALUATION LOSS [LABELS]  every integer format for all layers: size, loss error and time
        preparations FORMATS MODEL DATA EVALUATION LOSS [LABELS]   loss MSE of formats (all, or names with commas) by how weights are prepared, predicted and measured
        partition NODES                        time of partitioning a generated decoder, over that of reading its graph
        references FOLDER                      sensitivities against those that references.py wrote for the models of the folder
        decoder-make 1b|8b FOLDER SAMPLES TOKENS            writes a decoder with the shapes of Llama-3.2-1B or Llama-3.1-8B, and data
        decoder-forward FOLDER                              seconds of one forward pass of it
        decoder-calibrate FOLDER taylor|measured [FORWARD]  time of calibrating a sample, over that of FORWARD seconds, and peak memory
        operators FOLDER [NAME]                             gradients of ONNX's test models below FOLDER (with NAME in theirs) against differences
        aa REPEATS FOLDER…                                  timings of models, and of their sub-graphs, against themselves: how many intervals exclude zero
        search CACHE POLICY…                   the plan that the search finds, against that from timing every configuration, on the same timings, which are kept in the folder CACHE
        search-limits FOLDER POLICY BUDGET% SECONDS…  the search under several limits of its time, each from timings of its own, on a model with too many configurations to time all
        show MODELS CASES OUTPUT [NAME…]       what ships for every shared model, and for the models that the scripts of the shared cases wrote below CASES (with NAME in theirs)
        targets FOLDER [NAME…]                 what the product makes of models whose fastest configuration is known, over what is attainable
        rewrites [NAME…]                       made models as exported, over the same with one structure: what rotations, normalizations and ONNX's own Attention gain
        recurrent                              LSTM of several sizes in float and in int8-dynamic: time, error, bytes
        convolutions FOLDER [NAME…] [BUDGET%…] models with convolutions as the product ships them for each budget, in one format everywhere, and as ONNX Runtime's own quantization tool makes them
        between FOLDER [NAME…]                 what operators between layers gain in 8 bits, and what error they add, by kind
        reductions FOLDER [NAME…]              loss MSE of int8-static in all layers by how these are prepared, for the models of convolutions, docarea and doclm
        train FOLDER [SECONDS]                 a classifier of characters that are drawn as it goes, into FOLDER/characters; breaks off after SECONDS, to go on when called again
        train-search FOLDER [SECONDS]          an encoder that finds entries of .NET's documentation, from the files beside the SDK, into FOLDER/search; breaks off likewise
        """);
    return 1;
}
