using MixedPrecision.Benchmarks;

// Each benchmark prints ratios against a baseline that is measured in the same run.
return args switch
{
    ["calibration", string model, string data, string loss, .. string[] labels] => CalibrationBenchmark.Run(model, data, loss, labels.FirstOrDefault()),
    ["partition", string nodes] => PartitionBenchmark.Run(int.Parse(nodes, System.Globalization.CultureInfo.InvariantCulture)),
    _ => Usage(),
};

static int Usage()
{
    Console.Error.WriteLine("""
        calibration MODEL DATA LOSS [LABELS]   cost of calibrating a sample, over that of its forward pass
        partition NODES                        time of partitioning a generated decoder, over that of reading its graph
        """);
    return 1;
}
