using MixedPrecision.Data;
using MixedPrecision.Execution;
using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;

namespace MixedPrecision.Calibration;

/// <summary>What is observed, and on what.</summary>
/// <param name="Sites">Every layer of the partition, by name.</param>
/// <param name="Values">Rows whose moments are wanted, by <see cref="LayerSite.MomentsOf"/>.</param>
/// <param name="Threads">Threads within an operator; 0 leaves the choice to ONNX Runtime.</param>
public sealed record ObservationRequest(
    OnnxModel Model,
    Partition Partition,
    IReadOnlyDictionary<string, TensorType> Types,
    IReadOnlyDictionary<string, LayerSite> Sites,
    IReadOnlyList<string> Values,
    IReadOnlyList<Sample> Samples,
    int Threads)
{
    /// <summary>Values whose range is wanted, by name; each is an input of the model or computed in its main graph.</summary>
    public IReadOnlyList<string> Ranges { get; init; } = [];

    /// <summary>How much memory is taken to save time.</summary>
    internal CalibrationMemory Memory { get; init; } = CalibrationMemory.Default;
}

/// <summary>
/// Observes what layers read: a forward pass for each sample, of the whole model at once or, when it is larger than memory allows, segment by segment, of as many samples as the
/// values that cross segments leave room for. What is found is the same in any order of the samples.
/// </summary>
public static class Observer
{
    private const int MostConcurrent = 16;
    private const int WidestBlock = 2048;
    private const int NarrowestBlock = 128;

    /// <summary>Patches of convolutions overlap: blocks of half the width tell as much, and a few rows of each sample do, so many of all together or for each element of a row.</summary>
    private const int WidestPatch = 1024, FewestPatches = 4096, PatchesPerInput = 4;

    /// <summary>Sums the moments of each value, and finds ranges; one that is no finite number on some sample, or was not computed, is left out.</summary>
    /// <param name="keep">Given the sums of each value, in the order of the model.</param>
    /// <param name="keepRange">Given the range of each value.</param>
    /// <param name="report">Told the fraction that is done.</param>
    internal static void Run(ObservationRequest request, Action<string, MomentSums> keep, Action<ObservedRange> keepRange, Action<double> report, CancellationToken cancel)
    {
        bool isWhole = Segment.ModelBytes(request.Model, request.Partition.View, request.Types) <= request.Memory.WholeModel;
        Cut[] cuts = Cut.Of(request, Segment.Of(request.Partition, request.Sites, isWhole));
        int threads = request.Threads > 0 ? request.Threads : Environment.ProcessorCount;
        int concurrency = isWhole ? Math.Min(Math.Min(threads, request.Samples.Count), MostConcurrent) : 1;
        using var gram = new Gram(threads / concurrency);
        Dictionary<string, Tensor>[] samples = [.. request.Samples.Select(s => new Dictionary<string, Tensor>(s.Inputs))];
        if (!isWhole)
        {
            // The first sample goes alone and shows how much its values take.
            var first = new Dictionary<string, Tensor>(request.Samples[0].Inputs);
            long bytes = cuts.Max(cut =>
            {
                using Session session = cut.Open(request.Model, threads);
                cut.Run(session, first, [], new Dictionary<string, RangeSums>(), gram, samples.Length, cancel);
                long held = first.Values.Sum(v => (long)v.Bytes.Length);
                cut.Drop(first);
                return held;
            });
            samples = [.. samples.Take((int)Math.Clamp(request.Memory.Group / Math.Max(bytes, 1), 1, samples.Length))];
        }

        foreach (string value in request.Ranges.Where(r => request.Samples.All(s => s.Inputs.ContainsKey(r))))
        {
            var range = new RangeSums();
            foreach (Sample sample in request.Samples)
            {
                range.Add(sample.Inputs[value]);
            }

            Keep(value, range, request.Samples.Count);
        }

        long done = 0;
        foreach (Cut cut in cuts)
        {
            int width = WidthOf([.. cut.Observed.SelectMany(o => Enumerable.Repeat(o.RowSize, o.Groups))], request.Memory.Moments);
            (LayerSite Site, MomentSums Sums)[] sums = [.. cut.Observed.Select(o => (o, new MomentSums(o.RowSize * o.Groups, WidthFor(o, width))))];
            var ranges = cut.Ranged.ToDictionary(r => r, _ => new RangeSums());
            using Session session = cut.Open(request.Model, threads / concurrency);
            Parallel.ForEach(samples, new ParallelOptions { MaxDegreeOfParallelism = concurrency, CancellationToken = cancel }, values =>
            {
                cut.Run(session, values, sums, ranges, gram, samples.Length, cancel);
                cut.Drop(values);
                report(Interlocked.Increment(ref done) / ((double)cuts.Length * samples.Length));
            });
            foreach ((LayerSite site, MomentSums sum) in sums.Where(s => s.Sums.Samples == samples.Length))
            {
                keep(site.MomentsOf!, sum);
            }

            foreach (string value in cut.Ranged)
            {
                Keep(value, ranges[value], samples.Length);
            }
        }

        void Keep(string value, RangeSums range, int all)
        {
            if (range.Samples == all)
            {
                keepRange(new ObservedRange(value, range.Total));
            }
        }
    }

    /// <summary>The widest blocks, between 128 and 2,048 inputs, with which values of so many inputs have at most so many elements together.</summary>
    internal static int WidthOf(IReadOnlyCollection<int> inputs, long elements)
    {
        int width = WidestBlock;
        while (width > NarrowestBlock && inputs.Sum(i => InputMoments.Count(i, width)) > elements)
        {
            width /= 2;
        }

        return width;
    }

    /// <summary>Inputs of a block of the moments of a layer.</summary>
    private static int WidthFor(LayerSite site, int width) => site.HasWeightMatrix ? width : InputMoments.WidthOf(site.RowSize, site.Groups, Math.Min(width, WidestPatch));

    /// <summary>A segment with the values that are observed in it.</summary>
    /// <param name="Inputs">Values that it reads.</param>
    /// <param name="Observed">Its layers whose rows no layer before it has.</param>
    /// <param name="Ranged">Values computed here whose ranges are wanted.</param>
    /// <param name="Kept">Values computed here that later segments read.</param>
    /// <param name="Last">Values that nothing after it reads.</param>
    private sealed record Cut(ModelProto Model, string[] Inputs, LayerSite[] Observed, string[] Ranged, string[] Kept, string[] Last)
    {
        /// <summary>All segments up to the last that observes something.</summary>
        public static Cut[] Of(ObservationRequest request, IReadOnlyList<Segment> segments)
        {
            var open = new HashSet<string>(request.Values);
            var cuts = new List<Cut>();
            foreach (Segment segment in segments)
            {
                LayerSite[] observed = [.. segment.Sites.Where(s => s.MomentsOf is string rows && open.Remove(rows))];
                HashSet<string> computed = [.. segment.Nodes.SelectMany(n => request.Partition.View.Nodes[n].Output)];
                string[] ranged = [.. request.Ranges.Where(computed.Contains)];
                ExtractedSubgraph own = Extraction.Extract(
                    request.Model, request.Partition, request.Types, segment.Nodes, new ExtractionOptions(FurtherOutputs: [.. observed.Select(o => o.Layer.Input).Where(computed.Contains).Concat(ranged).Distinct()]));
                Instrumented.OpenSizes(own.Model.Graph);
                cuts.Add(new Cut(own.Model, [.. own.Inputs, .. observed.Select(o => o.Layer.Input).Except(computed).Except(own.Inputs)], observed, ranged, [.. own.Outputs], []));
            }

            int count = cuts.FindLastIndex(c => c.Observed.Length > 0 || c.Ranged.Length > 0) + 1;
            var read = new HashSet<string>();
            for (int i = count - 1; i >= 0; i--)
            {
                cuts[i] = cuts[i] with { Kept = [.. cuts[i].Kept.Where(read.Contains)], Last = [.. cuts[i].Inputs.Except(read)] };
                read.UnionWith(cuts[i].Inputs);
            }

            return [.. cuts.Take(count)];
        }

        public Session Open(OnnxModel origin, int threads) => Session.Create(Model, SessionSettings.Default with { Threads = threads }, origin.Folder);

        /// <summary>Runs a sample through the segment: adds to the sums there are, and to the sample's values what later segments read.</summary>
        public void Run(Session session, Dictionary<string, Tensor> values, IReadOnlyList<(LayerSite Site, MomentSums Sums)> sums, IReadOnlyDictionary<string, RangeSums> ranges, Gram gram, int samples, CancellationToken cancel)
        {
            using RunResults results = session.RunInPlace(values, cancel);
            foreach ((LayerSite site, MomentSums sum) in sums)
            {
                if ((results.Tensors.GetValueOrDefault(site.Layer.Input) ?? values.GetValueOrDefault(site.Layer.Input)) is { } x)
                {
                    int most = (Math.Max(FewestPatches, PatchesPerInput * site.RowSize) + samples - 1) / samples;
                    gram.Add(site.HasWeightMatrix ? x : new Patches(site, x.Shape).Some(x, most), sum);
                }
            }

            foreach ((string value, RangeSums range) in ranges)
            {
                if (results.Tensors.GetValueOrDefault(value) is { } given)
                {
                    range.Add(given);
                }
            }

            foreach (string value in Kept.Where(results.Tensors.ContainsKey))
            {
                Tensor tensor = results.Tensors[value];
                values[value] = new Tensor(tensor.ElementType, tensor.Shape, tensor.Bytes.ToArray());
            }
        }

        /// <summary>Drops what nothing after the segment reads.</summary>
        public void Drop(Dictionary<string, Tensor> values) => Array.ForEach(Last, value => values.Remove(value));
    }
}
